"""Commands that ask a daemon over HTTP, with --url, tell what they tell beside it."""

import json
import os
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from support.mail import message
from support.relayd import command
from support.waiting import free_port

TOKEN = "window-canary-0123456789"
OK, REFUSED, USAGE, UNAVAILABLE = 0, 1, 64, 69


@pytest.fixture
def opened(relay, tmp_path):
    """A relay with a window: mail of waits@ waits, all else is captured. Gives it, and how to ask it from afar."""
    def start(host: str = "127.0.0.1", token: str = TOKEN):
        upstreams = {"capture": {"sandbox": {"directory": str(tmp_path / "captured")}},
                     "away": {"host": "127.0.0.1", "port": free_port()}}
        rules = [{"match": "waits@a.example", "upstream": "away"}, {"match": "*", "upstream": "capture"}]
        one = relay(upstreams, rules, http={"address": f"{host}:{free_port()}", "token": TOKEN})
        port = one.wait_event("listening", protocol="http")["address"].rsplit(":", 1)[1]

        def ask(*words, url: str = f"http://127.0.0.1:{port}", said: str = token):
            return command(*words, "--url", url, env={**os.environ, "RELAYD_HTTP_TOKEN": said})
        return one, ask
    return start


def beside(one, *words):
    return command(*words, "-c", one.file)


def submit(one, name: str) -> str:
    return one.submit(f"{name}@a.example", "to@b.example", message(f"{name}@a.example", "A subject"))


def rows(text: str) -> list[dict]:
    return [json.loads(line) for line in text.splitlines()]


def test_what_waits_is_told_and_changed(opened):
    one, ask = opened()
    waiting = submit(one, "waits")
    one.wait_event("deferred", id=waiting)
    assert ask("queue", "hold", waiting).stdout == f"{waiting}: hold\n"
    for words in (["queue", "list"], ["queue", "list", "--json"], ["queue", "list", "--state", "waiting"],
                  ["queue", "show", waiting], ["queue", "show", "--json", waiting], ["queue", "show", waiting, "nobody"],
                  ["suppress", "list"], ["queue", "release", "nobody"]):
        there, here = ask(*words), beside(one, *words)
        assert (there.returncode, there.stdout, there.stderr) == (here.returncode, here.stdout, here.stderr), words
    assert waiting in ask("queue", "list").stdout
    assert "Subject: A subject" in ask("queue", "show", "--body", waiting).stdout
    assert ask("queue", "show", "--body", waiting).stdout == beside(one, "queue", "show", "--body", waiting).stdout
    assert ask("lane", "list").stdout.startswith("away: ")
    assert ask("lane", "pause", "away").stdout == "away: paused\n"
    assert ask("lane", "list").stdout.startswith("away: paused by the operator")
    assert ask("queue", "delete", "--sender", "waits@a.example").stdout == f"{waiting}: delete\n"
    one.wait_event("deleted", id=waiting)
    assert ask("queue", "list").stdout.endswith("The queue is empty\n")


def test_the_status_is_told(opened):
    one, ask = opened()
    one.wait_event("delivered", id=submit(one, "other"))
    status = json.loads(ask("status", "--json").stdout)
    assert status["lanes"][0]["upstream"] == "capture"
    assert "capture" in ask("status").stdout
    check = ask("status", "--check")
    assert (check.returncode, check.stdout) == (beside(one, "status", "--check").returncode, beside(one, "status", "--check").stdout)
    assert ask("status", "--upstream", "nobody").returncode == USAGE
    refused = ask("status", "--metrics")
    assert refused.returncode == USAGE and "/metrics" in refused.stderr


