"""The next message's commands behind a final dot: servers that stand them, servers that do not, by fakes and by the
submission service of a real Dovecot. What each does costs one message a second copy at most."""

import json
import signal
import smtplib
from collections import Counter

import pytest

from support.behind import (Behind, Chasquid, Closes, HalfChasquid, Haraka, MuteHaraka, Panics, Refuses, Says421,
                            Swallows)
from support.dovecot import Dovecot
from support.load import burst, number_of, numbered
from support.relayd import command
from support.waiting import PATIENCE, poll

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
    relay, numbers = send_forty(to_upstream, session)  # which has no patience for the minutes of RFC 5321
    assert numbers == Counter(range(40))
    assert session.rode == 1
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


# --- what was learnt survives ---

def learnt(relay) -> dict:
    return json.loads(command("status", "--json", "-c", relay.file).stdout)["lanes"][0]["learnt"]


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_after_a_restart_nothing_more_is_put_at_risk(to_upstream, end):
    relay, _ = send_forty(to_upstream, Panics)
    for restart in range(3):
        getattr(relay, end)()
        relay.start("--grace", "1")
        numbers = range(100 * restart + 100, 100 * restart + 140)
        send(relay, numbers)
        relay.wait("delivered", 40)
        assert not relay.logged("in_doubt") and not relay.logged("pipelining_reduced")
        assert learnt(relay)["ahead"] == "lost" and 3000 < learnt(relay)["ahead_for"] <= 3600
        assert "pipelining reduced, tried again in" in command("status", "-c", relay.file).stdout
    assert Panics.rode == 1


def test_a_try_that_a_kill_cut_short_counts_as_a_loss(to_upstream):
    """So a loop of crashes behind the dot costs one message a second time at most."""
    Chasquid.rode = 0
    relay, upstream = to_upstream({"limits": {"connections": 1}}, session=Chasquid)
    upstream.answer("greeting", "421 4.3.2 Busy", times=1)
    send(relay, range(40))
    poll(lambda: Chasquid.rode)
    relay.kill()
    relay.start("--grace", "1")
    relay.wait("delivered", 38)
    assert learnt(relay)["ahead"] == "lost"
    numbers = Counter(number_of(message.data) for message in upstream.messages.all())
    assert set(numbers) == set(range(40)) and numbers.total() <= 41
    assert Chasquid.rode == 1


def test_after_its_time_one_message_tries_again(to_upstream):
    relay, _ = send_forty(to_upstream, Panics)
    relay.stop()
    file = relay.queue / "sites.json"
    age(file, hours=1)
    relay.start("--grace", "1")
    send(relay, range(100, 140))
    relay.wait("delivered", 40)
    assert Panics.rode == 2 and len(relay.logged("in_doubt")) == 1
    assert 23 * 3600 < learnt(relay)["ahead_for"] <= 24 * 3600


def age(file, hours: int):
    """Makes all that was learnt so much older."""
    first, *lines = file.read_text().splitlines()
    site, = map(json.loads, lines)
    for fact in site.values():
        if isinstance(fact, dict):
            fact["at"] -= hours * 3600 * 10**6
    file.write_text(f"{first}\n{json.dumps(site)}\n")


def test_what_was_learnt_is_no_secret_and_a_damaged_file_no_trouble(to_upstream):
    relay, upstream = to_upstream()
    send(relay, range(10))
    relay.wait("delivered", 10)
    relay.stop()
    file = relay.queue / "sites.json"
    assert "canary" not in file.read_text() and "alice" not in file.read_text()
    file.write_text("nonsense")
    relay.start("--grace", "1")
    assert relay.wait_event("sites_lost")
    send(relay, range(10, 20))
    relay.wait("delivered", 10)


def test_an_offer_that_was_learnt_is_known_after_a_restart(to_upstream):
    relay, upstream = to_upstream(extensions=("PIPELINING", "8BITMIME", "SIZE 1000"))
    send(relay, range(1))
    relay.wait_event("delivered")
    relay.stop()
    relay.start("--grace", "1")
    with smtplib.SMTP("127.0.0.1", relay.port, timeout=PATIENCE) as client:
        client.ehlo()
        assert client.mail(SENDER, ["SIZE=2000"])[0] == 552
