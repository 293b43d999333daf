"""The operator's window over HTTP: who gets what, what is refused, and that nobody can hold it up."""

import json
import smtplib
import socket
import time
from http.client import HTTPConnection

import pytest

from support.mail import message
from support.relayd import command
from support.waiting import PATIENCE, free_port

TOKEN = "window-canary-0123456789"
PERMITTED = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
OF_ALL = {"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Cache-Control": "no-store",
          "Cross-Origin-Resource-Policy": "same-origin", "X-Frame-Options": "DENY"}


class Window:
    """One connection to it."""

    def __init__(self, address: str):
        self.host, port = address.rsplit(":", 1)
        self.port = int(port)
        self.connection = HTTPConnection(self.host, self.port, timeout=PATIENCE)

    def ask(self, method: str, path: str, body=None, headers: dict | None = None):
        """Status, headers and text."""
        text = json.dumps(body) if body is not None else None
        self.connection.request(method, path, text, headers or {})
        answer = self.connection.getresponse()
        content = answer.read().decode()
        for name, value in OF_ALL.items():
            assert answer.getheader(name) == value, (path, name)
        assert answer.getheader("Access-Control-Allow-Origin") is None
        return answer.status, answer.headers, content

    def get(self, path: str):
        status, _, content = self.ask("GET", path)
        assert status == 200, (path, content)
        return content

    def lines(self, path: str) -> list[dict]:
        return [json.loads(line) for line in self.get(path).splitlines()]

    def change(self, path: str, body: dict) -> list[dict]:
        status, _, content = self.ask("POST", path, body, PERMITTED)
        assert status == 200, content
        return [json.loads(line) for line in content.splitlines()]

    def raw(self, octets: bytes) -> bytes:
        """What comes until the connection is closed, or nothing comes."""
        with socket.create_connection((self.host, self.port), PATIENCE) as one:
            one.sendall(octets)
            one.shutdown(socket.SHUT_WR)
            return b"".join(iter(lambda: one.recv(65536), b""))


@pytest.fixture
def opened(relay, upstream, tmp_path):
    """A relay with a window: mail of waits@ waits, all else is captured."""
    def start(queue: dict | None = None, **http):
        closed = f"127.0.0.1:{free_port()}".rsplit(":", 1)
        upstreams = {"capture": {"sandbox": {"directory": str(tmp_path / "captured")}},
                     "away": {"host": closed[0], "port": int(closed[1])}}
        rules = [{"match": "waits@a.example", "upstream": "away"}, {"match": "*", "upstream": "capture"}]
        one = relay(upstreams, rules, http={"address": f"127.0.0.1:{free_port()}", "token": TOKEN, **http},
                    queue=queue)
        return one, Window(one.wait_event("listening", protocol="http")["address"])
    return start


def test_health_says_whether_mail_is_taken(opened):
    _, window = opened()
    for path, expected in {"/livez": {"live": True}, "/readyz": {"ready": True, "reasons": []}}.items():
        status, headers, content = window.ask("GET", path, headers={"Host": "pod.example"})
        assert (status, json.loads(content)) == (200, expected)
        assert headers["Content-Type"] == "application/json"
        assert window.ask("HEAD", path)[::2] == (200, "")


def test_it_is_not_ready_without_room_on_the_disk(opened):
    _, window = opened(queue={"reserve": "1048576GiB"})
    status, _, content = window.ask("GET", "/readyz")
    assert status == 503
    assert "fewer than 'queue.reserve'" in json.loads(content)["reasons"][0]


