"""Real file systems under a running relayd that are full, out of inodes or remounted read-only.

Needs root, which may mount; so it is no part of the suite, but one command. What it looks for is the same as in
fault_test.py, without the library between relayd and the kernel.
"""

import os
import threading
from pathlib import Path

import pytest

from fault_test import CANNOT_START, CLOSED, SMALL, Ledger
from memory_test import MIB, MOST_GROWTH, Client, peak
from support.load import BIG
from support.mounts import Mount, leave_the_common_mounts

FULL = 452
PIECE = 256 << 10  # what a draft writes at once, at most


@pytest.fixture
def on_tmpfs(to_upstream, tmp_path):
    """Makes a relay whose queue is on a tmpfs with those options: (relay, upstream, mount)."""
    leave_the_common_mounts()
    mounts, relays = [], []

    def make(*options: str, reserve: str = "0B"):
        mounts.append(Mount(tmp_path / "disk", *options))
        mounts[-1].mount()
        relay, upstream = to_upstream(certificate=None, accounts={},
                                      queue={"directory": str(mounts[-1].point / "queue"), "reserve": reserve})
        relay.queue = mounts[-1].point / "queue"
        relays.append(relay)
        return relay, upstream, mounts[-1]

    yield make
    for relay in relays:
        relay.finish()
    for mount in mounts:
        mount.unmount()


def fill(mount) -> Path:
    """Takes all the room there is, with that file."""
    filler = mount.point / "filler"
    with open(filler, "wb", buffering=0) as file, pytest.raises(OSError):
        while True:
            file.write(bytes(4096))
    return filler


def test_a_full_disk(on_tmpfs):
    relay, upstream, mount = on_tmpfs("size=8m")
    ledger = Ledger()
    ledger.hand_over(relay.port, SMALL, BIG // 2)
    filler = fill(mount)
    # What the journal has laid claim to still takes mail; then it is full.
    while not ledger.refused:
        ledger.hand_over(relay.port, BIG // 8)
    ledger.hand_over(relay.port, BIG // 2, BIG // 8)
    assert ledger.codes() == {FULL}
    filler.unlink()
    ledger.wait_until_mail_is_taken(relay.port)
    ledger.hand_over(relay.port, BIG // 2)
    ledger.demand(relay, upstream)


def test_a_start_on_a_full_disk(on_tmpfs):
    """Nothing can be recorded there, so nothing may be sent: it ends, says why, and starts again once there is room."""
    relay, upstream, mount = on_tmpfs("size=8m")
    upstream.answer("greeting", CLOSED)
    ledger = Ledger()
    ledger.hand_over(relay.port, SMALL, BIG // 2)
    relay.stop()
    filler = fill(mount)
    relay.launch("--grace", "1")
    assert relay.ended() == CANNOT_START
    assert "No space left on device" in relay.logged("stopped")[-1]["reason"]
    filler.unlink()
    upstream.behave()
    relay.start("--grace", "5")
    ledger.demand(relay, upstream)


def free(mount) -> int:
    status = os.statvfs(mount.point)
    return status.f_bavail * status.f_frsize


def test_many_large_messages_end_at_the_reserve(on_tmpfs):
    """Twenty clients at once with more than there is room for, none of which has said SIZE."""
    relay, upstream, mount = on_tmpfs("size=96m", reserve="48MiB")
    upstream.answer("greeting", CLOSED)
    ledger = Ledger()
    ledger.hand_over(relay.port, SMALL, BIG // 2)
    before, left = peak(relay.pid), []
    together = threading.Barrier(20, action=lambda: left.append(free(mount)))
    clients = [Client(relay.port, 8 * MIB, together) for _ in range(20)]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    assert {client.reply[0] for client in clients} == {FULL}, [client.reply for client in clients]
    growth = peak(relay.pid) - before
    print(f"{growth / MIB:.1f} MiB more resident, at least {min(left) / MIB:.1f} MiB left of a reserve of 48")
    assert growth < MOST_GROWTH
    assert min(left) > 48 * MIB - len(clients) * PIECE
    ledger.wait_until_mail_is_taken(relay.port)  # what was refused has left the disk
    upstream.behave()
    ledger.demand(relay, upstream)


def test_below_the_reserve_what_waits_is_sent_and_recorded(on_tmpfs):
    relay, upstream, mount = on_tmpfs("size=96m", reserve="48MiB")
    upstream.answer("greeting", CLOSED)
    ledger = Ledger()
    ledger.hand_over(relay.port, SMALL, BIG // 2)
    filler = mount.point / "filler"
    filler.write_bytes(bytes(free(mount) - 40 * MIB))
    while not ledger.refused:
        ledger.hand_over(relay.port, SMALL)
    ledger.hand_over(relay.port, SMALL, BIG // 2)
    assert ledger.codes() == {FULL}
    upstream.behave()
    ledger.demand(relay, upstream)
    filler.unlink()
    ledger.wait_until_mail_is_taken(relay.port)


def test_no_inode_is_left(on_tmpfs):
    relay, upstream, mount = on_tmpfs("nr_inodes=40")
    ledger = Ledger()
    fillers = []
    with pytest.raises(OSError):
        while True:
            (mount.point / str(len(fillers))).touch()
            fillers.append(mount.point / str(len(fillers)))
    ledger.hand_over(relay.port, SMALL, BIG // 2, SMALL)
    assert ledger.codes() == {FULL} and len(ledger.refused) == 1
    for filler in fillers:
        filler.unlink()
    ledger.hand_over(relay.port, BIG // 2)
    assert len(ledger.taken) == 3
    ledger.demand(relay, upstream)


def test_a_disk_that_is_remounted_read_only(to_upstream, tmp_path):
    """Before the start: the kernel remounts nothing that has a file open to be written."""
    leave_the_common_mounts()
    with Mount(tmp_path / "disk", "size=64m") as disk:
        relay, upstream = to_upstream(certificate=None, accounts={},
                                      queue={"directory": str(disk.point / "queue"), "reserve": "0B"})
        relay.stop()
        disk.remount("ro")
        relay.launch("--grace", "1")
        assert relay.ended() == CANNOT_START
        assert "Read-only file system" in relay.logged("stopped")[-1]["reason"]
        disk.remount("rw")
        relay.start("--grace", "5")
        ledger = Ledger()
        ledger.hand_over(relay.port, SMALL)
        relay.queue = disk.point / "queue"
        ledger.demand(relay, upstream)
        assert relay.stop() == 0
