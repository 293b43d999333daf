"""Every client that people send with and Debian has, over each kind of connection, with each kind of message. The sink
behind the relay keeps what it gets octet for octet: what came in left again, under one Received field.

Of a client that hands a file over, that file must arrive. Of one that composes, the tee before the relay has what it
wrote where that is in clear; inside TLS its subject and its text are compared."""

import base64
import email
import email.policy
import itertools
import random
import re
from dataclasses import dataclass

import pytest

from support import mail
from support.clients import CLIENTS
from support.composers import COMPOSERS
from support.relayd import Relayd
from support.submission import ClientFailed, Submission
from support.waiting import free_port
from support.wire import Sink, Tee, Transaction

LOGIN = ("webapp", "webapp-canary")
PROGRAMS = {**CLIENTS, **COMPOSERS}
CONNECTIONS = ("none", "starttls", "implicit")

ASCII, UTF8 = "app@example.com", "jürgen@example.com"
EIGHT_BIT = "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n"


def large_text(size: int) -> bytes:
    """In lines of 900 octets: some clients spend a system call, and a record of TLS, on each line."""
    text = base64.b64encode(random.Random(size).randbytes(size * 3 // 4))
    return b"".join(text[at:at + 900] + b"\r\n" for at in range(0, len(text), 900))


MESSAGES = {
    "text": mail.text(ASCII),
    "8-bit": mail.message(ASCII, "eight-bit", "Grüße aus Köln, 你好, 🙂\r\n".encode(), EIGHT_BIT),
    "UTF-8 header": mail.message(ASCII, "Grüße aus Köln, 你好", b"Hello.\r\n"),
    "UTF-8 addresses": mail.message(UTF8, "addresses", b"Hello.\r\n"),
    "50 recipients": mail.text(ASCII, "fifty"),
    "20 MiB": mail.message(ASCII, "large", large_text(20 << 20)),
    "empty": mail.message(ASCII, "empty", b""),
    "dots": mail.dots(ASCII),
}


@dataclass(frozen=True)
class Refusal:
    says: str  # in what the client prints
    reason: str
    connections: tuple[str, ...] = CONNECTIONS


NEEDS_SMTPUTF8 = "5.6.7 Address needs SMTPUTF8"  # our reply to MAIL
CANNOT = {
    ("swaks", "UTF-8 addresses"): Refusal(NEEDS_SMTPUTF8, "knows no SMTPUTF8"),
    ("msmtp", "UTF-8 addresses"): Refusal(NEEDS_SMTPUTF8, "knows no SMTPUTF8"),
    ("perl-net-smtp", "UTF-8 addresses"): Refusal(NEEDS_SMTPUTF8, "knows no SMTPUTF8"),
    ("git-send-email", "UTF-8 addresses"): Refusal(NEEDS_SMTPUTF8, "sends by perl-net-smtp"),
    ("mutt", "UTF-8 addresses"): Refusal(NEEDS_SMTPUTF8, "says HELO where there is neither TLS nor a login", ("none",)),
    ("neomutt", "UTF-8 addresses"): Refusal(NEEDS_SMTPUTF8, "as mutt", ("none",)),
    ("neomutt", "empty"): Refusal("Refusing to send an empty email", "will not"),
    ("s-nail", "UTF-8 addresses"): Refusal("invalid  address", "takes ASCII addresses only"),
    ("phpmailer", "UTF-8 addresses"): Refusal("Invalid address", "takes ASCII addresses only"),
    ("symfony-mailer", "UTF-8 addresses"): Refusal("non-ASCII characters not supported", "takes ASCII addresses only"),
    ("ruby-mail", "UTF-8 addresses"): Refusal(NEEDS_SMTPUTF8, "knows no SMTPUTF8"),
}

# What some write instead of what they were given.
ALTERED = {
    ("swaks", "empty"): lambda message: message + b"\r\n",
    ("ruby-mail", "dots"): lambda message: re.sub(rb"(?m)^\.\r$", rb"..\r", message),  # stuffs what Net::SMTP stuffs
}

SAYS_HELO = {"mutt", "neomutt", "s-nail"}  # where there is neither TLS nor a login nor BODY=8BITMIME to say

# For which messages a client gives BODY=8BITMIME. The scripts and smtplib's callers say it always.
SAYS_8BITMIME = {
    **dict.fromkeys(["nodemailer", "smtplib", "aiosmtplib", "perl-net-smtp", "ruby-net-smtp"], set(MESSAGES)),
    **dict.fromkeys(["mutt", "neomutt"], {"8-bit"}),
}


def is_refused(client: str, connection: str, kind: str) -> bool:
    return (client, kind) in CANNOT and connection in CANNOT[client, kind].connections


CELLS = list(itertools.product(PROGRAMS, CONNECTIONS, MESSAGES))
REFUSED = [cell for cell in CELLS if is_refused(*cell)]
TAKEN = [cell for cell in CELLS if not is_refused(*cell)]


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("messages")
    for kind, message in MESSAGES.items():
        (folder / kind).write_bytes(message)
    return folder


@pytest.fixture(scope="module")
def sink():
    with Sink() as one:
        yield one
        assert not one.waiting, f"more came than was sent: {list(one.waiting)}"


@pytest.fixture(scope="module")
def relay(sink, certificate, tmp_path_factory):
    """With a listener for each kind of connection; where there is TLS, a login is required."""
    ports = {connection: free_port() for connection in CONNECTIONS}
    listen = [{"address": f"127.0.0.1:{port}", "tls": tls, "auth": "none" if tls == "none" else "required"}
              for tls, port in ports.items()]
    pair = {"certificate": str(certificate.certificate), "key": str(certificate.key)}
    one = Relayd(tmp_path_factory.mktemp("relay"), {"sink": sink.config()}, [{"match": "*", "upstream": "sink"}],
                 listen=listen, tls={"certificates": [pair]}, accounts=[{"name": LOGIN[0], "password": LOGIN[1]}])
    one.ports = ports
    yield one.start("--grace", "1")
    assert one.finish() == 0


@pytest.fixture
def submit(relay, authority, files, tmp_path):
    """Has a client send to the relay, in clear through a tee: (the recipients, what the tee saw)."""
    def send(client: str, connection: str, kind: str) -> tuple[list[str], Transaction | None]:
        port = relay.ports[connection]
        recipients = recipients_of(kind)
        sender = UTF8 if kind == "UTF-8 addresses" else ASCII
        secure = {} if connection == "none" else {"tls": connection, "login": LOGIN, "authority": authority.file}
        job = {"sender": sender, "recipients": recipients, "file": files / kind, "folder": tmp_path, **secure}
        if secure:
            PROGRAMS[client](Submission(port=port, **job))
            return recipients, None
        with Tee(port) as tee:
            PROGRAMS[client](Submission(port=tee.port, **job))
            return recipients, tee.transaction()

    return send


numbers = itertools.count()


def recipients_of(kind: str) -> list[str]:
    """Nobody else's: the sink knows a message by them."""
    name = f"{'grüße' if kind == 'UTF-8 addresses' else 'cell'}-{next(numbers)}"
    return [f"{name}-{each}@rcpt.example" for each in range(50 if kind == "50 recipients" else 1)]


@pytest.mark.parametrize("client, connection, kind", TAKEN)
def test_what_a_client_sends_leaves_as_it_came(submit, sink, client, connection, kind):
    recipients, sent = submit(client, connection, kind)
    arrived = sink.fetch(recipients[0])
    demand_envelope(arrived, recipients, client, kind)
    relayed = demand_received(arrived.octets, client, connection, kind)
    if sent:
        assert (sent.sender, sent.recipients) == (arrived.sender, arrived.recipients)
        assert ("BODY=8BITMIME" in sent.parameters) is (kind in SAYS_8BITMIME.get(client, ()))
        mail.demand_same(relayed, sent.octets)
    given = ALTERED.get((client, kind), bytes)(MESSAGES[kind])
    if client in CLIENTS:
        mail.demand_same(relayed, mail.stuffed(given))
    else:
        demand_content(mail.unstuffed(relayed), given)


@pytest.mark.parametrize("client, connection, kind", REFUSED)
def test_what_a_client_cannot_send_is_refused_in_words(submit, client, connection, kind):
    with pytest.raises(ClientFailed, match=re.escape(CANNOT[client, kind].says)):
        submit(client, connection, kind)


def demand_envelope(arrived: Transaction, recipients: list[str], client: str, kind: str):
    assert arrived.sender == (UTF8 if kind == "UTF-8 addresses" else ASCII)
    assert arrived.recipients == tuple(recipients)
    wanted = {f"SIZE={len(mail.unstuffed(arrived.octets))}"}
    if kind in SAYS_8BITMIME.get(client, ()) or not arrived.octets.isascii():  # what nobody declared, the relay does
        wanted.add("BODY=8BITMIME")
    if kind == "UTF-8 addresses":
        wanted.add("SMTPUTF8")
    assert set(arrived.parameters) == wanted


def demand_received(octets: bytes, client: str, connection: str, kind: str) -> bytes:
    """What is below our field, which must say how the message came."""
    below = mail.without_field(octets, b"Received")
    field = octets.removesuffix(below).decode()
    assert "\r\n\tby relay.test.example (relayd " in field
    assert f") with {protocol(client, connection, kind)} id " in field
    return below


def protocol(client: str, connection: str, kind: str) -> str:
    """RFC 3848, RFC 6531 4.3."""
    if connection == "none" and client in SAYS_HELO and kind not in SAYS_8BITMIME.get(client, ()):
        return "SMTP"
    extended = "UTF8SMTP" if kind == "UTF-8 addresses" else "ESMTP"
    return extended if connection == "none" else extended + "SA"


def demand_content(arrived: bytes, given: bytes):
    """Both have one subject and one text, whatever the encoding; some end a text with one more line end, or fewer."""
    parsed = email.message_from_bytes(arrived, policy=email.policy.default)
    assert parsed["Subject"] == mail.subject(given)
    text = parsed.get_content().encode().replace(b"\r\n", b"\n")
    mail.demand_same(text.rstrip(b"\n"), given.partition(b"\r\n\r\n")[2].replace(b"\r\n", b"\n").rstrip(b"\n"))