def test_the_history_is_told(opened):
    one, ask = opened()
    first, second = submit(one, "first"), submit(one, "second")
    for id in (first, second):
        one.wait_event("delivered", id=id)
    for words in (["history"], ["history", "--json"], ["history", "first@a.example", "--since", "1h"], ["history", "--limit", "1"],
                  ["history", "--failed"], ["history", "nobody@a.example"]):
        there, here = ask(*words), beside(one, *words)
        assert (there.returncode, there.stdout) == (here.returncode, here.stdout), words
    assert [row["id"] for row in rows(ask("history", "--json", first).stdout)] == [first]
    assert "There are more: these are the last 1" in ask("history", "--limit", "1").stderr
    refused = ask("history", "--since", "yesterday")
    assert refused.returncode == USAGE and "since" in refused.stderr


def test_a_reload_is_told(opened):
    one, ask = opened()
    assert ask("reload").returncode == OK
    one.file.write_text("listen: [\n")
    refused = ask("reload")
    assert refused.returncode == 78 and "goes on with the configuration that it had" in refused.stderr


@pytest.mark.parametrize("said", ["", "wrong"])
def test_who_has_no_token_is_told_where_it_comes_from(opened, said):
    one, ask = opened("0.0.0.0")
    for words in (["status"], ["queue", "list"], ["history"], ["queue", "hold", "--all"], ["status", "--watch"][:1]):
        refused = ask(*words, said=said)
        assert refused.returncode == UNAVAILABLE, words
        assert "RELAYD_HTTP_TOKEN_FILE" in refused.stderr and TOKEN not in refused.stderr


def test_the_token_may_be_in_a_file(opened, tmp_path):
    one, ask = opened("0.0.0.0")
    (tmp_path / "token").write_text(TOKEN + "\n")
    address = one.logged("listening", protocol="http")[0]["address"].replace("0.0.0.0", "127.0.0.1")
    named = {**os.environ, "RELAYD_HTTP_TOKEN_FILE": str(tmp_path / "token")}
    assert command("status", "--url", f"http://{address}", env=named).returncode == OK
    missing = command("status", "--url", f"http://{address}", env={**named, "RELAYD_HTTP_TOKEN_FILE": str(tmp_path / "none")})
    assert missing.returncode == UNAVAILABLE and "the token cannot be read" in missing.stderr


@pytest.mark.parametrize("url, why", [
    ("relay.example:9125", "http"), ("ftp://relay.example", "https:// or http://"), ("http://127.0.0.1:1/?x=y", "leave out the '?'"),
    ("http://relay.example:9125", "in the clear"), ("http://127.0.0.1:1", "does not answer on http://127.0.0.1:1/"),
], ids=["no scheme", "scheme", "query", "token in the clear", "nobody"])
def test_an_address_that_is_none_is_told(opened, url, why):
    _, ask = opened()
    for words in (["status"], ["queue", "list"], ["history"], ["lane", "list"], ["reload"], ["suppress", "list"]):
        refused = ask(*words, url=url)
        assert refused.returncode in (USAGE, UNAVAILABLE), words
        assert why in refused.stderr and TOKEN not in refused.stderr, words
    checked = ask("status", "--check", url=url)
    assert checked.returncode in (2, USAGE) and why in checked.stdout + checked.stderr  # critical


class Stranger(BaseHTTPRequestHandler):
    """A web server that is no relayd."""

    answers = {"/page": (200, "text/html", b"<h1>Welcome</h1>"), "/cut": (200, "application/x-ndjson", b'{"id":"a"}\n'),
               "/rest": (200, "application/json", b"no json")}

    def do_GET(self):
        status, kind, body = next((answer for path, answer in self.answers.items() if self.path.startswith(path)), (404, "text/html", b""))
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body) + (100 if "cut" in self.path else 0)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def stranger():
    server = HTTPServer(("127.0.0.1", 0), Stranger)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize("path", ["/page", "/cut", "/rest", "/nothing"])
def test_a_stranger_is_no_relayd(stranger, path):
    for words in (["status"], ["queue", "list"], ["history"], ["queue", "show", "--body", "1abc"]):
        refused = command(*words, "--url", stranger + path)
        assert refused.returncode == UNAVAILABLE and refused.stderr, words
        assert "terminate" not in refused.stderr
