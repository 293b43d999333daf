"""relayd history: what became of messages, also of those that have left, from its files alone."""

import json
import os
import signal
import stat
import threading
from datetime import datetime, timedelta, timezone

import pytest

from support import mail
from support.relayd import Relayd, command
from support.waiting import poll

SENDER = "ann@sender.example"
RECIPIENT = "bob@rcpt.example"
NONE = 1


def history(relay: Relayd, *arguments, status: int = 0) -> list[dict]:
    ended = command("history", *arguments, "--json", "-c", relay.file)
    assert ended.returncode == status, ended.stderr
    return [json.loads(line) for line in ended.stdout.splitlines()]


def ids(relay: Relayd, *arguments, **options) -> list[str]:
    return [message["id"] for message in history(relay, *arguments, **options)]


def events(message: dict) -> list[str]:
    return [event["event"] for event in message["events"]]


def send(relay: Relayd, end: str = "delivered", sender: str = SENDER, recipient: str = RECIPIENT) -> str:
    id = relay.submit(sender, recipient, mail.text(sender))
    relay.wait_event(end, id=id)
    return id


def test_a_message_that_has_left_is_told_in_full(to_upstream):
    relay, fake = to_upstream()
    fake.answer("dot", "451 4.3.0 Later", times=1)
    fake.answer("dot", "250 2.0.0 Ok: queued as Q42", times=1)
    id = relay.submit(SENDER, RECIPIENT, f"From: {SENDER}\r\n\r\nHello\r\n".encode())
    relay.wait_event("delivered", id=id)
    (message,) = history(relay, id)
    assert events(message) == ["accepted", "deferred", "delivered"]
    accepted, deferred, delivered = message["events"]
    assert accepted["from"] == SENDER and accepted["to"] == [RECIPIENT] and accepted["client"] == "127.0.0.1"
    assert accepted["size"] > 0 and accepted["message_id"] == f"<{id}@relay.test.example>"
    assert (deferred["code"], deferred["response"], deferred["attempt"]) == (451, "4.3.0 Later", 1)
    assert delivered["provider_id"] == "Q42" and delivered["rule"] == "*" and delivered["account"] == "alice"
    assert message["state"] == "delivered" and message["recipients"] == [{"to": RECIPIENT, "state": "delivered"}]
    text = command("history", id, "-c", relay.file).stdout
    assert "451 4.3.0 Later" in text and "the provider's id: Q42" in text and "rule '*'" in text


def test_each_key_finds_it_also_without_a_daemon(to_upstream):
    relay, fake = to_upstream()
    fake.answer("dot", "250 2.0.0 Ok: queued as Q42", times=1)
    message_id = "<folded.1@client.example>"
    raw = f"From: <{SENDER}>\r\nMessage-ID:\r\n {message_id}\r\n\r\nHello\r\n".encode()
    id = relay.submit(SENDER, RECIPIENT, raw)
    relay.wait_event("delivered", id=id)
    other = send(relay, sender="else@other.example", recipient="else@where.example")
    keys = [id, SENDER, SENDER.upper(), RECIPIENT, "@rcpt.example", message_id, message_id.strip("<>"), "Q42"]
    for _ in "with a daemon", "without":
        for key in keys:
            assert ids(relay, key) == [id], key
        assert ids(relay) == [id, other]
        assert ids(relay, "--limit", "1") == [other]
        assert ids(relay, "nobody@rcpt.example", status=NONE) == []
        assert relay._process.poll() is not None or relay.stop() == 0


