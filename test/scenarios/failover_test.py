"""The way to an upstream that takes the mail: from the first of a route to the next and back, from a port that is
blocked to the next, from a password that is refused to the next. Never for the message's own fault, and never while
another may have it already."""

import base64
import os
import signal
import socket
from collections import Counter

import pytest

from conftest import ACCOUNTS
from support import mail
from support.upstream import CUT
from support.waiting import PATIENCE, free_port

SENDER = "app@example.com"
ALICE = {"username": "alice", "password": ACCOUNTS["alice"]}


def send(relay, subject="failover") -> str:
    return relay.submit(SENDER, "one@rcpt.example", mail.text(SENDER, subject))


@pytest.fixture
def first_and_next(relay, upstream):
    """A relay in front of two: (relay, first, next)."""

    def start(more: dict | None = None):
        first, following = upstream(), upstream()
        one = relay({"first": first.config(**{**ALICE, **(more or {})}), "next": following.config(**ALICE)},
                    [{"match": "*", "upstream": ["first", "next"]}])
        return one, first, following

    return start


# --- from upstream to upstream ---

TROUBLE = {
    "connect": ("greeting", "421 4.3.2 Shutting down"),
    "tls": ("starttls", "454 4.7.0 TLS not available"),
    "auth": ("auth", "535 5.7.8 Wrong"),
    "quota": ("dot", "454 4.7.0 Daily message quota exceeded"),
    "rate": ("mail", "450 4.7.1 Rate limit exceeded"),
    "sender": ("mail", "550 5.7.1 Not your address"),
    "conn": ("mail", "421 4.7.0 Too many connections"),
    "size": ("mail", "552 5.3.4 Too big"),
    "temp": ("dot", "451 4.3.0 Later"),
}
BY_DEFAULT = ("connect", "tls", "auth", "quota", "rate", "sender")


@pytest.mark.parametrize("reason", TROUBLE)
def test_a_class_that_is_named_moves_the_message_on(first_and_next, reason):
    relay, first, following = first_and_next({"retry_next_on": [reason]})
    first.answer(*TROUBLE[reason])
    id = send(relay)
    assert relay.wait_event("deferred", id=id)["class"] == reason
    assert relay.wait_event("delivered", id=id)["upstream"] == "next"
    assert len(following.taken(1)) == 1
    assert not first.messages.all(lambda message: message.taken)


@pytest.mark.parametrize("reason", TROUBLE)
def test_by_default_these_move_on_and_no_others(first_and_next, reason):
    relay, first, following = first_and_next()
    first.answer(*TROUBLE[reason], times=1)
    id = send(relay)
    if reason == "size":
        assert relay.wait_event("failed", id=id)["class"] == "size"
        assert not following.messages.all()
        return
    delivered = relay.wait_event("delivered", id=id)
    assert delivered["upstream"] == ("next" if reason in BY_DEFAULT else "first")


@pytest.mark.parametrize("stage, reply, outcome", [
    ("rcpt", "550 5.1.1 No such user", "failed"),
    ("data", "554 5.7.1 Not this", "failed"),
    ("dot", "554 5.7.1 Spam", "failed"),
    ("dot", CUT, "in_doubt"),
])
def test_a_message_that_was_refused_or_may_be_there_stays(first_and_next, stage, reply, outcome):
    """Whatever `retry_next_on` says."""
    relay, first, following = first_and_next({"retry_next_on": list(TROUBLE)})
    first.answer(stage, reply, times=1)
    id = send(relay)
    assert relay.wait_event(outcome, id=id)["upstream"] == "first"
    if outcome == "in_doubt":
        assert relay.wait_event("delivered", id=id)["upstream"] == "first"
    # The next one shows that nothing is under way any more.
    relay.wait_event("delivered", id=send(relay, "after"))
    assert not following.messages.all()


