"""`relayd queue` said done before it was on disk: a kill -9 right behind the answer undid 60 of 60."""

import json
import os
import signal
import socket

import pytest

from support import mail
from support.relayd import command
from support.waiting import PATIENCE

COUNT = 60
LATER = {"retry": {"first": "1h", "maximum": "1h", "jitter": 0}}


def ask(relay, **request) -> list[dict]:
    """Asks at the socket itself: no process of ours is between the answer and what comes next."""
    with socket.socket(socket.AF_UNIX) as window:
        window.settimeout(PATIENCE)
        window.connect(str(relay.queue / "admin.sock"))
        window.sendall(json.dumps(request).encode() + b"\n")
        answer = b""
        while b'"end":true' not in answer:
            piece = window.recv(1 << 16)
            assert piece, answer
            answer += piece
    return [json.loads(line) for line in answer.splitlines() if b'"end"' not in line]


def states(relay) -> list[str]:
    """What waits and is due may be on its way at once."""
    ended = command("queue", "list", "--json", "-c", relay.file)
    rows = [row for row in map(json.loads, ended.stdout.splitlines()) if "end" not in row]
    return ["waiting" if row["state"] == "ready" else row["state"] for row in rows]


@pytest.mark.parametrize("words, left", [
    (["delete"], []),
    (["hold"], ["held"] * COUNT),
    (["hold", "release"], ["waiting"] * COUNT),
])
def test_what_the_operator_was_told_to_be_done_survives_kill_9(relay, upstream, words, left):
    fake = upstream(accounts={})
    fake.answer("mail", "451 4.3.0 Later")
    one = relay({"fake": fake.config()}, queue=LATER)
    for number in range(COUNT):
        one.submit("app@example.com", "one@rcpt.example", mail.text("app@example.com", str(number)))
    one.wait("deferred", COUNT)
    for word in words:
        done = ask(one, command=word, all=True)
    os.kill(one.pid, signal.SIGKILL)
    assert [line.get("done") for line in done] == [words[-1]] * COUNT
    one.ended()
    one.start("--grace", "1")
    assert states(one) == left


def test_a_retry_that_was_answered_survives_kill_9(relay, upstream):
    fake = upstream(accounts={})
    fake.answer("mail", "550 5.7.1 No", times=COUNT)
    one = relay({"fake": fake.config()}, queue=LATER)
    for number in range(COUNT):
        one.submit("app@example.com", "one@rcpt.example", mail.text("app@example.com", str(number)))
    one.wait("failed", COUNT)
    fake.answer("greeting", "421 4.3.2 Not now")
    ask(one, command="retry", failed=True)
    os.kill(one.pid, signal.SIGKILL)
    one.ended()
    one.start("--grace", "1")
    assert "failed" not in states(one)
