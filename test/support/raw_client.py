"""A client that sends octets, in the pieces it likes, and reads replies; what a mail library would never send.

Every reply it reads must be well formed, and after the greeting carry an enhanced status code of its own class
(RFC 2034 4).
"""

import contextlib
import os
import re
import select
import socket
import ssl
import time
from pathlib import Path

from support.waiting import PATIENCE

CLEAR, STARTTLS, IMPLICIT = "none", "starttls", "implicit"  # as the key `tls` of a listener
REPLY = re.compile(r"[2-5][0-5][0-9]( [ -~]*)?")
POLL = 0.002

# A command and the reply that shows in what state a session is.
CLOSED = "closed"
NOTHING_OPEN = (b"RCPT TO:<u@c>", "503 5.5.1")
TRANSACTION_OPEN = (b"RCPT TO:<u@c>", "250 2.1.5")


class RawClient:
    def __init__(self, port: int, kind: str, trust: ssl.SSLContext | None = None,
                 hello: str = "EHLO client.test.example"):
        """Past the greeting, TLS and `hello`, which may be empty."""
        self.socket = socket.create_connection(("127.0.0.1", port), PATIENCE)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._ports = (port, self.socket.getsockname()[1])
        self._trust = trust
        self._received = b""
        if kind == IMPLICIT:
            self.handshake()
        self.expect("220")
        if kind == STARTTLS:
            self.say(b"STARTTLS\r\n")
            self.expect("220")
            self.handshake()
        if hello:
            self.say(hello.encode() + b"\r\n")
            self.expect("250")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def handshake(self):
        assert not self._received, f"in the clear before TLS: {self._received!r}"
        self.socket = self._trust.wrap_socket(self.socket, server_hostname="127.0.0.1")

    def without_tls(self) -> socket.socket:
        """Says that TLS is over; the socket underneath."""
        clear = socket.socket(fileno=os.dup(self.socket.fileno()))
        clear.settimeout(PATIENCE)
        with contextlib.suppress(OSError):  # the server may have gone without an answer
            self.socket.unwrap()
        return clear

    def say(self, *pieces: bytes):
        """Each piece is read by the server before the next one leaves: a segment, or a TLS record, of its own."""
        for number, piece in enumerate(pieces):
            if number:
                self.wait_until_read()
            with contextlib.suppress(ConnectionError):  # what it said before it went can still be read
                self.socket.sendall(piece)

    def wait_until_read(self):
        """Until the server has taken all that was sent from its socket, or is gone."""
        deadline = time.monotonic() + PATIENCE
        while self._unread():
            assert time.monotonic() < deadline, "the server does not read"
            select.select([], [], [], POLL)

    def _unread(self) -> bool:
        """From /proc/net/tcp: local and remote address, state, octets to send and to read, all in hex."""
        ends = "0100007F:%04X 0100007F:%04X"
        server, client = ends % self._ports, ends % self._ports[::-1]
        for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
            _, local, remote, _, queues, _ = line.split(maxsplit=5)
            to_send, to_read = queues.split(":")
            if f"{local} {remote}" == client and int(to_send, 16):
                return True
            if f"{local} {remote}" == server and int(to_read, 16):
                return True
        return False

    # --- replies ---

    def reply(self) -> str:
        """The next reply, of which the last line counts; empty when the connection has ended."""
        while line := self._line():
            text = line.decode("ascii")
            if text[3:4] != "-":
                assert REPLY.fullmatch(text), f"no reply: {text!r}"
                return text
        return ""

    def expect(self, *wanted: str):
        """The next replies begin like that, one after the other; "250" alone is the one to EHLO or HELO."""
        for one in wanted:
            got = self.reply()
            assert got.startswith(one), f"{got!r} where {one!r} was due"
            enhanced = re.match(r"([245])\.\d{1,3}\.\d{1,3} ", got[4:])
            bare = got[0] == "3" or one in ("220", "250")
            assert bare or (enhanced and enhanced[1] == got[0]), f"without its enhanced status code: {got!r}"

    def expect_end(self):
        rest = self.reply()
        assert not rest, f"{rest!r} where the connection was to end"

    def demand(self, octets: bytes, replies: str, after=NOTHING_OPEN):
        """Those replies, and no other; then the connection is closed, or in the state that `after` shows."""
        wanted = [one.strip() for one in replies.split(",")]
        closes = wanted[-1] == CLOSED
        self.say(octets)
        self.expect(*wanted[:len(wanted) - closes])
        if not closes:
            probe, reply = after
            self.say(probe + b"\r\nQUIT\r\n")
            self.expect(reply, "221 2.0.0")
        self.expect_end()

    def rest(self) -> bytes:
        """All octets up to the end of the connection."""
        while chunk := self._receive():
            self._received += chunk
        return self._received

    def _receive(self) -> bytes:
        try:
            return self.socket.recv(1 << 16)
        except (ConnectionResetError, ssl.SSLError):
            return b""

    def _line(self) -> bytes:
        while b"\r\n" not in self._received:
            chunk = self._receive()
            if not chunk:
                assert not self._received, f"half a line: {self._received!r}"
                return b""
            self._received += chunk
        line, _, self._received = self._received.partition(b"\r\n")
        return line
