"""relayd init: from nothing to a checked file, by options and on a terminal; and what an environment means as a file."""

import os
import pty
import re
import select
import stat
import subprocess
import time

import pytest

from support import canary
from support.relayd import BINARY, command

OK, BAD_USAGE, CANNOT_CREATE, BAD_CONFIG = 0, 64, 73, 78
PASSWORD = "init-canary"


@pytest.fixture
def place(tmp_path):
    return tmp_path / "etc" / "relayd.yaml"


def init(place, *words, stdin: str | None = None, environment: dict | None = None):
    return subprocess.run([BINARY, "init", "-o", str(place), "--queue", str(place.parent / "queue"), *words],
                          input=stdin, stdin=None if stdin is not None else subprocess.DEVNULL, text=True, timeout=30,
                          capture_output=True, env={**os.environ, **(environment or {})})


def explained(place, sender: str) -> str:
    told = command("explain", "-c", place, "--sender", sender)
    assert told.returncode == OK, told.stderr
    return told.stdout


def mode(path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_options_alone_are_enough(place):
    made = init(place, "--provider", "mailgun", "--username", "postmaster@mg.example.com", "--password-stdin",
                "--sender", "@example.com", "--sender", "app@example.org", "--listen", "127.0.0.1:2525", stdin=PASSWORD + "\n")
    assert made.returncode == OK, made.stdout + made.stderr
    canary.demand_none("what init wrote", made.stdout + made.stderr)
    secret = place.parent / "mailgun.password"
    assert secret.read_text() == PASSWORD and mode(secret) == 0o600
    canary.demand_none(place, place.read_text())
    assert f"{place}: ok, 1 upstream, 2 rules" in made.stdout
    assert f"relayd doctor -c {place}" in made.stdout
    assert "mailgun" in explained(place, "ann@example.com") and "postmaster@mg.example.com" in explained(place, "app@example.org")
    assert command("check", "-c", place).returncode == OK


def test_a_server_of_ones_own_and_a_secret_that_is_there(place, tmp_path):
    secret = tmp_path / "secret"
    secret.touch(mode=0o600)
    secret.write_text(PASSWORD)
    made = init(place, "--host", "smtp.example.net", "--port", "465", "--tls", "implicit", "--username", "re\"l$ay{x}",
                "--password-file", str(secret))
    assert made.returncode == OK, made.stdout + made.stderr
    told = explained(place, "anybody@example.com")
    assert "smtp.example.net" in told and "465" in told and "re\"l$ay{x}" in told
    assert sorted(path.name for path in place.parent.iterdir()) == ["relayd.yaml"]


def test_no_account_is_asked_for_by_an_empty_name(place):
    assert init(place, "--host", "smtp.example.net", "--username", "").returncode == OK
    assert "\n    username:" not in place.read_text()


def test_nothing_is_overwritten(place):
    words = ("--provider", "mailgun", "--username", "a@mg.example.com", "--password-stdin")
    place.parent.mkdir()
    place.write_text("mine")
    again = init(place, *words, stdin=PASSWORD)
    assert again.returncode == CANNOT_CREATE and "is there already" in again.stderr
    assert place.read_text() == "mine" and not (place.parent / "mailgun.password").exists()
    place.unlink()
    place.symlink_to(place.parent / "elsewhere")
    assert init(place, *words, stdin=PASSWORD).returncode == CANNOT_CREATE
    assert not (place.parent / "elsewhere").exists()
    place.unlink()
    (place.parent / "mailgun.password").write_text("mine")
    assert init(place, *words, stdin=PASSWORD).returncode == CANNOT_CREATE
    assert (place.parent / "mailgun.password").read_text() == "mine" and not place.exists()


@pytest.mark.parametrize("words, says", [
    ((), "name a provider (--provider) or a server (--host)"),
    (("--provider", "nobody", "--username", "x"), "unknown provider 'nobody': known are "),
    (("--provider", "mailgun", "--host", "x.example", "--username", "x"), "name a provider"),
    (("--provider", "mailgun"), "name the account (--username NAME)"),
    (("--provider", "mailgun", "--port", "25", "--username", "x@y.example"), "are for --host"),
    (("--provider", "sendgrid", "--username", "me", "--password-env", "HOME"), "apikey"),
    (("--provider", "mailgun", "--username", "", "--password-env", "HOME"), "a password needs a --username"),
    (("--provider", "mailgun", "--username", "a@b.example", "--password-env", "HOME", "--password-stdin"), "one of them is enough"),
    (("--provider", "ses", "--region", "no such", "--username", "x", "--password-env", "HOME"), "region"),
    (("--provider", "mailgun", "--username", "a@b.example", "--password-stdin"), "there is no password on standard input"),
])
def test_what_is_missing_or_wrong_is_said_and_nothing_is_written(place, words, says):
    made = init(place, *words)
    assert made.returncode == BAD_USAGE, made.stdout + made.stderr
    assert says in made.stderr
    assert not place.exists() and not list(place.parent.glob("*.password"))


class Terminal:
    """A person at a terminal, who reads a question before he answers."""

    def __init__(self, *words):
        self._ours, theirs = pty.openpty()
        self._process = subprocess.Popen([BINARY, "init", *words], stdin=theirs, stdout=theirs, stderr=theirs,
                                         start_new_session=True)
        os.close(theirs)
        self.shown = ""  # and not looked at yet
        self.screen = ""  # all of it

    def _read(self):
        piece = os.read(self._ours, 65536).decode()
        self.shown += piece
        self.screen += piece
        return piece

    def read_until(self, text: str):
        end = time.monotonic() + 30
        while text not in self.shown:
            ready, _, _ = select.select([self._ours], [], [], max(0, end - time.monotonic()))
            assert ready, f"'{text}' never came: {self.shown}"
            self._read()
        self.shown = self.shown.split(text, 1)[1]

    def answer(self, question: str, text: str):
        self.read_until(question)
        os.write(self._ours, text.encode() + b"\n")

    def ended(self) -> int:
        try:
            while self._read():
                pass
        except OSError:
            pass
        os.close(self._ours)
        return self._process.wait(30)


def test_on_a_terminal_it_asks_and_shows_no_password(place):
    person = Terminal("-o", str(place), "--queue", str(place.parent / "queue"))
    person.answer("Your provider of mail", "?")
    person.read_until("mailgun")
    person.answer("Your provider of mail", "mailgun")
    person.answer("Its region", "")
    person.answer("Username", "a@mg.example.com")
    person.answer("Password", PASSWORD)
    person.answer("Who sends", "@example.com, bot@example.org")
    person.answer("Where programs hand in mail", "")
    person.answer("relayd doctor", "no")
    assert person.ended() == OK, person.shown
    assert "a@mg.example.com" in person.screen and PASSWORD not in person.screen
    assert (place.parent / "mailgun.password").read_text() == PASSWORD
    assert command("check", "-c", place).returncode == OK
    assert "bot@example.org" in place.read_text()


def test_a_person_who_goes_away_leaves_nothing(place):
    person = Terminal("-o", str(place), "--provider", "mailgun")
    person.answer("Its region", "")
    person.answer("Username", "\x04")
    assert person.ended() == BAD_USAGE
    assert not place.exists()


ENVIRONMENT = {"RELAYD_PROVIDER": "sendgrid", "RELAYD_USERNAME": "apikey", "RELAYD_PASSWORD": "env-canary",
               "RELAYD_LISTEN": "127.0.0.1:2525,127.0.0.1:2526", "RELAYD_ALLOW": "127.0.0.0/8", "RELAYD_HOSTNAME": "app.example.com",
               "RELAYD_FROM": "no$reply@example.com", "RELAYD_ROOT_TO": "ops@example.com"}


def test_an_environment_is_printed_as_the_file_that_it_means(tmp_path, monkeypatch):
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    printed = command("init", "--from-env")
    assert printed.returncode == OK, printed.stderr
    file = tmp_path / "relayd.yaml"
    file.touch(mode=0o600)
    file.write_text(printed.stdout)
    assert 'env: "RELAYD_PASSWORD"' in printed.stdout
    by_environment = command("explain", "--sender", "x@example.com").stdout
    assert "sendgrid" in by_environment
    by_file = re.sub(rf"{file}:\d+", "environment", explained(file, "x@example.com"))
    assert by_file.replace("environment variable RELAYD_PASSWORD", "in the configuration") == by_environment
    written = command("init", "--from-env", "-o", tmp_path / "other.yaml")
    assert written.returncode == OK and (tmp_path / "other.yaml").read_text() == printed.stdout
    assert command("init", "--from-env", "-o", tmp_path / "other.yaml").returncode == CANNOT_CREATE


def test_an_environment_that_says_nothing_is_refused(monkeypatch):
    for name in [name for name in os.environ if name.startswith("RELAYD_")]:
        monkeypatch.delenv(name)
    told = command("init", "--from-env")
    assert told.returncode == BAD_CONFIG and "RELAYD_PROVIDER" in told.stderr and told.stdout == ""
