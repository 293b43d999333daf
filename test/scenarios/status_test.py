"""relayd status on a running relay: what is wrong, since when, until when; for a person and for a script."""

import fcntl
import json
import os
import pty
import re
import signal
import struct
import subprocess
import termios
import time
from datetime import datetime, timedelta, timezone
from itertools import combinations

import pytest

from conftest import ACCOUNTS
from support import mail
from support.relayd import BINARY, command
from support.upstream import HANG
from support.waiting import PATIENCE, free_port

SENDER, RECIPIENT = "app@example.com", "one@rcpt.example"
LATER = {"retry": {"first": "1h", "maximum": "1h", "jitter": 0}}
NO_DAEMON = 69


def login(name: str, password: str | None = None) -> dict:
    return {"username": name, "password": password or ACCOUNTS[name]}


def send(relay, sender: str = SENDER) -> str:
    return relay.submit(sender, RECIPIENT, mail.text(sender, "status"))


def status(relay) -> dict:
    ended = command("status", "--json", "-c", relay.file)
    assert ended.returncode == 0, ended.stderr
    assert "canary" not in ended.stdout
    return json.loads(ended.stdout)


def shown(relay) -> str:
    ended = command("status", "-c", relay.file)
    assert ended.returncode == 0, ended.stderr
    assert "canary" not in ended.stdout
    return ended.stdout


def lane(relay, upstream: str) -> dict:
    (found,) = [one for one in status(relay)["lanes"] if one["upstream"] == upstream]
    return found


def until(look, good):
    """What is seen as soon as it is good."""
    deadline = time.monotonic() + PATIENCE
    while not good(seen := look()):
        assert time.monotonic() < deadline, seen
    return seen


def seconds_until(text: str) -> float:
    when = datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=timezone.utc)
    return (when - datetime.now(timezone.utc)).total_seconds()


def midnights() -> list[str]:
    """The next midnight in UTC; two, should one just be passing."""
    now = datetime.now(timezone.utc)
    return [(now + timedelta(days=days)).strftime("%Y-%m-%dT00:00:00Z") for days in (1, 0)]


def test_a_relay_that_has_done_nothing_says_little(to_upstream):
    relay, _ = to_upstream()
    told = status(relay)
    assert told["queue"] == {"waiting": 0, "ready": 0, "held": 0, "failed": 0, "reporting": 0}
    assert told["since_start"] == dict.fromkeys(
        ["accepted", "delivered", "deferred", "failed", "bounced", "recovered_in_doubt", "disk_troubles"], 0)
    assert told["lanes"] == [] and told["unused_upstreams"] == ["fake"]
    assert told["version"] in command("version").stdout
    assert told["uptime"] >= 0 and abs(seconds_until(told["time"])) < 60
    first, *user, configuration, queue, upstream = shown(relay).splitlines()
    assert re.fullmatch(r"relayd \S+, up \d+ s", first)
    assert all(line.startswith("user: root") for line in user)
    assert re.fullmatch(r"configuration: read at [\d:]{8} UTC", configuration)
    assert queue == "queue: 0 waiting, 0 under way, 0 held, 0 failed"
    assert upstream == "fake: not used yet"


def test_a_lane_that_works_shows_its_last_reply(to_upstream):
    relay, _ = to_upstream({"limits": {"rate": "600/m"}})
    relay.wait_event("delivered", id=send(relay))
    one = until(lambda: lane(relay, "fake"), lambda found: found["state"] == "idle")
    assert one["account"] == "alice" and one["waiting"] == 0
    assert one["connections"]["busy"] == 0 and one["connections"]["idle"] == 1
    assert one["recipients_per_minute"] == pytest.approx(600)
    assert one["last_reply"] == "250 2.0.0 Taken"
    assert abs(seconds_until(one["last_reply_at"])) < 60
    assert one["port"] == one["first_port"]
    assert not {"reason", "class", "closed_until", "quota"} & set(one)
    text = shown(relay)
    assert "fake as alice: idle\n" in text and "at most 600/m" in text and "250 2.0.0 Taken" in text


def test_what_became_of_mail_is_counted(to_upstream):
    relay, upstream = to_upstream(queue=LATER)
    relay.wait_event("delivered", id=send(relay))
    upstream.answer("rcpt", "550 5.1.1 Unknown", times=1)
    relay.wait_event("failed", id=send(relay))
    upstream.answer("mail", "451 4.3.0 Later", times=1)
    relay.wait_event("deferred", id=send(relay))
    counted = status(relay)["since_start"]
    assert [counted[name] for name in ("accepted", "delivered", "deferred", "failed", "bounced")] == [3, 1, 1, 1, 0]


