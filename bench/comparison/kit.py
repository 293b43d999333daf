"""The two ends of every measurement: the load generator and the sink, one process each."""

import json
import signal
import socket
import subprocess
import time
from pathlib import Path

from comparison.change import Change

HARDLY = 60  # seconds; no usual run takes that long


class Kit:
    def __init__(self, programs: Path, directory: Path, certificate):
        self.programs, self.directory, self.certificate = programs, directory, certificate
        self._changes: dict[str, Change] = {}

    def load(self, port: int, patience: float = HARDLY, **options) -> dict:
        """Runs the load generator to its end; its report. `fresh=True` is --fresh, `size=9` is --size 9."""
        words = [word for name, value in options.items() if value
                 for word in ((f"--{name}",) if value is True else (f"--{name}", str(value)))]
        ended = subprocess.run([self.programs / "load", "--port", str(port), *words], check=True, timeout=patience,
                               stdout=subprocess.PIPE)
        return json.loads(ended.stdout)

    def change(self, kind: str) -> Change | None:
        """What is done to messages, made once; "": nothing."""
        if kind and kind not in self._changes:
            self._changes[kind] = Change(kind, self.directory / "changes" / kind)
        return self._changes.get(kind)

    def sink(self, **options) -> "Sink":
        return Sink(self, **options)

    def alone(self) -> tuple[float, float]:
        """Messages a second when the load generator sends to the sink: in the clear, then by TLS with AUTH."""
        return self.speed(32, 2, secure=False)["rate"], self.speed(32, 2)["rate"]

    def speed(self, sessions: int, seconds: float, secure: bool = True) -> dict:
        """What both ends do with nothing between them: messages a second, and processor time of both for each."""
        login = {"tls": "starttls", "username": "a", "password": "a"} if secure else {}
        with self.sink(secure=secure) as sink:
            report = self.load(sink.port, sessions=sessions, messages=10_000_000, seconds=seconds, **login)
            cpu = report["cpu_seconds"] + sink.counts()["cpu_seconds"]
        return {"rate": report["per_second"], "cpu_us": 1e6 * cpu / max(report["messages"], 1)}


class Sink:
    """An upstream, with STARTTLS and AUTH if `secure`. `rtt` is in milliseconds; `port` 0 is the kernel's choice."""

    def __init__(self, kit: Kit, rtt: int = 0, port: int = 0, secure: bool = True):
        self._control = kit.directory / "sink.control"
        security = ["--tls", "starttls", "--auth", "--certificate", kit.certificate.certificate,
                    "--key", kit.certificate.key]
        self._process = subprocess.Popen(
            [kit.programs / "sink", "--port", str(port), "--rtt", str(rtt), "--control", self._control,
             *(security if secure else [])], stdout=subprocess.PIPE, text=True)
        self.port = json.loads(self._process.stdout.readline())["port"]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.send_signal(signal.SIGTERM)
        self._process.communicate(timeout=HARDLY)

    def counts(self) -> dict:
        with socket.socket(socket.AF_UNIX) as control:
            control.connect(str(self._control))
            with control.makefile() as answer:
                return json.load(answer)

    def wait(self, messages: int, timeout: float, what: str = "distinct") -> dict:
        """What it counts as soon as that many (different) messages have arrived, or when the time is over."""
        deadline = time.monotonic() + timeout
        while True:
            counts = self.counts()
            if counts[what] >= messages or time.monotonic() > deadline:
                return counts
            time.sleep(0.05)
