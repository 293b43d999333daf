"""Signing keys as `relayd dkim keygen` makes them, and dkimpy and OpenDKIM, which verify what they sign."""

import re
import subprocess
from pathlib import Path

from support.relayd import command

PYTHON = "/usr/bin/python3"  # Debian's, which has dkimpy

# Messages one after another, each with its length before it; an answer for each signature, the first one first.
VERIFY = """
import sys, dkim
def record(name, timeout=5):
    return records[name.rstrip(b".").decode()].encode()
records = dict(line.split(" ", 1) for line in open(sys.argv[1]).read().splitlines())
data = sys.stdin.buffer
while size := data.readline():
    message = data.read(int(size))
    try:
        verifier = dkim.DKIM(message)
        print(*[verifier.verify(idx=index, dnsfunc=record) for index in range(int(sys.argv[2]))])
    except dkim.DKIMException as error:
        print(error)
"""


class Keys:
    """Keys of a domain, one of each type, and the records that DNS would have."""

    def __init__(self, folder: Path, domain: str = "example.com", kinds=("rsa", "ed25519")):
        self.domain = domain
        self._folder = folder
        self.files = {}
        self.records = folder / f"records-{domain}"
        lines = []
        for kind in kinds:
            file = folder / f"{kind}-{domain}.pem"
            made = command("dkim", "keygen", "--domain", domain, "--selector", kind, "--type", kind, "-o", file)
            assert made.returncode == 0, made.stderr
            self.files[kind] = file
            record = re.search(rf"^{kind}\._domainkey\.{re.escape(domain)}\n(v=DKIM1; .*)$", made.stdout, re.M)[1]
            lines.append(f"{kind}._domainkey.{domain} {record}\n")
        self.records.write_text("".join(lines))

    def config(self) -> list[dict]:
        """For `dkim` of a relay."""
        return [{"domain": self.domain, "selector": kind, "key": str(file)} for kind, file in self.files.items()]

    def verify(self, messages: list[bytes], signatures: int = 2) -> list[str]:
        """A line for each message: what dkimpy says of its first signatures."""
        data = b"".join(b"%d\n" % len(message) + message for message in messages)
        ended = subprocess.run([PYTHON, "-c", VERIFY, str(self.records), str(signatures)], input=data, check=True,
                               capture_output=True, timeout=120)
        return ended.stdout.decode().splitlines()

    def opendkim(self, messages: list[bytes], signatures: int = 2) -> list[str]:
        """The same of OpenDKIM. It tells of one signature only, so each is shown to it alone."""
        return [" ".join(str(self._opendkim(_with_signature_alone(message, number))) for number in range(signatures))
                for message in messages]

    def _opendkim(self, message: bytes) -> bool:
        config, file = self._folder / "opendkim.conf", self._folder / "message"
        config.write_text(f"Mode v\nTestPublicKeys {self.records}\n")
        file.write_bytes(message)
        ended = subprocess.run(["/usr/sbin/opendkim", "-x", config, "-t", file], capture_output=True, timeout=60)
        told = (ended.stdout + ended.stderr).decode(errors="replace")  # it always ends with 0
        return "succeeded" in told or "dkim=pass" in told


def _with_signature_alone(message: bytes, number: int) -> bytes:
    """The message with one of its signatures, and a line end behind it, which OpenDKIM wants."""
    header, end, body = message.partition(b"\r\n\r\n")
    fields = re.split(rb"\r\n(?![ \t])", header)
    signatures = [field for field in fields if field.lower().startswith(b"dkim-signature:")]
    kept = [field for field in fields if field not in signatures or field is signatures[number]]
    return b"\r\n".join(kept) + end + (body if not body or body.endswith(b"\r\n") else body + b"\r\n")