def test_the_first_is_taken_again_when_it_is_well(first_and_next):
    relay, first, following = first_and_next()
    first.answer("greeting", "421 4.3.2 Shutting down")
    assert relay.wait_event("delivered", id=send(relay))["upstream"] == "next"
    first.behave()
    while relay.wait_event("delivered", id=send(relay))["upstream"] == "next":
        pass
    assert relay.logged("upstream_resumed", upstream="first")
    for _ in range(5):
        assert relay.wait_event("delivered", id=send(relay))["upstream"] == "first"


def test_a_trouble_that_is_not_named_moves_nothing_on(first_and_next):
    """Neither the message that met it nor those that come while the lane is paused."""
    relay, first, following = first_and_next({"retry_next_on": ["connect"]})
    first.answer("auth", "535 5.7.8 Wrong")
    ids = [send(relay, "met it")]
    relay.wait_event("lane_paused")
    ids += [send(relay, f"came later {number}") for number in range(20)]
    relay.wait("lane_paused", 5)
    assert not following.messages.all()
    first.behave()
    for id in ids:
        assert relay.wait_event("delivered", id=id)["upstream"] == "first"


def test_what_waits_for_the_first_moves_on_with_the_rest(first_and_next):
    """Fifty messages at once: whichever connection notices it, all arrive once."""
    relay, first, following = first_and_next()
    first.answer("auth", "535 5.7.8 Wrong")
    for number in range(50):
        send(relay, f"moving-{number}")
    relay.wait("delivered", 50, upstream="next")
    subjects = Counter(mail.subject(message.data) for message in following.taken(50))
    assert subjects == Counter(f"moving-{number}" for number in range(50))


# --- an account at each ---

def logins(upstream) -> set[tuple[str, ...]]:
    """Who tried to log in there, with which password."""
    plain = upstream.commands.all(lambda command: command.verb == "AUTH")
    return {tuple(base64.b64decode(command.argument.split()[1]).decode().split("\0")[1:]) for command in plain}


def test_each_host_sees_only_the_credential_written_for_it(relay, upstream):
    """The first is down for logins, so that both are asked; a third is used with its own account."""
    alpha, beta, gamma = (upstream(accounts={name: f"canary-of-{name}"}, mechanisms="PLAIN")
                          for name in ("shop-at-alpha", "shop-at-beta", "everybody"))
    entry = {"username": "shop-at-alpha", "password": "canary-of-shop-at-alpha"}
    one = relay({"alpha": alpha.config(), "beta": beta.config(),
                 "gamma": gamma.config(username="everybody", password="canary-of-everybody")},
                [{"match": "*", "upstream": [
                    {"name": "alpha", **entry},
                    {"name": "beta", "username": "shop-at-beta", "password": "canary-of-shop-at-beta"},
                    "gamma"]}])
    alpha.answer("auth", "454 4.7.0 Down")
    beta.answer("mail", "450 4.7.1 Rate limit exceeded")
    delivered = one.wait_event("delivered", id=send(one))
    assert (delivered["upstream"], delivered["account"]) == ("gamma", "everybody")
    assert logins(alpha) == {("shop-at-alpha", "canary-of-shop-at-alpha")}
    assert logins(beta) == {("shop-at-beta", "canary-of-shop-at-beta")}
    assert logins(gamma) == {("everybody", "canary-of-everybody")}


def test_the_next_host_sees_nothing_of_the_one_that_is_down(relay, upstream):
    beta = upstream(accounts={"own": "canary-of-beta"}, mechanisms="PLAIN")
    one = relay({"alpha": {"host": "127.0.0.1", "port": free_port(), "tls": "none"},
                 "beta": beta.config(username="own", password="canary-of-beta")},
                [{"match": "*", "upstream": [
                    {"name": "alpha", "username": "shop-at-alpha", "password": "canary-of-alpha"}, "beta"]}])
    assert one.wait_event("delivered", id=send(one))["account"] == "own"
    assert logins(beta) == {("own", "canary-of-beta")}


