"""`relayd sandbox PROVIDER` under test: the process, what it says to configure, and its line for each message."""

import os
import re
import signal
import subprocess
import threading
from pathlib import Path

from support.relayd import BINARY
from support.waiting import PATIENCE, Record


class Sandbox:
    def __init__(self, provider: str, *arguments: str, seeks_leaks: bool = True):
        """Under the sanitizers its end takes seconds where it `seeks_leaks`."""
        self.provider = provider
        self.lines = Record(f"lines of the sandbox of {provider}")
        self._process = subprocess.Popen([BINARY, "sandbox", provider, *arguments], stdin=subprocess.DEVNULL,
                                         stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                         env=None if seeks_leaks else os.environ | {"ASAN_OPTIONS": "detect_leaks=0"})
        head = self._head()
        self.upstream = _upstream(head)
        self.by_token = _by_token(self.upstream, head)  # the same with its access token; None: it takes none
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _head(self) -> str:
        """The lines of YAML, up to the empty line behind them."""
        head = []
        for line in self._process.stdout:
            if head and not line.strip():
                return "".join(head)
            if line.startswith(" "):
                head.append(line)
        raise AssertionError(f"no configuration: {self._process.stderr.read()}")

    def _read(self):
        for line in self._process.stdout:
            self.lines.add(line.rstrip("\n"))
        self.lines.close()

    @property
    def ca_file(self) -> Path:
        return Path(self.upstream["tls_options"]["ca_file"])

    def finish(self, number: int = signal.SIGTERM) -> int:
        if self._process.poll() is None:
            self._process.send_signal(number)
        code = self._process.wait(PATIENCE)
        self._reader.join(PATIENCE)
        self._process.stdout.close()
        self._process.stderr.close()
        return code


def _upstream(head: str) -> dict:
    """The entry of a configuration that is printed, a key a line."""
    entry = dict(re.findall(r"^ {6}(\w+): (.+)$", head, re.MULTILINE))
    ca_file = re.fullmatch(r"\{ca_file: (.+)\}", entry["tls_options"])[1]
    entry = {**entry, "port": int(entry["port"]), "tls_options": {"ca_file": ca_file}}
    return {**entry, "oauth2": _oauth2(entry["oauth2"])} if "oauth2" in entry else entry


def _by_token(upstream: dict, head: str) -> dict | None:
    offered = re.search(r"^ {6}# oauth2: (.+)$", head, re.MULTILINE)
    if not offered:
        return upstream if "oauth2" in upstream else None
    entry = {key: value for key, value in upstream.items() if key not in ("username", "password")}
    return {**entry, "oauth2": _oauth2(offered[1])}


def _oauth2(text: str) -> dict:
    *command, user = re.fullmatch(r"\{token: \{command: \[(\S+), (\S+)\]\}, user: (\S+)\}", text).groups()
    return {"token": {"command": command}, "user": user}
