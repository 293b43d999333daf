"""A peer with its own view of the machine: mounts over the paths that it was compiled with, and a first process, as
init is one, below which all of its others stay and with which they end."""

import os
import shlex
import subprocess
from pathlib import Path

from comparison.peer import PATIENCE, Peer

UNPACKED = Path(__file__).resolve().parents[2] / "build/peers"


class Secluded(Peer):
    mounts: dict[str, Path]  # what is seen at a path, which has to exist
    command: list  # stays in the foreground and waits for whatever child is left to it

    def launch(self):
        lines = ["set -e", "mount --make-rprivate /",
                 *(f"mount --bind {shlex.quote(str(seen))} {path}" for path, seen in self.mounts.items()),
                 "exec " + shlex.join(map(str, self.command))]
        with open(self.directory / "start.log", "a") as log:
            self._outside = subprocess.Popen(["unshare", "--mount", "--pid", "--fork", "sh", "-c", "\n".join(lines)],
                                             stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def ended(self) -> bool:
        return self._outside.poll() is not None

    def find(self) -> int:
        return int(Path(f"/proc/{self._outside.pid}/task/{self._outside.pid}/children").read_text())

    def _handles(self) -> list[int]:
        """Its first process: all others end with it."""
        return super()._handles()[:1]

    def reap(self):
        self._outside.wait(PATIENCE)

    def inside(self, *command, group: int = 0):
        """Runs a command that sees what the peer sees."""
        subprocess.run(["nsenter", "--mount", "--pid", "--setgid", str(group), "--target", str(self.pid),
                        *map(str, command)], check=True,
                       timeout=PATIENCE, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)

    def folder(self, name: str, mode: int = 0o755, owner: int = 0) -> Path:
        made = self.directory / name
        made.mkdir(parents=True, exist_ok=True)
        made.chmod(mode)
        os.chown(made, owner, -1)
        return made
