"""A private certificate authority, made with the openssl command for the length of one test run."""

import hashlib
import ipaddress
import subprocess
from dataclasses import dataclass
from datetime import datetime
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
        certificate, key = self._files(names[0])
        alternatives = ",".join(f"{'IP' if _is_address(name) else 'DNS'}:{name}" for name in names)
        self._request(certificate, key, names[0], f"subjectAltName={alternatives}", "extendedKeyUsage=serverAuth",
                      "basicConstraints=critical,CA:FALSE", signer=["-CA", self.file, "-CAkey", self._key])
        return Certificate(certificate, key, self.file)

    def issue_for_a_time(self, name: str, begin: datetime, end: datetime) -> Certificate:
        """A server certificate that is valid from then until then."""
        made = self.issue(name)
        request = made.key.with_suffix(".request")
        settings = made.key.with_suffix(".conf")
        settings.write_text(f"[ca]\ndefault_ca=here\n[here]\ndatabase={self._directory}/index\nrand_serial=yes\n"
                            f"new_certs_dir={self._directory}\ndefault_md=sha256\npolicy=any\n"
                            "copy_extensions=copy\n[any]\ncommonName=supplied\n"
                            "[req]\ndistinguished_name=name\n[name]\n")
        (self._directory / "index").write_text("")
        kind = "IP" if _is_address(name) else "DNS"
        _openssl("req", "-new", "-key", made.key, "-out", request, "-subj", f"/CN={name}", "-config", settings,
                 "-addext", f"subjectAltName={kind}:{name}", "-addext", "extendedKeyUsage=serverAuth")
        _openssl("ca", "-batch", "-notext", "-config", settings, "-in", request, "-out", made.certificate,
                 "-cert", self.file, "-keyfile", self._key,
                 "-startdate", f"{begin:%Y%m%d%H%M%SZ}", "-enddate", f"{end:%Y%m%d%H%M%SZ}")
        return made

    def issue_to_client(self, name: str) -> Certificate:
        """For a client, which a server knows by that name."""
        certificate, key = self._files(name)
        self._request(certificate, key, name, "extendedKeyUsage=clientAuth", "basicConstraints=critical,CA:FALSE",
                      signer=["-CA", self.file, "-CAkey", self._key])
        return Certificate(certificate, key, self.file)

    def _files(self, name: str) -> tuple[Path, Path]:
        stem = f"{len(list(self._directory.iterdir()))}-{name}"
        return self._directory / f"{stem}.pem", self._directory / f"{stem}.key"

    @staticmethod
    def _request(certificate, key, name, *extensions, signer=()):
        options = [word for extension in extensions for word in ("-addext", extension)]
        _openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc", "-days", "7",
                 "-subj", f"/CN={name}", "-keyout", key, "-out", certificate, "-config", "/dev/stdin", *options,
                 *signer, input="[req]\ndistinguished_name=name\n[name]\n")


def pin_of(certificate: Certificate) -> str:
    """SHA-256 of its key, in hex."""
    key = _openssl("pkey", "-in", certificate.key, "-pubout", "-outform", "DER")
    return hashlib.sha256(key).hexdigest()


def _openssl(*words, input: str = "") -> bytes:
    return subprocess.run(["openssl", *words], input=input.encode(), check=True, capture_output=True,
                          timeout=60).stdout


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
        return True
    except ValueError:
        return False
