"""Commands that ask the daemon: how they find it while the configuration on disk is wrong, and what they say of words."""

import contextlib
import json
import os
import pty
import re
import socket
import subprocess
import threading

import pytest

from support import mail
from support.relayd import BINARY, command
from support.waiting import PATIENCE

OK, REFUSED, USAGE, UNAVAILABLE, CONFIG = 0, 1, 64, 69, 78
ASKING = (["status"], ["queue", "list"], ["lane", "list"], ["suppress", "list"], ["healthcheck"])


def yaml_of(relay) -> str:
    """The same configuration, as a person writes it: a section a line."""
    return "".join(f"{key}: {json.dumps(value)}\n" for key, value in relay.config.items())


def answers(*options, **more) -> list[int]:
    return [command(*words, *options, **more).returncode for words in ASKING]


@pytest.mark.parametrize("wrong", [lambda text: text.replace("hostname:", "hotsname:"),
                                   lambda text: text.replace("senders:", "senders: 5\nsender:"),
                                   lambda text: text + "\n\tstaging: [\n",
                                   lambda text: text.replace("hostname: ", "hostname: [{")],
                         ids=["unknown key", "wrong type", "tab", "bracket"])
def test_a_typo_in_the_file_hides_no_daemon(to_upstream, wrong):
    relay, _ = to_upstream()
    relay.file.write_text(wrong(yaml_of(relay)))
    assert command("check", "-c", relay.file).returncode == CONFIG
    assert answers("-c", relay.file) == [OK] * len(ASKING)
    refused = command("reload", "-c", relay.file)
    assert refused.returncode == CONFIG and f"{relay.file}:" in refused.stderr
    assert refused.stderr.endswith("relayd goes on with the configuration that it had\n")


def test_history_and_mailq_find_it_as_well(to_upstream):
    relay, _ = to_upstream()
    id = relay.submit("app@example.com", "one@rcpt.example", mail.text("app@example.com"))
    relay.wait_event("delivered", id=id)
    relay.file.write_text(yaml_of(relay) + "hots: {\n")
    assert id in command("history", "-c", relay.file).stdout
    assert command("mailq", "-C", relay.file).stdout == "Mail queue is empty\n"


def test_the_option_comes_before_the_variable_and_that_before_the_file(to_upstream, tmp_path):
    relay, _ = to_upstream()
    socket_path, nowhere = str(relay.queue / "admin.sock"), str(tmp_path / "nowhere.sock")
    missing = tmp_path / "missing.yaml"
    named = {**os.environ, "RELAYD_ADMIN": socket_path}
    misled = {**os.environ, "RELAYD_ADMIN": nowhere}
    assert answers("-c", missing, "--socket", socket_path) == [OK] * len(ASKING)
    assert answers("-c", missing, env=named) == [OK] * len(ASKING)
    assert answers("--socket", socket_path, env=misled) == [OK] * len(ASKING)
    refused = command("status", "-c", relay.file, env=misled)
    assert refused.returncode == UNAVAILABLE and nowhere in refused.stderr


def test_what_hides_the_daemon_is_told_and_nothing_is_guessed(to_upstream, tmp_path):
    relay, _ = to_upstream()
    relay.file.write_text(f"queue:\n\tdirectory: {relay.queue}\n")
    for words in (["status"], ["queue", "delete", "--all"], ["reload"], ["history"]):
        refused = command(*words, "-c", relay.file)
        assert refused.returncode == CONFIG and refused.stderr.startswith(f"{relay.file}:2:")
    assert "--socket" in command("status", "-c", relay.file).stderr
    refused = command("status", "-c", tmp_path / "missing.yaml")
    assert refused.returncode == CONFIG and "missing.yaml: No such file" in refused.stderr


def test_a_probe_asks_the_window_and_leaves_no_line(to_upstream):
    relay, _ = to_upstream()
    before = len(relay.events.all(lambda line: True))
    assert command("healthcheck", "-c", relay.file).returncode == OK
    assert len(relay.events.all(lambda line: True)) == before


def test_a_probe_that_finds_no_window_looks_for_the_greeting(to_upstream, tmp_path):
    relay, _ = to_upstream()
    assert command("healthcheck", "-c", relay.file, "--socket", tmp_path / "nowhere.sock").returncode == OK
    relay.stop()
    dead = command("healthcheck", "-c", relay.file)
    assert dead.returncode == REFUSED and f"127.0.0.1:{relay.port}: nobody answers" in dead.stderr


