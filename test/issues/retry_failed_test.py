"""`sendmail -q` and `relayd queue retry --all` sent failed mail again, fourteen days of it. They try what waits; what
has failed is sent again where that is said: with --failed, by its state or by its id."""

import json

import pytest
from support import mail
from support.relayd import command

LATER = {"retry": {"first": "1h", "maximum": "1h", "jitter": 0}}
SENDER = "app@example.com"


def submit(relay, name: str) -> str:
    return relay.submit(SENDER, f"{name}@rcpt.example", mail.text(SENDER, name))


def states(relay) -> dict[str, str]:
    ended = command("queue", "list", "--json", "-c", relay.file)
    rows = [json.loads(line) for line in ended.stdout.splitlines()]
    return {row["id"]: row["state"] for row in rows if "id" in row}


@pytest.fixture
def queue(relay, upstream):
    """A relay with a message of each kind: (relay, upstream, failed, waiting, held)."""
    fake = upstream(accounts={})
    fake.answer("rcpt", "550 5.1.1 No such user", about="failed@")
    fake.answer("rcpt", "451 4.3.0 Later", about="waiting@")
    fake.answer("rcpt", "451 4.3.0 Later", about="held@")
    one = relay({"fake": fake.config()}, queue=LATER)
    failed, waiting, held = (submit(one, name) for name in ("failed", "waiting", "held"))
    one.wait_event("failed", id=failed)
    one.wait_event("deferred", id=waiting)
    one.wait_event("deferred", id=held)
    assert command("queue", "hold", held, "-c", one.file).returncode == 0
    assert states(one) == {failed: "failed", waiting: "waiting", held: "held"}
    fake.behave()
    return one, fake, failed, waiting, held


@pytest.mark.parametrize("words", [
    ("queue", "retry", "--all", "-c"),
    ("queue", "retry", "--sender", SENDER, "-c"),
    ("queue", "retry", "--upstream", "fake", "-c"),
    ("sendmail", "-q", "-C"),
], ids=" ".join)
def test_what_waits_is_tried_and_what_failed_is_not(queue, words):
    relay, upstream, failed, waiting, held = queue
    ended = command(*words, relay.file)
    assert ended.returncode == 0 and failed not in ended.stdout
    relay.wait_event("delivered", id=waiting)
    relay.wait_event("delivered", id=held)
    # Another one shows that nothing is under way any more.
    relay.wait_event("delivered", id=submit(relay, "after"))
    assert states(relay) == {failed: "failed"}
    assert len(relay.logged("failed")) == 1


@pytest.mark.parametrize("words", [("--failed",), ("--failed", "--all"), ("--failed", "--sender", "@example.com"),
                                   ("--state", "failed"), ("ID",)], ids=" ".join)
def test_what_failed_is_sent_again_where_that_is_said(queue, words):
    relay, upstream, failed, waiting, held = queue
    words = [failed if word == "ID" else word for word in words]
    ended = command("queue", "retry", *words, "-c", relay.file)
    assert ended.returncode == 0 and ended.stdout == f"{failed}: retry\n"
    relay.wait_event("delivered", id=failed)
    assert states(relay) == {waiting: "waiting", held: "held"}


def test_failed_goes_with_retry_alone(queue):
    relay, *_ = queue
    assert command("queue", "delete", "--failed", "-c", relay.file).returncode == 64
