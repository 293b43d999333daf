"""What may stand between DATA and its end, and what the next server then gets: one message, its lines ended by CR LF,
its dots stuffed, no NUL. Over TCP and TLS, by the sendmail program and by the drop folder."""

import re

import pytest

from support import mail
from support.post_office import KINDS, POLICIES, RECIPIENT
from support.sendmail import Sendmail

HEADER = mail.message("app@example.com", "vector", b"")
FAKE = b"MAIL FROM:<eve@example.com>\r\nRCPT TO:<victim@rcpt.example>\r\nDATA\r\nSubject: fake\r\n\r\nfake\r\n"
HOP = b"Received: from a.example by b.example; Fri, 20 Nov 2026 08:00:00 +0000\r\n"
END = b"\r\n.\r\n"

# What ends a message elsewhere, and what it is here: content.
ENDS = {b"\n.\n": b"\r\n.\r\n", b"\n.\r\n": b"\r\n.\r\n", b"\r\n.\n": b"\r\n\r\n", b"\r.\r": b"\r\n.\r\n",
        b"\r.\r\n": b"\r\n.\r\n", b"\r\n.\r": b"\r\n\r\n", b"\n.\r": b"\r\n.\r\n", b"\r.\n": b"\r\n.\r\n"}


def demand_content(post_office, sender: str, content: bytes):
    mail.demand_same(mail.without_field(post_office.arrived(sender).data, b"Received"), content)


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("end", ENDS, ids=repr)
def test_only_crlf_dot_crlf_ends_a_message(post_office, end, kind, policy):
    sender = post_office.sender()
    with post_office.at_data(sender, kind, policy) as client:
        client.say(HEADER + b"x" + end + FAKE + b".\r\n")
        client.expect("250 2.0.0" if policy == "normalise" else "550 5.6.0")
    if policy == "normalise":
        demand_content(post_office, sender, HEADER + b"x" + ENDS[end] + FAKE)
    else:
        post_office.refused(sender)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("split", range(len(END) + 1))
def test_the_end_may_come_in_pieces(post_office, split, kind):
    """A segment or a TLS record each; in the last case octet by octet."""
    sender = post_office.sender()
    pieces = (END[:split], END[split:]) if split < len(END) else [END[i:i + 1] for i in range(len(END))]
    with post_office.at_data(sender, kind) as client:
        client.say(HEADER + b"x", *filter(None, pieces))
        client.expect("250 2.0.0")
    demand_content(post_office, sender, HEADER + b"x\r\n")


@pytest.mark.parametrize("end", [b"\n.\r\n", b"\r.\r\n", b"\r\n.\n", b"\r\n.\r"], ids=repr)
def test_no_split_makes_an_end_of_what_is_none(post_office, end):
    for split in range(1, len(end)):
        sender = post_office.sender()
        with post_office.at_data(sender) as client:
            client.say(HEADER + b"x" + end[:split], end[split:], FAKE + b".\r\n")
            client.expect("250 2.0.0")
        demand_content(post_office, sender, HEADER + b"x" + ENDS[end] + FAKE)


# --- content that arrives as it was sent ---

NESTED = b"".join(b"--%d\r\nContent-Type: multipart/mixed; boundary=%d\r\n\r\n" % (n, n + 1) for n in range(10_000))
KEPT = {
    "dots": b".\r\n..\r\n.x\r\n...\r\n. \r\nx.\r\n",
    "only dots": b"..\r\n",
    "empty body": b"",
    "no newline but the last": b"x\r\n",
    "eight bit": bytes(range(0x80, 0x100)) + b"\r\n",
    "controls": bytes(set(range(1, 0x20)) - {10, 13}) + b"\x7f\r\n",
    "a line of 100 kB": b"x" * 100_000 + b"\r\n",
    "MIME nested 10,000 deep": NESTED,
}
HEADERS = {
    "eight bit": "Subject: gr\u00fc\u00dfe \u2028\u202e\r\n".encode(),
    "not UTF-8": b"Subject: \xff\xfe\r\n",
    "a long line": b"X-Long: " + b"x" * 100_000 + b"\r\n",
    "twice": b"From: b@example.com\r\nDate: never\r\nSubject: again\r\n",
    "99 hops": HOP * 99,
    "nested comments": b"To: " + b"(" * 10_000 + b"\r\n",
}


def stuffed(content: bytes) -> bytes:
    return re.sub(rb"^\.", b"..", content, flags=re.MULTILINE)


