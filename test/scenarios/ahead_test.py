"""The next message's commands behind a final dot: servers that stand them, servers that do not, by fakes and by the
submission service of a real Dovecot. What each does costs one message a second copy at most."""

import signal
import time
from collections import Counter

import pytest

from support.behind import (Behind, Chasquid, Closes, HalfChasquid, Haraka, MuteHaraka, Panics, Refuses, Says421,
                            Swallows)
from support.dovecot import Dovecot
from support.load import burst, number_of, numbered
from support.relayd import command

SENDER = "app@example.com"
ONE = "one@rcpt.example"


def send(relay, numbers):
    burst(relay.port, [(SENDER, ONE, numbered(number, b"hello")) for number in numbers])


def arrived(upstream, count: int) -> Counter:
    return Counter(number_of(message.data) for message in upstream.taken(count))


def send_forty(to_upstream, session):
    session.rode = 0
    relay, upstream = to_upstream({"limits": {"connections": 1}}, session=session)
    upstream.answer("greeting", "421 4.3.2 Busy", times=1)  # so that they wait together
    send(relay, range(40))
    relay.wait("delivered", 40)
    assert not relay.logged("failed")
    return relay, arrived(upstream, 40)


def test_the_next_envelope_rides_behind_the_final_dot(to_upstream):
    relay, numbers = send_forty(to_upstream, Behind)
    assert numbers == Counter(range(40))
    assert Behind.rode > 30
    assert not relay.logged("pipelining_reduced")


@pytest.mark.parametrize("session", [Refuses, Closes, Says421, Haraka], ids=lambda session: session.__name__)
def test_a_server_that_does_not_stand_that_is_spared_and_loses_nothing(to_upstream, session):
    relay, numbers = send_forty(to_upstream, session)
    print(session.__name__, session.rode, "times;", relay.logged("pipelining_reduced"))
    assert numbers == Counter(range(40))
    assert len(relay.logged("pipelining_reduced")) == 1
    assert session.rode == 1
    assert not relay.logged("in_doubt")


def test_replies_out_of_step_leave_the_message_in_doubt_once(to_upstream):
    relay, numbers = send_forty(to_upstream, Swallows)
    doubtful = relay.logged("in_doubt")
    print(Swallows.rode, "times;", doubtful, relay.logged("pipelining_reduced"))
    assert set(numbers) == set(range(40))
    assert numbers.total() - 40 == len(doubtful) == 1
    assert len(relay.logged("pipelining_reduced")) == 1


def test_a_server_that_ends_without_a_reply_gets_one_message_twice_at_most(to_upstream):
    relay, numbers = send_forty(to_upstream, Panics)
    assert set(numbers) == set(range(40))
    assert numbers.total() - 40 <= 1 == len(relay.logged("in_doubt"))
    assert Panics.rode == 1
    assert len(relay.logged("pipelining_reduced")) == 1


@pytest.mark.parametrize("session", [Chasquid, HalfChasquid, MuteHaraka], ids=lambda session: session.__name__)
def test_a_server_that_throws_away_what_came_early_stalls_once(to_upstream, session):
    began = time.monotonic()
    relay, numbers = send_forty(to_upstream, session)
    assert numbers == Counter(range(40))
    assert session.rode == 1 and time.monotonic() - began < 20
    assert not relay.logged("in_doubt")
    # What was learnt outlives a reload.
    relay.signal(signal.SIGHUP)
    relay.wait_event("reloaded")
    send(relay, range(40, 60))
    relay.wait("delivered", 60)
    assert session.rode == 1


def test_a_real_dovecot_is_sent_one_message_twice_at_most(relay, certificate):
    with Dovecot(certificate, "app", "app-canary") as dovecot:
        one = relay({"dovecot": dovecot.config()})
        send(one, range(300))
        one.wait("delivered", 300)
        numbers = arrived(dovecot.sink, 300)
        assert set(numbers) == set(range(300))
        assert numbers.total() - 300 <= 1
        assert dovecot.panics() == 1 == len(one.logged("pipelining_reduced"))
        assert "pipelining reduced" in command("status", "-c", one.file).stdout
