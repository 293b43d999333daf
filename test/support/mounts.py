"""Disks of a test's own: images on loop devices that lose their power, and memory that is small or read-only.

Everything is mounted in a private mount namespace of the calling thread, so that nobody else holds a disk alive
that was cut. Root only, with loop devices; a container has neither unless it is privileged.
"""

import ctypes
import errno
import fcntl
import os
import struct
import subprocess
import tempfile
from pathlib import Path

CLONE_NEWNS = 0x20000
SHUTDOWN = 0x8004587D  # EXT4_IOC_SHUTDOWN and XFS_IOC_GOINGDOWN are both _IOR('X', 125, __u32)
WITHOUT_FLUSHING_THE_LOG = struct.pack("I", 2)
IMAGE_SIZE = 512 << 20  # XFS wants 300 MiB; the image is sparse
# Nothing is kept for root, who the tests are: a disk that is full for others is full for them.
MAKE = {"ext4": ("mkfs.ext4", "-q", "-m", "0"), "xfs": ("mkfs.xfs", "-q")}


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


def free(mount: Mount) -> int:
    """In octets, for those who are not root."""
    status = os.statvfs(mount.point)
    return status.f_bavail * status.f_frsize


class Neighbour:
    """Another process on a disk, which takes what is left of it."""

    def __init__(self, mount: Mount):
        self._mount = mount
        self._files: list[Path] = []

    def take(self, octets: int):
        with open(self._file(), "wb") as file:
            os.posix_fallocate(file.fileno(), 0, octets)

    def take_all(self):
        """To the last block, again if some became free; XFS then still tells of a few, which nobody can have."""
        with open(self._files[-1] if self._files else self._file(), "ab") as file:
            size = file.tell()
            left = True
            while left:  # relayd may give something back meanwhile
                for piece in (1 << 20, 1 << 16, 1 << 12):
                    while _was_had(lambda: os.posix_fallocate(file.fileno(), size, piece)):
                        size += piece
                left = _was_had(lambda: os.pwrite(file.fileno(), b"x", size))
                size += left << 12
        assert free(self._mount) < 1 << 16

    def take_all_inodes(self):
        while _was_had(self._file):
            pass
        assert os.statvfs(self._mount.point).f_favail == 0

    def leave(self):
        while self._files:
            self._files.pop().unlink()

    def _file(self) -> Path:
        descriptor, path = tempfile.mkstemp(dir=self._mount.point)
        os.close(descriptor)
        self._files.append(Path(path))
        return self._files[-1]


def _was_had(take) -> bool:
    try:
        take()
        return True
    except OSError as failure:
        assert failure.errno == errno.ENOSPC, failure
        return False


def _run(*command) -> str:
    ended = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=60)
    assert ended.returncode == 0, f"{command} ended with {ended.returncode}: {ended.stderr}"
    return ended.stdout
