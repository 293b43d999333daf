"""The operator's page of a real relayd, in a real browser. What a stand-in can show is in test/browser."""

import os
import subprocess
from pathlib import Path

from support.mail import message
from support.waiting import free_port

PROJECT = Path(__file__).resolve().parents[2]
PROGRAM = PROJECT / "test/browser/real_relay.js"
TOKEN = "window-canary-0123456789"


def test_an_operator_sees_and_changes_what_there_is(relay, tmp_path):
    upstreams = {"capture": {"sandbox": {"directory": str(tmp_path / "captured")}},
                 "away": {"host": "127.0.0.1", "port": free_port()}}
    rules = [{"match": "waits@a.example", "upstream": "away"}, {"match": "*", "upstream": "capture"}]
    one = relay(upstreams, rules, http={"address": f"127.0.0.1:{free_port()}", "token": TOKEN})
    address = one.wait_event("listening", protocol="http")["address"]
    subject = "<script>alert(1)</script> =?utf-8?q?=E2=80=AEtxt?="
    waiting = one.submit("waits@a.example", "to@b.example", message("waits@a.example", subject))
    gone = one.submit("other@a.example", "to@b.example", message("other@a.example", "gone"))
    one.wait_event("delivered", id=gone)
    one.wait_event("deferred", id=waiting)

    done = subprocess.run(["node", str(PROGRAM), f"http://{address}/", TOKEN, waiting, gone], text=True,
                          capture_output=True, env={**os.environ, "NODE_PATH": str(PROJECT / "build/peers/node_modules")})
    assert done.returncode == 0, done.stdout + done.stderr
