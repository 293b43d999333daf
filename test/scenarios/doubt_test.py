"""Messages that an upstream may already have taken: what a crash behind the final dot costs, when the operator is
asked, and how he answers."""

import json

from support import mail
from support.relayd import command
from support.upstream import CUT, HANG

SENDER = "app@example.com"
ONE = "one@rcpt.example"
REFUSED = 1
SOON = {"retry": {"first": "1s", "factor": 1, "maximum": "1s", "jitter": 0}}
LATER = {"retry": {"first": "1h", "maximum": "1h", "jitter": 0}}


def send(relay, recipients=ONE, subject="doubt") -> str:
    return relay.submit(SENDER, recipients, mail.text(SENDER, subject))


def queue(relay, *arguments, status: int = 0) -> list[dict]:
    ended = command("queue", *arguments, "--json", "-c", relay.file)
    assert ended.returncode == status, ended.stderr
    lines = [json.loads(line) for line in ended.stdout.splitlines()]
    return [line for line in lines if "end" not in line]


def kill_behind_the_dot(relay, upstream, count: int):
    """Waits until the dot of the message was heard so many times in all, and kills the relay."""
    upstream.messages.wait(count=count)
    relay.kill()


def test_a_crash_behind_the_dot_is_an_attempt_with_its_delay(to_upstream):
    relay, upstream = to_upstream(queue=LATER)
    upstream.answer("dot", HANG, times=1)
    id = send(relay)
    kill_behind_the_dot(relay, upstream, 1)
    relay.start("--grace", "1")
    (row,) = queue(relay, "list")
    assert (row["id"], row["state"], row["attempts"], row["doubts"]) == (id, "waiting", 1, 1)
    assert 3500 < row["due_in"] <= 3600
    assert row["doubted"] == "fake"
    queue(relay, "retry", id)
    assert relay.wait_event("delivered", id=id)["attempts"] == 2
    assert len(upstream.messages.all()) == 2


def test_a_loop_of_crashes_behind_the_dot_ends_with_the_third(to_upstream):
    relay, upstream = to_upstream(queue=SOON)
    upstream.answer("dot", HANG, times=3)
    id = send(relay)
    for count in (1, 2, 3):
        kill_behind_the_dot(relay, upstream, count)
        relay.start("--grace", "1")
    held = relay.wait_event("held", id=id)
    assert held["upstream"] == "fake"
    assert f"relayd queue retry --not-taken {id}" in held["reason"]
    assert f"relayd queue delete {id}" in held["reason"]
    (row,) = queue(relay, "list")
    assert (row["state"], row["doubts"], row["attempts"]) == ("held", 3, 3)
    relay.wait_event("delivered", id=send(relay, subject="next"))
    assert len(upstream.messages.all()) == 4


def test_three_lost_replies_leave_it_to_the_operator(to_upstream):
    relay, upstream = to_upstream()
    upstream.answer("dot", CUT, times=3)
    id = send(relay)
    relay.wait_event("held", id=id)
    assert len(relay.logged("in_doubt", id=id)) == 3
    relay.wait_event("delivered", id=send(relay, subject="next"))
    assert len(upstream.messages.all()) == 4
    queue(relay, "retry", "--not-taken", id)
    relay.wait_event("delivered", id=id)


def test_what_was_found_in_doubt_at_the_start_is_held_where_the_operator_wants_to_look(to_upstream):
    relay, upstream = to_upstream(queue={**SOON, "in_doubt": "hold"})
    upstream.answer("dot", HANG, times=1)
    id = send(relay)
    kill_behind_the_dot(relay, upstream, 1)
    relay.start("--grace", "1")
    assert relay.wait_event("held", id=id)["upstream"] == "fake"
    assert [row["state"] for row in queue(relay, "list")] == ["held"]


def test_the_doubt_is_about_those_whom_the_server_took(to_upstream):
    relay, upstream = to_upstream(queue=LATER)
    two = "two@rcpt.example"
    upstream.answer("rcpt", "450 4.2.1 Later", about=two)
    upstream.answer("dot", HANG, times=1)
    id = send(relay, [ONE, two])
    kill_behind_the_dot(relay, upstream, 1)
    relay.start("--grace", "1")
    relay.wait_event("deferred", id=id, to=two)  # nothing is known of its attempt: it is made at once
    (shown,) = queue(relay, "show", id)
    assert [(each["to"], each["state"]) for each in shown["recipients"]] == [(ONE, "doubtful"), (two, "pending")]
    assert "1 in doubt at fake" in command("queue", "list", "-c", relay.file).stdout
    text = command("queue", "show", id, "-c", relay.file).stdout
    assert f"{ONE}: doubtful" in text and "fake may already have taken it" in text


def test_others_go_on_while_those_in_doubt_are_held(to_upstream):
    relay, upstream = to_upstream(queue={**SOON, "in_doubt": "hold"})
    two = "two@rcpt.example"
    upstream.answer("rcpt", "450 4.2.1 Later", about=two)
    upstream.answer("dot", CUT, times=1)
    id = send(relay, [ONE, two])
    relay.wait_event("held", id=id)
    relay.kill()
    relay.start("--grace", "1")  # what was parted stays so
    (row,) = queue(relay, "list", "--state", "held")
    assert row["id"] == id and row["pending"] == 2
    assert [each["doubted"] for each in row["shipments"] if each["state"] == "held"] == ["fake"]
    upstream.behave()
    assert relay.wait_event("delivered", id=id)["to"] == two
    (row,) = queue(relay, "list")
    assert (row["state"], row["pending"], row["doubted"]) == ("held", 1, "fake")
    queue(relay, "retry", "--not-taken", id)
    relay.wait_event("delivered", id=id, to=ONE)
    assert queue(relay, "list") == []


def test_the_answer_of_the_operator_needs_ids_and_a_doubt(to_upstream):
    relay, upstream = to_upstream(queue=LATER)
    upstream.answer("mail", "451 4.3.0 Later", times=1)
    id = send(relay)
    relay.wait_event("deferred", id=id)
    for arguments in (["--all"], ["--sender", SENDER], [id, "--state", "waiting"]):
        (told,) = queue(relay, "retry", "--not-taken", *arguments, status=REFUSED)
        assert "ids" in told["error"]
    (told,) = queue(relay, "retry", "--not-taken", id, status=REFUSED)
    assert told["error"] == "it is not in doubt"


def test_what_was_not_taken_may_go_to_another_upstream(relay, upstream):
    first, second = upstream(accounts={}), upstream(accounts={})
    one = relay({"first": first.config(), "second": second.config()},
                [{"match": "*", "upstream": ["first", "second"]}], queue=LATER)
    first.answer("dot", CUT, times=1)
    id = send(one)
    one.wait_event("in_doubt", id=id)
    first.answer("greeting", "421 4.3.2 Not now")
    queue(one, "retry", id)
    one.wait_event("deferred", id=id)
    assert not second.messages.all()
    queue(one, "retry", "--not-taken", id)
    assert one.wait_event("delivered", id=id)["upstream"] == "second"
