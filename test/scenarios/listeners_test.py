"""Who may hand mail in: by address, by login, over TLS or not. A client from elsewhere is one on another loopback
address."""

import re
import smtplib
import ssl

import pytest

from support import mail
from support.waiting import PATIENCE

SENDER, RECIPIENT = "app@example.com", "one@rcpt.example"
LOGIN = ("webapp", "webapp-canary")


@pytest.fixture
def listening(relay, upstream, certificate):
    """A relay whose listener is as the test says; the FakeUpstream behind it wants no login."""

    def start(**listener):
        pair = {"certificate": str(certificate.certificate), "key": str(certificate.key)}
        account = {"name": LOGIN[0], "password": LOGIN[1], "may_send_as": ["@example.com"]}
        return relay({"fake": upstream(accounts={}).config()}, listener=listener, tls={"certificates": [pair]},
                     accounts=[account])

    return start


@pytest.fixture
def trust(authority):
    return ssl.create_default_context(cafile=authority.file)


def connect(relay, address: str = "127.0.0.1") -> smtplib.SMTP:
    return smtplib.SMTP("127.0.0.1", relay.port, "client.test.example", PATIENCE, (address, 0))


def send(client, sender=SENDER):
    client.sendmail(sender, [RECIPIENT], mail.text(sender))


def test_an_address_that_is_not_allowed_is_refused(listening):
    relay = listening(allow=["127.0.0.1"])
    with connect(relay) as client:
        send(client)
    with connect(relay, "127.0.0.2") as client, pytest.raises(smtplib.SMTPSenderRefused) as refused:
        send(client)
    assert refused.value.smtp_code == 550
    relay.wait_event("rejected")
    relay.wait_event("delivered")


def test_mail_comes_in_after_starttls_and_a_login(listening, trust):
    relay = listening(tls="starttls", auth="required")
    with connect(relay) as client:
        client.starttls(context=trust)
        client.login(*LOGIN)
        send(client)
    accepted = relay.wait_event("accepted")
    assert (accepted["account"], accepted["tls"][:5]) == (LOGIN[0], "TLSv1")
    relay.wait_event("delivered", id=accepted["id"])


def test_mail_comes_in_over_implicit_tls(listening, trust):
    relay = listening(tls="implicit", auth="required")
    with smtplib.SMTP_SSL("127.0.0.1", relay.port, "client.test.example", timeout=PATIENCE, context=trust) as client:
        client.login(*LOGIN)
        send(client)
    relay.wait_event("delivered")


def test_without_a_login_nothing_is_taken(listening):
    relay = listening(auth="required")
    with connect(relay) as client, pytest.raises(smtplib.SMTPSenderRefused) as refused:
        send(client)
    assert refused.value.smtp_code == 530


def test_a_wrong_password_is_refused_and_not_logged(listening):
    relay = listening(auth="required")
    with connect(relay) as client, pytest.raises(smtplib.SMTPAuthenticationError) as refused:
        client.login(LOGIN[0], "guess-canary")
    assert refused.value.smtp_code == 535


def test_an_account_sends_only_as_it_may(listening):
    relay = listening(auth="required")
    with connect(relay) as client:
        client.login(*LOGIN)
        with pytest.raises(smtplib.SMTPSenderRefused) as refused:
            send(client, "somebody@elsewhere.example")
        assert refused.value.smtp_code // 100 == 5
        send(client)
    relay.wait_event("delivered")


def test_bytes_sent_before_the_handshake_are_not_commands(listening):
    """The classic injection: what came in clear behind STARTTLS must not be answered inside TLS."""
    relay = listening(tls="starttls", auth="optional")
    with connect(relay) as client:
        client.ehlo()
        client.send(b"STARTTLS\r\nNOOP\r\nMAIL FROM:<injected@example.com>\r\n")
        assert client.getreply()[0] == 554
        with pytest.raises(smtplib.SMTPServerDisconnected):
            client.getreply()


@pytest.mark.parametrize("end", [b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r", b"\r.\r\n", b"\r\n.\r", b"\n.\r", b"\r.\n"], ids=repr)
def test_only_crlf_dot_crlf_ends_a_message(relay, upstream, end):
    """SMTP smuggling: whatever else looks like an end stays inside one message, for the next hop too."""
    fake = upstream(accounts={})
    one = relay({"fake": fake.config()})
    with connect(one) as client:
        client.ehlo()
        client.mail(SENDER)
        client.rcpt(RECIPIENT)
        client.putcmd("DATA")
        assert client.getreply()[0] == 354
        client.send(b"Subject: x\r\n\r\nx" + end + b"MAIL FROM:<evil@example.com>\r\nRCPT TO:<victim@rcpt.example>\r\n"
                    b"DATA\r\nSubject: y\r\n\r\nevil\r\n.\r\n")
        assert client.getreply()[0] == 250
    one.wait_event("delivered")
    messages = fake.taken(1)
    assert [(message.sender, message.recipients) for message in messages] == [(SENDER, (RECIPIENT,))]
    assert b"evil" in messages[0].data
    assert not re.search(rb"(?<!\r)\n|\r(?!\n)", messages[0].data)