def test_failures_and_times_choose(to_upstream):
    relay, fake = to_upstream()
    good = send(relay)
    fake.answer("rcpt", "550 5.1.1 No such user", times=1)
    bad = send(relay, "failed", recipient="gone@rcpt.example")
    assert ids(relay, "--failed") == [bad]
    assert history(relay, "--failed")[0]["events"][-1]["response"] == "5.1.1 No such user"
    assert ids(relay, SENDER, "--failed") == [bad]
    assert ids(relay, good, "--failed", status=NONE) == []
    assert ids(relay, "--since", "1h") == [good, bad]
    since = history(relay, bad)[0]["events"][0]["time"]
    assert ids(relay, "--since", since) == [bad]
    east = datetime.fromisoformat(since).astimezone(timezone(timedelta(hours=5, minutes=30)))
    assert ids(relay, "--since", east.isoformat()) == [bad]
    assert ids(relay, "--since", "2099-01-01", status=NONE) == []
    ended = command("history", "--since", "yesterday", "-c", relay.file)
    assert ended.returncode == 64 and "2026-11-20T09:30:00Z" in ended.stderr
    # What failed once and was sent again has not failed.
    fake.answer("dot", "250 2.0.0 Ok", times=1)
    assert command("queue", "retry", bad, "-c", relay.file).returncode == 0
    relay.wait_event("delivered", id=bad)
    assert ids(relay, "--failed", status=NONE) == []


def test_what_the_operator_does_is_told(to_upstream):
    relay, _ = to_upstream()
    assert command("lane", "pause", "fake", "-c", relay.file).returncode == 0
    kept, gone = (relay.submit(SENDER, RECIPIENT, mail.text(SENDER)) for _ in range(2))

    def do(what: str, id: str) -> str:
        assert command("queue", what, id, "-c", relay.file).returncode == 0
        return history(relay, id)[0]["state"]

    assert do("hold", kept) == "held" and do("hold", kept) == "held"
    assert do("release", kept) == "released"
    assert do("delete", gone) == "deleted"
    assert ids(relay, "--failed") == [gone]
    assert command("lane", "resume", "fake", "-c", relay.file).returncode == 0
    relay.wait_event("delivered", id=kept)
    (message,) = history(relay, kept)
    assert events(message) == ["accepted", "held", "released", "delivered"] and message["state"] == "delivered"
    held = message["events"][1]
    assert (held["from"], held["by"]) == (SENDER, "operator") and "to" not in held
    assert "by the operator" in command("history", gone, "-c", relay.file).stdout
    assert relay.logged("deleted")[0]["by"] == "operator"


def test_what_failed_and_is_deleted_has_failed_still(to_upstream):
    relay, fake = to_upstream()
    fake.answer("rcpt", "550 5.1.1 No such user", times=1)
    id = send(relay, "failed")
    assert command("queue", "delete", id, "-c", relay.file).returncode == 0
    (message,) = history(relay, "--failed")
    assert events(message)[-2:] == ["failed", "deleted"] and message["state"] == "failed"


def test_that_it_waits_for_a_rule_is_told(to_upstream):
    relay, _ = to_upstream()
    assert command("lane", "pause", "fake", "-c", relay.file).returncode == 0
    id = relay.submit(SENDER, RECIPIENT, mail.text(SENDER))
    relay.config["senders"] = [{"match": "else@other.example", "upstream": "fake"}]
    relay.write()
    relay.reload()
    relay.wait_event("deferred", id=id)
    (message,) = history(relay, id)
    assert message["state"] == "deferred"
    assert message["events"][-1]["response"] == "no sender rule matches: add one to `senders:`"
    assert "no sender rule" in command("history", id, "-c", relay.file).stdout


def test_it_survives_restarts_and_a_kill_leaves_what_was_written(to_upstream):
    relay, _ = to_upstream()
    first = send(relay)
    relay.stop()
    relay.start()
    second = send(relay)
    assert ids(relay) == [first, second]  # asking has it written
    relay.kill()
    (file,) = (relay.queue / "history").glob("*.jsonl")
    with open(file, "ab") as torn:
        torn.write(b'{"id":"' + first.encode() + b'","time":"2026-')
    relay.start()
    third = send(relay)
    assert ids(relay) == [first, second, third]
    assert [events(message) for message in history(relay)] == [["accepted", "delivered"]] * 3
    assert stat.S_IMODE(os.stat(file).st_mode) == 0o600
    assert stat.S_IMODE(os.stat(file.parent).st_mode) == 0o700


