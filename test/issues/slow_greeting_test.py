"""What the operator held, or deleted, while a connection for it opened still left."""

import threading

import pytest

from support import mail
from support.relayd import command
from support.waiting import PATIENCE, poll

SENDER, READER = "a@sender.example", "b@rcpt.example"


@pytest.mark.parametrize("what", ["hold", "delete"])
def test_what_is_taken_away_while_a_connection_opens_is_not_sent(relay, upstream, what):
    fake, gate = upstream(accounts={}), threading.Event()

    def greeting() -> str:
        gate.wait(PATIENCE)
        return "220 here"

    fake.answer("greeting", greeting, times=1)
    one = relay({"fake": fake.config(limits={"connections": 1})})
    try:
        first = one.submit(SENDER, READER, mail.text(SENDER, "first"))
        poll(lambda: fake.connections.total)
        assert command("queue", what, first, "-c", one.file).returncode == 0
    finally:
        gate.set()
    second = one.submit(SENDER, READER, mail.text(SENDER, "second"))
    one.wait_event("delivered", id=second)
    assert [b"second" in message.data for message in fake.taken(1)] == [True]
    if what == "hold":
        assert command("queue", "release", first, "-c", one.file).returncode == 0
        one.wait_event("delivered", id=first)
        assert len(fake.messages.all()) == 2
