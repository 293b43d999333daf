"""Real file systems under a running relayd that are full, out of inodes or remounted read-only: mail that was taken is
delivered all the same, once, and mail is taken again when there is room.

Needs root, which may mount; so it is no part of the suite, but one command. What it looks for is the same as in
fault_test.py, without the library between relayd and the kernel.
"""

import threading
from contextlib import ExitStack

import pytest

from fault_test import CANNOT_START, CLOSED, SMALL, Ledger
from memory_test import MIB, MOST_GROWTH, Client, peak
from support.load import BIG, demand_arrival
from support.mounts import LoopDisk, Mount, Neighbour, free, leave_the_common_mounts
from support.waiting import PATIENCE, poll

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


def test_a_full_disk(on_tmpfs):
    relay, upstream, mount = on_tmpfs("size=8m")
    gate, ledger = Gate(upstream), Ledger()
    ledger.hand_over(relay.port, SMALL, BIG // 2)
    neighbour = Neighbour(mount)
    neighbour.take_all()
    # What the queue has laid claim to still takes mail; then it is full.
    while ledger.hand_over(relay.port, BIG // 8):
        pass
    ledger.hand_over(relay.port, BIG // 2, BIG // 8)
    assert ledger.codes() == {FULL}
    neighbour.leave()
    gate.open()
    ledger.wait_until_mail_is_taken(relay.port)
    ledger.hand_over(relay.port, BIG // 2)
    ledger.demand(relay, upstream)


def test_a_start_on_a_full_disk(on_tmpfs):
    """What waits is sent, though there is no room; mail is taken again once there is."""
    relay, upstream, mount = on_tmpfs("size=8m")
    upstream.answer("greeting", CLOSED)
    ledger = Ledger()
    ledger.hand_over(relay.port, SMALL, BIG // 2)
    relay.stop()
    neighbour = Neighbour(mount)
    neighbour.take_all()
    relay.start("--grace", "5")
    upstream.behave()
    demand_arrival(upstream, ledger.taken)
    neighbour.leave()
    ledger.wait_until_mail_is_taken(relay.port)
    ledger.demand(relay, upstream)


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
    neighbour = Neighbour(mount)
    neighbour.take(free(mount) - 40 * MIB)
    while ledger.hand_over(relay.port, SMALL):
        pass
    ledger.hand_over(relay.port, SMALL, BIG // 2)
    assert ledger.codes() == {FULL}
    upstream.behave()
    ledger.demand(relay, upstream)
    neighbour.leave()
    ledger.wait_until_mail_is_taken(relay.port)


def test_no_inode_is_left(on_tmpfs):
    relay, upstream, mount = on_tmpfs("nr_inodes=40")
    ledger = Ledger()
    neighbour = Neighbour(mount)
    neighbour.take_all_inodes()
    ledger.hand_over(relay.port, SMALL, BIG // 2, SMALL)
    assert ledger.codes() == {FULL} and len(ledger.refused) == 1
    neighbour.leave()
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


# --- disks that fill up while mail waits ---

ROOM = 32 * MIB
RESERVE = MIB
CONNECTIONS = 2
KINDS = ("tmpfs", "ext4", "xfs")
BODIES = {"small": (BIG // 8, BIG // 64, SMALL), "large": (BIG // 2, BIG // 8, SMALL)}
LATER = "450 4.2.0 Later"
# What the file system takes by itself for the same files: their extents, inodes and names.
BOOKS = {"tmpfs": 0, "ext4": 64 << 10, "xfs": 256 << 10}


@pytest.fixture
def on_disk(to_upstream, tmp_path):
    """Makes a relay whose queue is on a disk of that kind with ROOM left: (relay, upstream, disk)."""
    leave_the_common_mounts()
    relays = []
    with ExitStack() as disks:

        def make(kind: str, *options: str):
            point = tmp_path / "disk"
            disk = Mount(point, f"size={ROOM}", *options) if kind == "tmpfs" else LoopDisk(point, kind)
            disks.enter_context(disk)
            if free(disk) > ROOM:
                Neighbour(disk).take(free(disk) - ROOM)
            relay, upstream = to_upstream({"limits": {"connections": CONNECTIONS}}, certificate=None, accounts={},
                                          queue={"directory": str(disk.point / "queue"), "reserve": "1MiB"})
            relay.queue = disk.point / "queue"
            relays.append(relay)
            return relay, upstream, disk

        yield make
        for relay in relays:
            relay.finish()


class Least(threading.Thread):
    """Watches how much is free, and keeps the least that it saw."""

    def __init__(self, disk):
        super().__init__()
        self.octets = free(disk)
        self._disk = disk
        self._over = threading.Event()

    def run(self):
        while not self._over.wait(0.001):
            self.octets = min(self.octets, free(self._disk))

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self._over.set()
        self.join()


class Gate:
    """An upstream that is away, then takes some messages, then answers no final dot until it is opened."""

    def __init__(self, upstream):
        self._upstream = upstream
        self._away = True
        self._most = 0
        self._open = threading.Event()
        upstream.answer("greeting", lambda: CLOSED if self._away else None)
        upstream.answer("dot", self._dot)

    def let(self, count: int):
        already = len(self._upstream.messages.all())
        self._most = already + count
        self._away = False
        self._upstream.taken(self._most)

    def open(self):
        self._away = False
        self._open.set()

    def _dot(self):
        if len(self._upstream.messages.all()) >= self._most:
            self._open.wait(PATIENCE)


def fill_with_mail(relay, ledger: Ledger, bodies: str, clients: int):
    """So many at a time, each with ever smaller messages, until even the smallest is refused."""

    def send():
        for size in BODIES[bodies]:
            while ledger.hand_over(relay.port, size):
                pass

    threads = [threading.Thread(target=send) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ledger.codes() == {FULL}


def mail_that_waits(relay, ledger: Ledger, bodies: str):
    ledger.hand_over(relay.port, *[SMALL] * 20, *6 * BODIES[bodies])
    assert not ledger.refused


def octets_at(upstream) -> int:
    return sum(len(message.data) for message in upstream.messages.all())


@pytest.mark.parametrize("bodies", BODIES)
@pytest.mark.parametrize("kind", KINDS)
def test_a_disk_that_mail_fills_empties_by_itself(on_disk, kind, bodies):
    relay, upstream, disk = on_disk(kind)
    gate = Gate(upstream)
    ledger = Ledger()
    with Least(disk) as least:
        mail_that_waits(relay, ledger, bodies)
        fill_with_mail(relay, ledger, bodies, clients=3)
    print(f"{len(ledger.taken)} messages wait, at least {least.octets >> 10} KiB left of a reserve of {RESERVE >> 10}")
    assert least.octets >= RESERVE - BOOKS[kind]
    gate.open()
    demand_arrival(upstream, ledger.taken)
    assert octets_at(upstream) > ROOM // 4  # it was not refused for nothing
    ledger.wait_until_mail_is_taken(relay.port, max(BODIES[bodies]))
    ledger.demand(relay, upstream)


@pytest.mark.parametrize("when", ["at the start", "while mail waits", "amid deliveries"])
@pytest.mark.parametrize("bodies", BODIES)
@pytest.mark.parametrize("kind", KINDS)
def test_another_process_takes_all_that_is_left(on_disk, kind, bodies, when):
    relay, upstream, disk = on_disk(kind)
    gate, neighbour = Gate(upstream), Neighbour(disk)
    ledger = Ledger()
    if when != "at the start":
        mail_that_waits(relay, ledger, bodies)
    if when == "amid deliveries":
        gate.let(5)
    neighbour.take_all()
    fill_with_mail(relay, ledger, bodies, clients=1)  # what the queue has laid claim to
    gate.open()
    demand_arrival(upstream, ledger.taken)
    neighbour.leave()
    ledger.wait_until_mail_is_taken(relay.port, max(BODIES[bodies]))
    ledger.demand(relay, upstream)


@pytest.mark.parametrize("bodies", BODIES)
@pytest.mark.parametrize("kind, what", [*((kind, "octets") for kind in KINDS), ("tmpfs", "inodes")])
def test_a_kill_and_a_start_with_nothing_left(on_disk, kind, what, bodies):
    """Twice: while all waits, and amid deliveries."""
    relay, upstream, disk = on_disk(kind, *(["nr_inodes=100"] if what == "inodes" else []))
    gate, neighbour = Gate(upstream), Neighbour(disk)
    take = neighbour.take_all if what == "octets" else neighbour.take_all_inodes
    ledger = Ledger()
    mail_that_waits(relay, ledger, bodies)
    take()
    relay.kill()
    relay.start("--grace", "5")
    gate.let(5)
    relay.kill()
    take()
    relay.start("--grace", "5")
    gate.open()
    demand_arrival(upstream, ledger.taken)
    neighbour.leave()
    ledger.wait_until_mail_is_taken(relay.port, max(BODIES[bodies]))
    ledger.demand(relay, upstream, under_way=CONNECTIONS)


@pytest.mark.parametrize("bodies", BODIES)
@pytest.mark.parametrize("kind", KINDS)
def test_one_message_that_waits_keeps_little_of_the_disk(on_disk, kind, bodies):
    relay, upstream, disk = on_disk(kind)
    gate = Gate(upstream)
    upstream.answer("rcpt", LATER, about="late@")
    ledger = Ledger()
    before = free(disk)
    assert ledger.hand_over(relay.port, SMALL, recipient="late@rcpt.example")
    late = set(ledger.taken)
    for _ in range(ROOM // 2 // (2 * 6 * sum(BODIES[bodies]))):  # each octet is two in hexadecimal
        mail_that_waits(relay, ledger, bodies)
    gate.open()
    numbers = demand_arrival(upstream, ledger.taken - late)
    # Right after the start not all files were made that are made ahead of need.
    poll(lambda: free(disk) > before - ROOM // 6)
    assert not late & set(numbers)
    upstream.behave()
    ledger.demand(relay, upstream)
