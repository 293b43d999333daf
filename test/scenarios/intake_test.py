"""What is taken, changed, held or refused between a client's MAIL and its 250, and what the upstream then gets."""

import base64
import smtplib
import subprocess

import pytest

from support import mail
from support.relayd import command
from support.waiting import PATIENCE

PYTHON = "/usr/bin/python3"  # Debian's, which has dkimpy
SENDER, RECIPIENT = "app@example.com", "one@rcpt.example"


def connect(relay) -> smtplib.SMTP:
    client = smtplib.SMTP("127.0.0.1", relay.port, "client.test.example", PATIENCE)
    client.ehlo()
    return client


def test_access_accepts_rejects_discards_and_holds(relay, upstream):
    fake = upstream(accounts={})
    access = {"senders": {"@example.com": "accept", "old@example.com": "reject"},
              "recipients": {"@sink.example": "discard", "@slow.example": "hold", "boss@rcpt.example": "reject"}}
    one = relay({"fake": fake.config()}, access=access)
    with connect(one) as client:
        assert client.mail("old@example.com")[0] == 550
        assert client.mail(SENDER)[0] == 250
        assert client.rcpt("boss@rcpt.example")[0] == 550
        assert client.rcpt("a@sink.example")[0] == 250
        assert client.rcpt(RECIPIENT)[0] == 250
        assert client.data(mail.text(SENDER))[0] == 250
        client.sendmail(SENDER, ["b@sink.example"], mail.text(SENDER))
        client.sendmail(SENDER, ["c@slow.example"], mail.text(SENDER))
    assert [event["to"] for event in one.wait("discarded", 2)] == ["a@sink.example", "b@sink.example"]
    held = one.wait_event("held", to="c@slow.example")
    assert [message.recipients for message in fake.taken(1)] == [(RECIPIENT,)]
    released = command("queue", "release", held["id"], "-c", one.file)
    assert released.returncode == 0, released.stderr
    assert fake.taken(2)[1].recipients == ("c@slow.example",)


def say(client: smtplib.SMTP, line: str) -> str:
    """The code and the enhanced code of the reply."""
    client.sock.sendall(f"{line}\r\n".encode())
    code, text = client.getreply()
    return f"{code} {text.decode().split()[0]}"


# Each is bücher.example to DNS (UTS 46): in capitals, not composed, fullwidth, with a soft hyphen, with another dot,
# also at the end.
SAME_DOMAIN = ["BÜCHER.example", "bu\u0308cher.example", "\uff42ücher.example", "bü\u00adcher.example",
               "bücher\u3002example", "xn--BCHER-kva.example", "bücher.example\u3002", "xn--bcher-kva.example\uff61"]


@pytest.mark.parametrize("rule", ["@bücher.example", "@xn--bcher-kva.example", "@*.EXAMPLE"])
def test_no_spelling_of_a_domain_gets_past_access(relay, upstream, rule):
    one = relay({"fake": upstream(accounts={}).config()},
                access={"senders": {rule: "reject"}, "recipients": {rule: "reject"}})
    with connect(one) as client:
        for domain in SAME_DOMAIN:
            assert say(client, f"MAIL FROM:<ann@{domain}> SMTPUTF8") == "550 5.7.1", ascii(domain)
        assert say(client, "MAIL FROM:<app@books.test> SMTPUTF8") == "250 2.1.0"
        for domain in SAME_DOMAIN:
            assert say(client, f"RCPT TO:<ann@{domain}>") == "550 5.7.1", ascii(domain)


@pytest.mark.parametrize("domain", ["a\u200db.example", "i\u2764.example", "x\uff20y.example", "\u2100.example"], ids=ascii)
def test_what_idna_allows_nobody_is_no_domain(relay, upstream, domain):
    one = relay({"fake": upstream(accounts={}).config()})
    with connect(one) as client:
        assert say(client, f"MAIL FROM:<ann@{domain}> SMTPUTF8") == "553 5.1.7"
        assert say(client, "MAIL FROM:<app@books.test> SMTPUTF8") == "250 2.1.0"
        assert say(client, f"RCPT TO:<ann@{domain}>") == "553 5.1.3"


