"""Hostile HTML in the operator's page: a real relayd has kept it, a real browser shows it, and nothing gets out."""

import os
import socket
import subprocess
import threading
from pathlib import Path

import pytest

from support.waiting import PATIENCE, free_port

PROJECT = Path(__file__).resolve().parents[2]
PROGRAM = PROJECT / "test/browser/real_captured.js"
HOSTILE = (PROJECT / "test/browser/hostile.html").read_text()
OVER_ALL = 'style="position: fixed; inset: 0; width: 100%; height: 100%"'
CLICKED = {
    "link": f'<a href="OUT/a" {OVER_ALL}>x</a>',
    "link in iso-2022-jp": f'<a h\x1b(Bref="OUT/a" {OVER_ALL}>x</a>',
    "link to the top": f'<a href="OUT/a" target="_top" ping="OUT/ping" {OVER_ALL}>x</a>',
    "link to a window": f'<a href="OUT/a" target="_blank" {OVER_ALL}>x</a>',
    "link of svg": f'<svg {OVER_ALL}><a xlink:href="OUT/a"><rect width="2000" height="2000"/></a></svg>',
    "link that becomes one": f'<svg {OVER_ALL}><a><set attributeName="href" to="OUT/a"/><rect width="2000" height="2000"/></a></svg>',
    "script": f'<a href="javascript:top.ran=1" {OVER_ALL}>x</a>',
    "form": f'<form action="OUT/form" target="_top"><button {OVER_ALL}>x</button></form>',
}


@pytest.fixture
def outside():
    """An address, and all who connected to it."""
    came = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        def take():
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    came.append("a connection")
        thread = threading.Thread(target=take)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", came
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(PATIENCE)


@pytest.fixture
def shows(relay, tmp_path, outside):
    def show(html: str, charset: str, clicks: bool):
        address, came = outside
        one = relay({"kept": {"sandbox": {"directory": str(tmp_path / "kept")}}}, http={"address": f"127.0.0.1:{free_port()}"})
        window = one.wait_event("listening", protocol="http")["address"]
        head = f"Subject: hostile\r\nContent-Type: text/html; charset={charset}\r\n\r\n"
        body = html.replace("OUT", address).replace("\n", "\r\n")
        ref = "kept/" + one.submit("a@a.example", "to@b.example", (head + body + "\r\n").encode())
        one.wait_event("delivered")
        done = subprocess.run(["node", str(PROGRAM), f"http://{window}/", ref, "true" if clicks else "false"], text=True,
                              capture_output=True, env={**os.environ, "NODE_PATH": str(PROJECT / "build/peers/node_modules")})
        assert done.returncode == 0, done.stdout + done.stderr
        assert came == [], "nobody was asked, nor connected to"
    return show


def test_no_html_runs_loads_sends_or_leads_away(shows):
    shows(HOSTILE.replace("DEEP", "<table><tr><td>" * 400 + "deep" + "</table>" * 400), "utf-8", False)


@pytest.mark.parametrize("what", CLICKED)
def test_a_click_leads_nowhere(shows, what):
    shows(CLICKED[what], "iso-2022-jp" if "2022" in what else "utf-8", True)
