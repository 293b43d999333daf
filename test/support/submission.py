"""What every mail client of the tests is asked to do: hand one message to a server on loopback."""

import json
import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from support.waiting import PATIENCE

SCRIPTS = Path(__file__).with_name("submit")


@dataclass(frozen=True)
class Submission:
    port: int
    sender: str
    recipients: list[str]
    file: Path  # the whole message in UTF-8, with CR LF at the end of every line
    tls: str = "none"  # none | starttls | implicit
    login: tuple[str, str] | None = None  # name and password
    authority: Path | None = None  # whose certificate to trust
    folder: Path | None = None  # for what a client must have in files; empty

    @property
    def subject(self) -> str:
        return re.search(r"^Subject: (.*?)\r\n", self._parts()[0], re.M)[1]

    @property
    def body(self) -> str:
        """With LF at the end of every line, as programs on this system read text."""
        return self._parts()[1].replace("\r\n", "\n")

    def in_json(self) -> str:
        """For the scripts, each of which has one argument; what is not there is null."""
        name, password = self.login or (None, None)
        return json.dumps({"host": "127.0.0.1", "port": self.port, "sender": self.sender,
                           "recipients": self.recipients, "file": str(self.file), "tls": self.tls, "name": name,
                           "password": password, "authority": str(self.authority) if self.authority else None})

    def _parts(self) -> tuple[str, str]:
        header, _, body = self.file.read_bytes().decode().partition("\r\n\r\n")
        return header + "\r\n", body


class ClientFailed(Exception):
    """A client did not send, and said why."""


def run(*command, environment: dict[str, str] | None = None, **options):
    """Runs a client to its end, far from the settings of whoever runs the tests."""
    ours = {**os.environ, "HOME": "/nonexistent", "LANG": "C.UTF-8", **(environment or {})}
    ended = subprocess.run(list(map(str, command)), capture_output=True, timeout=PATIENCE, env=ours, **options)
    if ended.returncode != 0:
        said = (ended.stdout + ended.stderr).decode(errors="replace")
        raise ClientFailed(f"{command[0]} ended with {ended.returncode}:\n{said}")
