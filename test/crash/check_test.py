"""What `relayd check` says of a queue, and that it changes nothing."""

from pathlib import Path

import pytest

from fault_test import CLOSED, SMALL, Ledger, everything
from scenarios.commands_test import command


@pytest.fixture
def stopped(to_upstream):
    """A relay that has ended, with three messages in its queue, and its newest segment."""
    relay, upstream = to_upstream(certificate=None, accounts={})
    upstream.answer("greeting", CLOSED)
    Ledger().hand_over(relay.port, SMALL, SMALL, SMALL)
    relay.stop()
    return relay, max((relay.queue / "journal").glob("*.journal"))


def check(relay) -> str:
    before = everything(relay.queue)
    checked = command("check", "-c", relay.file)
    assert checked.returncode == 0
    assert everything(relay.queue) == before
    return checked.stderr


def change(path: Path, offset: int):
    octets = bytearray(path.read_bytes())
    octets[offset] ^= 1
    path.write_bytes(octets)


def test_a_sound_queue_needs_no_word(stopped):
    assert check(stopped[0]) == ""


def test_a_queue_in_use_is_not_examined(to_upstream):
    relay, _ = to_upstream(certificate=None, accounts={})
    assert "in use by another process, not examined" in command("check", "-c", relay.file).stderr


def test_a_damaged_message_is_named_before_the_start(stopped):
    relay, segment = stopped
    change(segment, segment.read_bytes().index(b"<1@load>"))
    said = check(relay)
    assert "next start" in said and "damaged" in said and segment.name in said


def test_a_damaged_header_is_named_before_the_start(stopped):
    relay, segment = stopped
    change(segment, 20)
    assert "header is damaged" in check(relay)
