"""The log as an operator's tools read it: one JSON object a line, the same names everywhere, no secret in it."""

import json
import os
import subprocess
from datetime import datetime, timezone

from support import mail
from support.relayd import BINARY
from support.waiting import PATIENCE

SENDER, RECIPIENT = "app@example.com", "one@rcpt.example"


def test_a_message_can_be_followed_from_its_acceptance_to_its_delivery(to_upstream):
    relay, upstream = to_upstream()
    id = relay.submit(SENDER, RECIPIENT, mail.text(SENDER))
    accepted, delivered = relay.wait_event("accepted", id=id), relay.wait_event("delivered", id=id)
    assert accepted["from"] == delivered["from"] == SENDER
    assert (delivered["to"], delivered["upstream"], delivered["account"]) == (RECIPIENT, "fake", "alice")
    assert delivered["host"].startswith("127.0.0.1")
    assert delivered["tls"].startswith("TLSv1.")
    assert (delivered["code"], delivered["enhanced"], delivered["attempts"]) == (250, "2.0.0", 1)
    assert "Taken" in delivered["response"]
    assert float(delivered["delay"]) >= 0


def test_the_provider_s_id_of_a_message_is_in_the_log(to_upstream):
    relay, upstream = to_upstream()
    upstream.answer("dot", "250 2.0.0 Ok: queued as 4X1Y2Z", times=1)
    named = relay.wait_event("delivered", id=relay.submit(SENDER, RECIPIENT, mail.text(SENDER)))
    assert named["provider_id"] == "4X1Y2Z"
    unnamed = relay.wait_event("delivered", id=relay.submit(SENDER, RECIPIENT, mail.text(SENDER)))
    assert "provider_id" not in unnamed


def test_the_client_is_told_the_id_that_the_log_uses(to_upstream):
    import smtplib

    relay, _ = to_upstream()
    with smtplib.SMTP("127.0.0.1", relay.port, local_hostname="client.test.example") as client:
        client.ehlo()
        client.mail(SENDER)
        client.rcpt(RECIPIENT)
        code, text = client.data(mail.text(SENDER))
    assert code == 250
    assert relay.wait_event("accepted")["id"] in text.decode()


def test_every_line_has_a_time_a_level_and_an_event(to_upstream):
    relay, _ = to_upstream()
    relay.wait_event("delivered", id=relay.submit(SENDER, RECIPIENT, mail.text(SENDER)))
    relay.stop()
    events = relay.events.all()
    assert [event["event"] for event in events][-1] == "stopped"
    for event in events:
        age = datetime.now(timezone.utc) - datetime.fromisoformat(event["time"])
        assert 0 <= age.total_seconds() < 3600
        assert event["level"] in ("debug", "info", "warning", "error")


def test_a_refused_recipient_is_logged(relay, upstream):
    import smtplib

    one = relay({"fake": upstream(accounts={}).config()}, [{"match": "@example.com", "upstream": "fake"}])
    with smtplib.SMTP("127.0.0.1", one.port, local_hostname="client.test.example") as client:
        client.ehlo()
        code, _ = client.mail("stranger@elsewhere.example")
        if code == 250:
            code, _ = client.rcpt(RECIPIENT)
    assert code // 100 == 5
    assert one.wait_event("rejected")["from"] == "stranger@elsewhere.example"


def test_what_an_upstream_says_cannot_forge_a_line(to_upstream):
    relay, upstream = to_upstream()
    upstream.answer("rcpt", '550 5.1.1 no\x1b[31m"}{"event":"delivered"', times=1)
    failed = relay.wait_event("failed", id=relay.submit(SENDER, RECIPIENT, mail.text(SENDER)))
    assert "\x1b" not in failed["response"]
    assert not relay.logged("delivered")


def test_addresses_can_be_masked(to_upstream, relay, upstream):
    one = relay({"fake": upstream(accounts={}).config()}, log={"format": "json", "addresses": "masked"})
    one.wait_event("delivered", id=one.submit(SENDER, RECIPIENT, mail.text(SENDER)))
    one.stop()
    for event in one.events.all():
        assert SENDER not in str(event) and RECIPIENT not in str(event)


def test_a_journal_is_told_how_much_each_line_matters(to_upstream):
    relay, _ = to_upstream()
    relay.stop()
    reader, writer = os.pipe()
    status = os.fstat(writer)
    for named, prefixed in ((f"{status.st_dev}:{status.st_ino}", True), ("1:1", False)):
        process = subprocess.Popen([BINARY, "run", "-c", str(relay.file)], stderr=writer, stdin=subprocess.DEVNULL,
                                   env={**os.environ, "JOURNAL_STREAM": named})
        lines = []
        while not lines or '"queue_opened"' not in lines[-1]:
            lines.append(read_line(reader))
        process.terminate()
        assert process.wait(PATIENCE) == 0
        while '"stopped"' not in lines[-1]:
            lines.append(read_line(reader))
        levels = {"<6>": "info", "<4>": "warning", "<3>": "error"}
        for line in lines:
            event = json.loads(line[3:] if prefixed else line)
            assert not prefixed or levels[line[:3]] == event["level"]
    os.close(reader), os.close(writer)


def read_line(descriptor: int) -> str:
    line = b""
    while not line.endswith(b"\n"):
        line += os.read(descriptor, 1)
    return line.decode()
