"""Mail for mailboxes near by: LMTP over TCP and at a unix socket, where each recipient has an outcome of its own."""

import pytest

from support import mail
from support.dovecot import DovecotStore
from support.lmtp import LmtpServer
from support.relayd import RETRY_AT_ONCE
from support.upstream import CUT

SENDER = "app@example.com"
NAMES = ("ann", "bob", "eve")
RECIPIENTS = [f"{name}@rcpt.example" for name in NAMES]


@pytest.fixture(params=["tcp", "unix"])
def server(request, tmp_path):
    path = tmp_path / "lmtp.sock" if request.param == "unix" else None
    with LmtpServer(path, certificate=None) as one:
        yield one


def send(relay, recipients=RECIPIENTS) -> str:
    return relay.submit(SENDER, recipients, mail.text(SENDER, "lmtp"))


def taken_by(server) -> list[str]:
    return sorted(message.recipients[0] for message in server.messages.all() if message.taken)


def test_a_message_reaches_each_recipient_once(relay, server):
    one = relay({"mailboxes": server.config()})
    id = send(one)
    delivered = one.wait("delivered", 3, id=id)
    assert taken_by(server) == RECIPIENTS
    assert {event["response"] for event in delivered} == {"2.0.0 Saved"}
    assert server.verbs()[:2] == ["LHLO", "MAIL"] and "AUTH" not in server.verbs()


def test_each_recipient_has_an_outcome_of_its_own(relay, server):
    server.answer("dot", "550 5.1.1 No such user", about="bob")
    server.answer("dot", "452 4.2.2 Mailbox full", about="eve", times=1)
    one = relay({"mailboxes": server.config()})
    id = send(one)
    assert one.wait_event("failed", id=id)["to"] == "bob@rcpt.example"
    assert one.wait_event("deferred", id=id)["to"] == "eve@rcpt.example"
    one.wait_event("delivered", id=id, to="eve@rcpt.example")
    one.wait_event("delivered", id=id, to="ann@rcpt.example")
    assert taken_by(server) == ["ann@rcpt.example", "eve@rcpt.example"]
    assert [command.argument for command in server.commands.all() if command.verb == "RCPT"].count(
        "TO:<eve@rcpt.example>") == 2


def test_a_mailbox_that_is_full_for_good_fails_alone(relay, server):
    server.answer("dot", "552 5.2.2 Quota exceeded (mailbox for user is full)", about="bob")
    one = relay({"mailboxes": server.config()})
    id = send(one)
    one.wait_event("failed", id=id, to="bob@rcpt.example")
    one.wait("delivered", 2, id=id)
    assert not one.logged("lane_paused") and not one.logged("upstream_paused")


# Dovecot's own words: they are about this mailbox, not about the way to the server.
def test_a_full_mailbox_holds_up_nobody_else(relay, server):
    server.answer("dot", "452 4.2.2 <bob@rcpt.example> Quota exceeded (mailbox for user is full)", about="bob")
    one = relay({"mailboxes": server.config()}, queue={"retry": {**RETRY_AT_ONCE, "first": "1h", "maximum": "1h"}})
    id = send(one)
    one.wait_event("deferred", id=id, to="bob@rcpt.example")
    second = one.submit(SENDER, ["ann@rcpt.example"], mail.text(SENDER, "lmtp"))
    one.wait_event("delivered", id=second)
    assert not one.logged("lane_paused") and not one.logged("upstream_paused")


def test_a_connection_lost_amid_the_replies_leaves_doubt_for_the_rest_alone(relay, server):
    server.answer("dot", CUT, about="bob", times=1)
    one = relay({"mailboxes": server.config()})
    id = send(one)
    one.wait_event("delivered", id=id, to="ann@rcpt.example")
    assert {event["to"] for event in one.wait("in_doubt", 2, id=id)} == {"bob@rcpt.example", "eve@rcpt.example"}
    one.wait("delivered", 3, id=id)
    assert taken_by(server) == RECIPIENTS  # nobody twice: the server had not taken bob's, nor eve's


def test_a_server_that_is_not_there_is_waited_for(relay, tmp_path):
    path = tmp_path / "later.sock"
    one = relay({"mailboxes": {"host": f"unix:{path}", "protocol": "lmtp"}})
    id = send(one)
    paused = one.wait_event("upstream_paused")
    assert paused["class"] == "connect" and f"unix:{path}" in paused["response"]
    with LmtpServer(path, certificate=None):
        one.wait("delivered", 3, id=id)


@pytest.mark.parametrize("unix", [True, False], ids=["unix", "tcp"])
def test_dovecot_keeps_refuses_and_postpones_each_for_itself(relay, unix):
    with DovecotStore({"ann@rcpt.example": 1 << 20, "eve@rcpt.example": 10}) as dovecot:
        one = relay({"mailboxes": dovecot.config(unix)}, queue={"retry": {**RETRY_AT_ONCE, "first": "1h", "maximum": "1h"}})
        id = send(one)
        delivered = one.wait_event("delivered", id=id, to="ann@rcpt.example")
        assert "Saved" in delivered["response"]
        failed = one.wait_event("failed", id=id, to="bob@rcpt.example")
        assert failed["code"] == 550 and "5.1.1" in failed["response"]
        full = one.wait_event("deferred", id=id, to="eve@rcpt.example")
        assert full["code"] == 452 and "4.2.2" in full["response"]
        second = one.submit(SENDER, ["ann@rcpt.example"], mail.text(SENDER, "second"))
        one.wait_event("delivered", id=second)  # a full mailbox stops nobody else's
        assert not one.logged("lane_paused") and not one.logged("upstream_paused")
        assert sorted(message["Subject"] for message in dovecot.mailbox("ann")) == ["lmtp", "second"]
        assert dovecot.mailbox("eve") == []
