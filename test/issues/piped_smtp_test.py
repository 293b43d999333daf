"""`printf 'EHLO…DATA…' | sendmail -bs` was refused with 554 "Wait for the reply to DATA": the guard against strangers who
talk into a port stood before the user's own pipe, too."""

import pytest

from support.sendmail import Sendmail

OK, BAD_DATA, TRY_AGAIN = 0, 65, 75
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


def test_what_the_first_refusal_of_a_message_says_counts(relay, upstream, tmp_path):
    """DATA is out of place then, and its 503 says nothing of the reason."""
    reject = {"match": "app@example.com", "reject": "450 4.7.1 Not today"}
    one = relay({"fake": upstream(accounts={}).config()}, [reject, {"match": "*", "upstream": "fake"}])
    ended = Sendmail(tmp_path / "bin", one.file).run("-bs", message=(ENVELOPE + CONTENT + ".\nQUIT\n").encode())
    assert codes(ended.stdout) == [b"220", b"250", b"450", b"503", b"503"]
    assert ended.returncode == TRY_AGAIN and b"refused" in ended.stderr


def test_a_message_that_is_refused_at_its_end_is_no_success(post):
    _, upstream, sendmail = post
    refused = (ENVELOPE + "Subject: \0\n\nx\n.\n").encode()
    ended = sendmail.run("-bs", message=refused + (ENVELOPE + CONTENT + ".\nQUIT\n").encode())
    assert codes(ended.stdout)[5:6] == [b"550"] and codes(ended.stdout)[-2:] == [b"250", b"221"]
    assert ended.returncode == BAD_DATA and b"refused" in ended.stderr
    assert len(bodies(upstream, 1)) == 1


def test_a_daemon_that_hangs_up_before_the_end_is_no_success(post):
    _, _, sendmail = post
    ended = sendmail.run("-bs", message=b"EHLO client.example\n" + 30 * b"NONSENSE\n" + ENVELOPE.encode())
    assert codes(ended.stdout)[-1] == b"421"
    assert ended.returncode == TRY_AGAIN and b"hung up" in ended.stderr


def test_a_last_command_without_its_line_end_and_what_stands_behind_quit_are_no_failure(post):
    _, _, sendmail = post
    for said in ("EHLO client.example\nQUIT", "EHLO client.example\nQUIT\n\n"):
        ended = sendmail.run("-bs", message=said.encode())
        assert codes(ended.stdout) == [b"220", b"250", b"221"]
        assert ended.returncode == OK


def test_a_program_that_waits_for_each_reply_may_go_on_after_a_refused_data(post):
    _, upstream, sendmail = post
    said, status = sendmail.converse("EHLO client.example", "MAIL FROM:<app@example.com>", "DATA",
                                     "RCPT TO:<bob@rcpt.example>", "DATA", "Subject: x\r\n\r\nx\r\n.", "QUIT")
    assert (said, status) == ([b"220", b"250", b"250", b"554", b"250", b"354", b"250", b"221"], OK)
    upstream.taken(1)