def test_trouble_comes_first_with_its_reason_and_its_end(relay, upstream):
    well, wrong = upstream(), upstream()
    down = {"host": "127.0.0.1", "port": free_port(), "tls": "none"}
    one = relay({"a-well": well.config(**login("alice")), "down": down,
                 "wrong": wrong.config(**login("bob", "wrong-canary"))},
                [{"match": f"@{name}.example", "upstream": name} for name in ("a-well", "down", "wrong")],
                queue=LATER)
    one.wait_event("delivered", id=send(one, "x@a-well.example"))
    waiting = [send(one, f"x@{name}.example") for name in ("down", "wrong")]
    one.wait_event("upstream_paused", upstream="down")
    one.wait_event("lane_paused", upstream="wrong")
    told = status(one)
    assert [entry["upstream"] for entry in told["lanes"]] == ["down", "wrong", "a-well"]
    down, wrong, _ = told["lanes"]
    assert (down["state"], down["class"], down["account"]) == ("paused", "connect", "")
    assert "refused" in down["reason"].lower()
    assert (wrong["state"], wrong["class"], wrong["account"], wrong["pauses"]) == ("paused", "auth", "bob", 1)
    assert wrong["reason"] == "5.7.8 Authentication credentials invalid"
    assert 30 < wrong["closed_for"] <= 60 and 30 < seconds_until(wrong["closed_until"]) <= 61
    assert wrong["since_for"] < 60 and abs(seconds_until(wrong["since"])) < 60
    assert told["queue"]["waiting"] == 2
    assert told["queue"]["oldest"]["id"] == waiting[0] and told["queue"]["oldest"]["age"] < 3600
    text = shown(one)
    assert re.match(r"relayd .*\n"
                    r'critical: wrong as bob is paused because auth: "5.7.8 Authentication credentials invalid", '
                    r"since .* UTC \(\d+ s\)\. `relayd doctor wrong` ", text)
    assert re.search(r"wrong as bob: paused until [-0-9 ]*\d\d:\d\d:\d\d UTC \(in \d+ s\) because auth: "
                     r'"5.7.8 Authentication credentials invalid", since \d\d:\d\d:\d\d UTC\n', text)
    assert text.index("down: paused") < text.index("wrong as bob: paused") < text.index("a-well as alice: ")
    assert f"the oldest is {waiting[0]}, " in text


def test_a_lane_that_recovers_is_no_trouble_any_more(to_upstream):
    relay, upstream = to_upstream({"password": "wrong-canary"}, queue=LATER)
    id = send(relay)
    relay.wait_event("lane_paused")
    assert lane(relay, "fake")["state"] == "paused"
    upstream.accounts["alice"] = "wrong-canary"
    assert command("queue", "retry", id, "-c", relay.file).returncode == 0
    relay.wait_event("lane_resumed")
    one = until(lambda: lane(relay, "fake"), lambda found: found["state"] == "idle")
    assert "reason" not in one and "closed_until" not in one
    told = status(relay)
    assert "oldest" not in told["queue"] and told["queue"]["waiting"] == 0


def test_an_account_that_a_reload_took_away_is_not_shown(to_upstream):
    relay, _ = to_upstream({"password": "wrong-canary"}, queue=LATER)
    send(relay)
    relay.wait_event("lane_paused")
    relay.config["upstreams"]["fake"].update(login("bob"))
    relay.write()
    relay.signal(signal.SIGHUP)
    relay.wait_event("reloaded")
    relay.wait_event("delivered", account="bob")
    assert [entry["account"] for entry in status(relay)["lanes"]] == ["bob"]


def test_a_port_further_down_the_ladder_is_shown(relay, upstream):
    fake, dead = upstream(), free_port()
    one = relay({"fake": fake.config(**login("alice"), **{"port": [dead, fake.port]})})
    one.wait_event("delivered", id=send(one))
    assert one.logged("next_port")
    entry = lane(one, "fake")
    assert (entry["port"], entry["first_port"]) == (fake.port, dead)
    assert f"port {fake.port}, since {dead} fails" in shown(one)


