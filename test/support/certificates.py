"""A private certificate authority, made with the openssl command for the length of one test run."""

import ipaddress
import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Certificate:
    certificate: Path
    key: Path
    authority: Path  # what a client must trust


class Authority:
    def __init__(self, directory: Path, name: str = "Test Authority"):
        self._directory = directory
        self.file, self._key = directory / "ca.pem", directory / "ca.key"
        directory.mkdir(parents=True)
        self._request(self.file, self._key, name, "basicConstraints=critical,CA:TRUE", "keyUsage=keyCertSign")

    def issue(self, *names: str) -> Certificate:
        """A server certificate for host names and IP addresses."""
        stem = self._directory / names[0]
        certificate, key = stem.with_name(stem.name + ".pem"), stem.with_name(stem.name + ".key")
        alternatives = ",".join(f"{'IP' if _is_address(name) else 'DNS'}:{name}" for name in names)
        self._request(certificate, key, names[0], f"subjectAltName={alternatives}", "extendedKeyUsage=serverAuth",
                      "basicConstraints=critical,CA:FALSE", signer=["-CA", self.file, "-CAkey", self._key])
        return Certificate(certificate, key, self.file)

    @staticmethod
    def _request(certificate, key, name, *extensions, signer=()):
        options = [word for extension in extensions for word in ("-addext", extension)]
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc",
                        "-days", "7", "-subj", f"/CN={name}", "-keyout", key, "-out", certificate,
                        "-config", "/dev/stdin", *options, *signer],
                       input="[req]\ndistinguished_name=name\n[name]\n", text=True, check=True, capture_output=True,
                       timeout=60)


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
        return True
    except ValueError:
        return False
