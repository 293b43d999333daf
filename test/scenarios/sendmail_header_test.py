"""Addresses without a domain, as cron, scripts and mail readers write them, get that of `origin`, and nothing else of a
message changes."""

import base64
import subprocess

import pytest

from support import mail
from support.relayd import command
from support.sendmail import Sendmail
from support.waiting import PATIENCE

PYTHON = "/usr/bin/python3"  # Debian's, which has dkimpy
SENDER, RECIPIENT = "app@example.com", "bob@rcpt.example"
CRON = (b"From: root (Cron Daemon)\nTo: root\nSubject: Cron <root@host> To: root\nAuto-Submitted: auto-generated\n"
        b"Date: Fri, 20 Nov 2026 08:00:00 +0000\nMessage-ID: <root>\nX-Cron-Env: <LOGNAME=root>\n\nTo: root\n")
# All of it has a domain, or is no address: it looks as if there were something to do.
COMPLETE = ("From: =?utf-8?q?J=C3=B6rg?= (root)\r\n <joerg@example.com>\r\n"
            "Sender: \"root, at work\" <root@example.com>\r\nTo: undisclosed-recipients:;\r\n"
            "Cc: staff: a@rcpt.example ,\r\n\tb@rcpt.example;\r\nReply-To: Cron Daemon\r\nBcc: \"\r\nSubject: signed\r\n"
            "Date: Fri, 20 Nov 2026 08:00:00 +0000\r\nMessage-ID: <1@client.test.example>\r\n\r\nTo: root\r\n").encode()
SIGN = """
import sys, dkim
message = sys.stdin.buffer.read()
names = [b"from", b"sender", b"to", b"cc", b"reply-to", b"subject", b"date", b"message-id"]
field = dkim.sign(message, b"test", b"example.com", open(sys.argv[1], "rb").read(), include_headers=names,
                  canonicalize=(sys.argv[2].encode(), b"simple"))
sys.stdout.buffer.write(field + message)
"""
VERIFY = """
import sys, dkim
message, record = sys.stdin.buffer.read(), sys.argv[1].encode()
sys.exit(0 if dkim.verify(message, dnsfunc=lambda name, timeout=5: record) else 1)
"""


@pytest.fixture
def post(relay, upstream, tmp_path):
    """(relay, upstream, sendmail), with a top-level key or two."""

    def start(**sections):
        fake = upstream(accounts={})
        one = relay({"fake": fake.config()}, **sections)
        return one, fake, Sendmail(tmp_path / "bin", one.file)

    return start


def run(*words, **options) -> bytes:
    return subprocess.run(words, check=True, capture_output=True, timeout=PATIENCE, **options).stdout


def without_received(arrived: bytes) -> bytes:
    return mail.without_field(arrived, b"Received")


@pytest.mark.parametrize("sections, domain", [({}, b"test.example"), ({"origin": "origin.example"}, b"origin.example")])
def test_cron_mail_gets_its_domain_in_the_header_too(post, sections, domain):
    _, upstream, sendmail = post(**sections)
    assert sendmail.run("-i", "-f", "root", "root", message=CRON).returncode == 0
    (arrived,) = upstream.taken(1)
    assert (arrived.sender, arrived.recipients) == ("root@" + domain.decode(), ("root@" + domain.decode(),))
    wanted = CRON.replace(b"\n", b"\r\n").replace(b"From: root", b"From: root@" + domain)
    mail.demand_same(without_received(arrived.data), wanted.replace(b"To: root", b"To: root@" + domain, 1))


def test_the_header_of_any_client_is_completed(post):
    relay, upstream, _ = post()
    text = "From: \"A, B\" <ann{0}>\r\nTo: bob{0},\r\n eve@rcpt.example\r\nDate: today\r\nMessage-ID: <1>\r\n\r\nx\r\n"
    relay.submit(SENDER, RECIPIENT, text.format("").encode())
    arrived = without_received(upstream.taken(1)[0].data)
    mail.demand_same(arrived, text.format("@test.example").encode())


def test_recipients_of_the_header_are_those_that_arrive_there(post):
    _, upstream, sendmail = post()
    message = b"From: ann\nTo: root, bob@rcpt.example\nCc: <eve>\nBcc: hidden\n\nx\n"
    assert sendmail.run("-t", "-i", message=message).returncode == 0
    (arrived,) = upstream.taken(1)
    assert arrived.recipients == ("root@test.example", "bob@rcpt.example", "eve@test.example", "hidden@test.example")
    assert b"\r\nTo: root@test.example, bob@rcpt.example\r\nCc: <eve@test.example>\r\n\r\n" in arrived.data
    assert b"hidden" not in arrived.data


def test_a_null_sender_is_routed_by_the_completed_from(relay, upstream):
    fakes = {name: upstream(accounts={}) for name in ("mine", "others")}
    one = relay({name: fake.config() for name, fake in fakes.items()},
                senders=[{"match": "root@test.example", "upstream": "mine"}, {"match": "*", "upstream": "others"}])
    one.submit("", RECIPIENT, CRON.replace(b"\n", b"\r\n"))
    assert len(fakes["mine"].taken(1)) == 1
    said = command("explain", "-c", one.file, "--sender", "root")
    assert said.returncode == 0 and "root@test.example" in said.stdout and "mine" in said.stdout


@pytest.mark.parametrize("canonical", ["simple", "relaxed"])
def test_a_signed_message_of_whole_addresses_still_verifies(post, tmp_path, canonical):
    """Signed and verified by dkimpy, in processes of its own; not an octet of it has changed."""
    relay, upstream, _ = post()
    key = tmp_path / "dkim.pem"
    run("openssl", "genrsa", "-traditional", "-out", str(key), "2048")
    record = "v=DKIM1; k=rsa; p=" + base64.b64encode(run("openssl", "rsa", "-in", str(key), "-pubout", "-outform",
                                                         "DER")).decode()
    signed = run(PYTHON, "-c", SIGN, str(key), canonical, input=COMPLETE)
    relay.submit(SENDER, RECIPIENT, signed)
    (arrived,) = upstream.taken(1)
    mail.demand_same(without_received(arrived.data), signed)
    run(PYTHON, "-c", VERIFY, record, input=arrived.data)
    with pytest.raises(subprocess.CalledProcessError):
        run(PYTHON, "-c", VERIFY, record, input=arrived.data.replace(b"joerg@", b"georg@"))


def test_only_missing_fields_are_added(post):
    relay, upstream, _ = post()
    resent = (b"Resent-From: ann\r\nResent-To: bob@rcpt.example\r\nFrom: app@example.com\r\n"
              b"Date: Fri, 20 Nov 2026 08:00:00 +0000\r\nMessage-ID: <1@x.example>\r\n\r\nx\r\n")
    relay.submit(SENDER, RECIPIENT, resent)
    relay.submit(SENDER, RECIPIENT, b"Subject: s\r\n\r\nx\r\n")
    whole, bare = sorted((one.data for one in upstream.taken(2)), key=len, reverse=True)
    assert mail.field_names(whole) == ["received", "resent-from", "resent-to", "from", "date", "message-id"]
    assert b"Resent-From: ann@test.example\r\n" in whole
    assert mail.field_names(bare) == ["received", "date", "message-id", "from", "subject"]
