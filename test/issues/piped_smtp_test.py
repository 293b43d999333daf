"""`printf 'EHLO…DATA…' | sendmail -bs` was refused with 554 "Wait for the reply to DATA": the guard against strangers who
talk into a port stood before the user's own pipe, too."""

import subprocess

import pytest

from support.sendmail import Sendmail
from support.waiting import PATIENCE

OK, BAD_DATA = 0, 65
ENVELOPE = "EHLO client.example\nMAIL FROM:<app@example.com>\nRCPT TO:<bob@rcpt.example>\nDATA\n"
CONTENT = "Subject: piped\n\nGood morning.\n..stuffed\n"


@pytest.fixture
def post(relay, upstream, tmp_path):
    fake = upstream(accounts={})
    one = relay({"fake": fake.config()})
    return one, fake, Sendmail(tmp_path / "bin", one.file)


def codes(answer: bytes) -> list[bytes]:
    return [line[:3] for line in answer.splitlines() if line[3:4] != b"-"]


def bodies(upstream, count: int) -> list[bytes]:
    return [taken.data.partition(b"\r\n\r\n")[2] for taken in upstream.taken(count)]


@pytest.mark.parametrize("ends", ["\r\n", "\n"])
def test_a_dialogue_from_a_pipe_sends_its_message(post, ends):
    _, upstream, sendmail = post
    said = (ENVELOPE + CONTENT + ".\nQUIT\n").replace("\n", ends).encode()
    ended = sendmail.run("-bs", message=said)
    assert codes(ended.stdout) == [b"220", b"250", b"250", b"250", b"354", b"250", b"221"]
    assert ended.returncode == OK
    assert bodies(upstream, 1) == [b"Good morning.\r\n.stuffed\r\n"]


def test_so_do_several_messages_and_one_without_a_quit(post):
    _, upstream, sendmail = post
    said = ENVELOPE + CONTENT + ".\n" + ENVELOPE.partition("\n")[2] + "Subject: second\n\n" + 5000 * "x\n" + ".\n"
    ended = sendmail.run("-bs", message=said.replace("\n", "\r\n").encode())
    assert codes(ended.stdout).count(b"354") == 2 and ended.returncode == OK
    assert sorted(map(len, bodies(upstream, 2))) == [len(b"Good morning.\r\n.stuffed\r\n"), 15000]


def test_a_dot_between_lone_line_feeds_ends_no_content_of_crlf_lines(post):
    """Who writes CR LF vouches for CR LF: what the text of others holds is no command."""
    _, upstream, sendmail = post
    hidden = "Subject: one\n\nx".replace("\n", "\r\n") + "\n.\nMAIL FROM:<eve@example.com>\n"
    said = ENVELOPE.replace("\n", "\r\n") + hidden + "\r\n.\r\nQUIT\r\n"
    ended = sendmail.run("-bs", message=said.encode())
    assert codes(ended.stdout) == [b"220", b"250", b"250", b"250", b"354", b"250", b"221"]
    assert b"MAIL FROM:<eve@example.com>" in bodies(upstream, 1)[0]


def test_a_message_that_is_cut_off_is_not_taken(post):
    relay, upstream, sendmail = post
    ended = sendmail.run("-bs", message=(ENVELOPE + CONTENT).encode())
    assert ended.returncode == BAD_DATA and b"ended before the message did" in ended.stderr
    assert not relay.logged("accepted") and not upstream.verbs()


def test_content_behind_a_refused_data_is_no_command(post):
    relay, upstream, sendmail = post
    said = ("EHLO client.example\nMAIL FROM:<app@example.com>\nDATA\nMAIL FROM:<eve@example.com>\n"
            "RCPT TO:<bob@rcpt.example>\nDATA\nx\n.\nQUIT\n").replace("\n", "\r\n")
    ended = sendmail.run("-bs", message=said.encode())
    assert codes(ended.stdout) == [b"220", b"250", b"250", b"554"]
    assert ended.returncode == BAD_DATA and b"refused" in ended.stderr
    assert not relay.logged("accepted") and not upstream.verbs()


def test_a_program_that_waits_for_each_reply_may_go_on_after_a_refused_data(post):
    _, upstream, sendmail = post
    program = subprocess.Popen([sendmail.real, "-bs"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               env=sendmail.environment)

    def reply() -> bytes:
        while (line := program.stdout.readline())[3:4] == b"-":
            pass
        return line[:3]

    said = [reply()]
    for line in ("EHLO client.example", "MAIL FROM:<app@example.com>", "DATA", "RCPT TO:<bob@rcpt.example>", "DATA",
                 "Subject: x\r\n\r\nx\r\n.", "QUIT"):
        program.stdin.write(line.encode() + b"\r\n")
        program.stdin.flush()
        said.append(reply())
    program.communicate(timeout=PATIENCE)
    assert said == [b"220", b"250", b"250", b"554", b"250", b"354", b"250", b"221"]
    upstream.taken(1)
