"""Load: clients that send numbered messages as fast as they can, and the ledger that is kept of them."""

import hashlib
import itertools
import random
import re
import smtplib
import socket
import threading

from support.upstream import FakeUpstream
from support.waiting import PATIENCE, Record

CLIENTS = 4
SENDER = "app@example.com"
BIG = 400 << 10  # above what the queue keeps inline


def numbered(number: int, octets: bytes) -> bytes:
    """A message that says which it is and what must be in it."""
    text = "\r\n".join(re.findall(".{1,70}", octets.hex())) + "\r\n"
    digest = hashlib.sha256(text.encode()).hexdigest()
    return f"Message-ID: <{number}@load>\r\nX-Digest: {digest}\r\n\r\n{text}".encode()


def number_of(data: bytes) -> int:
    """Which message it is; fails when it is torn."""
    header, _, body = data.partition(b"\r\n\r\n")
    assert hashlib.sha256(body).hexdigest().encode() in header, f"a torn message was sent: {data[:500]!r}"
    return int(re.search(rb"Message-ID: <(\d+)@load>", header)[1])


def burst(port: int, messages: list[tuple[str, str, bytes]]):
    """Hands (sender, recipient, data) over on one connection, each envelope riding behind the final dot before it."""
    if not messages:
        return
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as client:
        replies = client.makefile("rb")

        def demand(code: bytes):
            line = replies.readline()
            while line[3:4] == b"-":
                line = replies.readline()
            assert line.startswith(code), line

        def envelope(sender: str, recipient: str, _) -> bytes:
            return f"MAIL FROM:<{sender}>\r\nRCPT TO:<{recipient}>\r\nDATA\r\n".encode()

        demand(b"220")
        client.sendall(b"EHLO client.test.example\r\n")
        demand(b"250")
        client.sendall(envelope(*messages[0]))
        for message, following in itertools.zip_longest(messages, messages[1:]):
            for code in (b"250", b"250", b"354"):
                demand(code)
            client.sendall(message[2] + b".\r\n" + (envelope(*following) if following else b""))
            demand(b"250")


class Load:
    """Clients that begin anew whenever the relay is gone or refuses. They send while the relay is said to be up."""

    def __init__(self, port: int):
        self.acknowledged = Record("messages acknowledged")
        self._port = port
        self._numbers = itertools.count()
        self._up = threading.Event()
        self._over = False
        self._threads = [threading.Thread(target=self._run, args=(seed,)) for seed in range(CLIENTS)]
        for thread in self._threads:
            thread.start()

    def relay_is(self, up: bool):
        self._up.set() if up else self._up.clear()

    def more(self, count: int):
        """Waits until that many more are acknowledged than now."""
        self.acknowledged.wait(count=len(self.acknowledged.all()) + count)

    def end(self):
        self._over = True
        self._up.set()
        for thread in self._threads:
            thread.join(PATIENCE)

    def _run(self, seed: int):
        chance = random.Random(seed)
        while self._up.wait() and not self._over:
            try:
                self._converse(chance)
            except (OSError, smtplib.SMTPException):
                pass  # cut or refused: nothing was promised

    def _converse(self, chance: random.Random):
        with smtplib.SMTP("127.0.0.1", self._port, local_hostname="client.test.example", timeout=PATIENCE) as client:
            while not self._over and self._up.is_set():
                number = next(self._numbers)
                octets = chance.randbytes(BIG // 2 if chance.random() < 0.02 else chance.randrange(10, 2000))
                client.sendmail(SENDER, ["one@rcpt.example"], numbered(number, octets))
                self.acknowledged.add(number)


def demand_arrival(upstream: FakeUpstream, promised: set[int]) -> list[int]:
    """Waits until every promised message has arrived, whole; the numbers of all that arrived, twice if it did."""
    numbers = []
    while promised - set(numbers):
        messages = upstream.taken(len(numbers) + 1)
        numbers += [number_of(message.data) for message in messages[len(numbers):]]
    return numbers


def twice(numbers: list[int]) -> int:
    return len(numbers) - len(set(numbers))
