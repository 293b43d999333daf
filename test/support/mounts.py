"""Disks of a test's own: images on loop devices that lose their power, and memory that is small or read-only.

Everything is mounted in a private mount namespace of the calling thread, so that nobody else holds a disk alive
that was cut. Root only, with loop devices; a container has neither unless it is privileged.
"""

import ctypes
import fcntl
import os
import struct
import subprocess
from pathlib import Path

CLONE_NEWNS = 0x20000
SHUTDOWN = 0x8004587D  # EXT4_IOC_SHUTDOWN and XFS_IOC_GOINGDOWN are both _IOR('X', 125, __u32)
WITHOUT_FLUSHING_THE_LOG = struct.pack("I", 2)
IMAGE_SIZE = 512 << 20  # XFS wants 300 MiB; the image is sparse
MAKE = {"ext4": ("mkfs.ext4", "-q"), "xfs": ("mkfs.xfs", "-q")}


def leave_the_common_mounts():
    """What this thread and the processes it starts mount from now on, nobody else sees."""
    libc = ctypes.CDLL(None, use_errno=True)
    refused = libc.unshare(CLONE_NEWNS) != 0
    assert not refused, f"mounting needs root and CAP_SYS_ADMIN: {os.strerror(ctypes.get_errno())}"
    _run("mount", "--make-rprivate", "/")


class Mount:
    """A tmpfs, by its options; unmounted at the end of the `with`."""

    def __init__(self, point: Path, *options: str):
        self.point = point
        self._options = options
        point.mkdir()

    def mount(self, *more: str):
        _run("mount", "-t", "tmpfs", "-o", ",".join([*self._options, *more]), "tmpfs", self.point)

    def remount(self, *options: str):
        _run("mount", "-o", ",".join(["remount", *options]), self.point)

    def unmount(self):
        _run("umount", self.point)

    def __enter__(self):
        self.mount()
        return self

    def __exit__(self, *_):
        # Lazily: after a failure the relay may still run on it.
        _run("umount", "--lazy", self.point)


class LoopDisk(Mount):
    """A file system of that kind in a sparse file."""

    def __init__(self, point: Path, kind: str):
        super().__init__(point)
        image = point.with_suffix(f".{kind}")
        with open(image, "wb") as file:
            file.truncate(IMAGE_SIZE)
        _run(*MAKE[kind], image)
        self._kind = kind
        self._device = _run("losetup", "--find", "--show", image).strip()

    def mount(self):
        """After a cut this replays the log, as a start of the machine does."""
        _run("mount", "-t", self._kind, self._device, self.point)

    def cut_power(self):
        """From here on nothing reaches the disk: neither data nor what the file system's log still holds."""
        directory = os.open(self.point, os.O_RDONLY)
        try:
            fcntl.ioctl(directory, SHUTDOWN, WITHOUT_FLUSHING_THE_LOG)
        finally:
            os.close(directory)

    def __exit__(self, *_):
        super().__exit__()
        _run("losetup", "--detach", self._device)


def _run(*command) -> str:
    ended = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=60)
    assert ended.returncode == 0, f"{command} ended with {ended.returncode}: {ended.stderr}"
    return ended.stdout