def test_a_daemon_that_takes_the_question_and_says_nothing_is_not_well(tmp_path):
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(tmp_path / "admin.sock"))
        silent.listen()
        dead = command("healthcheck", "--socket", tmp_path / "admin.sock")
    assert dead.returncode == REFUSED and "does not answer" in dead.stderr


@pytest.mark.parametrize("answer, code, hint", [
    ('{"health":"well"}', OK, ""),
    ('{"health":"starting"}', 2, "starting"),
    ('{"health":"not_ready","reasons":["the disk is full"]}', 3, 'not ready: "the disk is full"'),
    ('{"error":"unknown command"}', REFUSED, "does not say that it is well"),
    ("nonsense", REFUSED, "does not say that it is well"),
])
def test_a_probe_tells_by_its_exit_code_what_the_daemon_says(tmp_path, answer, code, hint):
    with socket.socket(socket.AF_UNIX) as window:
        window.bind(str(tmp_path / "admin.sock"))
        window.listen()
        talk = threading.Thread(target=tell, args=(window, answer))
        talk.start()
        ended = command("healthcheck", "--socket", tmp_path / "admin.sock")
        talk.join()
    assert ended.returncode == code and hint in ended.stderr


def tell(window, answer: str):
    connection, _ = window.accept()
    with connection:
        assert json.loads(connection.recv(4096))["command"] == "health"
        connection.sendall(answer.encode() + b"\n")


class Daemon:
    """An admin socket where one message after the other is said to be held, until `ended` is set."""

    def __init__(self, path):
        self.path, self.ended, self.listening = path, threading.Event(), socket.socket(socket.AF_UNIX)
        self.thread = threading.Thread(target=self._talk)

    def __enter__(self):
        self.listening.bind(str(self.path))
        self.listening.listen()
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.thread.join()
        self.listening.close()

    def _talk(self):
        connection, _ = self.listening.accept()
        with connection:
            connection.recv(4096)
            while not self.ended.is_set():
                connection.sendall(b'{"done":"hold","id":"1abc"}\n')
            connection.sendall(b'{"end":true,"count":1}\n')


@pytest.mark.parametrize("is_listed", [False, True], ids=["into a file", "on the terminal"])
def test_a_long_change_counts_where_it_shows_nothing_else(tmp_path, is_listed):
    ours, theirs = pty.openpty()
    with Daemon(tmp_path / "admin.sock") as daemon, open(tmp_path / "out", "wb") as file, open(ours, "rb", 0) as screen:
        asking = subprocess.Popen([BINARY, "queue", "hold", "--all", "--socket", daemon.path], stdin=subprocess.DEVNULL,
                                  stdout=theirs if is_listed else file, stderr=theirs)
        os.close(theirs)
        shown = b""
        wanted = re.compile(rb"(1abc: hold\r\n){10000}" if is_listed else rb"\r\d+ messages(\r\d+ messages)+$")
        while not wanted.search(shown):
            shown += screen.read(65536)
        daemon.ended.set()
        with contextlib.suppress(OSError):  # the other end is closed
            while piece := screen.read(65536):
                shown += piece
        assert asking.wait(PATIENCE) == OK
    assert (b"messages" in shown) != is_listed
    assert is_listed or shown.endswith(b"\r\x1b[K")


# --- words ---


@pytest.mark.parametrize("words, hint", [
    (["staus"], "there is no command 'staus' (did you mean 'status'?)"),
    (["queue", "lst"], "there is no command 'queue lst' (did you mean 'list'?)"),
    (["retry", "--all"], "there is no command 'retry' (did you mean `relayd queue retry`?)"),
    (["help", "dcotor"], "there is no command 'dcotor' (did you mean 'doctor'?)"),
    (["frobnicate"], "there is no command 'frobnicate'\n"),
    (["a\x1bb"], r"there is no command 'a\x1Bb'"),
])
def test_a_word_that_is_no_command_gets_a_hint(words, hint):
    refused = command(*words)
    assert refused.returncode == USAGE and refused.stdout == ""
    assert hint in refused.stderr and "--help` shows which there are" in refused.stderr


@pytest.mark.parametrize("words", [["queue", "retry"], ["status"], ["queue"], []])
def test_help_of_a_command_is_that_of_its_option(words):
    asked = command("help", *words)
    assert (asked.returncode, asked.stderr) == (OK, "")
    assert asked.stdout == command(*words, "--help").stdout != ""


@pytest.mark.parametrize("words", [[], ["queue"]])
def test_a_line_without_its_command_shows_which_there_are(words):
    refused = command(*words)
    assert refused.returncode == USAGE and refused.stdout == ""
    assert refused.stderr == command("help", *words).stdout
