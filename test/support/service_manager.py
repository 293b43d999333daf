"""A stand-in for the service manager: a datagram socket that keeps what is told there, as sd_notify(3) has it."""

import socket
import threading

from support.waiting import PATIENCE, Record


class ServiceManager:
    """`name`: a path, or "@" and an abstract name. What it is told are dictionaries of NAME to VALUE."""

    def __init__(self, name):
        self.name = str(name)
        self.told = Record("what the service manager was told")
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind("\0" + self.name[1:] if self.name.startswith("@") else self.name)
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self):
        while (datagram := self._socket.recv(65536)) != b"end":
            self.told.add(dict(line.split("=", 1) for line in datagram.decode().split("\n")))

    def wait(self, name: str, value: str | None = None, count: int = 1) -> dict:
        """The datagram with that variable, the last of so many."""
        return self.told.wait(lambda one: name in one and value in (None, one[name]), count)[-1]

    def heard(self, name: str) -> list[str]:
        return [one[name] for one in self.told.all(lambda one: name in one)]

    def close(self):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as last:
            last.settimeout(PATIENCE)
            last.sendto(b"end", self._socket.getsockname())
        self._thread.join()
        self._socket.close()