def test_the_api_tells_what_the_commands_tell(opened):
    relay, window = opened()
    waits = relay.submit("waits@a.example", "to@b.example", message("waits@a.example", "waits"))
    gone = relay.submit("other@a.example", "to@b.example", message("other@a.example", "gone"))
    relay.wait_event("delivered", id=gone)
    relay.wait_event("deferred", id=waits)

    status = json.loads(window.get("/status.json"))
    assert status["queue"]["waiting"] == 1
    assert json.loads(window.get("/api/status"))["version"] == status["version"]
    lanes = json.loads(window.get("/api/lanes?trouble=true"))
    assert [lane["upstream"] for lane in lanes["lanes"]] == ["away"] and lanes["total"] == 1

    by_command = command("queue", "list", "--json", "-c", relay.file).stdout.splitlines()
    listed = window.lines("/api/queue?sender=%40a.example")
    assert [line["id"] for line in listed[:-1]] == [waits] == [json.loads(line)["id"] for line in by_command[:1]]
    assert listed[-1] == {"end": True, "count": 1}
    shown = json.loads(window.get(f"/api/queue/{waits}"))
    assert shown["recipients"] == [{"to": "to@b.example", "state": "pending"}]
    assert "Subject: waits" in shown["header"]

    status, headers, content = window.ask("GET", f"/api/queue/{waits}/message")
    assert headers["Content-Disposition"] == f'attachment; filename="{waits}.eml"'
    assert headers["Content-Type"] == "application/octet-stream"
    assert content.count("Subject: waits") == 1 and content.startswith("Received:")
    assert window.ask("GET", "/api/queue/1zzzzzzzzzz/message")[0] == 404
    assert window.ask("GET", "/api/queue/1zzzzzzzzzz")[0] == 404

    explained = json.loads(window.get("/api/explain?sender=waits@a.example&recipient=to@b.example"))["text"]
    assert explained == command("explain", "--sender", "waits@a.example", "--recipient", "to@b.example",
                                "-c", relay.file).stdout
    assert window.ask("GET", "/api/explain?listener=none")[0] == 400

    told = command("history", "--json", "-c", relay.file, gone).stdout
    assert window.lines(f"/api/history?query={gone}")[0] == json.loads(told)
    assert window.ask("GET", "/api/history?since=never")[0] == 400
    assert len(json.loads(window.get("/api/series"))["hour"]["accepted"]) <= 240
    assert window.lines("/api/history?query=nobody@x.example") == [{"end": True, "count": 0, "more": False}]


def test_a_long_list_comes_in_parts(opened):
    relay, window = opened()
    ids = sorted(relay.submit("waits@a.example", "to@b.example", message("waits@a.example", str(i))) for i in range(5))
    seen = []
    while True:
        lines = window.lines(f"/api/queue?limit=2&after={seen[-1] if seen else ''}")
        seen += [line["id"] for line in lines[:-1]]
        if not lines[-1].get("more"):
            break
    assert sorted(seen) == ids and len(set(seen)) == 5


def test_changes_are_made_with_the_token_alone(opened):
    relay, window = opened()
    one = relay.submit("waits@a.example", "to@b.example", message("waits@a.example", "one"))
    for headers in ({}, {"Authorization": "Bearer wrong-canary-0123456"}, {"Authorization": f"Basic {TOKEN}"}):
        status, answered, _ = window.ask("POST", "/api/queue/delete", {"ids": [one]},
                                         {"Content-Type": "application/json", **headers})
        assert (status, answered["WWW-Authenticate"]) == (401, "Bearer")
    assert window.ask("POST", f"/api/queue/delete?token={TOKEN}", {"ids": [one]})[0] == 401
    assert window.ask("GET", "/api/queue/delete", headers=PERMITTED)[0] == 405
    foreign = {**PERMITTED, "Origin": "http://evil.example"}
    assert window.ask("POST", "/api/queue/delete", {"ids": [one]}, foreign)[0] == 403

    assert window.change("/api/queue/hold", {"ids": [one]})[0] == {"id": one, "done": "hold"}
    assert window.lines("/api/queue?state=held")[0]["id"] == one
    assert window.change("/api/queue/release", {"ids": [one]})[0]["done"] == "release"
    assert window.change("/api/lanes/pause", {"upstream": "away"})[0]["done"] == "pause"
    assert json.loads(window.get("/api/status"))["lanes"][0]["state"] == "stopped"
    assert "suppress" in window.change("/api/suppress/add", {"recipient": "x@b.example"})[0]["error"]
    assert window.lines("/api/suppress") == [{"end": True, "count": 0}]
    assert window.change("/api/reload", {})[0]["taken"]
    assert window.change("/api/queue/delete", {"ids": [one]})[0]["done"] == "delete"
    assert window.lines("/api/queue") == [{"end": True, "count": 0}]