def test_many_lanes_are_a_table_of_one_line_each(relay, upstream):
    fake = upstream()
    names = [f"fake{number}" for number in range(9)]
    one = relay({name: fake.config(**login("alice"), limits={"quota": "1/day"}) for name in names},
                [{"match": f"{name}@example.com", "upstream": name} for name in names])
    for name in names:
        one.wait_event("delivered", id=send(one, f"{name}@example.com"))
        send(one, f"{name}@example.com")
    until(lambda: status(one)["lanes"], lambda lanes: len(lanes) == 9 and all(lane["state"] == "quota_used_up" for lane in lanes))
    heading, *rows = [line.split("  ") for line in shown(one).splitlines() if line.startswith(("LANE ", "fake"))]
    assert heading[0] == "LANE" and [row[0] for row in rows] == [f"{name} as alice" for name in names]
    assert all("quota used up" in row for row in rows)


def test_a_quota_that_is_used_up_survives_a_kill(to_upstream):
    relay, upstream = to_upstream({"limits": {"quota": "2/day"}})
    for _ in range(2):
        relay.wait_event("delivered", id=send(relay))
    third = send(relay)
    one = until(lambda: lane(relay, "fake"), lambda found: found["state"] == "quota_used_up")
    assert (one["quota"]["limit"], one["quota"]["left"]) == (2, 0)
    assert one["quota"]["resets_at"] == one["closed_until"] and one["closed_until"] in midnights()
    assert "fake as alice: quota of 2 used up until " in shown(relay)

    book = relay.queue / "quotas.json"
    until(lambda: book.read_text() if book.exists() else "",
          lambda text: text.endswith(',2]]}],"upstream":"fake","username":"alice"}\n'))
    relay.kill()
    relay.start()
    one = until(lambda: status(relay)["lanes"], lambda lanes: lanes)[0]
    assert (one["state"], one["quota"]["left"]) == ("quota_used_up", 0)
    assert status(relay)["queue"]["oldest"]["id"] == third
    assert len(upstream.messages.all()) == 2


def test_every_limit_is_shown(to_upstream):
    relay, _ = to_upstream({"limits": {"rate": ["600/m", "900 messages/h"], "quota": ["50/24h", "9 messages/month"],
                                       "quota_total": "70/day"}})
    relay.wait_event("delivered", id=send(relay))
    one = until(lambda: lane(relay, "fake"), lambda found: found["state"] == "idle")
    assert one["rates"] == ["600/m", "900 messages/h"]
    assert (one["recipients_per_minute"], one["messages_per_minute"]) == (pytest.approx(600), pytest.approx(15))
    assert [(quota["left"], quota["counts"], quota["period"], quota["total"]) for quota in one["quotas"]] == [
        (49, "recipients", "24h", False), (8, "messages", "month", False), (69, "recipients", "day", True)]
    assert one["quota"]["left"] == 8
    text = shown(relay)
    for part in ("at most 600/m, 900 messages/h", "quota: 49 of 50 in 24h left, more from ",
                 "quota: 8 of 9 messages left until ", "quota: 69 of 70 of all accounts left until "):
        assert part in text, text


def test_an_upstream_that_finds_us_too_fast_is_shown(to_upstream):
    relay, upstream = to_upstream(queue=LATER)
    upstream.answer("mail", "450 4.7.0 Too many messages, slow down", times=1)
    send(relay)
    relay.wait_event("lane_paused")
    one = lane(relay, "fake")
    assert (one["state"], one["class"]) == ("paused", "rate")
    assert one["recipients_per_minute"] > 0


def test_messages_found_in_doubt_are_counted(to_upstream):
    relay, upstream = to_upstream(queue=LATER)
    upstream.answer("dot", HANG, times=1)
    send(relay)
    upstream.messages.wait()
    relay.kill()
    relay.start()
    assert status(relay)["since_start"]["recovered_in_doubt"] == 1
    assert "recovered at the start: 1 " in shown(relay)


def test_without_a_daemon_it_says_what_to_do(to_upstream):
    relay, _ = to_upstream()
    relay.finish()
    ended = command("status", "-c", relay.file)
    assert ended.returncode == NO_DAEMON and ended.stdout == ""
    assert "does not answer" in ended.stderr and "relayd run" in ended.stderr


