"""How the process begins and ends: SIGTERM finishes what is in flight, SIGKILL loses nothing that was acknowledged,
and what cannot run says so with an exit code a supervisor understands."""

import signal
import smtplib
import socket
import threading

import pytest

from support import mail
from support.relayd import command
from support.upstream import HANG
from support.waiting import PATIENCE

SENDER = "app@example.com"
DONE, BAD_CONFIG, CANNOT_START = 0, 78, 71


def send(relay, subject="process") -> str:
    return relay.submit(SENDER, "one@rcpt.example", mail.text(SENDER, subject))


def test_sigterm_finishes_the_message_whose_dot_has_left(to_upstream):
    relay, upstream = to_upstream()
    at_the_dot, go_on = threading.Event(), threading.Event()

    def slowly():
        at_the_dot.set()
        assert go_on.wait(PATIENCE)
        return "250 2.0.0 Taken"

    upstream.answer("dot", slowly, times=1)
    relay.finish()
    relay.start("--grace", f"{PATIENCE:g}")
    id = send(relay)
    assert at_the_dot.wait(PATIENCE)
    relay.signal(signal.SIGTERM)
    go_on.set()
    assert relay.ended() == DONE
    assert relay.logged("delivered", id=id) and relay.logged("stopped")
    relay.start("--grace", "1")
    relay.wait_event("delivered", id=send(relay, "next"))
    assert len(upstream.taken(2)) == 2


def test_sigterm_does_not_wait_for_an_upstream_that_says_nothing(to_upstream):
    relay, upstream = to_upstream()
    upstream.answer("mail", HANG, times=1)
    id = send(relay)
    upstream.commands.wait(lambda command: command.verb == "MAIL")
    assert relay.stop() == DONE
    relay.start("--grace", "1")
    relay.wait_event("delivered", id=id)
    assert len(upstream.taken(1)) == 1


def test_a_kill_loses_nothing_that_was_acknowledged(to_upstream):
    relay, upstream = to_upstream()
    upstream.answer("greeting", "421 4.3.2 Not yet")
    ids = [send(relay) for _ in range(10)]
    relay.kill()
    upstream.behave()
    relay.start("--grace", "1")
    for id in ids:
        relay.wait_event("delivered", id=id)
    assert len(upstream.taken(10)) == 10


def test_a_message_half_received_is_not_sent(to_upstream):
    relay, upstream = to_upstream()
    client = smtplib.SMTP("127.0.0.1", relay.port, local_hostname="client.test.example", timeout=PATIENCE)
    client.ehlo()
    client.mail(SENDER)
    client.rcpt("one@rcpt.example")
    client.putcmd("data")
    assert client.getreply()[0] == 354
    client.send(b"Subject: half\r\n\r\nno dot")
    client.close()
    relay.wait_event("delivered", id=send(relay))
    assert len(relay.logged("accepted")) == 1
    assert len(upstream.taken(1)) == 1


def test_a_second_relay_on_the_same_queue_refuses_to_start(to_upstream, tmp_path):
    relay, _ = to_upstream()
    second = tmp_path / "second.yaml"
    second.touch(mode=0o600)
    second.write_text(relay.file.read_text().replace(f"127.0.0.1:{relay.port}", "127.0.0.1:0"))
    ended = command("run", "-c", second)
    assert ended.returncode == CANNOT_START
    assert str(relay.queue) in ended.stderr


def test_a_port_in_use_ends_the_start(relay, upstream):
    one = relay({"fake": upstream().config(username="alice", password="x")})
    one.stop()
    with socket.create_server(("127.0.0.1", one.port)):
        ended = command("run", "-c", one.file)
    assert ended.returncode == CANNOT_START
    assert str(one.port) in ended.stderr


@pytest.mark.parametrize("text", ["upstreams: [", "no_such_key: 1\n"])
def test_a_bad_configuration_ends_the_start(tmp_path, text):
    file = tmp_path / "relayd.yaml"
    file.write_text(text)
    ended = command("run", "-c", file)
    assert ended.returncode == BAD_CONFIG
    assert f"{file}:1:" in ended.stderr


def test_sighup_takes_the_new_configuration(relay, upstream):
    old, new = upstream(accounts={}), upstream(accounts={})
    one = relay({"fake": old.config()})
    one.wait_event("delivered", id=send(one))
    one.config["upstreams"] = {"fake": new.config()}
    one.write()
    one.signal(signal.SIGHUP)
    one.wait_event("reloaded")
    one.wait_event("delivered", id=send(one))
    assert (len(old.taken(1)), len(new.taken(1))) == (1, 1)


def test_sighup_with_a_bad_file_keeps_the_old_configuration(to_upstream):
    relay, upstream = to_upstream()
    relay.config["no_such_key"] = 1
    relay.write()
    relay.signal(signal.SIGHUP)
    assert "no_such_key" in relay.wait_event("reload_failed")["reason"]
    relay.wait_event("delivered", id=send(relay))
