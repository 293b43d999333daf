"""Debian machines for the packages: fresh roots, and a boot of one with its own systemd in namespaces of this machine.

A booted machine has its own processes, mounts, users of the root, and a network of loopback alone; the kernel is this one.
"""

import shutil
import signal
import subprocess
from pathlib import Path

from support.waiting import PATIENCE, poll

INSTALLING = 300  # seconds that apt may take
BOOTING = 180  # and a boot
SOURCES = next((path for path in (Path("/etc/apt/sources.list.d/debian.sources"), Path("/etc/apt/sources.list"))
                if path.exists()), None)
ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"}
# What systemd wants to find when it is the first process; then its root is the only one.
BOOT = r"""
set -e
cd "$1"
mount --make-rprivate /
mount --bind . .
cd "$1"
mount -t proc proc proc
mount -t sysfs -o ro sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs tmpfs dev
mkdir dev/pts dev/shm dev/mqueue
for name in null zero full random urandom tty; do touch dev/$name; mount --bind /dev/$name dev/$name; done
mount -t devpts -o newinstance,ptmxmode=0666 devpts dev/pts
ln -s pts/ptmx dev/ptmx
for name in dev/shm run tmp; do mount -t tmpfs tmpfs $name; done
ip link set lo up
pivot_root . mnt
umount -l /mnt
mount --make-rshared /  # systemd hands over credentials by a mount that others are to see
exec env -i container=test PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd --show-status=no
"""
NAMESPACES = ["--mount", "--pid", "--uts", "--ipc", "--net", "--cgroup"]


def run(words, **options) -> subprocess.CompletedProcess:
    return subprocess.run(list(map(str, words)), capture_output=True, text=True,
                          **{"timeout": PATIENCE, "stdin": subprocess.DEVNULL, **options})


def make_root(archive: Path, packages: list[str]):
    """A new Debian 12 with these packages, as a tar archive."""
    made = run(["mmdebstrap", "--quiet", "--variant=minbase", f"--include={','.join(packages)}", "bookworm", archive,
                SOURCES], timeout=2 * INSTALLING)
    assert made.returncode == 0, made.stderr


class Root:
    """A root of its own, from the archive."""

    def __init__(self, folder: Path, archive: Path):
        self.folder = folder
        folder.mkdir(mode=0o755)
        assert run(["tar", "-C", folder, "-xpf", archive], timeout=INSTALLING).returncode == 0
        settings = folder / "etc/apt/apt.conf.d"
        for file in Path("/etc/apt/apt.conf.d").glob("99*"):
            shutil.copy(file, settings)
        (folder / "usr/sbin/policy-rc.d").write_text("#!/bin/sh\nexit 101\n")  # nothing starts in a chroot
        (folder / "usr/sbin/policy-rc.d").chmod(0o755)

    def path(self, name: str) -> Path:
        return self.folder / name.lstrip("/")

    def write(self, name: str, text: str, mode: int = 0o644):
        file = self.path(name)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        file.chmod(mode)

    def run(self, *words, **options) -> subprocess.CompletedProcess:
        inside = 'mount -t proc proc "$0/proc" && exec chroot "$0" "$@"'
        return run(["unshare", "--mount", "sh", "-c", inside, self.folder, *words], **{"env": ENVIRONMENT, **options})

    def install(self, *packages) -> str:
        """By apt, with what they depend on. Files are copied in."""
        names = []
        for package in packages:
            if isinstance(package, Path):
                shutil.copy(package, self.path("var/cache"))
                package = f"/var/cache/{package.name}"
            names.append(package)
        if not any(self.path("var/lib/apt/lists").glob("*Packages*")):
            assert self.run("apt-get", "-qq", "update", timeout=INSTALLING).returncode == 0
        done = self.run("apt-get", "-q", "-y", "--no-install-recommends", "-o", "Dpkg::Options::=--force-confold",
                        "install", *names, timeout=INSTALLING)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    def status(self, package: str) -> str:
        """As dpkg has it: "installed", "config-files"; "": it does not know it."""
        return self.run("dpkg-query", "-W", "-f", "${db:Status-Status}", package).stdout


class Machine:
    """A root that has booted. Ended by close()."""

    def __init__(self, root: Root):
        self.root = root
        root.path("usr/sbin/policy-rc.d").unlink(missing_ok=True)
        self._log = open(root.folder.parent / f"{root.folder.name}.boot", "w")
        self._process = subprocess.Popen(
            ["unshare", *NAMESPACES, "--fork", "--kill-child", "sh", "-c", BOOT, "sh", str(root.folder)],
            stdin=subprocess.DEVNULL, stdout=self._log, stderr=subprocess.STDOUT)
        poll(lambda: self.systemctl("is-system-running").stdout.strip() in ("running", "degraded"), BOOTING)

    def _first(self) -> int:
        """Its first process, by the number that it has here."""
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children")
        return int(children.read_text().split()[0])

    def run(self, *words, **options) -> subprocess.CompletedProcess:
        inside = ["nsenter", "-t", self._first(), "-m", "-p", "-u", "-i", "-n", "-C", "--", *words]
        return run(inside, **{"env": ENVIRONMENT, **options})

    def ok(self, *words, **options) -> str:
        ended = self.run(*words, **options)
        assert ended.returncode == 0, f"{words}: {ended.stdout}{ended.stderr}{self.journal()}"
        return ended.stdout

    def systemctl(self, *words) -> subprocess.CompletedProcess:
        try:
            return self.run("systemctl", "--no-pager", *words)
        except (IndexError, FileNotFoundError):  # it has not begun
            assert self._process.poll() is None, Path(self._log.name).read_text()
            return subprocess.CompletedProcess(words, 1, "", "")

    def property(self, unit: str, name: str) -> str:
        return self.systemctl("show", "--value", "-p", name, unit).stdout.strip()

    def journal(self, unit: str = "relayd.service") -> str:
        return self.run("journalctl", "--no-pager", "-o", "cat", "-u", unit).stdout

    def close(self):
        self._process.send_signal(signal.SIGKILL)  # and so its first process, and with that all
        self._process.wait(PATIENCE)
        self._log.close()