def test_a_lane_is_paused_and_resumed_by_hand(relay, upstream):
    first, second = upstream(), upstream()
    one = relay({"first": first.config(**login("alice")), "second": second.config(**login("alice"))},
                [{"match": "*", "upstream": ["first", "second"]}])
    done = command("lane", "pause", "first", "-c", one.file)
    assert (done.returncode, done.stdout) == (0, "first as alice: paused\n")
    assert one.wait_event("delivered", id=send(one))["upstream"] == "second"
    shown = command("lane", "list", "first", "-c", one.file)
    assert shown.returncode == 0 and shown.stdout.startswith("first as alice: paused by the operator")
    done = command("lane", "resume", "first", "--account", "alice", "-c", one.file)
    assert (done.returncode, done.stdout) == (0, "first as alice: resumed\n")
    assert one.wait_event("delivered", id=send(one))["upstream"] == "first"
    wrong = command("lane", "pause", "first", "--account", "bob", "-c", one.file)
    assert wrong.returncode == 1 and "no rule leads to an upstream 'first' as 'bob'" in wrong.stderr
    wrong = command("lane", "list", "third", "-c", one.file)
    assert (wrong.returncode, wrong.stderr) == (
        64, "there is no upstream 'third' in the configuration that is in use\n")


def test_what_waits_for_a_lane_is_in_line(to_upstream):
    relay, upstream = to_upstream({"password": "wrong-canary"})
    id = send(relay)
    relay.wait_event("lane_paused")
    row = until(lambda: command("queue", "list", "-c", relay.file).stdout, lambda out: "in line" in out)
    assert id in row
    shown = command("queue", "show", id, "-c", relay.file).stdout
    assert "in line for a lane that is open" in shown


@pytest.mark.parametrize("both", combinations(("--json", "--metrics", "--check", "--watch"), 2), ids=" ".join)
def test_one_way_of_telling_excludes_the_others(both):
    ended = command("status", *both)
    assert (ended.returncode, ended.stdout) == (64, "")
    assert " excludes " in ended.stderr and all(option in ended.stderr for option in both)


# --- relayd status --check ---


def check(*options, **more) -> tuple[int, str]:
    ended = command("status", "--check", *options, **more)
    assert ended.stdout.count("\n") == 1
    return ended.returncode, ended.stdout


def test_a_check_says_that_all_is_well(to_upstream):
    relay, _ = to_upstream()
    assert check("-c", relay.file) == (0, "OK: 0 waiting, 0 under way, 0 held, 0 failed\n")


def test_a_check_names_the_worst_and_since_when(relay, upstream):
    wrong, well = upstream(), upstream()
    one = relay({"wrong": wrong.config(**login("bob", "wrong-canary")), "well": well.config(**login("alice"))},
                [{"match": f"@{name}.example", "upstream": name} for name in ("wrong", "well")], queue=LATER)
    assert command("lane", "pause", "well", "-c", one.file).returncode == 0
    code, line = check("-c", one.file)
    assert code == 1 and re.fullmatch(
        r"WARNING: well as alice is paused by the operator, since \S+Z \(\d+ s\)\n", line)
    send(one, "x@wrong.example")
    one.wait_event("lane_paused", upstream="wrong")
    code, line = check("-c", one.file)
    assert code == 2 and re.fullmatch(
        r'CRITICAL: wrong as bob is paused because auth: "5.7.8 Authentication credentials invalid", '
        r"since \S+Z \(\d+ s\); and 1 more\n", line)
    assert [(trouble["severity"], trouble["upstream"]) for trouble in status(one)["trouble"]] == [
        ("critical", "wrong"), ("warning", "well")]
    assert check("-c", one.file, "--upstream", "well")[0] == 1
    code, line = check("-c", one.file, "--upstream", "wel")
    assert code == 2 and line.startswith("CRITICAL: there is no upstream 'wel'")


def test_a_check_tells_of_a_file_that_cannot_be_used(to_upstream):
    relay, _ = to_upstream()
    relay.config["hots"] = "x"
    relay.write()
    assert command("reload", "-c", relay.file).returncode == 78
    code, line = check("-c", relay.file)
    assert code == 1 and line.startswith(f"WARNING: the configuration on disk cannot be used: {relay.file}:")


def test_a_check_finds_that_nobody_answers(to_upstream):
    relay, _ = to_upstream()
    relay.finish()
    code, line = check("-c", relay.file)
    assert code == 2 and line.startswith("CRITICAL: relayd does not answer on ")


# --- many lanes ---


