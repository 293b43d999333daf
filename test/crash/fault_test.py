"""A disk that is full, fails or may not be written, under a running relayd: clients are told so with a 4xx, no message
is half accepted, and when the disk works again so does the relay, without a restart.

The faults come from a preloaded library (support/faults.cpp), so that the tests need no rights.
"""

import errno
import itertools
import os
import re
import smtplib
import socket
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from support.faults import DISK, Faults
from support.load import BIG, SENDER, demand_arrival, numbered, twice
from support.waiting import PATIENCE, poll

CANNOT_START = 71
SMALL = 300
CLOSED = "421 4.3.2 Not yet"
MONTH = 30 * 86400  # far above the lifetime, which is five days

# Magic, version 3, zeroes for the end before, the number 99, a generation, their checksum: what every version can tell.
NEWER_HEADER = bytes.fromhex("72656c6179640d0a 03000000 00000000 6300000000000000 3412000000000000"
                             "000000000000000000000000000000000000000000000000 66743375dc513b69")


@dataclass
class Ledger:
    taken: set[int] = field(default_factory=set)
    refused: dict[int, smtplib.SMTPResponseException] = field(default_factory=dict)
    _numbers: itertools.count = field(default_factory=itertools.count)

    def hand_over(self, port: int, *sizes: int, recipient: str = "one@rcpt.example") -> bool:
        """A client for each size; whether all were taken. Several threads may do so at a time."""
        refused = False
        for size in sizes:
            number = next(self._numbers)
            try:
                with smtplib.SMTP("127.0.0.1", port, local_hostname="client.test.example", timeout=PATIENCE) as client:
                    client.sendmail(SENDER, [recipient], numbered(number, bytes(size)))
                self.taken.add(number)
            except smtplib.SMTPResponseException as refusal:
                self.refused[number] = refusal
                refused = True
        return not refused

    def wait_until_mail_is_taken(self, port: int, size: int = SMALL):
        poll(lambda: self.hand_over(port, size))

    def codes(self) -> set[int]:
        return {refusal.smtp_code for refusal in self.refused.values()}

    def demand(self, relay, upstream, under_way: int = 0):
        """What was taken arrives once, what was refused never; nothing lies about or comes back. As many as were under
        way at a kill may arrive twice."""
        demand_arrival(upstream, self.taken)

        def is_empty_after_a_restart():
            assert relay.stop() == 0
            relay.start("--grace", "5")
            return relay.wait_event("queue_opened")["messages"] == 0

        # What was under way at a kill is sent again in its time.
        poll(is_empty_after_a_restart, PATIENCE if under_way else 1)
        assert not relay.logged("queue_damaged")
        assert not list((relay.queue / "large").iterdir())
        numbers = demand_arrival(upstream, self.taken)
        assert set(numbers) == self.taken and twice(numbers) <= under_way


def everything(queue: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in queue.rglob("*") if path.is_file()}


@pytest.fixture
def faulty(to_upstream, tmp_path):
    """A relay whose calls can be made to fail: (relay, upstream, faults)."""
    relay, upstream = to_upstream(certificate=None, accounts={})
    relay.stop()
    faults = Faults(relay, tmp_path / "faults")
    return relay.start("--grace", "5"), upstream, faults


WRITING = tuple(call for call in DISK if call != "open")
FAILURES = [("pwritev", errno.ENOSPC, 452), ("pwritev", errno.EDQUOT, 452), ("pwritev", errno.EIO, 451),
            ("fdatasync", errno.EIO, 451), ("fdatasync", errno.ENOSPC, 452), ("fsync", errno.EIO, 451),
            ("create", errno.ENOSPC, 452), ("create", errno.EMFILE, 451), (WRITING, errno.EROFS, 451)]


