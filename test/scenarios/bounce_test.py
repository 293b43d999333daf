"""Reports to senders: what becomes of mail that fails, and what its sender then reads; through kills, too."""

import email
import random
from email.message import Message

import pytest

from support import mail
from support.relayd import Client, command
from support.waiting import PATIENCE

SENDER = "ann@o.example"
FROM = "mailer-daemon@o.example"
REPORT_PATIENCE = PATIENCE + 10  # a report is written some seconds after its cause
NO_SUCH_USER = "550 5.1.1 No such user"


@pytest.fixture
def relaying(relay, upstream):
    """A relay that reports, and its upstream: (relay, upstream)."""

    def start(extensions=("ENHANCEDSTATUSCODES", "8BITMIME"), more=None, **sections):
        fake = upstream(accounts={}, certificate=None, extensions=extensions)
        sections = {"bounce": {"from": FROM}, **sections}
        return relay({"fake": fake.config(**(more or {}))}, origin="o.example", **sections), fake

    return start


def send(one, recipients, options=(), parameters=(), data=None) -> str:
    """One message, with ESMTP parameters of MAIL and of each RCPT; its id."""
    with Client("127.0.0.1", one.port, timeout=PATIENCE) as client:
        client.ehlo()
        client.mail(SENDER, options)
        for recipient in recipients:
            assert client.rcpt(recipient, parameters)[0] == 250
        code, reply = client.data(data or mail.text(SENDER))
        assert code == 250
        return reply.decode().split()[-1]


def reports(fake, count: int) -> list:
    """The reports that arrived, once there are so many."""
    taken = fake.messages.wait(lambda one: one.taken and b"multipart/report" in one.data, count, REPORT_PATIENCE)
    for one in taken:
        message = email.message_from_bytes(one.data)
        assert not message.defects and len(message.get_payload()) == 3
        assert message["Auto-Submitted"] == "auto-replied"
    return taken


def groups(report) -> list[Message]:
    """What the report says of the message, and then of each recipient."""
    status = email.message_from_bytes(report.data).get_payload(1)
    assert status.get_content_type() == "message/delivery-status"
    return status.get_payload()


def test_a_failure_is_told_to_the_sender_with_the_reply(relaying):
    one, fake = relaying()
    fake.answer("rcpt", NO_SUCH_USER, about="gone@")
    id = send(one, ["gone@x.example", "here@x.example"], ["RET=HDRS", "ENVID=abc+2B1"], ["ORCPT=rfc822;Old@x.example"])
    (report,) = reports(fake, 1)
    assert (report.sender, report.recipients) == ("", (SENDER,))
    about, failed = groups(report)
    assert about["Original-Envelope-Id"] == "abc+1"
    assert failed["Final-Recipient"] == "rfc822; gone@x.example"
    assert failed["Original-Recipient"] == "rfc822; Old@x.example"
    assert (failed["Action"], failed["Status"]) == ("failed", "5.1.1")
    assert "No such user" in failed["Diagnostic-Code"] and failed["Remote-MTA"] == "dns; [127.0.0.1]"
    bounced = one.wait_event("bounced", id=id)
    assert (bounced["to"], bounced["about"]) == (SENDER, "gone@x.example")
    one.wait_event("delivered", id=bounced["report"])
    assert not one.logged("failed", id=bounced["report"])


def test_what_notify_asks_for_is_done(relaying):
    one, fake = relaying()
    fake.answer("rcpt", NO_SUCH_USER, about="gone@")
    send(one, ["gone@x.example"], parameters=["NOTIFY=NEVER"])
    send(one, ["here@x.example"], parameters=["NOTIFY=FAILURE,DELAY"])
    told = send(one, ["success@x.example"], parameters=["NOTIFY=SUCCESS"])
    (report,) = reports(fake, 1)
    about, relayed = groups(report)
    assert about["X-Relayd-Queue-Id"] == told
    assert (relayed["Action"], relayed["Final-Recipient"]) == ("relayed", "rfc822; success@x.example")
    assert relayed["Status"].startswith("2.")
    one.wait_event("reported", id=told)
    assert len(one.logged("reported")) + len(one.logged("bounced")) == 1


def test_mail_that_lies_in_a_maildir_is_reported_as_delivered(relay, upstream, tmp_path):
    fake = upstream(accounts={})
    one = relay({"fake": fake.config(), "box": {"maildir": {"directory": str(tmp_path / "box")}}},
                recipients=[{"match": "@box.example", "upstream": "box"}], bounce={"from": FROM})
    told = send(one, ["root@box.example", "far@x.example"], parameters=["NOTIFY=SUCCESS"])
    actions = {}
    for report in reports(fake, 2):
        about, group = groups(report)
        assert about["X-Relayd-Queue-Id"] == told
        actions[group["Final-Recipient"]] = group["Action"]
    assert actions == {"rfc822; root@box.example": "delivered", "rfc822; far@x.example": "relayed"}


