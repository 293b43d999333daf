"""What an upstream's replies do to a message: 4xx and 5xx at each stage, recipients that fare differently, and a
connection that is cut. Each says what the log tells, what stays queued and what is sent once."""

import pytest

from support import mail
from support.upstream import CUT

SENDER = "app@example.com"
ONE = "one@rcpt.example"


def send(relay, recipients=ONE, subject="replies") -> str:
    return relay.submit(SENDER, recipients, mail.text(SENDER, subject))


def demand_sent_once(upstream, recipients=(ONE,)):
    taken = upstream.taken(1)
    assert [message.recipients for message in taken] == [tuple(recipients)]


@pytest.mark.parametrize("stage, reply", [
    ("mail", "451 4.3.0 Later"),
    ("rcpt", "450 4.2.0 Greylisted"),
    ("data", "451 4.3.0 Later"),
    ("dot", "451 4.3.0 Later"),
])
def test_a_4xx_about_the_message_is_retried(to_upstream, stage, reply):
    relay, upstream = to_upstream()
    upstream.answer(stage, reply, times=1)
    id = send(relay)
    deferred = relay.wait_event("deferred", id=id)
    assert (deferred["class"], deferred["code"], deferred["enhanced"]) == ("temp", int(reply[:3]), reply[4:9])
    relay.wait_event("delivered", id=id)
    demand_sent_once(upstream)
    assert not relay.logged("failed")


@pytest.mark.parametrize("stage, reply, reason", [
    ("rcpt", "550 5.1.1 No such user", "rcpt"),
    ("data", "554 5.7.1 Not this", "content"),
    ("dot", "554 5.7.1 Spam", "content"),
    ("dot", "552 5.3.4 Too big", "size"),
])
def test_a_5xx_about_the_message_fails_it(to_upstream, stage, reply, reason):
    relay, upstream = to_upstream()
    upstream.answer(stage, reply, times=1)
    failed = relay.wait_event("failed", id=send(relay))
    assert (failed["class"], failed["code"], failed["enhanced"]) == (reason, int(reply[:3]), reply[4:9])
    # The lane goes on with the next message.
    relay.wait_event("delivered", id=send(relay, subject="next"))
    assert b"next" in upstream.taken(1)[0].data
    assert len(upstream.messages.all(lambda message: b"replies" in message.data)) == (stage == "dot")


def test_a_5xx_to_the_sender_fails_the_message(to_upstream):
    relay, upstream = to_upstream()
    upstream.answer("mail", "550 5.7.1 Sender not verified", times=1)
    assert relay.wait_event("failed", id=send(relay))["class"] == "sender"
    assert not upstream.messages.all()


@pytest.mark.parametrize("stage, reply, reason", [
    ("greeting", "421 4.3.2 Busy", "connect"),
    ("greeting", "554 5.7.1 Go away", "connect"),
    ("ehlo", "451 4.3.0 Later", "connect"),
    ("ehlo", "550 5.7.1 No", "connect"),
    ("starttls", "454 4.7.0 TLS not available", "tls"),
    ("starttls", "502 5.5.1 No TLS", "tls"),
    ("auth", "454 4.7.0 Temporary failure", "auth"),
    ("auth", "535 5.7.8 Wrong", "auth"),
])
def test_trouble_before_mail_pauses_and_fails_nothing(to_upstream, stage, reply, reason):
    """What comes before the login stops all accounts of the upstream."""
    who = "lane" if reason == "auth" else "upstream"
    relay, upstream = to_upstream()
    upstream.answer(stage, reply, times=2)
    id = send(relay)
    paused = relay.wait_event(f"{who}_paused")
    assert (paused["class"], paused["upstream"]) == (reason, "fake")
    relay.wait_event(f"{who}_resumed")
    relay.wait_event("delivered", id=id)
    demand_sent_once(upstream)
    assert not relay.logged("failed")


def test_each_recipient_has_its_own_outcome(to_upstream):
    relay, upstream = to_upstream()
    upstream.answer("rcpt", "450 4.2.0 Later", about="later@", times=1)
    upstream.answer("rcpt", "550 5.1.1 No such user", about="never@")
    id = send(relay, ["now@rcpt.example", "later@rcpt.example", "never@rcpt.example"])
    relay.wait("delivered", 2, id=id)
    assert [event["to"] for event in relay.logged("delivered", id=id)] == ["now@rcpt.example", "later@rcpt.example"]
    assert [event["to"] for event in relay.logged("deferred", id=id)] == ["later@rcpt.example"]
    assert [event["to"] for event in relay.logged("failed", id=id)] == ["never@rcpt.example"]
    assert [message.recipients for message in upstream.taken(2)] == [("now@rcpt.example",), ("later@rcpt.example",)]


def test_a_connection_cut_before_the_final_dot_is_simply_retried(to_upstream):
    relay, upstream = to_upstream()
    upstream.answer("body", CUT, times=1)
    # More than the sockets between hold: its dot cannot have left.
    id = relay.submit(SENDER, ONE, mail.attachment(SENDER))
    relay.wait_event("delivered", id=id)
    assert relay.logged("deferred", id=id)
    assert not relay.logged("in_doubt")
    demand_sent_once(upstream)


def test_a_connection_cut_after_the_final_dot_leaves_the_message_in_doubt(to_upstream):
    relay, upstream = to_upstream()
    upstream.answer("dot", CUT, times=1)
    id = send(relay)
    assert relay.wait_event("in_doubt", id=id)["upstream"] == "fake"
    relay.wait_event("delivered", id=id)
    first, second = upstream.messages.wait(count=2)
    mail.demand_same(second.data, first.data)
    assert (first.taken, second.taken) == (False, True)


def test_a_message_in_doubt_can_be_held_instead(to_upstream):
    relay, upstream = to_upstream(queue={"in_doubt": "hold"})
    upstream.answer("dot", CUT, times=1)
    relay.wait_event("in_doubt", id=send(relay))
    relay.wait_event("delivered", id=send(relay, subject="next"))
    relay.wait_event("delivered", id=send(relay, subject="after"))
    assert len(upstream.messages.all(lambda message: b"replies" in message.data)) == 1


@pytest.mark.parametrize("stage", ["greeting", "ehlo", "starttls", "auth", "mail", "rcpt", "data"])
def test_a_connection_cut_at_any_earlier_stage_loses_nothing(to_upstream, stage):
    relay, upstream = to_upstream()
    upstream.answer(stage, CUT, times=1)
    relay.wait_event("delivered", id=send(relay))
    demand_sent_once(upstream)
    assert not relay.logged("failed") and not relay.logged("in_doubt")


def test_421_in_the_middle_gives_everything_back_to_the_queue(to_upstream):
    relay, upstream = to_upstream()
    upstream.answer("rcpt", "421 4.3.2 Shutting down", times=1)
    relay.wait_event("delivered", id=send(relay, [ONE, "two@rcpt.example"]))
    demand_sent_once(upstream, (ONE, "two@rcpt.example"))
    assert not relay.logged("failed")


def test_too_many_recipients_go_in_a_second_transaction(to_upstream):
    relay, upstream = to_upstream({"limits": {"recipients_per_message": 2}})
    recipients = [f"rcpt{number}@rcpt.example" for number in range(5)]
    id = send(relay, recipients)
    relay.wait("delivered", 5, id=id)
    assert sorted(len(message.recipients) for message in upstream.taken(3)) == [1, 2, 2]
    assert sorted(recipient for message in upstream.taken(3) for recipient in message.recipients) == recipients