def test_what_was_written_is_found_while_mail_flows_and_after_a_kill(to_upstream):
    relay, _ = to_upstream()
    sent = []

    def flow():
        for _ in range(60):
            sent.append(send(relay))

    flowing = threading.Thread(target=flow)
    flowing.start()
    known: list[str] = []
    while flowing.is_alive():
        before = list(sent)
        found = ids(relay, SENDER, status=0 if before or known else NONE) if before else []
        assert set(before) <= set(found) and found[:len(known)] == known
        known = found[:len(before)]
    flowing.join()
    assert ids(relay, SENDER) == sent
    relay.kill()
    assert ids(relay, SENDER) == sent
    relay.start()


def test_a_second_later_it_is_written_without_being_asked(to_upstream):
    relay, _ = to_upstream()
    id = send(relay)
    folder = relay.queue / "history"
    poll(lambda: any(id in file.read_text() and "delivered" in file.read_text() for file in folder.glob("*.jsonl")))
    relay.kill()
    assert ids(relay) == [id]
    relay.start()


def test_rewriting_is_told_by_both_names(relay, upstream):
    fake = upstream(accounts={})
    one = relay({"fake": fake.config()}, rewrite=[{"match": "@sender.example", "to": "@public.example", "in": "sender"}])
    id = send(one)
    delivered = history(one, "ann@public.example")[0]["events"][-1]
    assert delivered["from"] == SENDER and delivered["sent_from"] == "ann@public.example"
    assert ids(one, SENDER) == [id]
    assert "sent from ann@public.example" in command("history", id, "-c", one.file).stdout


def test_masked_addresses_are_found_by_the_full_one_only(relay, upstream):
    fake = upstream(accounts={})
    fake.answer("rcpt", f"550 5.1.1 <{RECIPIENT}> unknown", times=1)
    one = relay({"fake": fake.config()}, log={"format": "json", "addresses": "masked"})
    id = send(one, "failed")
    shown = command("history", id, "-c", one.file).stdout
    files = "".join(file.read_text() for file in (one.queue / "history").glob("*.jsonl"))
    for text in shown, files:
        assert SENDER not in text and RECIPIENT not in text and "b***@rcpt.example" in text
    for key in SENDER, RECIPIENT, RECIPIENT.upper(), "@rcpt.example":
        assert ids(one, key) == [id], key
    assert ids(one, "bert@rcpt.example", status=NONE) == []
    one.stop()
    assert ids(one, RECIPIENT) == [id]


def test_masked_recipients_that_look_the_same_have_states_of_their_own(relay, upstream):
    fake = upstream(accounts={})
    fake.answer("rcpt", "550 5.1.1 No such user", times=1)
    one = relay({"fake": fake.config()}, log={"format": "json", "addresses": "masked"})
    id = one.submit(SENDER, [RECIPIENT, "bert@rcpt.example"], mail.text(SENDER))
    one.wait_event("failed", id=id)
    one.wait_event("delivered", id=id)
    (message,) = history(one, "--failed")
    assert sorted(one["state"] for one in message["recipients"]) == ["delivered", "failed"]
    assert {one["to"] for one in message["recipients"]} == {"b***@rcpt.example"} and "to_keys" not in str(message)


def test_a_daemon_that_is_stopped_holds_nothing_up(to_upstream):
    relay, _ = to_upstream()
    id = send(relay)
    assert ids(relay) == [id]
    relay.signal(signal.SIGSTOP)
    try:
        ended = command("history", "-c", relay.file, timeout=10)
    finally:
        relay.signal(signal.SIGCONT)
    assert ended.returncode == 0 and id in ended.stdout and "relayd does not answer" in ended.stderr