def test_an_upstream_that_reports_itself_is_left_to(relaying):
    one, fake = relaying(extensions=("DSN", "ENHANCEDSTATUSCODES"))
    first = send(one, ["success@x.example"], ["ENVID=Q1"], ["NOTIFY=SUCCESS"])
    one.wait_event("delivered", id=first)
    fake.answer("rcpt", NO_SUCH_USER, about="gone@")
    send(one, ["gone@x.example"])
    (report,) = reports(fake, 1)
    assert groups(report)[1]["Action"] == "failed"
    named = [one.argument for one in fake.commands.all() if one.verb == "RCPT"]
    assert "TO:<success@x.example> NOTIFY=SUCCESS" in named and f"TO:<{SENDER}> NOTIFY=NEVER" in named
    assert not one.logged("reported")


def test_where_no_null_sender_is_taken_the_report_has_one(relay, upstream):
    fake = upstream(accounts={"name": "secret"})
    one = relay({"fake": fake.config(provider="ses", username="name", password="secret")}, bounce={"from": FROM})
    fake.answer("rcpt", NO_SUCH_USER, about="gone@")
    send(one, ["gone@x.example"])
    (report,) = reports(fake, 1)
    assert report.sender == FROM


def test_mail_that_is_late_is_warned_of_and_its_end_told(relaying):
    one, fake = relaying(bounce={"from": FROM, "to": ["sender", "ops@o.example"], "delay_warning": ["1s"]},
                         queue={"lifetime": "75s"})
    fake.answer("rcpt", "450 4.2.0 Later", about="late@")
    id = send(one, ["late@x.example"])
    (warning,) = fake.messages.wait(lambda taken: b"Action: delayed" in taken.data, 1, 90)
    assert set(warning.recipients) == {SENDER, "ops@o.example"}
    one.wait_event("delay_warned", id=id)
    expired = fake.messages.wait(lambda taken: b"Action: failed" in taken.data, 1, 60)[0]
    about, failed = groups(expired)
    assert failed["Status"].startswith("4.") and "Later" in failed["Diagnostic-Code"]
    assert len(one.logged("delay_warned")) == 1


def test_the_operator_may_delete_and_tell(relaying):
    one, fake = relaying()
    fake.answer("rcpt", "450 4.2.0 Later", about="late@")
    silent, told = send(one, ["late@x.example"]), send(one, ["late@x.example"])
    for id in (silent, told):
        one.wait_event("deferred", id=id)
        assert command("queue", "hold", id, "-c", one.file).returncode == 0
    assert command("queue", "delete", silent, "-c", one.file).returncode == 0
    deleted = command("queue", "delete", "--bounce", told, "-c", one.file)
    assert deleted.returncode == 0, deleted.stderr
    (report,) = reports(fake, 1)
    assert groups(report)[0]["X-Relayd-Queue-Id"] == told
    one.wait_event("delivered", id=one.wait_event("bounced", id=told)["report"])
    assert told not in command("queue", "list", "-c", one.file).stdout


def test_nothing_is_deleted_where_nobody_would_be_told(to_upstream):
    one, fake = to_upstream()
    fake.answer("rcpt", "450 4.2.0 Later", about="late@")
    id = one.submit("app@example.com", "late@x.example", mail.text("app@example.com"))
    one.wait_event("deferred", id=id)
    assert command("queue", "hold", id, "-c", one.file).returncode == 0
    deleted = command("queue", "delete", "--bounce", id, "-c", one.file)
    assert deleted.returncode == 1 and "bounce.from" in deleted.stderr
    assert id in command("queue", "list", "-c", one.file).stdout


def test_each_failure_is_told_once_through_kills(relaying):
    """What arrives twice is at most what was under way at a kill, and has the same Message-ID."""
    one, fake = relaying(bounce={"from": FROM, "limit": "10000/h"})
    fake.answer("rcpt", NO_SUCH_USER, about="gone@")
    chance = random.Random(15)
    ids = []
    for _ in range(6):
        ids += [send(one, ["gone@x.example"]) for _ in range(chance.randrange(5, 15))]
        if chance.random() < 0.7:
            one.wait("failed", len(one.logged("failed")) + 1)
            one.events.wait(lambda line: line["event"] == "bounced", chance.randrange(0, 3), REPORT_PATIENCE)
        one.kill()
        one.start("--grace", "1")
    taken = fake.messages.wait(lambda report: b"multipart/report" in report.data, len(ids), REPORT_PATIENCE)
    while {groups(report)[0]["X-Relayd-Queue-Id"] for report in taken} < set(ids):
        taken = fake.messages.wait(lambda report: b"multipart/report" in report.data, len(taken) + 1, REPORT_PATIENCE)
    by_message: dict[str, set[str]] = {}
    for report in taken:
        by_message.setdefault(groups(report)[0]["X-Relayd-Queue-Id"], set()).add(
            email.message_from_bytes(report.data)["Message-ID"])
    assert set(by_message) == set(ids)
    assert all(len(reported) == 1 for reported in by_message.values())
