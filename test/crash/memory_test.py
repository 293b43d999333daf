"""Many large messages at once: relayd holds a bounded piece of each, and a client that vanishes leaves nothing.

The suite sends a few; `--long` sends 32 of 50 MiB at the same time.
"""

import re
import smtplib
import socket
import struct
import threading
from pathlib import Path

import pytest

from support.waiting import PATIENCE

SENDER = "app@example.com"
LINE = b"x" * 76 + b"\r\n"
MIB = 1 << 20
MOST_GROWTH = 64 * MIB
RESET = struct.pack("ii", 1, 0)  # SO_LINGER: closing sends RST at once


def peak(pid: int) -> int:
    """The most memory that was resident since its start."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) << 10


class Client(threading.Thread):
    """Sends a message of that size, stopping before its end until all the others are there as well."""

    def __init__(self, port: int, size: int, together: threading.Barrier):
        super().__init__()
        self.reply = None
        self._port = port
        self._size = size
        self._together = together

    def run(self):
        with smtplib.SMTP("127.0.0.1", self._port, local_hostname="client.test.example", timeout=PATIENCE) as client:
            begin(client)
            self._together.wait(PATIENCE)
            pieces = self._size // MIB
            for _ in range(pieces):
                client.sock.sendall(LINE * (MIB // len(LINE)))
            self._together.wait(5 * PATIENCE)
            client.sock.sendall(b".\r\n")
            client.sock.settimeout(5 * PATIENCE)
            self.reply = client.getreply()


def begin(client: smtplib.SMTP):
    client.ehlo()
    client.mail(SENDER)
    client.rcpt("one@rcpt.example")
    client.putcmd("data")
    assert client.getreply()[0] == 354
    client.sock.sendall(b"Subject: large\r\n\r\n")


def test_large_messages_at_once_need_little_memory(to_upstream, pytestconfig):
    clients, size = (32, 50 * MIB) if pytestconfig.getoption("long") else (16, 8 * MIB)
    relay, upstream = to_upstream(certificate=None, accounts={})
    upstream.answer("greeting", "421 4.3.2 Not yet")
    resident = peak(relay.pid)
    together = threading.Barrier(clients)
    threads = [Client(relay.port, size - MIB, together) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [thread.reply[0] for thread in threads] == [250] * clients, [thread.reply for thread in threads]
    growth = peak(relay.pid) - resident
    print(f"{clients} clients at once, {size // MIB} MiB each: {growth / MIB:.1f} MiB more resident")
    assert growth < MOST_GROWTH


@pytest.mark.parametrize("killed", [False, True])
def test_a_client_that_vanishes_in_its_message_leaves_nothing(to_upstream, killed):
    relay, _ = to_upstream(certificate=None, accounts={})
    relay.stop()
    relay.config["log"]["level"] = "debug"  # which tells of sessions that break off
    relay.write()
    relay.start("--grace", "1")
    large = relay.queue / "large"
    with smtplib.SMTP("127.0.0.1", relay.port, local_hostname="client.test.example", timeout=PATIENCE) as client:
        begin(client)
        client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 16)
        client.sock.sendall(LINE * (8 * MIB // len(LINE)))
        assert len(list(large.iterdir())) == 1
        if killed:
            relay.kill()
        client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        client.close()
    if killed:
        relay.start("--grace", "1")
    else:
        relay.wait_event("session_ended")
        # The removal stands in line before it.
        relay.submit(SENDER, "one@rcpt.example", b"Subject: next\r\n\r\n")
    assert not list(large.iterdir())
    assert not relay.logged("queue_damaged")
