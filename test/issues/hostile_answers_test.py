"""Commands ended with C++ text, by a signal, or with "OK", where what answers them is no relayd, or none of their version; a
gateway's error over HTTP was taken for what was asked; and they waited for a stopped daemon without end."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from support.relayd import BINARY, command
from support.waiting import PATIENCE

COMMANDS = (["status"], ["status", "--json"], ["status", "--check"], ["lane", "list"], ["queue", "list"], ["queue", "show", "1abc"],
            ["queue", "hold", "--all"], ["lane", "pause", "ses"], ["suppress", "list"], ["reload"])
DEEP = "[" * 200_000 + "]" * 200_000
ANSWERS = {
    "text": "nonsense", "number": "5", "list": "[1]", "empty": "{}", "deep": '{"queue":' + DEEP + "}", "deep at once": DEEP,
    "queue of another type": '{"queue":5,"trouble":[],"lanes":[]}', "trouble of another type": '{"queue":{},"trouble":5}',
    "lanes of other types": '{"queue":{},"time":5,"trouble":[{"severity":5}],"lanes":[{"rates":[5],"upstream":5,"quota":[]}]}',
    "a short time": '{"queue":{},"time":"1","trouble":[{"severity":"critical","since":"1","for":"x"}],"lanes":[]}',
    "an error of another type": '{"error":5}', "a message of other types": '{"id":5,"recipients":7,"history":{"a":[]},"octets":-1}',
}


def serve(listening, answer: bytes):
    with contextlib.suppress(OSError):
        while True:
            connection, _ = listening.accept()
            with connection, contextlib.suppress(OSError):
                connection.recv(4096)
                connection.sendall(answer + b"\n")


@pytest.fixture
def daemon(tmp_path):
    """Answers each question at an admin socket with one line; gives its path."""
    listening = socket.socket(socket.AF_UNIX)
    threads = []

    def start(answer: str):
        listening.bind(str(tmp_path / "admin.sock"))
        listening.listen()
        threads.append(threading.Thread(target=serve, args=(listening, answer.encode())))
        threads[0].start()
        return tmp_path / "admin.sock"
    yield start
    with contextlib.suppress(OSError):
        listening.shutdown(socket.SHUT_RDWR)
    listening.close()
    for thread in threads:
        thread.join()


class Gateway(BaseHTTPRequestHandler):
    def do_GET(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        status, body = self.server.answer
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        with contextlib.suppress(OSError):
            self.wfile.write(body)

    do_POST = do_GET

    def log_message(self, *_):
        pass


@pytest.fixture
def gateway():
    """A web server with one answer for all; gives its URL."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Gateway)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()

    def answer(status: int, body: str) -> str:
        server.answer = (status, body.encode())
        return f"http://127.0.0.1:{server.server_port}"
    yield answer
    server.shutdown()
    thread.join()
    server.server_close()


def demand_a_plain_end(ended: subprocess.CompletedProcess, words: list[str]):
    assert 0 <= ended.returncode != 70, (words, ended)
    for part in ("json.exception", "basic_string", "terminate"):
        assert part not in ended.stderr + ended.stdout, (words, ended.stderr[:300])
    if words == ["status", "--check"]:
        assert (ended.returncode, ended.stdout.split(":")[0]) == (2, "CRITICAL"), ended


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS.keys())
def test_what_is_no_answer_of_relayd_is_told_so(daemon, gateway, answer):
    path, url = daemon(answer), gateway(200, answer)
    harmless = answer == ANSWERS["trouble of another type"]  # an empty list of them, for who does not look at them
    asked = [*((words, ("--socket", path)) for words in (*COMMANDS, ["healthcheck"])),
             *((words, ("--url", url)) for words in (["status", "--check"], ["queue", "hold", "--all"], ["history"]))]
    for words, where in asked:
        ended = command(*words, *where)
        if not harmless:
            demand_a_plain_end(ended, words)
        assert ended.returncode != 70, (words, ended)


def test_a_program_named_mailq_ends_plainly_too(daemon, tmp_path):
    os.symlink(BINARY, tmp_path / "mailq")
    path = daemon('{"id":5,"state":7,"recipients":7,"size":"x"}')
    ended = subprocess.run([tmp_path / "mailq"], env={**os.environ, "RELAYD_ADMIN": str(path)}, capture_output=True, text=True,
                           timeout=PATIENCE)
    demand_a_plain_end(ended, ["mailq"])
    assert ended.returncode != 0


@pytest.mark.parametrize("status, body", [(502, '{"message":"Bad Gateway"}'), (404, "{}"), (500, ""), (302, ""), (200, ""),
                                          (403, '{"error":5}')])
def test_the_error_of_a_gateway_is_no_answer(gateway, status, body):
    url = gateway(status, body)
    for words in (*COMMANDS, ["queue", "delete", "--all"], ["suppress", "remove", "a@b.example"], ["history"]):
        ended = command(*words, "--url", url)
        assert ended.returncode == (2 if words == ["status", "--check"] else 69), (words, ended)
        demand_a_plain_end(ended, words)


def test_a_stopped_daemon_is_critical_and_not_waited_for(to_upstream):
    relay, _ = to_upstream()
    os.kill(relay.pid, signal.SIGSTOP)
    try:
        ended = command("status", "--check", "-c", relay.file)
    finally:
        os.kill(relay.pid, signal.SIGCONT)
    assert (ended.returncode, ended.stdout.split(":")[0]) == (2, "CRITICAL"), ended
    assert "within 8 s" in ended.stdout


def test_nothing_of_a_rate_speaks_to_the_terminal(daemon):
    lane = {"upstream": "a", "account": "", "state": "open", "rates": ["\x1b]0;x\x07 \u202e"], "connections": {"busy": 0, "idle": 0}}
    path = daemon(json.dumps({"queue": {}, "time": "2026-11-20T09:30:00Z", "trouble": [], "lanes": [lane]}))
    shown = command("lane", "list", "--socket", path).stdout
    assert "at most" in shown and not {"\x1b", "\x07", "\u202e"} & set(shown)
