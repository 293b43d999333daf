"""Reports through real mail servers, and about mail that must stay under TLS: what arrives is still a report."""

import email
import ssl
from email.message import Message

import pytest

from conftest import ACCOUNTS
from support.provider import Provider
from support.relayd import Client
from support.upstream import EXTENSIONS
from support.waiting import PATIENCE

SENDER = "alice@alice.example"
FROM = "mailer-daemon@alice.example"
PATIENCE_WITH_REPORTS = PATIENCE + 10
REFUSE = "smtpd_recipient_restrictions = check_recipient_access inline:{{gone@rcpt.example=REJECT No such user}}\n"
ALICE = {"username": "alice", "password": ACCOUNTS["alice"]}
REPORTS = {"from": FROM, "content": "full"}


def report_in(messages) -> tuple[Message, object]:
    """The one report that arrives: parsed, and as it was taken."""
    (one,) = messages.wait(lambda each: each.taken and b"multipart/report" in each.data, 1, PATIENCE_WITH_REPORTS)
    report = email.message_from_bytes(one.data)
    assert not report.defects and len(report.get_payload()) == 3
    return report, one


def submit(relay, data: bytes, options=(), recipients=("gone@rcpt.example",), context=None) -> None:
    with Client("127.0.0.1", relay.port, timeout=PATIENCE) as client:
        if context:
            client.starttls(context=context)
        client.ehlo()
        assert client.mail(SENDER, options)[0] == 250
        for recipient in recipients:
            assert client.rcpt(recipient)[0] == 250
        assert client.data(data)[0] == 250


@pytest.mark.parametrize("header, returned", [
    (b"Subject: plain", "text/rfc822-headers"),
    ("Subject: Grüße\r\nX-Long: ".encode() + b"x" * 900, "text/rfc822-headers"),
], ids=["plain", "8-bit and long"])
def test_postfix_leaves_a_report_as_it_is(relay, certificate, header, returned):
    with Provider(certificate, {"alice": (ACCOUNTS["alice"], SENDER)}, REFUSE) as provider:
        one = relay({"postfix": provider.config("starttls", **ALICE)}, bounce=REPORTS)
        submit(one, b"From: " + SENDER.encode() + b"\r\n" + header + b"\r\n\r\nHello\r\n", ["BODY=8BITMIME"])
        report, taken = report_in(provider.sink.messages)
    assert taken.sender == "" and taken.recipients == (SENDER,)
    assert report.get_content_type() == "multipart/report" and report["Auto-Submitted"] == "auto-replied"
    text, status, content = report.get_payload()
    assert (text.get_content_type(), status.get_content_type(), content.get_content_type()) == (
        "text/plain", "message/delivery-status", returned)
    failed = status.get_payload()[1]
    assert failed["Final-Recipient"] == "rfc822; gone@rcpt.example"
    assert failed["Action"] == "failed" and failed["Status"] == "5.7.1"
    assert "No such user" in failed["Diagnostic-Code"]
    assert taken.data.isascii() and max(map(len, taken.data.split(b"\r\n"))) <= 998


def test_a_report_about_mail_that_must_stay_under_tls_stays_there_too(relay, upstream, certificate, authority):
    """RFC 8689 5: with REQUIRETLS, and without the content, also where the sender asked for it."""
    fake = upstream(accounts={}, extensions=(*EXTENSIONS, "REQUIRETLS"))
    fake.answer("rcpt", "550 5.1.1 No such user", about="gone@")
    pair = {"certificate": str(certificate.certificate), "key": str(certificate.key)}
    one = relay({"fake": fake.config()}, listener={"tls": "starttls"}, tls={"certificates": [pair]}, bounce=REPORTS)
    trust = ssl.create_default_context(cafile=str(authority.file))
    message = f"From: {SENDER}\r\nSubject: s\r\n\r\nonly under TLS\r\n".encode()
    submit(one, message, ["REQUIRETLS", "RET=FULL"], context=trust)
    report, taken = report_in(fake.messages)
    assert report.get_payload(2).get_content_type() == "text/rfc822-headers"
    assert b"only under TLS" not in taken.data
    envelopes = [command.argument for command in fake.commands.all() if command.verb == "MAIL"]
    assert envelopes[-1].startswith("FROM:<>") and all("REQUIRETLS" in one for one in envelopes)


@pytest.mark.parametrize("offers", [True, False], ids=["SMTPUTF8", "ASCII only"])
def test_a_report_about_an_address_beyond_ascii_passes_postfix(relay, certificate, offers):
    """RFC 6533: its sender has an address of ASCII, so that no way back needs SMTPUTF8."""
    settings = REFUSE.replace("gone@rcpt.example", "rcpt.example") + f"smtputf8_enable = {'yes' if offers else 'no'}\n"
    with Provider(certificate, {"alice": (ACCOUNTS["alice"], SENDER)}, settings) as provider:
        one = relay({"postfix": provider.config("starttls", **ALICE)}, bounce=REPORTS)
        submit(one, f"From: {SENDER}\r\nSubject: Gr\u00fc\u00dfe\r\n\r\nHello\r\n".encode(), ["SMTPUTF8", "BODY=8BITMIME"],
               ["j\u00f6rg@rcpt.example"])
        report, taken = report_in(provider.sink.messages)
    assert taken.data.isascii() and taken.recipients == (SENDER,)
    failed = report.get_payload(1).get_payload()[1]
    assert failed["Final-Recipient"] == "utf-8; j\\x{F6}rg@rcpt.example" and failed["Action"] == "failed"
    assert failed["Status"] == ("5.7.1" if offers else "5.6.7")