@pytest.fixture
def many(relay, upstream):
    """A relay with ten accounts at one upstream, of which one has a wrong password, and with mail from each."""
    fake = upstream(accounts={f"user{i}": f"user{i}-canary" for i in range(10)})
    senders = [{"match": f"@{i}.example", "upstream": "fake",
                **login(f"user{i}", "wrong-canary" if i == 4 else f"user{i}-canary")} for i in range(10)]
    senders.append({"match": "b@4.example", "upstream": "fake", **login("user4", "wrong-canary")})
    one = relay({"fake": fake.config()}, senders, queue=LATER)
    for i in range(10):
        send(one, f"x@{i}.example")
        one.wait_event("lane_paused" if i == 4 else "delivered", account=f"user{i}")
    return one


def test_many_lanes_are_a_line_each_and_trouble_comes_first(many):
    lines = shown(many).splitlines()
    assert lines[1].startswith("critical: fake as user4 is paused because auth")
    head = next(index for index, line in enumerate(lines) if line.startswith("LANE "))
    assert re.match(r"fake as user4 +paused +\d+ s +0 +1  auth: 5\.7\.8 Authentication", lines[head + 1])
    assert len(lines) == head + 11


def test_filters_leave_what_is_asked_for(many):
    def of(*options) -> str:
        ended = command("status", "-c", many.file, *options)
        assert ended.returncode == 0, ended.stderr
        return ended.stdout

    assert [line.split(":")[0] for line in of("--trouble").splitlines() if line.startswith("fake")] == ["fake as user4"]
    text = of("--account", "user3")
    assert "fake as user3: idle\n" in text and "user4" not in text and "senders: @3.example" in text
    assert "senders: @4.example, b@4.example" in of("--account", "user4")
    assert of("--upstream", "fake").count("fake as") >= 10
    told = json.loads(of("--account", "user4", "--json"))
    assert [lane["account"] for lane in told["lanes"]] == ["user4"] and told["lanes"][0]["sender_rules"] == 2


def test_without_a_terminal_there_is_no_colour(many):
    assert "\x1b" not in shown(many)


# --- explain --live ---


def test_explain_tells_how_the_lanes_of_a_route_stand(relay, upstream):
    first, second = upstream(), upstream()
    one = relay({"first": first.config(**login("alice")), "second": second.config(**login("bob"))},
                [{"match": "*", "upstream": ["first", "second"]}])
    assert command("lane", "pause", "first", "-c", one.file).returncode == 0

    def live() -> list[str]:
        ended = command("explain", "--live", "--sender", SENDER, "-c", one.file)
        assert ended.returncode == 0, ended.stderr
        return [line for line in ended.stdout.splitlines() if line.startswith("live ")]

    assert live()[0].startswith("live       first as alice: paused by the operator, since ")
    assert "second as bob: " in live()[1]
    one.finish()
    ended = command("explain", "--live", "--sender", SENDER, "-c", one.file)
    assert ended.returncode == NO_DAEMON and "does not answer" in ended.stderr and "1. first" in ended.stdout


# --- relayd status --watch ---


def watch(relay, environment: dict) -> tuple[int, str]:
    """What a terminal of 30 lines shows until its user presses q, and how the command ends."""
    controller, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 60, 0, 0))
    process = subprocess.Popen([BINARY, "status", "--watch", "-c", str(relay.file)], stdin=terminal, stdout=terminal,
                               stderr=terminal, env={**os.environ, "TERM": "xterm", **environment})
    shown = b""
    while b"\x1b[J" not in shown:
        shown += os.read(controller, 65536)
    os.write(controller, b"q")
    code = process.wait(PATIENCE)
    while b"\x1b[?1049l" not in shown:
        shown += os.read(controller, 65536)
    os.close(terminal), os.close(controller)
    return code, shown.decode()


@pytest.mark.parametrize("environment, colour", [({"NO_COLOR": ""}, True), ({"NO_COLOR": "1"}, False)])
def test_a_watch_fills_the_screen_and_gives_it_back(many, environment, colour):
    code, shown = watch(many, environment)
    assert code == 0 and shown.startswith("\x1b[?1049h\x1b[?25l\x1b[H")
    assert ("\x1b[1;31mcritical: fake as user4 is paused" in shown) == colour
    assert "LANE " in shown and "fake as user9" in shown
    lines = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", shown).split("\r\n")
    assert len(lines) <= 30 and max(map(len, lines)) == 60


def test_a_watch_ends_by_a_signal(to_upstream):
    relay, _ = to_upstream()
    process = subprocess.Popen([BINARY, "status", "--watch", "-c", str(relay.file)], stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline().startswith("relayd ")
    process.send_signal(signal.SIGINT)
    assert process.wait(PATIENCE) == 0
    process.stdout.close()
