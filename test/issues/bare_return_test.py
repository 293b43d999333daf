"""`X: a<CR>Bcc: b` left as two fields, and `sendmail -t` took the forged Bcc for a recipient; a header that ended with a
line that is no field ended elsewhere for other readers."""

import pytest

from support import mail
from support.post_office import RECIPIENT
from support.sendmail import Sendmail

FIELDS = b"From: app@example.com\r\nDate: Fri, 20 Nov 2026 08:00:00 +0000\r\nMessage-ID: <1@client.example>\r\n"


def arrived(post_office, content: bytes) -> bytes:
    sender = post_office.sender()
    with post_office.at_data(sender) as client:
        client.say(content + b".\r\n")
        client.expect("250 2.0.0")
    return mail.without_field(post_office.arrived(sender).data, b"Received")


@pytest.mark.parametrize("sent, taken", [
    (b"X: a\rBcc: eve@rcpt.example\r\n", b"X: a Bcc: eve@rcpt.example\r\n"),
    (b"X: a\r\rBcc: eve@rcpt.example\r\n", b"X: a  Bcc: eve@rcpt.example\r\n"),
    (b"X: a\r\n\rBcc: eve@rcpt.example\r\n", b"X: a\r\n Bcc: eve@rcpt.example\r\n"),
    (b"X: a\r\r\nY: b\r\n", b"X: a \r\nY: b\r\n"),
    (b"X: a\nY: b\r\n", b"X: a\r\nY: b\r\n"),  # which is a line's end for many
], ids=repr)
def test_a_return_in_a_header_is_a_space(post_office, sent, taken):
    assert arrived(post_office, FIELDS + sent + b"\r\ntext\r\n") == FIELDS + taken + b"\r\ntext\r\n"


@pytest.mark.parametrize("line", [b"\r\r\n", b"\r\r\r\n", b"\n"], ids=repr)
def test_an_empty_line_stays_empty(post_office, line):
    assert arrived(post_office, FIELDS + line + b"one\rtwo\r\n") == FIELDS + b"\r\none\r\ntwo\r\n"


@pytest.mark.parametrize("line", [b"no field", b"Bcc eve@rcpt.example", b"a b: c", b": no name", b"gr\xc3\xbc\xc3\x9fe: c"],
                         ids=repr)
def test_a_line_that_is_no_field_ends_the_header_for_everybody(post_office, line):
    text = line + b"\r\nSubject: not this\r\n\r\ntext\r\n"
    assert arrived(post_office, FIELDS + text) == FIELDS + b"\r\n" + text


def test_what_is_sound_is_not_touched(post_office):
    for content in (FIELDS, FIELDS + b"\r\n", FIELDS + b"X : a\r\n\tb\r\n \r\n c\r\n\r\nno field\r\n"):
        assert arrived(post_office, content) == content


# --- sendmail ---

@pytest.fixture
def post(relay, upstream, tmp_path):
    fake = upstream(accounts={})
    return fake, Sendmail(tmp_path / "bin", relay({"fake": fake.config()}).file)


@pytest.mark.parametrize("forged", [b"X: a\rBcc: eve@rcpt.example\n", b"To: bob@rcpt.example\r\rBcc: eve@rcpt.example\n",
                                    b"X: a\n\rBcc: eve@rcpt.example\n"], ids=repr)
def test_a_return_makes_no_recipient(post, forged):
    upstream, sendmail = post
    ended = sendmail.run("-t", "-i", message=b"From: app@example.com\nTo: bob@rcpt.example\n" + forged + b"\nx\n")
    recipients = [taken.recipients for taken in upstream.taken(1)] if ended.returncode == 0 else []
    assert recipients == [("bob@rcpt.example",)] or (ended.returncode == 65 and b"Bcc" in ended.stderr)
    for taken in upstream.messages.all():
        assert b"\nBcc" not in taken.data.partition(b"\r\n\r\n")[0]


def test_lines_that_end_with_two_returns_and_a_line_feed_are_lines(post):
    upstream, sendmail = post
    assert sendmail.run("-t", message=b"To: bob@rcpt.example\r\r\nSubject: x\r\r\n\r\r\ntext\r\r\n").returncode == 0
    (taken,) = upstream.taken(1)
    header, _, body = taken.data.partition(b"\r\n\r\n")
    assert header.startswith(b"Received:") and b"\r\nTo: bob@rcpt.example\r\nSubject: x\r\n" in header + b"\r\n"
    assert body == b"text\r\n"


def test_a_dot_between_returns_ends_nothing(post):
    upstream, sendmail = post
    assert sendmail.run(RECIPIENT, message=b"Subject: x\n\none\r.\rtwo\n").returncode == 0
    assert upstream.taken(1)[0].data.endswith(b"\r\n\r\none\r\n.\r\ntwo\r\n")


def test_a_text_of_one_line_that_looks_like_that_of_a_mailbox_is_sent(post):
    upstream, sendmail = post
    ended = sendmail.run("-i", "bob@rcpt.example", message=b"From tomorrow on the server is off\n")
    assert ended.returncode == 0, ended.stderr
    (taken,) = upstream.taken(1)
    assert b"\r\n\r\nFrom tomorrow on the server is off\r\n" in taken.data
