"""Waiting without sleeping: records that one thread fills and another waits on, and ports that stay free."""

import random
import socket
import threading
import time
from pathlib import Path

_claims = []  # of ports
PATIENCE = 30.0  # seconds; far above what anything takes, so that only a real fault reaches it


class Record:
    """A list that threads append to and a test waits on. Closing it ends every wait that cannot be met."""

    def __init__(self, what: str):
        self.what = what
        self._items = []
        self._closed = False
        self._changed = threading.Condition()

    def add(self, item):
        with self._changed:
            self._items.append(item)
            self._changed.notify_all()

    def close(self):
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def all(self, matches=lambda item: True) -> list:
        with self._changed:
            return [item for item in self._items if matches(item)]

    def wait(self, matches=lambda item: True, count: int = 1, timeout: float = PATIENCE) -> list:
        """The first items that match, as soon as there are `count` of them."""
        deadline = time.monotonic() + timeout
        found, seen = [], 0
        with self._changed:
            while True:
                found += [item for item in self._items[seen:] if matches(item)]
                seen = len(self._items)
                if len(found) >= count:
                    return found
                left = deadline - time.monotonic()
                if self._closed or left <= 0:
                    ended = "ended" if self._closed else f"no more came in {timeout:g} s"
                    listing = "\n".join(f"  {item}" for item in self._items[-30:])
                    raise AssertionError(f"{self.what}: {len(found)} of {count} and then {ended}:\n{listing}")
                self._changed.wait(left)


def poll(holds, timeout: float = PATIENCE):
    """Asks until it holds, where nothing can be waited on. Asking takes its time: a program runs, or a socket answers."""
    deadline = time.monotonic() + timeout
    while not holds():
        assert time.monotonic() < deadline, "it does not come to hold"


def free_port() -> int:
    """A loopback port for a server that is started later, perhaps more than once.

    It is chosen below the range the kernel takes client ports from, or a connection elsewhere could be given it
    meanwhile. No other call is given it while this process lives, in whatever process: an abstract name that both
    would bind says so.
    """
    lowest = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    for _ in range(100):
        port = random.randrange(max(1024, lowest // 2), lowest)
        claim = socket.socket(socket.AF_UNIX)
        try:
            claim.bind(f"\0relayd-test-port-{port}")
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", port))
        except OSError:
            claim.close()
            continue
        _claims.append(claim)
        return port
    raise AssertionError("no free port found in 100 draws")