def test_an_address_without_a_domain_gets_the_origin(relay, upstream):
    fake = upstream(accounts={})
    one = relay({"fake": fake.config()}, origin="example.net")
    with connect(one) as client:
        client.sendmail("root", ["postmaster"], b"Subject: cron\r\n\r\nall is well\r\n")
    message = fake.taken(1)[0]
    assert (message.sender, message.recipients) == ("root@example.net", ("postmaster@example.net",))
    assert b"\r\nFrom: <root@example.net>\r\n" in message.data


def test_what_no_upstream_takes_is_refused_at_mail(relay, upstream):
    fake = upstream(accounts={})
    one = relay({"fake": fake.config(limits={"message_size": "1MiB"})}, limits={"message_size": "50MiB"})
    with connect(one) as client:
        assert client.esmtp_features["size"] == str(1 << 20)
        assert client.mail(SENDER, [f"SIZE={(1 << 20) + 1}"])[0] == 552
        assert client.mail(SENDER)[0] == 250
        client.rcpt(RECIPIENT)
        assert client.data(mail.attachment(SENDER, size=1 << 20))[0] == 552
        client.sendmail(SENDER, [RECIPIENT], mail.text(SENDER))
    assert len(fake.taken(1)) == 1


def run(*words, **options) -> bytes:
    return subprocess.run(words, check=True, capture_output=True, timeout=60, **options).stdout


VERIFY = """
import sys, dkim
message, record = sys.stdin.buffer.read(), sys.argv[1].encode()
sys.exit(0 if dkim.verify(message, dnsfunc=lambda name, timeout=5: record) else 1)
"""
SIGN = """
import sys, dkim
message = sys.stdin.buffer.read()
field = dkim.sign(message, b"test", b"example.com", open(sys.argv[1], "rb").read(),
                  include_headers=[b"from", b"to", b"subject", b"date", b"message-id"])
sys.stdout.buffer.write(field + message)
"""


def test_a_dkim_signature_still_verifies(relay, upstream, tmp_path):
    """Signed and verified by dkimpy, in processes of its own."""
    key = tmp_path / "dkim.pem"
    run("openssl", "genrsa", "-traditional", "-out", str(key), "2048")
    public = run("openssl", "rsa", "-in", str(key), "-pubout", "-outform", "DER")
    record = "v=DKIM1; k=rsa; p=" + base64.b64encode(public).decode()
    signed = run(PYTHON, "-c", SIGN, str(key), input=mail.dots(SENDER))
    assert signed.startswith(b"DKIM-Signature:")
    fake = upstream(accounts={})
    one = relay({"fake": fake.config()})
    with connect(one) as client:
        client.sendmail(SENDER, [RECIPIENT], signed)
    arrived = fake.taken(1)[0].data
    run(PYTHON, "-c", VERIFY, record, input=arrived)
    with pytest.raises(subprocess.CalledProcessError):
        run(PYTHON, "-c", VERIFY, record, input=arrived.replace(b"from here", b"from hell"))


def test_our_own_mail_may_come_back_and_does_not_loop(relay, upstream):
    """A list on the same relay sends out what came through it; what was here four times is looping."""
    fake = upstream(accounts={})
    one = relay({"fake": fake.config()})
    message = mail.text(SENDER)
    with connect(one) as client:
        for visit in range(1, 5):
            client.sendmail(SENDER, [RECIPIENT], message)
            message = fake.taken(visit)[-1].data
        with pytest.raises(smtplib.SMTPDataError) as refused:
            client.sendmail(SENDER, [RECIPIENT], message)
    assert (refused.value.smtp_code, refused.value.smtp_error) == (
        554, b"5.4.6 The message was here 4 times: it is looping")


def test_the_mark_survives_a_restart(relay, upstream):
    one = relay({"fake": upstream(accounts={}).config()})
    before = (one.queue / "instance").read_text()
    one.stop()
    one.start("--grace", "1")
    assert (one.queue / "instance").read_text() == before
