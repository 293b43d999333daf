"""A lane is one account at one upstream: its limits hold, its senders take fair turns, and what is wrong with one lane
is felt by no other. A hundred of them share an upstream, and no message ever leaves under another's name."""

import random
import threading
from collections import Counter
from datetime import datetime, timezone

from conftest import ACCOUNTS
from support import mail
from support.load import burst, number_of, numbered
from support.relayd import command
from support.upstream import CUT, Session

ALICE = {"username": "alice", "password": ACCOUNTS["alice"]}
SENDER = "app@example.com"
TO = "one@rcpt.example"


def send_numbered(relay, count: int, sender=lambda number: SENDER):
    burst(relay.port, [(sender(number), TO, numbered(number, b"hello")) for number in range(count)])


def when(event: dict) -> datetime:
    return datetime.fromisoformat(event["time"])


# --- limits ---

def test_a_rate_is_kept(to_upstream):
    relay, _ = to_upstream({"limits": {"rate": "10/s"}})
    before = datetime.now(timezone.utc)  # the first may be slow to be delivered, and that makes no other later
    send_numbered(relay, 35)
    spent = (max(when(event) for event in relay.wait("delivered", 35)) - before).total_seconds()
    print(f"35 at 10/s took {spent:.2f} s")
    assert spent > 3.39  # 34 times 100 ms; the log counts milliseconds


def test_a_used_up_quota_sends_the_rest_elsewhere(relay, upstream):
    small, large = upstream(), upstream()
    one = relay({"small": small.config(**ALICE, limits={"quota": "5/month"}), "large": large.config(**ALICE)},
                [{"match": "*", "upstream": ["small", "large"]}])
    send_numbered(one, 8)
    assert Counter(event["upstream"] for event in one.wait("delivered", 8)) == {"small": 5, "large": 3}


def test_all_accounts_share_the_upstreams_quota(relay, upstream):
    small, large = upstream(), upstream()
    senders = [{"match": f"{name}@example.com", "upstream": ["small", "large"]} for name in ("alice", "bob")]
    for rule, name in zip(senders, ("alice", "bob")):
        account = {"username": name, "password": ACCOUNTS[name]}
        rule["upstream"] = [{"name": "small", **account}, {"name": "large", **account}]
    one = relay({"small": small.config(limits={"quota": "4 messages/24h", "quota_total": "5/24h"}),
                 "large": large.config()}, senders)
    send_numbered(one, 10, lambda number: f"{('alice', 'bob')[number % 2]}@example.com")
    assert Counter(event["upstream"] for event in one.wait("delivered", 10)) == {"small": 5, "large": 5}


def test_an_account_uses_as_many_connections_as_it_may(to_upstream):
    relay, upstream = to_upstream({"limits": {"connections": 3}})
    gate = threading.Event()
    upstream.answer("data", lambda: gate.wait() and "354 Go on")
    send_numbered(relay, 20)
    upstream.commands.wait(lambda command: command.verb == "DATA", 3)
    gate.set()
    relay.wait("delivered", 20)
    assert upstream.connections.peak == 3


def test_all_accounts_of_an_upstream_use_as_many_as_it_may(relay, upstream):
    fake = upstream()
    gate = threading.Event()
    fake.answer("data", lambda: gate.wait() and "354 Go on")
    senders = [{"match": f"{name}@example.com", "upstream": "fake", "username": name, "password": ACCOUNTS[name]}
               for name in ("alice", "bob", "carol")]
    one = relay({"fake": fake.config(limits={"connections": 3, "connections_total": 5})}, senders)
    send_numbered(one, 60, lambda number: f"{('alice', 'bob', 'carol')[number % 3]}@example.com")
    fake.commands.wait(lambda command: command.verb == "DATA", 5)
    gate.set()
    one.wait("delivered", 60)
    assert fake.connections.peak == 5


def test_a_connection_carries_so_many_recipients(to_upstream):
    relay, upstream = to_upstream({"limits": {"connections": 1, "recipients_per_connection": 3}})
    send_numbered(relay, 8)
    relay.wait("delivered", 8)
    assert Counter(message.connection for message in upstream.taken(8)) == {0: 3, 1: 3, 2: 2}


def test_a_connection_carries_so_many_messages(to_upstream):
    relay, upstream = to_upstream({"limits": {"connections": 1, "messages_per_connection": 5}})
    send_numbered(relay, 12)
    relay.wait("delivered", 12)
    assert Counter(message.connection for message in upstream.taken(12)) == {0: 5, 1: 5, 2: 2}


# --- fair turns ---