def test_a_rules_own_account_beside_two_upstreams_is_refused(first_and_next):
    one, _, _ = first_and_next()
    one.config["senders"] = [{"match": "*", "upstream": ["first", "next"], **ALICE}]
    one.write()
    one.signal(signal.SIGHUP)
    assert "beside more than one upstream" in one.wait_event("reload_failed")["reason"]


# --- from port to port ---

def test_a_refused_port_is_left_for_the_next_and_remembered(relay, upstream):
    fake, refusing_port = upstream(), free_port()
    entry = fake.config(**ALICE, limits={"connections": 1, "messages_per_connection": 1})
    one = relay({"fake": {**entry, "port": [refusing_port, fake.port]}})
    for number in range(3):
        one.wait_event("delivered", id=send(one, f"port-{number}"))
    moved, = one.logged("next_port")
    assert moved["port"] == fake.port
    assert moved["response"].startswith(f"cannot connect to 127.0.0.1 port {refusing_port}: ")
    assert not one.logged("lane_paused")


def test_a_blocked_port_is_called_so_and_left_for_the_next(relay, upstream):
    """Its packets are swallowed: a full backlog does what a firewall does. The patience of 30 s is the real one."""
    fake = upstream()
    with socket.create_server(("127.0.0.1", 0), backlog=0) as blocked:
        port = blocked.getsockname()[1]
        fill = [socket.socket() for _ in range(3)]
        for one in fill:
            one.setblocking(False)
            one.connect_ex(("127.0.0.1", port))
        entry = fake.config(**ALICE, limits={"connections": 1, "messages_per_connection": 1})
        one = relay({"fake": {**entry, "port": [port, fake.port]}})
        one.wait_event("delivered", id=send(one), timeout=2 * PATIENCE)
        one.wait_event("delivered", id=send(one, "after"))
        moved, = one.logged("next_port")
        print(moved)
        assert moved["response"] == f"no answer from 127.0.0.1 port {port} within 30 s: the port looks blocked"
        assert moved["port"] == fake.port
        for socket_ in fill:
            socket_.close()


# --- from password to password ---

def test_the_next_password_takes_over_and_is_remembered(to_upstream):
    relay, upstream = to_upstream({"password": "old-canary", "next_password": ACCOUNTS["alice"],
                                   "limits": {"connections": 1, "messages_per_connection": 1}})
    for number in range(3):
        relay.wait_event("delivered", id=send(relay, f"password-{number}"))
    changed, = relay.logged("password_changed")
    assert changed["reason"] == "'password' is refused, 'next_password' works"
    assert not relay.logged("lane_paused")
    logins = [command for command in upstream.commands.all() if command.verb == "AUTH"]
    assert len(logins) == 4  # the old one was tried once


def test_the_first_password_comes_back(to_upstream):
    relay, upstream = to_upstream({"next_password": "new-canary",
                                   "limits": {"connections": 1, "messages_per_connection": 1}})
    relay.wait_event("delivered", id=send(relay))
    for password, reason in (("new-canary", "'password' is refused, 'next_password' works"),
                             (ACCOUNTS["alice"], "'next_password' is refused, 'password' works")):
        upstream.accounts["alice"] = password
        relay.wait_event("delivered", id=send(relay))
        assert relay.logged("password_changed")[-1]["reason"] == reason
    assert not relay.logged("lane_paused") and not relay.logged("deferred")


def test_a_changed_secret_is_used_by_the_next_connection(to_upstream, tmp_path):
    secret = tmp_path / "secret"
    secret.touch(mode=0o600)
    secret.write_text("old-canary\n")
    relay, upstream = to_upstream({"password": {"file": str(secret)},
                                   "limits": {"connections": 1, "messages_per_connection": 1}})
    upstream.accounts["alice"] = "old-canary"
    relay.wait_event("delivered", id=send(relay))
    upstream.accounts["alice"] = "new-canary"
    fresh = tmp_path / "fresh"
    fresh.write_text("new-canary\n")
    os.replace(fresh, secret)
    relay.wait_event("delivered", id=send(relay))
    assert not relay.logged("lane_paused") and not relay.logged("reloaded")
