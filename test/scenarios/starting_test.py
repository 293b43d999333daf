"""While relayd reads its queue it listens already: clients are put off, the operator hears how far it is, probes know
the difference, and SIGTERM ends it."""

import json
import smtplib
import subprocess

import pytest

from support import mail
from support.faults import Faults
from support.relayd import BINARY, command
from support.waiting import PATIENCE, poll

SENDER = "app@example.com"
WELL, DEAD, STARTING = 0, 1, 2
CANNOT_START = 71


@pytest.fixture
def stalled(to_upstream, tmp_path):
    """A relay with a message in its queue that does not get on with reading it: (relay, faults, id)."""
    relay, upstream = to_upstream(queue={"retry": {"first": "1h", "maximum": "1h"}}, certificate=None, accounts={})
    upstream.answer("mail", "451 4.3.0 Later", times=1)
    id = relay.submit(SENDER, "one@rcpt.example", mail.text(SENDER))
    relay.wait_event("deferred", id=id)
    relay.stop()
    faults = Faults(relay, tmp_path / "faults")
    faults.stall("open", first=4)
    relay.launch("--grace", "1")
    relay.wait("listening")
    yield relay, faults, id
    faults.heal()


def asked(relay, *arguments) -> subprocess.CompletedProcess:
    return command(*arguments, "-c", relay.file)


def test_clients_are_put_off_until_the_queue_is_read(stalled):
    relay, faults, id = stalled
    with smtplib.SMTP("127.0.0.1", relay.port, local_hostname="client.test.example", timeout=PATIENCE) as client:
        assert client.ehlo()[0] == 250
        code, text = client.mail(SENDER)
        assert (code, text[:15]) == (451, b"4.3.2 Starting:")
        assert not relay.logged("queue_opened")
        faults.heal()
        relay.wait("queue_opened")
        assert client.mail(SENDER)[0] == 250
    queue = json.loads(asked(relay, "queue", "list", "--json").stdout.splitlines()[0])
    assert queue["id"] == id


def test_the_operator_hears_how_far_it_is(stalled):
    relay, faults, id = stalled
    ended = asked(relay, "status")
    assert ended.returncode == 0 and ", starting for " in ended.stdout
    told = json.loads(asked(relay, "status", "--json").stdout)
    assert set(told) == {"version", "time", "uptime", "process", "trouble", "starting"}
    checked = asked(relay, "status", "--check")
    assert checked.returncode == 1 and checked.stdout.startswith("WARNING: it starts: the queue is being read, since ")
    assert set(told["starting"]) == {"messages", "octets", "total"}
    for arguments in (["list"], ["show", id], ["retry", "--all"], ["delete", id]):
        ended = asked(relay, "queue", *arguments)
        assert ended.returncode == 1 and "starting: the queue is being read" in ended.stderr
    for arguments in (["list"], ["pause", "fake"]):
        ended = asked(relay, "lane", *arguments)
        assert ended.returncode == 1 and "starting: the queue is being read" in ended.stderr
    loading = relay.wait("queue_loading", 2)[1]
    assert {"messages", "octets", "total"} <= set(loading)
    faults.heal()
    relay.wait("queue_opened")
    assert asked(relay, "queue", "show", id).returncode == 0
    assert json.loads(asked(relay, "status", "--json").stdout)["queue"]["waiting"] == 1


def test_a_probe_tells_starting_from_dead(stalled):
    relay, faults, _ = stalled
    ended = asked(relay, "healthcheck")
    assert ended.returncode == STARTING and "starting" in ended.stderr
    faults.heal()
    relay.wait("queue_opened")
    assert asked(relay, "healthcheck").returncode == WELL
    relay.stop()
    assert asked(relay, "healthcheck").returncode == DEAD


def test_sigterm_ends_a_start(stalled):
    relay, faults, id = stalled
    assert relay.stop() == 0
    assert relay.logged("stopped") and not relay.logged("queue_opened")
    faults.heal()
    relay.start("--grace", "1")
    assert json.loads(asked(relay, "queue", "list", "--json").stdout.splitlines()[0])["id"] == id


def test_the_drop_folder_waits(stalled):
    relay, faults, _ = stalled
    folder = relay.queue.with_name("queue-drop")
    folder.mkdir(mode=0o3733)
    folder.chmod(0o3733)
    faults.heal()
    relay.stop()
    faults.stall("open", first=4)
    relay.launch("--grace", "1")
    relay.wait("listening")
    ended = subprocess.run([BINARY, "sendmail", "-C", relay.file, "-f", SENDER, "one@rcpt.example"],
                           input=mail.text(SENDER), timeout=PATIENCE)
    assert ended.returncode == 0
    assert len(list(folder.iterdir())) == 1
    faults.heal()
    relay.wait_event("accepted", client="uid:0")
    poll(lambda: not list(folder.iterdir()))


def test_a_short_start_says_nothing_of_loading(to_upstream):
    relay, _ = to_upstream()
    assert not relay.logged("queue_loading")


def test_a_queue_of_another_process_is_seen_before_anything_is_bound(to_upstream, tmp_path):
    relay, _ = to_upstream()
    second = tmp_path / "second.yaml"
    second.touch(mode=0o600)
    second.write_text(relay.file.read_text().replace(f"127.0.0.1:{relay.port}", "127.0.0.1:0"))
    ended = command("run", "-c", second)
    assert ended.returncode == CANNOT_START
    assert '"listening"' not in ended.stderr


def test_a_queue_that_cannot_be_read_ends_the_start(to_upstream):
    relay, _ = to_upstream()
    relay.stop()
    journal, aside = relay.queue / "journal", relay.queue / "aside"
    journal.rename(aside)
    journal.write_text("in the way")
    relay.launch()
    assert relay.ended() == CANNOT_START
    assert str(relay.queue) in relay.logged("stopped")[0]["reason"]
    journal.unlink()
    aside.rename(journal)
    relay.start()
