"""Logins that could have been made, and were not: one of two sources that could not be read cost the whole credential,
the next password was not tried where the server hangs up on a wrong one, a warm connection that had lost its login
paused the account, and ten slow secret commands stopped every large message."""

import os
import select

import pytest
from support import mail
from support.upstream import Gone, Session
from support.waiting import PATIENCE

RECIPIENT = "one@rcpt.example"
ONE_EACH = {"connections": 1, "messages_per_connection": 1}
KEYS = {"password": "next_password", "next_password": "password"}
RIGHT = "right-canary"


def send(relay, sender: str = "app@example.com") -> str:
    return relay.submit(sender, RECIPIENT, mail.text(sender))


@pytest.fixture
def account(relay, upstream):
    """A relay that is ann at one upstream: (relay, upstream). What is given goes into the upstream's section."""

    def start(more: dict, **options):
        fake = upstream(accounts={"ann": RIGHT}, mechanisms="PLAIN", **options)
        return relay({"fake": fake.config(username="ann", **more)}), fake

    return start


# --- a source that cannot be read ---

@pytest.mark.parametrize("gone", KEYS)
def test_where_one_source_cannot_be_read_the_other_is_used(account, tmp_path, gone):
    files = {key: tmp_path / key for key in KEYS}
    for file in files.values():
        file.touch(mode=0o600)
        file.write_text(RIGHT + "\n")
    relay, _ = account({**{key: {"file": str(file)} for key, file in files.items()}, "limits": ONE_EACH})
    files[gone].unlink()
    for _ in range(3):
        relay.wait_event("delivered", id=send(relay))
    told, = relay.logged("password_unreadable")
    assert (told["level"], told["upstream"], told["account"], told["key"]) == ("warning", "fake", "ann", gone)
    assert str(files[gone]) in told["reason"]
    changed = [event["reason"] for event in relay.logged("password_changed")]
    assert changed == (["'password' cannot be read, 'next_password' works"] if gone == "password" else [])
    assert not relay.logged("deferred") and not relay.logged("lane_paused")

    # It is told again when it happens again.
    files[gone].write_text(RIGHT + "\n")
    relay.wait_event("delivered", id=send(relay))
    files[gone].unlink()
    relay.wait_event("delivered", id=send(relay))
    relay.wait("password_unreadable", 2)


def test_where_no_source_can_be_read_both_are_named(account, tmp_path):
    files = {key: tmp_path / key for key in KEYS}
    for file in files.values():
        file.touch(mode=0o600)
        file.write_text(RIGHT + "\n")
    relay, _ = account({key: {"file": str(file)} for key, file in files.items()})
    for file in files.values():
        file.unlink()
    id = send(relay)
    deferred = relay.wait_event("deferred", id=id)
    assert deferred["class"] == "auth"
    assert all(f"{key}: " in deferred["response"] and str(file) in deferred["response"] for key, file in files.items())
    files["next_password"].write_text(RIGHT + "\n")
    relay.wait_event("delivered", id=id)


# --- a server that hangs up ---

class HangsUp(Session):
    """Leaves behind its 535."""

    def _on_auth(self, argument: str):
        super()._on_auth(argument)
        if self._account is None:
            raise Gone


def test_the_next_password_is_tried_on_a_new_connection(account):
    relay, upstream = account({"password": "old-canary", "next_password": RIGHT, "limits": ONE_EACH}, session=HangsUp)
    for _ in range(2):
        relay.wait_event("delivered", id=send(relay))
    assert not relay.logged("deferred") and not relay.logged("lane_paused")
    assert [event["reason"] for event in relay.logged("password_changed")] == [
        "'password' is refused, 'next_password' works"]
    assert upstream.verbs().count("AUTH") == 3  # the old one was tried once


# --- a warm connection that has lost its login ---

def test_a_530_on_a_warm_connection_takes_another_one(account):
    relay, upstream = account({"password": RIGHT, "limits": {"connections": 1}})
    relay.wait_event("delivered", id=send(relay))
    upstream.answer("mail", "530 5.7.0 Authentication required", times=1)
    relay.wait_event("delivered", id=send(relay))
    assert not relay.logged("deferred") and not relay.logged("lane_paused")
    assert upstream.connections.total == 2


def test_a_530_on_a_new_connection_pauses_the_account(account):
    relay, upstream = account({"password": RIGHT})
    upstream.answer("mail", "530 5.7.0 Authentication required", times=1)
    id = send(relay)
    assert relay.wait_event("lane_paused")["class"] == "auth"
    relay.wait_event("delivered", id=id)


# --- commands that are slow ---

def wait_for_starts(starts: int, count: int):
    """Each writes an octet."""
    while count > 0:
        ready, _, _ = select.select([starts], [], [], PATIENCE)
        assert ready, f"{count} commands have not started"
        count -= len(os.read(starts, count))


def test_ten_slow_commands_stop_no_large_message(relay, upstream, tmp_path):
    names = [f"slow{number}" for number in range(10)]
    fake = upstream(accounts={name: RIGHT for name in (*names, "quick")}, mechanisms="PLAIN")
    started, gate, secret = tmp_path / "started", tmp_path / "gate", tmp_path / "secret"
    for pipe in (started, gate):
        os.mkfifo(pipe)
    starts, shut = (os.open(pipe, os.O_RDWR) for pipe in (started, gate))
    secret.touch(mode=0o600)
    secret.write_text(RIGHT + "\n")

    slow = {"command": ["/bin/sh", "-c", 'echo > "$1"; read word < "$2"; cat "$3"', "sh", str(started), str(gate),
                        str(secret)]}
    rules = [{"match": f"{name}@example.com", "upstream": "fake", "username": name, "password": slow}
             for name in names]
    one = relay({"fake": fake.config(username="quick", password={"file": str(secret)})},
                [{"match": "*", "upstream": "fake"}, *rules], confinement=False)  # the commands write to a pipe of ours
    ids = [send(one, f"{name}@example.com") for name in names]
    try:
        wait_for_starts(starts, len(names))
        large = mail.attachment("app@example.com", size=1 << 20)
        one.wait_event("delivered", id=one.submit("app@example.com", RECIPIENT, large))
        assert not one.logged("deferred")  # which is what comes of a command that takes ten seconds
    finally:  # whoever reads there reads the end now, and those who come later find a file
        plain = tmp_path / "plain"
        plain.write_text("go\n")
        os.replace(plain, gate)
        os.close(shut)
        os.close(starts)
    for id in ids:
        one.wait_event("delivered", id=id)