def send(post_office, wire: bytes) -> str:
    sender = post_office.sender()
    with post_office.at_data(sender) as client:
        client.say(wire)
        client.expect("250 2.0.0")
    return sender


@pytest.mark.parametrize("what", KEPT)
def test_a_body_arrives_to_the_octet(post_office, what):
    content = HEADER + KEPT[what]
    demand_content(post_office, send(post_office, stuffed(content) + b".\r\n"), content)


@pytest.mark.parametrize("what", HEADERS)
def test_a_header_arrives_to_the_octet(post_office, what):
    content = HEADERS[what] + HEADER + b"text\r\n"
    demand_content(post_office, send(post_office, content + b".\r\n"), content)


@pytest.mark.parametrize("content", [
    b"", b"\r\n", b"no header\r\n", b"\r\nbody\r\n", b" begins with space\r\nSubject: x\r\n\r\nbody\r\n",
    b"\tfolded\r\n", b"Subject: x\r\n", b": no name\r\n",
    b"From someone\r\nbody\r\n",
    b"From a@b Fri Nov 20 08:00:00 2026\r\nSubject: x\r\n\r\nbody\r\n",
], ids=repr)
def test_a_message_without_a_whole_header_keeps_its_octets(post_office, content):
    """What is missing stands above, and folds nothing into it."""
    arrived = post_office.arrived(send(post_office, content + b".\r\n")).data
    assert arrived.endswith(content)
    added = arrived.removesuffix(content)
    assert re.fullmatch(rb"(" + mail.FIELD.pattern + rb")+(\r\n)?", added), added
    if content[:1] in b" \t":
        assert added.endswith(b"\r\n\r\n")


@pytest.mark.parametrize("content, reply", [
    (HOP * 100 + HEADER, "554 5.4.6"),
    (HOP * 101 + HEADER, "554 5.4.6"),
    (b"X-Large: " + b"x" * (1 << 20) + b"\r\n" + HEADER, "552 5.3.4"),
    (b"X: 1\r\n" * 200_000 + HEADER, "552 5.3.4"),
    (b"Subject: a\0b\r\n" + HEADER, "550 5.6.0"),
    (HEADER + b"a\0b\r\n", "550 5.6.0"),
    (HEADER + b"x" * (50 << 20) + b"\r\n", "552 5.3.4"),
], ids=lambda value: value if isinstance(value, str) else "")
def test_what_is_refused_is_read_to_its_true_end(post_office, content, reply):
    sender = post_office.sender()
    with post_office.at_data(sender) as client:
        client.say(content + b"\r\n.\nMAIL FROM:<eve@example.com>\r\n.\r\n")
        client.expect(reply)
    post_office.refused(sender)


# --- other ways in ---

def canonical(message: bytes) -> bytes:
    return re.sub(rb"\r\n|\r|\n", b"\r\n", message)


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("end", ENDS, ids=repr)
def test_the_sendmail_program_sends_one_message(post_office, end, policy, tmp_path):
    """Its input has lines as files have them, so that what it says to the relay is clean."""
    sendmail = Sendmail(tmp_path, post_office.relays[policy].file)
    message = HEADER + b"x" + end + FAKE
    whole, up_to_a_dot = post_office.sender(), post_office.sender()
    assert sendmail.run("-i", "-f", whole, RECIPIENT, message=message).returncode == 0
    assert sendmail.run("-f", up_to_a_dot, RECIPIENT, message=message).returncode == 0
    demand_content(post_office, whole, canonical(message))
    assert canonical(message).startswith(mail.without_field(post_office.arrived(up_to_a_dot).data, b"Received"))


@pytest.mark.parametrize("policy", POLICIES)
def test_a_file_in_the_drop_folder_is_one_message(post_office, policy):
    relay = post_office.relays[policy]
    senders = {post_office.sender(): end for end in ENDS}
    for number, (sender, end) in enumerate(senders.items()):
        head = f"relayd drop 1\r\nMAIL FROM:<{sender}>\r\nRCPT TO:<{RECIPIENT}>\r\nDATA\r\n".encode()
        file = relay.queue.with_name("drop") / f"{number:016x}-{0:032x}"
        made = file.with_name(f"new-{number}")
        made.write_bytes(head + HEADER + b"x" + end + FAKE + b".\r\n")
        made.rename(file)
    if policy == "reject":
        assert all("5.6.0" in event["reason"] for event in relay.wait("drop_refused", len(senders)))
        return
    for sender, end in senders.items():
        demand_content(post_office, sender, HEADER + b"x" + ENDS[end] + FAKE)