@pytest.mark.parametrize("calls, error, code", FAILURES)
def test_a_disk_that_fails_for_a_while_is_survived(faulty, calls, error, code):
    relay, upstream, faults = faulty
    ledger = Ledger()
    ledger.hand_over(relay.port, SMALL, BIG // 2)
    faults.fail(calls, error)
    ledger.hand_over(relay.port, SMALL, BIG // 2, SMALL, BIG // 2, SMALL)
    faults.heal()
    # The large ones at least needed what failed.
    assert ledger.codes() == {code} and len(ledger.refused) >= 2, ledger.refused
    ledger.wait_until_mail_is_taken(relay.port)
    ledger.hand_over(relay.port, BIG // 2)
    assert len(ledger.taken) >= 4
    ledger.demand(relay, upstream)


@pytest.mark.parametrize("calls, error, code", FAILURES[:-1])
def test_one_failure_costs_at_most_one_message(faulty, calls, error, code):
    relay, upstream, faults = faulty
    ledger = Ledger()
    ledger.hand_over(relay.port, SMALL)
    relay.wait_event("delivered")
    faults.fail(calls, error, times=1)
    ledger.hand_over(relay.port, BIG // 2, SMALL, BIG // 2)
    # At most, because the failure may meet the outcome of the first message: that is written again.
    assert ledger.codes() <= {code} and len(ledger.refused) <= 1, ledger.refused
    ledger.demand(relay, upstream)


def test_below_the_reserve_mail_is_refused_and_deliveries_are_recorded(to_upstream):
    relay, upstream = to_upstream(certificate=None, accounts={})
    upstream.answer("greeting", CLOSED)
    ledger = Ledger()
    ledger.hand_over(relay.port, SMALL, SMALL, BIG // 2)
    relay.stop()
    relay.config["queue"]["reserve"] = "1000000GiB"
    relay.write()
    relay.start("--grace", "5")
    ledger.hand_over(relay.port, SMALL, BIG // 2)
    assert ledger.codes() == {452} and len(ledger.refused) == 2
    assert all(b"full" in refusal.smtp_error for refusal in ledger.refused.values())
    upstream.behave()
    ledger.demand(relay, upstream)


def test_a_read_only_disk_ends_the_start(faulty):
    relay, _, faults = faulty
    relay.stop()
    faults.fail(DISK, errno.EROFS)
    relay.launch("--grace", "1")
    assert relay.ended() == CANNOT_START
    reason = relay.logged("stopped")[-1]["reason"]
    assert str(relay.queue) in reason and "Read-only file system" in reason
    faults.heal()
    relay.start("--grace", "1")


def test_a_start_on_a_full_disk_sends_what_waits(faulty):
    relay, upstream, faults = faulty
    upstream.answer("greeting", CLOSED)
    ledger = Ledger()
    ledger.hand_over(relay.port, SMALL, BIG // 2)
    relay.stop()
    faults.fail(("create", "mkdirat"), errno.ENOSPC)
    upstream.behave()
    relay.start("--grace", "5")
    demand_arrival(upstream, ledger.taken)
    faults.heal()
    ledger.demand(relay, upstream)


def test_a_journal_of_a_newer_format_ends_the_start_and_stays_as_it_is(to_upstream):
    relay, upstream = to_upstream(certificate=None, accounts={})
    upstream.answer("greeting", CLOSED)
    ledger = Ledger()
    ledger.hand_over(relay.port, SMALL, BIG // 2)
    relay.stop()
    newer = relay.queue / "journal" / "0000000000000099.journal"
    newer.write_bytes(NEWER_HEADER.ljust(4096, b"\0"))
    before = everything(relay.queue)
    relay.launch("--grace", "1")
    assert relay.ended() == CANNOT_START
    reason = relay.logged("stopped")[-1]["reason"]
    assert newer.name in reason and "format 3, written by a newer version of relayd; this one reads formats up to 2" in reason
    assert everything(relay.queue) == before
    newer.unlink()
    upstream.behave()
    relay.start("--grace", "5")
    ledger.demand(relay, upstream)


def test_a_file_that_may_not_grow_is_a_full_disk(to_upstream):
    relay, upstream = to_upstream(certificate=None, accounts={})
    poll(lambda: len(list((relay.queue / "journal").iterdir())) >= 2)  # one is made ahead
    relay.stop()
    relay.wrapper = ["prlimit", f"--fsize={2 * BIG}"]
    relay.start("--grace", "5")
    ledger = Ledger()
    ledger.hand_over(relay.port, 2 * BIG, *[BIG // 8] * 20)
    assert ledger.codes() == {452}
    assert len(ledger.taken) > 10
    ledger.demand(relay, upstream)


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_without_a_free_descriptor_clients_get_a_421_and_it_does_not_spin(faulty):
    relay, upstream, faults = faulty
    faults.fail("accept", errno.EMFILE)
    before = cpu_seconds(relay.pid)
    for _ in range(3):
        with socket.create_connection(("127.0.0.1", relay.port), timeout=PATIENCE) as client:
            assert client.recv(100).startswith(b"421 4.3.2 ")
    assert faults.counted < 30
    assert cpu_seconds(relay.pid) - before < 0.3
    faults.heal()
    with socket.create_connection(("127.0.0.1", relay.port), timeout=PATIENCE) as client:
        assert client.recv(4) == b"220 "
    ledger = Ledger()
    ledger.hand_over(relay.port, SMALL, BIG // 2)
    assert not ledger.refused
    ledger.demand(relay, upstream)


def test_a_body_that_no_descriptor_is_free_for_is_not_held(faulty):
    relay, upstream, faults = faulty
    upstream.answer("greeting", CLOSED)
    ledger = Ledger()
    ledger.hand_over(relay.port, BIG // 2)
    relay.wait_event("upstream_paused")
    faults.fail("open", errno.EMFILE)
    upstream.behave()
    assert "waits" in relay.wait_event("queue_trouble")["reason"]
    faults.heal()
    # It is due again in a minute; a start is quicker.
    relay.stop()
    relay.start("--grace", "5")
    ledger.demand(relay, upstream)


def test_calls_that_are_interrupted_are_made_again(faulty):
    relay, upstream, faults = faulty
    faults.fail(("pwritev", "recv", "accept"), errno.EINTR, every=2)
    ledger = Ledger()
    ledger.hand_over(relay.port, SMALL, BIG // 2, SMALL)
    assert not ledger.refused
    ledger.demand(relay, upstream)
    assert faults.counted > 20


def test_calls_that_do_one_octet_of_their_work_go_on(faulty):
    relay, upstream, faults = faulty
    faults.shorten(("pwritev", "send", "recv"))
    ledger = Ledger()
    ledger.hand_over(relay.port, SMALL, BIG // 4, SMALL)
    assert not ledger.refused
    faults.heal()
    ledger.demand(relay, upstream)


@pytest.mark.parametrize("days", [-30, -20000, 3, 30, 10000])
def test_a_clock_that_is_moved_stops_no_mail(faulty, days):
    relay, upstream, faults = faulty
    upstream.answer("greeting", CLOSED)
    ledger = Ledger()
    if days < 5:  # the lifetime: what waits is then too old, by that clock
        ledger.hand_over(relay.port, SMALL, BIG // 2)
    faults.move_clock(days * 86400)
    ledger.hand_over(relay.port, SMALL)
    upstream.behave()
    ledger.hand_over(relay.port, SMALL, BIG // 2)
    assert not ledger.refused
    ledger.demand(relay, upstream)
    faults.move_clock(0)
    relay.stop()
    relay.start("--grace", "5")
    ledger.hand_over(relay.port, SMALL)
    ledger.demand(relay, upstream)


@pytest.mark.parametrize("is_up", [True, False])
def test_a_clock_that_is_moved_ahead_ends_the_lifetime_of_what_waits(faulty, is_up):
    relay, upstream, faults = faulty
    upstream.answer("greeting", CLOSED)
    old, new = Ledger(), {2, 3}
    old.hand_over(relay.port, SMALL, BIG // 2)
    if not is_up:
        relay.stop()
    faults.move_clock(MONTH)
    if not is_up:
        relay.start("--grace", "5")
    expired = {event["id"] for event in relay.wait("expired", 2)}
    assert len(expired) == 2
    upstream.behave()
    for number in new:
        relay.submit(SENDER, "one@rcpt.example", numbered(number, bytes(SMALL)))
    assert set(demand_arrival(upstream, new)) == new
    # Both are kept, failed, for the operator; the clock that is right again changes nothing about them.
    for seconds in (MONTH, 0):
        relay.stop()
        faults.move_clock(seconds)
        relay.start("--grace", "5")
        assert relay.wait_event("queue_opened")["messages"] == 2
    assert not relay.logged("expired")
    assert len(upstream.taken(2)) == 2


def test_a_clock_that_is_set_back_expires_nothing(faulty):
    relay, upstream, faults = faulty
    relay.stop()
    faults.move_clock(MONTH)
    relay.start("--grace", "5")
    upstream.answer("greeting", CLOSED)
    ledger = Ledger()
    ledger.hand_over(relay.port, SMALL, BIG // 2)
    faults.move_clock(0)
    paused = len(relay.logged("upstream_paused"))
    relay.wait("upstream_paused", paused + 2)  # they were tried again, by the clock that is right
    ledger.hand_over(relay.port, SMALL)
    assert not relay.logged("expired")
    upstream.behave()
    ledger.demand(relay, upstream)


def test_damage_is_named_in_the_log_and_stops_no_mail(to_upstream):
    relay, upstream = to_upstream(certificate=None, accounts={})
    upstream.answer("greeting", CLOSED)
    ledger = Ledger()
    ledger.hand_over(relay.port, SMALL, SMALL, SMALL)
    relay.stop()
    journal = next(file for file in (relay.queue / "journal").iterdir() if b"<1@load>" in file.read_bytes())
    octets = bytearray(journal.read_bytes())
    octets[octets.index(b"<1@load>")] ^= 1
    journal.write_bytes(octets)
    ledger.taken.remove(1)
    relay.start("--grace", "5")
    reason = relay.wait_event("queue_damaged")["reason"]
    kept = relay.queue / re.match(r"\S+(?=:)", reason)[0]
    assert kept.parent.name == "quarantine" and b"=1@load>" in kept.read_bytes()
    upstream.behave()
    ledger.demand(relay, upstream)
