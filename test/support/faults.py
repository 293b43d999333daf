"""Faults: what a preloaded library (faults.cpp) does to the calls of a running relayd, changed at any moment.

A call that counts can be the last of its process (kill -9 before it runs), fail with an errno, or do one octet of its
work; the wall clock can be moved. Calls are counted over all threads, so every one of a life can be met.
"""

import errno
import mmap
import os
import struct
from pathlib import Path

from support.relayd import BINARY, Relayd

LIBRARY = Path(BINARY).resolve().parents[1] / "test" / "libfaults.so"

# In the order of faults.cpp. `create` and `open` are both openat(2), with and without O_CREAT.
CALLS = ("pwritev", "fdatasync", "fsync", "create", "open", "renameat", "unlinkat", "mkdirat",
         "write", "send", "recv", "accept", "watch")
DISK = CALLS[:CALLS.index("write")]
ACTIONS = ("none", "fail", "shorten", "kill", "stall")
LAYOUT = struct.Struct("=7Qq")
COUNTED, CLOCK = 1, 7  # positions in it
FOR_EVER = 2**63


class Faults:
    def __init__(self, relay: Relayd, file: Path):
        """From its next start on the relay has the library under it."""
        file.write_bytes(bytes(LAYOUT.size))
        with open(file, "r+b") as opened:
            self._memory = mmap.mmap(opened.fileno(), LAYOUT.size)
        sanitizer = os.environ.get("ASAN_OPTIONS", "")
        relay.environment.update({"LD_PRELOAD": str(LIBRARY), "FAULTS": str(file),
                                  "ASAN_OPTIONS": f"{sanitizer}:verify_asan_link_order=0".lstrip(":")})
        self._set()

    def kill(self, calls=CALLS, at: int = 1):
        self._set(calls, "kill", first=at)

    def fail(self, calls, error: int = errno.EIO, first: int = 1, every: int = 1, times: int = FOR_EVER):
        self._set(calls, "fail", error, first, every, times)

    def stall(self, calls, first: int = 1):
        """They do not come back before the next change."""
        self._set(calls, "stall", first=first)

    def shorten(self, calls):
        """Writes and reads at most one octet a call."""
        self._set(calls, "shorten")

    def heal(self):
        self._set()

    @property
    def counted(self) -> int:
        """Counted calls since the last change."""
        return LAYOUT.unpack(self._memory)[COUNTED]

    def move_clock(self, seconds: int):
        self._memory[:] = LAYOUT.pack(*LAYOUT.unpack(self._memory)[:CLOCK], seconds)

    def _set(self, calls=(), action: str = "none", error: int = 0, first: int = 1, every: int = 1,
             times: int = FOR_EVER):
        calls = (calls,) if isinstance(calls, str) else calls
        bits = sum(1 << CALLS.index(call) for call in calls)
        clock = LAYOUT.unpack(self._memory)[CLOCK]
        # First nothing, so that no call meets half a change.
        self._memory[:8] = bytes(8)
        rest = LAYOUT.pack(0, 0, first, every, times, ACTIONS.index(action), error, clock)[8:]
        self._memory[8:] = rest
        self._memory[:8] = struct.pack("=Q", bits)