def test_what_is_no_regular_file_holds_nothing_up(to_upstream):
    relay, _ = to_upstream()
    first = send(relay)
    relay.stop()
    folder = relay.queue / "history"
    (folder / "0000000077-1.jsonl").mkdir()
    os.mkfifo(folder / "0000000078-1.jsonl")
    assert ids(relay) == [first]
    relay.start()
    second = send(relay)
    assert ids(relay) == [first, second]
    relay.stop()
    relay.start()
    assert ids(relay) == [first, second] and not relay.logged("history_not_written")


def line(number: int, time: str) -> str:
    head = {"id": f"m{number}", "time": time, "event": "delivered", "from": SENDER, "to": RECIPIENT}
    return json.dumps(head, separators=(",", ":")) + "\n"


def test_a_search_shows_the_last_thousand_and_says_that_there_are_more(to_upstream):
    relay, _ = to_upstream()
    relay.stop()
    written = "".join(line(number, "2026-01-01T00:00:00.000000Z") for number in range(1001))
    folder = relay.queue / "history"
    folder.mkdir(exist_ok=True)
    (folder / "0000000001-1.jsonl").write_text(written)
    ended = command("history", SENDER, "--json", "-c", relay.file)
    shown = [json.loads(one)["id"] for one in ended.stdout.splitlines()]
    assert shown == [f"m{number}" for number in range(1, 1001)] and "There are more" in ended.stderr
    assert len(ids(relay, SENDER, "--limit", "0")) == 1001


def test_an_arrival_without_a_client_is_shown(to_upstream):
    relay, _ = to_upstream()
    relay.stop()
    folder = relay.queue / "history"
    folder.mkdir(exist_ok=True)
    arrival = line(1, "2026-01-01T00:00:00.000000Z").replace('"delivered"', '"accepted"')
    (folder / "0000000001-1.jsonl").write_text(arrival)
    ended = command("history", "-c", relay.file)
    assert ended.returncode == 0 and "m1" in ended.stdout and RECIPIENT in ended.stdout, ended.stderr


def test_a_time_without_a_zone_is_utc(to_upstream):
    relay, _ = to_upstream()
    relay.stop()
    folder = relay.queue / "history"
    folder.mkdir(exist_ok=True)
    times = ["2026-01-01T11:59:59.000000Z", "2026-01-01T12:00:00.000000Z"]
    (folder / "0000000001-1.jsonl").write_text("".join(line(at, time) for at, time in enumerate(times)))
    zone = os.environ | {"TZ": "EST5"}
    ended = command("history", "--since", "2026-01-01T12:00", "--json", "-c", relay.file, env=zone)
    assert [json.loads(one)["id"] for one in ended.stdout.splitlines()] == ["m1"]


def test_what_others_said_moves_no_terminal(to_upstream):
    relay, fake = to_upstream()
    fake.answer("rcpt", "550 5.1.1 \x1b[2J \u202e \"quoted\\", times=1)
    id = send(relay, "failed")
    text = command("history", id, "-c", relay.file).stdout
    assert "\x1b" not in text and "\u202e" not in text and '"quoted\\' in text
    assert history(relay, id)[0]["events"][-1]["response"].startswith("5.1.1 \x1b[2J")


def test_nothing_is_kept_where_keep_is_0_and_what_was_goes(to_upstream):
    relay, _ = to_upstream()
    send(relay)
    relay.stop()
    relay.config["history"] = {"keep": 0}
    relay.write()
    relay.start()
    send(relay)
    poll(lambda: not list((relay.queue / "history").glob("*.jsonl")))
    ended = command("history", "-c", relay.file)
    assert ended.returncode == NONE and "history.keep is 0" in ended.stderr
    relay.config["history"] = {"keep": "1d"}
    relay.write()
    relay.reload()
    assert ids(relay, send(relay))


@pytest.mark.parametrize("extra", [["--limit", "-1"], ["--limit", "x"]])
def test_nonsense_is_refused(to_upstream, extra):
    relay, _ = to_upstream()
    assert command("history", *extra, "-c", relay.file).returncode == 64