def test_without_a_token_nothing_can_be_changed(relay, tmp_path):
    one = relay({"capture": {"sandbox": {"directory": str(tmp_path / "captured")}}},
                http={"address": f"127.0.0.1:{free_port()}"})
    window = Window(one.wait_event("listening", protocol="http")["address"])
    assert window.ask("POST", "/api/queue/delete", {"all": True}, PERMITTED)[0] == 403


def test_a_reload_changes_token_and_hosts(opened):
    relay, window = opened()
    assert window.ask("GET", "/", headers={"Host": "relay.internal"})[0] == 421
    relay.config["http"].update(token="other-canary-0123456789", hosts=["Relay.Internal"])
    relay.write()
    relay.reload()
    assert window.ask("GET", "/", headers={"Host": "relay.internal:80"})[0] == 200
    assert window.ask("POST", "/api/reload", {}, PERMITTED)[0] == 401


def test_the_page_is_one_document_that_allows_nothing_else(opened):
    _, window = opened()
    status, headers, content = window.ask("GET", "/")
    assert status == 200 and headers["Content-Type"] == "text/html; charset=utf-8"
    policy = headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; script-src 'sha256-") and "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert len(content.encode()) <= 120 * 1024
    assert "://" not in content.replace("http://www.w3.org/2000/svg", "")


def test_whoever_follows_hears_of_changes_alone(opened):
    relay, window = opened()
    window.connection.request("GET", "/api/events")
    answer = window.connection.getresponse()
    assert answer.getheader("Content-Type") == "text/event-stream"

    def event():
        lines = iter(lambda: answer.readline().decode().rstrip("\n"), "")
        told = dict(line.split(": ", 1) for line in lines)
        return told if "event" in told else event()

    first = event()
    assert first["event"] == "whole" and json.loads(first["data"])["status"]["queue"]["waiting"] == 0
    relay.submit("waits@a.example", "to@b.example", message("waits@a.example", "one"))
    told = {}
    while told.get("status", {}).get("queue", {}).get("waiting") != 1:
        change = event()
        assert change["event"] == "change"
        told = json.loads(change["data"])
    assert "version" not in told["status"]


def test_followers_that_are_gone_make_way(opened):
    _, window = opened()
    for method in ["HEAD"] * 20 + ["GET"] * 40:
        one = Window(f"{window.host}:{window.port}").connection
        one.request(method, "/api/events")
        assert one.getresponse().status == 200
        one.close()


def test_what_was_bound_says_who_may_read(opened):
    """A reload that names another address changes nothing of the old one, however often it comes."""
    relay, window = opened()
    with socket.create_server(("127.0.0.1", 0)) as inherited:
        relay.stop()
        number = inherited.fileno()
        relay.config["http"]["address"] = "fd:3"
        relay.write()
        relay.wrapper = ["/usr/bin/python3", "-c", "import os, sys; os.dup2(int(sys.argv[1]), 3); "
                         "os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS='1'); "
                         "os.execv(sys.argv[2], sys.argv[2:])", str(number)]
        relay.pass_descriptors = (number,)
        relay.start()
        port = inherited.getsockname()[1]
        local = Window(f"127.0.0.1:{port}")
        for _ in range(3):
            assert local.ask("GET", "/api/queue")[0] == 401
            relay.config["http"]["address"] = f"127.0.0.1:{port}"
            relay.write()
            relay.reload()
        del relay.config["http"]
        relay.write()
        relay.reload()
        relay.reload()
        assert local.ask("GET", "/api/queue")[0] == 401


def test_a_unix_socket_judges_no_host(relay, tmp_path):
    path = tmp_path / "http.sock"
    relay({"capture": {"sandbox": {"directory": str(tmp_path / "captured")}}}, http={"address": f"unix:{path}"})
    assert path.stat().st_mode & 0o7 == 0
    with socket.socket(socket.AF_UNIX) as one:
        one.settimeout(PATIENCE)
        one.connect(str(path))
        one.sendall(b"GET /status.json HTTP/1.1\r\nHost: anything.example\r\nConnection: close\r\n\r\n")
        assert b"".join(iter(lambda: one.recv(65536), b"")).startswith(b"HTTP/1.1 200")


