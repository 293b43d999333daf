"""Mail that stays on the machine: a Maildir as other programs read it, whatever happens to the disk and the relay."""

import mailbox
import os
import stat

import pytest

from support import mail
from support.relayd import RETRY_AT_ONCE
from support.waiting import poll

SENDER = "cron@host.example"
ROOT = "root@host.example"


@pytest.fixture
def box(tmp_path):
    return tmp_path / "ops"


def start(relay, box, **sections):
    return relay({"mailbox": {"maildir": {"directory": str(box)}}}, **sections)


def send(one, text: str = "disk full", recipient=ROOT) -> str:
    return one.submit(SENDER, recipient, mail.text(SENDER, text))


def messages(box) -> list:
    return list(mailbox.Maildir(box, create=False))


def test_mail_of_root_lies_in_the_maildir(relay, box):
    one = start(relay, box)
    id = send(one)
    delivered = one.wait_event("delivered", id=id)
    (message,) = messages(box)
    assert message["Return-Path"] == f"<{SENDER}>" and message["Delivered-To"] == ROOT
    assert message["Subject"] == "disk full"
    (file,) = (box / "new").iterdir()
    assert delivered["response"] == f"2.0.0 Kept as new/{file.name}" and delivered["host"] == str(box)
    assert b"\r" not in file.read_bytes() and id in file.name
    assert file.name.endswith(f",S={file.stat().st_size}") and ":" not in file.name
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert {stat.S_IMODE((box / part).stat().st_mode) for part in (".", "cur", "new", "tmp")} == {0o700}
    assert not list((box / "tmp").iterdir())


def test_the_text_comes_back_as_it_was(relay, box):
    text = b"From: cron@host.example\r\nSubject: x\r\n\r\n.dot\r\n..two\r\n\r\nFrom nobody\r\nlast\r\n"
    one = start(relay, box)
    one.wait_event("delivered", id=one.submit(SENDER, ROOT, text))
    (message,) = messages(box)
    assert message.get_payload() == ".dot\n..two\n\nFrom nobody\nlast\n"


def test_each_recipient_has_a_file(relay, box):
    one = start(relay, box)
    one.wait("delivered", 3, id=send(one, recipient=[ROOT, "ann@host.example", "bob@host.example"]))
    assert sorted(message["Delivered-To"] for message in messages(box)) == ["ann@host.example", "bob@host.example", ROOT]


def test_a_message_that_was_here_before_is_a_loop(relay, box):
    one = start(relay, box)
    id = one.submit(SENDER, ROOT, f"Delivered-To: {ROOT}\r\n".encode() + mail.text(SENDER, "again"))
    failed = one.wait_event("failed", id=id)
    assert failed["code"] == 554 and "5.4.6" in failed["response"]
    assert not messages(box)


def test_a_directory_that_is_a_link_is_not_followed(relay, box, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    box.symlink_to(tmp_path / "elsewhere")
    one = start(relay, box)
    send(one)
    paused = one.wait_event("upstream_paused")
    assert paused["class"] == "connect" and "is a link" in paused["response"]
    assert not list((tmp_path / "elsewhere").iterdir())


def test_mail_waits_for_a_mailbox_that_is_in_the_way(relay, box):
    box.write_text("a file")
    one = start(relay, box)
    id = send(one)
    assert "is no directory" in one.wait_event("upstream_paused")["response"]
    box.unlink()
    one.wait_event("delivered", id=id)
    assert len(messages(box)) == 1


def test_nothing_is_lost_nor_twice_while_a_reader_takes_mail(relay, box):
    one = start(relay, box)
    ids = [send(one, f"number {number}") for number in range(40)]
    seen = []
    for id in ids:
        one.wait_event("delivered", id=id)
        for file in list((box / "new").iterdir()):  # as a reader does
            os.rename(file, box / "cur" / f"{file.name}:2,S")
            seen.append(file.name)
    assert len(seen) == len(set(seen)) == len(ids) == len(messages(box))


def test_a_killed_relay_delivers_each_message_once(relay, box):
    one = start(relay, box, queue={"retry": RETRY_AT_ONCE})
    ids = [send(one, f"number {number}") for number in range(20)]
    one.kill()
    one.start("--grace", "1")
    last = send(one, "the last")
    one.wait_event("delivered", id=last)
    ids.append(last)
    poll(lambda: len(list((box / "new").iterdir())) >= len(ids))
    names = [file.name for file in (box / "new").iterdir()]
    assert [sum(id in name for name in names) for id in ids] == [1] * len(ids)
    assert not list((box / "tmp").iterdir())
