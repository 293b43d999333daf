"""What `relayd check`, `relayd queue check` and `relayd queue export` say of a queue, that they change nothing, and that a
queue can be copied, moved and brought back."""

import json
import shutil

from pathlib import Path

import pytest

from fault_test import CLOSED, SMALL, Ledger, everything
from scenarios.commands_test import command
from support.load import SENDER, number_of
from support.sendmail import Sendmail


@pytest.fixture
def stopped(to_upstream):
    """A relay that has ended, with three messages in its queue, and the file that they are in."""
    relay, upstream = to_upstream(certificate=None, accounts={})
    upstream.answer("greeting", CLOSED)
    Ledger().hand_over(relay.port, SMALL, SMALL, SMALL)
    relay.stop()
    return relay, next(file for file in (relay.queue / "journal").iterdir() if b"<1@load>" in file.read_bytes())


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
    checked = command("check", "-c", relay.file)
    assert "in use by a running relayd" in checked.stdout and checked.stderr == ""


def test_a_damaged_message_is_named_before_the_start(stopped):
    relay, segment = stopped
    change(segment, segment.read_bytes().index(b"<1@load>"))
    said = check(relay)
    assert "next start" in said and "damaged" in said and segment.name in said


def test_a_damaged_header_is_named_before_the_start(stopped):
    relay, segment = stopped
    change(segment, 20)
    assert "header is damaged" in check(relay)


def queue_check(path: Path):
    before = everything(path)
    checked = command("queue", "check", path)
    assert everything(path) == before
    return checked


def test_a_sound_queue_is_said_to_be_sound(stopped):
    checked = queue_check(stopped[0].queue)
    assert checked.returncode == 0 and "3 messages" in checked.stdout and "sound" in checked.stdout


def test_a_damaged_queue_is_said_to_be_so(stopped):
    relay, segment = stopped
    change(segment, segment.read_bytes().index(b"<1@load>"))
    checked = queue_check(relay.queue)
    assert checked.returncode == 1 and "damaged" in checked.stdout


def test_a_queue_in_use_is_left_alone(to_upstream):
    relay, _ = to_upstream(certificate=None, accounts={})
    checked = command("queue", "check", relay.queue)
    assert checked.returncode == 75 and "in use" in checked.stderr


def test_a_folder_that_is_no_queue_is_said_to_be_none(tmp_path):
    checked = command("queue", "check", tmp_path)
    assert checked.returncode == 66 and "there is no queue" in checked.stderr
    assert not list(tmp_path.iterdir())


def test_an_export_has_every_message_as_it_would_be_sent(stopped, tmp_path):
    relay, _ = stopped
    before = everything(relay.queue)
    exported = command("queue", "export", relay.queue, "--to", tmp_path / "out")
    assert exported.returncode == 0, exported.stderr
    assert everything(relay.queue) == before
    messages = sorted((tmp_path / "out").glob("*.eml"))
    assert [number_of(message.read_bytes()) for message in messages] == [0, 1, 2]
    about = json.loads(messages[0].with_suffix(".json").read_text())
    assert about["sender"] == SENDER and about["recipients"] == [{"state": "pending", "to": "one@rcpt.example"}]
    again = command("queue", "export", relay.queue, "--to", tmp_path / "out")
    assert again.returncode == 73 and "it is there already" in again.stderr


def test_a_queue_is_copied_moved_and_brought_back(stopped, tmp_path):
    """Backup, restore and move: the folder of a stopped relay, as a whole."""
    relay, _ = stopped
    backup = tmp_path / "backup"
    shutil.copytree(relay.queue, backup)
    shutil.rmtree(relay.queue)
    assert command("queue", "check", backup).returncode == 0
    elsewhere = tmp_path / "elsewhere"
    shutil.copytree(backup, elsewhere)
    relay.config["queue"]["directory"] = str(elsewhere)
    relay.write()
    relay.start("--grace", "5")
    assert relay.wait_event("queue_opened")["messages"] == 3
    assert not relay.logged("queue_damaged")


def test_what_was_exported_can_be_handed_in_again(to_upstream, tmp_path):
    """The way back to an older version: `queue export`, an empty folder, and each `.eml` once more."""
    relay, upstream = to_upstream(certificate=None, accounts={})
    upstream.answer("greeting", CLOSED)
    Ledger().hand_over(relay.port, SMALL, SMALL, SMALL)
    relay.stop()
    out = tmp_path / "out"
    assert command("queue", "export", relay.queue, "--to", out).returncode == 0
    shutil.rmtree(relay.queue)
    upstream.behave()
    relay.start("--grace", "5")
    sendmail = Sendmail(tmp_path / "bin", relay.file)
    for message in sorted(out.glob("*.eml")):
        about = json.loads(message.with_suffix(".json").read_text())
        pending = [recipient["to"] for recipient in about["recipients"] if recipient["state"] == "pending"]
        ended = sendmail.run("-f", about["sender"], "--", *pending, message=message.read_bytes())
        assert (ended.returncode, ended.stderr) == (0, b"")
    arrived = upstream.messages.wait(count=3)
    assert sorted(number_of(message.data) for message in arrived) == [0, 1, 2]
    assert {(message.sender, *message.recipients) for message in arrived} == {(SENDER, "one@rcpt.example")}