HOST = b"Host: localhost\r\n"
REFUSED = {
    b"GET / HTTP/1.1\r\n\r\n": 400,
    b"GET / HTTP/1.1\r\n" + HOST + HOST + b"\r\n": 400,
    b"GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n": 421,
    b"GET http://evil.example/ HTTP/1.1\r\n" + HOST + b"\r\n": 421,
    b"POST /api/reload HTTP/1.1\r\n" + HOST + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}": 400,
    b"POST /api/reload HTTP/1.1\r\n" + HOST + b"\r\n": 411,
    b"POST /api/reload HTTP/1.1\r\n" + HOST + b"Content-Length: 99999999\r\n\r\n": 413,
    b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\n": 414,
    b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 101 + b"\r\n": 431,
    b"BREW / HTTP/1.1\r\n" + HOST + b"\r\n": 501,
    b"PRI * HTTP/2.0\r\n\r\n": 505,
    b"EHLO x\r\n": 400,
    b"\x16\x03\x01\x02\x00\x01\x00": 400,
    b"GET /%2e%2e/etc/passwd HTTP/1.1\r\n" + HOST + b"\r\n": 404,
    b"OPTIONS /api/reload HTTP/1.1\r\n" + HOST + b"\r\n": 405,
}


@pytest.mark.parametrize("octets", REFUSED, ids=range(len(REFUSED)))
def test_what_is_no_request_is_refused(opened, octets):
    _, window = opened()
    behind = b"GET /livez HTTP/1.1\r\n" + HOST + b"\r\n"
    answered = window.raw(octets + (behind if REFUSED[octets] in (400, 411, 413, 414, 431, 505) else b""))
    assert int(answered[9:12]) == REFUSED[octets]
    assert answered.count(b"\r\nDate: ") == 1


def test_many_silent_clients_keep_nobody_out(opened):
    relay, window = opened()
    silent = [socket.create_connection((window.host, window.port), PATIENCE) for _ in range(400)]
    try:
        began = time.monotonic()
        assert Window(f"{window.host}:{window.port}").get("/livez")
        with smtplib.SMTP("127.0.0.1", relay.port, timeout=PATIENCE) as client:
            assert client.noop()[0] == 250
        assert time.monotonic() - began < PATIENCE / 2
    finally:
        for one in silent:
            one.close()


def test_requests_that_come_together_are_all_answered(opened):
    _, window = opened()
    octets = (b"GET /livez HTTP/1.1\r\n" + HOST + b"\r\n") * 3000
    with socket.create_connection((window.host, window.port), PATIENCE) as one:
        one.sendall(octets)
        received = b""
        while received.count(b'{"live":true}') < 3000:
            more = one.recv(65536)
            assert more, f"it was closed after {received.count(b'{')} answers"
            received += more


@pytest.mark.parametrize("address", ["0.0.0.0:9125", "[::]:9125", "192.0.2.1:9125"])
def test_beyond_this_machine_it_wants_a_token(tmp_path, address):
    file = tmp_path / "relayd.yaml"
    file.write_text(json.dumps({"http": {"address": address}, "upstreams": {"a": {"host": "a.example"}},
                                "senders": [{"match": "*", "upstream": "a"}]}))
    ended = command("check", "-c", file)
    assert ended.returncode == 78
    assert f"other machines can reach {address}: set 'token'" in ended.stderr


@pytest.mark.parametrize("token", ["short-canary-01", "with a blank in it and more"])
def test_a_token_that_is_none_is_refused(tmp_path, token):
    file = tmp_path / "relayd.yaml"
    file.touch(mode=0o600)
    file.write_text(json.dumps({"http": {"address": "127.0.0.1:9125", "token": token},
                                "upstreams": {"a": {"host": "a.example"}},
                                "senders": [{"match": "*", "upstream": "a"}]}))
    ended = command("check", "-c", file)
    assert ended.returncode == 78 and "the token of 'http'" in ended.stderr
