"""What a tree of processes costs, as /proc tells it: processor time and memory."""

import os
import threading
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
PROC = Path("/proc")


def tree(root: int) -> list[int]:
    """The process and all that descend from it, parents first."""
    found = [root]
    for pid in found:
        try:
            for task in os.listdir(PROC / f"{pid}/task"):
                found += map(int, (PROC / f"{pid}/task/{task}/children").read_text().split())
        except OSError:  # it has ended
            pass
    return found


def cpu_seconds(root: int) -> float:
    """User and system time of the tree, with that of children that have ended and were waited for."""
    ticks = 0
    for pid in tree(root):
        try:
            fields = (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        ticks += sum(map(int, fields[11:15]))  # utime, stime, cutime, cstime: proc(5) counts from pid
    return ticks / TICKS


def pss_mib(root: int) -> float:
    """Proportional set size: pages that several processes share count in parts, once in all."""
    kib = 0
    for pid in tree(root):
        try:
            text = (PROC / str(pid) / "smaps_rollup").read_text()
        except OSError:
            continue
        kib += next(int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:"))
    return kib / 1024


class Watch:
    """Between enter and exit: the processor time that the trees took, and the most memory they were seen with."""

    PERIOD = 0.2  # seconds

    def __init__(self, *roots: int):
        self._roots = roots
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.peak_mib = 0.0
        self.cpu = 0.0

    def __enter__(self):
        self.cpu = -sum(map(cpu_seconds, self._roots))
        self._thread.start()
        return self

    def __exit__(self, *_):
        self.cpu += sum(map(cpu_seconds, self._roots))
        self._over.set()
        self._thread.join()

    def _run(self):
        while True:
            self.peak_mib = max(self.peak_mib, sum(map(pss_mib, self._roots)))
            if self._over.wait(self.PERIOD):
                return
