"""The operator's commands on a running relay: relayd queue list, show, retry, hold, release and delete."""

import json
import os
import re
import stat

import pytest

from support import mail
from support.relayd import command

RECIPIENT = "ann@rcpt.example"
NO_DAEMON, REFUSED = 69, 1


def queue(relay, *arguments, status: int = 0) -> list[dict]:
    """A queue command; its answer, the line at the end left out."""
    ended = command("queue", *arguments, "--json", "-c", relay.file)
    assert ended.returncode == status, ended.stderr
    lines = [json.loads(line) for line in ended.stdout.splitlines()]
    return [line for line in lines if "end" not in line]


@pytest.fixture
def stuck(relay, upstream):
    """A relay whose upstream has put off one message from each of two senders: (relay, upstream, ids)."""
    fake = upstream(accounts={})
    fake.answer("mail", "451 4.3.0 Later", times=2)
    one = relay({"fake": fake.config()}, queue={"retry": {"first": "1h", "maximum": "1h"}})
    ids = [one.submit(sender, RECIPIENT, mail.text(sender)) for sender in ("a@one.example", "b@two.example")]
    for id in ids:
        one.wait_event("deferred", id=id)
    return one, fake, ids


def test_list_shows_every_message_with_its_state(stuck):
    relay, _, ids = stuck
    rows = queue(relay, "list")
    assert [row["id"] for row in rows] == sorted(ids)
    assert {row["state"] for row in rows} == {"waiting"}
    assert [row["from"] for row in queue(relay, "list", "--sender", "@two.example")] == ["b@two.example"]
    assert queue(relay, "list", "--recipient", "nobody@rcpt.example") == []
    assert len(queue(relay, "list", "--recipient", "@RCPT.example")) == 2
    assert len(queue(relay, "list", "--upstream", "fake")) == 2
    assert all((row["to"], row["to_count"], row["reason"]) == (RECIPIENT, 1, "451 4.3.0 Later") for row in rows)
    text = command("queue", "list", "-c", relay.file).stdout
    assert all(id in text for id in ids)
    assert f"a@one.example -> {RECIPIENT} (1 to go): 451 4.3.0 Later\n" in text


def test_show_tells_envelope_history_and_content(stuck):
    relay, _, ids = stuck
    (shown,) = queue(relay, "show", ids[0])
    assert shown["sender"] == "a@one.example" and shown["upstreams"] == ["fake"]
    assert shown["recipients"] == [{"to": RECIPIENT, "state": "pending"}]
    assert [event["event"] for event in shown["history"]] == ["attempt"]
    assert shown["history"][0]["recipients"][0]["response"] == "4.3.0 Later"
    assert shown["header"].startswith("Received: ")
    ways = [{"upstream": "fake", "account": ""}]
    assert [(route["rule"], route["upstreams"]) for route in shown["routes"]] == [("*", ways)]
    text = command("queue", "show", ids[0], "-c", relay.file).stdout
    assert "\nupstreams  fake\n" in text and re.search(rf'\nrule       "\*" \({relay.file}:\d+\)\n', text)
    whole = command("queue", "show", "--body", ids[0], "-c", relay.file).stdout
    assert whole.replace("\r\n", "\n").endswith(mail.text("a@one.example").decode().replace("\r\n", "\n"))


def test_show_tells_what_the_provider_calls_a_message(relay, upstream):
    fake = upstream(accounts={})
    fake.answer("rcpt", "450 4.2.0 Later", times=1)
    fake.answer("dot", "250 2.0.0 Ok: queued as 4X1Y2Z", times=1)
    one = relay({"fake": fake.config()}, queue={"retry": {"first": "1h", "maximum": "1h"}})
    id = one.submit("a@one.example", [RECIPIENT, "bob@rcpt.example"], mail.text("a@one.example"))
    assert one.wait_event("delivered", id=id)["provider_id"] == "4X1Y2Z"
    (shown,) = queue(one, "show", id)
    (attempt,) = [event for event in shown["history"] if event["event"] == "attempt"]
    told = {recipient["state"]: recipient for recipient in attempt["recipients"]}
    assert told["delivered"]["provider_id"] == "4X1Y2Z"
    assert "provider_id" not in told["pending"]
    assert "queued as 4X1Y2Z (id 4X1Y2Z)" in command("queue", "show", id, "-c", one.file).stdout


def test_retry_tries_at_once(stuck):
    relay, _, ids = stuck
    queue(relay, "retry", ids[1])
    relay.wait_event("delivered", id=ids[1])
    assert [row["id"] for row in queue(relay, "list")] == [ids[0]]


def test_a_held_message_stays_until_it_is_released(stuck):
    relay, _, ids = stuck
    queue(relay, "hold", ids[0])
    queue(relay, "retry", ids[1])
    relay.wait_event("delivered", id=ids[1])
    relay.kill()
    relay.start()
    # The other's outcome may have been lost with the kill; then it is sent again.
    assert (ids[0], "held") in [(row["id"], row["state"]) for row in queue(relay, "list")]
    queue(relay, "release", ids[0])
    relay.wait_event("delivered", id=ids[0])


def test_a_deleted_message_is_gone_also_after_a_restart(stuck):
    relay, _, ids = stuck
    queue(relay, "delete", "--sender", "@one.example")
    relay.finish()
    relay.start()
    assert [row["id"] for row in queue(relay, "list")] == [ids[1]]


def test_a_failed_message_is_listed_and_can_be_retried(relay, upstream):
    fake = upstream(accounts={})
    fake.answer("dot", "554 5.7.1 Spam", times=1)
    one = relay({"fake": fake.config()})
    id = one.submit("a@one.example", RECIPIENT, mail.text("a@one.example"))
    one.wait_event("failed", id=id)
    assert [row["id"] for row in queue(one, "list", "--state", "failed")] == [id]
    queue(one, "retry", id)
    one.wait_event("delivered", id=id)
    assert queue(one, "list") == []


def test_retry_does_not_wait_for_a_paused_lane(relay, upstream):
    fake = upstream()
    fake.answer("auth", "535 5.7.8 Wrong", times=1)
    one = relay({"fake": fake.config(username="alice", password="alice-canary")},
                queue={"retry": {"first": "1h", "maximum": "1h"}})
    id = one.submit("a@one.example", RECIPIENT, mail.text("a@one.example"))
    one.wait_event("lane_paused")
    queue(one, "retry", "--all")
    one.wait_event("delivered", id=id)


def test_a_change_of_everything_must_be_meant(stuck):
    relay, _, ids = stuck
    assert "--all" in queue(relay, "delete", status=REFUSED)[0]["error"]
    assert len(queue(relay, "list")) == 2
    assert queue(relay, "show", "nonsense", status=REFUSED)[0]["error"] == "no such message"


def test_without_a_daemon_it_says_so(stuck):
    relay, _, _ = stuck
    relay.finish()
    ended = command("queue", "list", "-c", relay.file)
    assert ended.returncode == NO_DAEMON and "does not answer" in ended.stderr


def test_nobody_else_can_use_the_socket(stuck):
    relay, _, _ = stuck
    assert stat.S_IMODE(os.stat(relay.queue / "admin.sock").st_mode) == 0o600