def test_a_newsletter_delays_nobody_else(to_upstream):
    relay, _ = to_upstream({"limits": {"rate": "50/s"}})
    send_numbered(relay, 5000, lambda number: "newsletter@example.com")
    ahead = []  # newsletters that were delivered between a personal message's arrival and its own delivery
    for number in range(5):
        id = relay.submit("person@example.com", TO, mail.text("person@example.com", f"personal-{number}"))
        relay.wait_event("delivered", id=id)
        events = relay.events.all(lambda event: event["event"] in ("accepted", "delivered"))
        first, last = (place for place, event in enumerate(events) if event["id"] == id)
        ahead.append(last - first - 1)
    left = 5000 - len(relay.logged("delivered", **{"from": "newsletter@example.com"}))
    print(f"behind {left} newsletters: {ahead} were ahead")
    assert left > 1000
    assert max(ahead) < 100


# --- a hundred accounts ---

ACCOUNT_COUNT = 100
MESSAGES = 5000
STORM = 2000
STORM_PATIENCE = 180  # a lane that is struck several times in a row is tried again after a minute at most
PASSWORDS = {f"user{number}": f"canary-{number}" for number in range(ACCOUNT_COUNT)}


def sender_of(number: int) -> str:
    return f"user{number % ACCOUNT_COUNT}@example.com"


def start_hundred(relay, upstream, session=None):
    fake = upstream(accounts=PASSWORDS, session=session)
    senders = [{"match": f"{name}@example.com", "upstream": "fake", "username": name, "password": password}
               for name, password in PASSWORDS.items()]
    return relay({"fake": fake.config(limits={"connections": 4, "connections_total": 20})}, senders), fake


def demand_own_account(messages):
    strangers = [message for message in messages if message.sender != f"{message.account}@example.com"]
    assert not strangers


def test_a_hundred_accounts_never_mix(relay, upstream):
    """Ten of them have a wrong password: theirs waits, alone, until it is put right."""
    one, fake = start_hundred(relay, upstream)
    wrong = [f"user{number}" for number in range(0, ACCOUNT_COUNT, 10)]
    for name in wrong:
        fake.accounts[name] = "changed"
    send_numbered(one, MESSAGES, sender_of)
    right = MESSAGES - len(wrong) * MESSAGES // ACCOUNT_COUNT
    demand_own_account(fake.taken(right))
    assert {event["account"] for event in one.logged("lane_paused")} == set(wrong)
    assert {event["class"] for event in one.logged("lane_paused")} == {"auth"}
    assert not {message.account for message in fake.messages.all()} & set(wrong)
    fake.accounts.update(PASSWORDS)
    messages = fake.taken(MESSAGES)
    demand_own_account(messages)
    assert Counter(number_of(message.data) for message in messages) == Counter(range(MESSAGES))
    assert fake.connections.peak <= 20
    print(f"{MESSAGES} messages of {ACCOUNT_COUNT} accounts over {fake.connections.total} connections, "
          f"at most {fake.connections.peak} at a time")


class Moody(Session):
    """One reply in 25 is a 421, or none at all; one message in 50 is taken without a word."""

    chance = random.Random(7)

    def _reply(self, stage, argument, default):
        mood = self.chance.random() if stage in ("auth", "mail", "rcpt", "data") else 1
        if mood < 0.02:
            default = CUT
        elif mood < 0.04:
            default = "421 4.3.2 Shutting down"
        super()._reply(stage, argument, default)
        if default.startswith("421"):
            self._say(CUT)
        return default

    def _say(self, reply):
        silent = reply == "250 2.0.0 Taken" and self.chance.random() < 0.02
        super()._say(CUT if silent else reply)


def test_a_hundred_accounts_never_mix_in_a_storm_either(relay, upstream):
    one, fake = start_hundred(relay, upstream, Moody)
    send_numbered(one, STORM, sender_of)
    # A message that its upstream took without a word several times is held, as happens in some runs; so it may be again.
    held, told = -1, 0
    while told != held:
        held = told
        if held > 0:
            assert command("queue", "retry", "--all", "-c", one.file).returncode == 0
        ends = one.events.wait(lambda event: event["event"] in ("delivered", "held"), STORM + held, timeout=STORM_PATIENCE)
        told = sum(event["event"] == "held" for event in ends)
    messages = fake.taken(STORM)
    demand_own_account(messages)
    numbers = Counter(number_of(message.data) for message in messages)
    assert set(numbers) == set(range(STORM))
    twice = numbers.total() - STORM
    doubts = len(one.logged("in_doubt"))
    print(f"{STORM} messages, {fake.connections.total} connections, {len(one.logged('deferred'))} deferred, "
          f"{doubts} in doubt, {twice} twice, {len(one.logged('lane_paused'))} pauses, "
          f"pipelining_reduced {len(one.logged('pipelining_reduced'))}")
    assert twice <= doubts
    assert not one.logged("failed")
