"""Logins as programs of others do them, and what somebody learns who guesses names."""

import base64
import os
import socket
import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest

from support.relayd import BINARY
from support.waiting import PATIENCE

NAME, PASSWORD = "webapp", "webapp-canary"


def hashed(password: str) -> str:
    return subprocess.run([BINARY, "hash-password"], input=password + "\n", capture_output=True, text=True,
                          timeout=PATIENCE, check=True).stdout.strip()


KINDS = {"clear": lambda: {"password": PASSWORD}, "hashed": lambda: {"scram_sha_256": hashed(PASSWORD)}}


@pytest.fixture
def listening(relay, upstream, certificate):
    """A relay that wants a login, with one account of that kind."""

    def start(kind: str, **listener):
        pair = {"certificate": str(certificate.certificate), "key": str(certificate.key)}
        return relay({"fake": upstream(accounts={}).config()}, listener={"auth": "required", **listener},
                     tls={"certificates": [pair]}, accounts=[{"name": NAME, **KINDS[kind]()}])

    return start


# --- gsasl: its own client, with GnuTLS's channel binding ---

BINDINGS = {"tls-exporter": "NORMAL:-VERS-ALL:+VERS-TLS1.3", "tls-unique": "NORMAL:-VERS-ALL:+VERS-TLS1.2"}


def log_in_with_gsasl(relay, authority, password: str, priority: str) -> subprocess.CompletedProcess:
    return subprocess.run(["gsasl", "--smtp", "--connect", f"127.0.0.1:{relay.port}", "--mechanism", "SCRAM-SHA-256-PLUS",
                           "--authentication-id", NAME, "--password", password, "--hostname", "127.0.0.1",
                           "--x509-ca-file", str(authority.file), "--priority", priority, "--verbose"],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("binding", BINDINGS)
def test_a_login_is_bound_to_its_channel(listening, authority, binding, kind):
    relay = listening(kind, tls="starttls")
    ended = log_in_with_gsasl(relay, authority, PASSWORD, BINDINGS[binding])
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "235 2.7.0" in ended.stdout
    words = [line.split()[-1] for line in ended.stdout.splitlines() if line.strip()]
    assert any(_decoded(word).startswith(f"p={binding},,n={NAME},") for word in words), ended.stdout


def test_a_wrong_password_is_refused_to_gsasl(listening, authority):
    relay = listening("hashed", tls="starttls")
    ended = log_in_with_gsasl(relay, authority, "guess-canary", "NORMAL")
    assert ended.returncode != 0
    assert "535 5.7.8" in ended.stdout


def _decoded(word: str) -> str:
    try:
        return base64.b64decode(word, validate=True).decode()
    except ValueError:
        return ""


# --- guessing ---


def encode(text: bytes | str) -> bytes:
    return base64.b64encode(text.encode() if isinstance(text, str) else text)


def course(relay, mechanism: str, name: str, client_address: str) -> tuple[list, dict]:
    """A login with a wrong password: what came back, without what is random; and the attributes of a challenge."""
    with socket.create_connection(("127.0.0.1", relay.port), PATIENCE, (client_address, 0)) as client:
        replies = client.makefile("rb")

        def say(line: bytes) -> str:
            client.sendall(line + b"\r\n")
            return replies.readline().decode().rstrip()

        replies.readline()
        client.sendall(b"EHLO client.test.example\r\n")
        while replies.readline()[3:4] == b"-":
            pass
        if mechanism == "PLAIN":
            return [say(b"AUTH PLAIN " + encode(f"\0{name}\0guess-canary"))], {}
        if mechanism == "LOGIN":
            return [say(b"AUTH LOGIN"), say(encode(name)), say(encode("guess-canary"))], {}
        challenge = say(b"AUTH SCRAM-SHA-256 " + encode(f"n,,n={name},r=fyko-d2lbbFgONRv9qkxdawL"))
        attributes = dict(part.split("=", 1) for part in base64.b64decode(challenge[4:]).decode().split(","))
        proof = f"c=biws,r={attributes['r']},p=".encode() + encode(os.urandom(32))
        shape = [challenge[:4], len(challenge), attributes["i"], len(attributes["s"]), len(attributes["r"])]
        return [*shape, say(encode(proof))], attributes


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN", "SCRAM-SHA-256"])
def test_a_name_that_nobody_has_is_answered_like_a_wrong_password(listening, mechanism, kind):
    relay = listening(kind)
    names = [NAME, "nobody", "nobody"]
    addresses = [f"127.0.0.{number}" for number in range(2, 5)]  # each waits for its own failures alone
    with ThreadPoolExecutor() as pool:
        courses = list(pool.map(course, [relay] * 3, [mechanism] * 3, names, addresses))
    (known, _), (unknown, attributes), (_, again) = courses
    assert known == unknown
    assert known[-1].startswith("535 5.7.8 ")
    assert attributes.get("s") == again.get("s")  # as an account's does, its salt stays


def test_a_refused_login_is_logged_with_the_account_that_was_asked_for(listening):
    relay = listening("clear")
    name = "web\x1b[2Japp"  # LOGIN takes it as it is
    with socket.create_connection(("127.0.0.1", relay.port), PATIENCE) as client:
        client.sendall(b"EHLO client.test.example\r\n")
        for line in (b"AUTH LOGIN", base64.b64encode(name.encode()), base64.b64encode(b"guess-canary")):
            client.sendall(line + b"\r\n")
        refused = relay.wait_event("rejected")
    assert (refused["code"], refused["client"]) == (535, "127.0.0.1")
    assert refused["account"] == name  # JSON has no control character as it is
