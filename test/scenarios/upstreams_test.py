"""Real mail servers as upstreams: Exim, and Postfix with Dovecot. Each envelope rides behind the final dot before it;
what the servers make of that, and that every message arrives once; every mechanism that Dovecot offers."""

import re
from collections import Counter

import pytest

from conftest import ACCOUNTS
from support import mail
from support.exim import Exim
from support.load import burst, numbered, number_of
from support.provider import Provider, account_of
from support.waiting import poll

MANY = 500
SENDER = "alice@alice.example"
ALICE = {"username": "alice", "password": ACCOUNTS["alice"]}
TWO_CONNECTIONS = {"connections": 2, "messages_per_connection": 1000}


@pytest.fixture(scope="module")
def exim(certificate):
    with Exim(certificate, "alice", ACCOUNTS["alice"]) as one:
        yield one


def send_many(relay):
    """Messages 0 to 499, until the relay says that each was delivered, at its first attempt."""
    burst(relay.port, [(SENDER, "someone@rcpt.example", numbered(number, b"hello")) for number in range(MANY)])
    delivered = relay.wait("delivered", MANY, timeout=60)
    assert {event["attempts"] for event in delivered} == {1}
    assert not relay.logged("deferred") and not relay.logged("in_doubt")


def test_exim_takes_what_rides_behind_the_dot(relay, exim):
    one = relay({"exim": exim.config(limits=TWO_CONNECTIONS)})
    send_many(one)
    received = exim.received()
    assert Counter(received) == Counter({("alice", f"{number}@load"): 1 for number in range(MANY)})
    assert "synchronization error" not in exim.log()
    assert not one.logged("pipelining_reduced")


@pytest.mark.parametrize("settings", [
    "",
    "smtpd_forbid_unauth_pipelining = yes\n",
    "smtpd_data_restrictions = reject_unauth_pipelining\n",
], ids=["usual", "forbid_unauth_pipelining", "reject_unauth_pipelining"])
def test_postfix_takes_what_rides_behind_the_dot(relay, certificate, settings):
    with Provider(certificate, {"alice": (ACCOUNTS["alice"], SENDER)}, settings) as provider:
        one = relay({"postfix": provider.config("starttls", limits=TWO_CONNECTIONS, **ALICE)})
        send_many(one)
        arrived = Counter(number_of(message.data) for message in provider.received(MANY))
        assert arrived == Counter(range(MANY))
        assert "improper command pipelining" not in provider.log()
    assert not one.logged("pipelining_reduced")


@pytest.mark.parametrize("mechanism", ["scram-sha-256", "scram-sha-1", "cram-md5", "plain", "login"])
def test_dovecot_knows_us_by_every_mechanism(relay, provider, mechanism):
    one = relay({"provider": provider.config("starttls", auth=[mechanism], **ALICE)})
    subject = f"{mechanism}-{one.port}"
    one.submit(SENDER, "someone@rcpt.example", mail.text(SENDER, subject))
    one.wait_event("delivered")
    message, = provider.sink.messages.wait(lambda message: subject.encode() in message.data)
    assert account_of(message.data) == "alice"
    # Postfix writes its log behind its reply.
    poll(lambda: re.search(rf"sasl_method={mechanism}, sasl_username=alice$", provider.log(), re.I | re.M))


def test_channel_binding_is_used_where_it_is_offered_and_missed_where_it_is_not(relay, provider):
    """This Dovecot offers none: what demands it waits, and says what there is."""
    one = relay({"provider": provider.config("starttls", auth=["scram-sha-256-plus"], **ALICE)})
    one.submit(SENDER, "someone@rcpt.example", mail.text(SENDER))
    paused = one.wait_event("lane_paused")
    assert paused["class"] == "auth"
    assert re.fullmatch(r"the server offers AUTH [A-Z0-9 -]*; we may use SCRAM-SHA-256-PLUS", paused["response"], re.I)
