"""A mail system that is compared: a private instance in a directory of its own."""

import contextlib
import os
import select
import signal
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from comparison.processes import tree
from support.waiting import free_port

PATIENCE = 20  # seconds


@dataclass
class Setup:
    """What an instance is for. Upstreams demand STARTTLS and AUTH."""

    upstream: int  # port on loopback
    authority: Path  # what signed its certificate
    accounts: int = 1  # one: everybody's; more: the senders s0@bench.example, s1@… have one each
    connections: int = 0  # to the upstream, in all; 0: as the system comes
    held: bool = False  # nothing is to leave
    down: bool = False  # the upstream is, at first
    change: "Change | None" = None  # of every message; see change.py


class Peer:
    """A running instance. Subclasses say how it is set up, started and made to try again."""

    name: str
    pid: int
    start_seconds: float

    def __init__(self, directory: Path, setup: Setup):
        self.directory, self.setup, self.port = directory, setup, free_port()
        directory.mkdir(mode=0o755)
        self.configure()

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()

    def start(self):
        """Starts it, waits until it greets a client, and notes how many seconds that took."""
        begun = time.monotonic()
        self.launch()
        while (greeted := self._greeted()) is None:
            if self.ended():
                raise ChildProcessError(f"ends at its start: {self.last_words()}")
            if time.monotonic() > begun + PATIENCE:
                self.pid = self.find()
                self.kill()
                raise TimeoutError(f"does not greet: {self.last_words()}")
            time.sleep(0.001)
        self.start_seconds = greeted - begun
        self.pid = self.find()

    def ended(self) -> bool:
        """Whether it is known to have ended by itself."""
        return False

    def last_words(self) -> str:
        """What its logs say last."""
        logs = (file for file in self.directory.glob("*log*") if file.is_file())
        return " | ".join(file.read_text(errors="replace")[-200:].strip() for file in logs)

    def _greeted(self) -> float | None:
        """When it said 220; None if it does not yet."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE) as client:
                greeted = time.monotonic() if client.recv(512).startswith(b"220 ") else None
                client.sendall(b"QUIT\r\n")
                client.recv(512)
                return greeted
        except OSError:
            return None

    def stop(self):
        handles = self._handles()
        for handle in handles[:1]:
            self._send(handle, signal.SIGTERM)
        try:
            self._await(handles)
        except TimeoutError:
            self.kill()

    def kill(self):
        """kill -9 for the whole tree, parents first so that nothing is started again."""
        handles = self._handles()
        for handle in handles:
            self._send(handle, signal.SIGKILL)
        self._await(handles)

    def _handles(self) -> list[int]:
        """The whole tree; what ends meanwhile is left out."""
        handles = []
        for pid in tree(self.pid):
            with contextlib.suppress(ProcessLookupError):
                handles.append(os.pidfd_open(pid))
        return handles

    @staticmethod
    def _send(handle: int, number: int):
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(handle, number)

    def _await(self, handles: list[int]):
        stays = False
        for handle in handles:
            poll = select.poll()  # select() knows no descriptor beyond 1023
            poll.register(handle, select.POLLIN)
            ended = poll.poll(0 if stays else 1000 * PATIENCE)
            os.close(handle)
            stays = stays or not ended
        if stays:
            raise TimeoutError(f"{self.name} does not end")
        self.reap()

    def roots(self) -> list[int]:
        """All processes of the system descend from these."""
        return [self.pid]

    def reap(self):
        pass
