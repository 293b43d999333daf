"""What clients had said to log in, which has their password, stayed in relayd's memory after their sessions."""

import base64
import os
import re
import smtplib
import ssl
import subprocess
from pathlib import Path

import pytest

from support.relayd import BINARY
from support.waiting import PATIENCE

NAME, PASSWORD, GUESS = "webapp", "long-enough-for-the-heap-canary", "a-guess-that-is-as-long-canary"


def hashed(password: str) -> str:
    return subprocess.run([BINARY, "hash-password"], input=password + "\n", capture_output=True, text=True,
                          timeout=PATIENCE, check=True).stdout.strip()


def memory(pid: int) -> bytes:
    """All that the process may write."""
    found = []
    with open(f"/proc/{pid}/mem", "rb", 0) as octets:
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            begin, end, rights = re.match(r"(\w+)-(\w+) (\S+)", line).groups()
            size = int(end, 16) - int(begin, 16)
            if rights.startswith("rw") and size < 1 << 30:  # what is larger is a sanitizer's map of the rest
                try:
                    octets.seek(int(begin, 16))
                    found.append(octets.read(size))
                except (OSError, ValueError):
                    pass  # what is reserved and not there
    return b"".join(found)


def forms(password: str) -> list[bytes]:
    """What the client said, and how it ends: an allocator overwrites the beginning of what is freed.

    Not the decoded password: where an account keeps a hash, libgsasl prepares the password for it in a copy of its own, which
    it frees as it is.
    """
    said = [password.encode(), f"\0{NAME}\0{password}".encode()]
    return [base64.b64encode(one)[begin:] for one in said for begin in (0, -16)]


@pytest.fixture
def listening(relay, upstream, certificate):
    pair = {"certificate": str(certificate.certificate), "key": str(certificate.key)}
    return relay({"fake": upstream(accounts={}).config()}, listener={"auth": "required", "tls": "starttls"},
                 tls={"certificates": [pair]}, accounts=[{"name": NAME, "scram_sha_256": hashed(PASSWORD)}])


@pytest.fixture(autouse=True)
def only_what_lives_under_a_sanitizer(monkeypatch):
    """AddressSanitizer keeps what is freed as it is and out of use, so freed copies would never go: it overwrites them."""
    given = os.environ.get("ASAN_OPTIONS", "")
    monkeypatch.setenv("ASAN_OPTIONS", f"{given}:max_free_fill_size=1048576:free_fill_byte=0".lstrip(":"))


def greet(relay):
    with smtplib.SMTP("127.0.0.1", relay.port, "client.test.example", PATIENCE) as client:
        client.noop()


@pytest.mark.parametrize("encrypted", [False, True])
@pytest.mark.parametrize("mechanism", ["PLAIN", "PLAIN in two steps", "LOGIN"])
@pytest.mark.parametrize("password, code", [(PASSWORD, 235), (GUESS, 535)], ids=["right", "wrong"])
def test_a_password_is_gone_with_its_session(listening, authority, mechanism, encrypted, password, code):
    def words(challenge=None):
        return [NAME, password][len(asked) - 1] if asked.append(challenge) is None else ""

    asked: list = []
    with smtplib.SMTP("127.0.0.1", listening.port, "client.test.example", PATIENCE) as client:
        if encrypted:
            client.starttls(context=ssl.create_default_context(cafile=authority.file))
        client.ehlo()
        if mechanism == "LOGIN":
            say = (lambda challenge: words(challenge), False)
        else:
            say = (lambda challenge=None: f"\0{NAME}\0{password}", mechanism == "PLAIN")
        try:
            assert client.auth(mechanism.split()[0], say[0], initial_response_ok=say[1])[0] == code
        except smtplib.SMTPAuthenticationError as refused:
            assert refused.smtp_code == code
    greet(listening)  # by then the session is gone
    held = memory(listening.pid)
    assert NAME.encode() in held  # what is looked at is its memory
    for form in forms(password):
        at = held.find(form)
        assert at < 0, f"{held.count(form)} times {form!r}, as {held[max(0, at - 60):at + 60]!r}"


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
def test_a_guess_is_gone_decoded_too(relay, upstream, mechanism):
    """The account keeps its password, so that nothing is derived from the guess."""
    one = relay({"fake": upstream(accounts={}).config()}, listener={"auth": "required"},
                accounts=[{"name": NAME, "password": PASSWORD}])
    with smtplib.SMTP("127.0.0.1", one.port, "client.test.example", PATIENCE) as client:
        client.ehlo()
        client.user, client.password = NAME, GUESS
        with pytest.raises(smtplib.SMTPAuthenticationError):
            client.auth(mechanism, client.auth_plain if mechanism == "PLAIN" else client.auth_login)
    greet(one)
    held = memory(one.pid)
    assert PASSWORD.encode() in held  # what is looked at is its memory
    assert GUESS.encode()[-16:] not in held and base64.b64encode(GUESS.encode())[-16:] not in held
