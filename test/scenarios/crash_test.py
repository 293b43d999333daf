"""kill -9 in a loop under load, with a ledger: every message whose 250 a client has seen arrives, whole, and what
arrives twice is at most what was under way at a kill.

Thirty rounds are part of the suite; `pytest test/scenarios/crash_test.py --rounds 500` is the long form.
"""

import hashlib
import itertools
import random
import re
import smtplib
import threading

from support.waiting import PATIENCE, Record

CLIENTS = 4
CONNECTIONS = 4  # to the upstream: so many messages can be under way when the relay dies
SENDER = "app@example.com"
MOST_PER_ROUND = 40  # messages acknowledged before the next kill, at most
BIG = 400 << 10  # above what the queue keeps inline


class Load:
    """Clients that send as fast as they can, and begin anew whenever the relay is gone."""

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
                pass  # killed under way: nothing was promised

    def _converse(self, chance: random.Random):
        with smtplib.SMTP("127.0.0.1", self._port, local_hostname="client.test.example", timeout=PATIENCE) as client:
            while not self._over and self._up.is_set():
                number = next(self._numbers)
                body = chance.randbytes(BIG // 2 if chance.random() < 0.02 else chance.randrange(10, 2000)).hex()
                text = "\r\n".join(re.findall(".{1,70}", body)) + "\r\n"
                digest = hashlib.sha256(text.encode()).hexdigest()
                client.sendmail(SENDER, ["one@rcpt.example"],
                                f"Message-ID: <{number}@load>\r\nX-Digest: {digest}\r\n\r\n{text}".encode())
                self.acknowledged.add(number)


def number_of(data: bytes) -> int:
    """Which message it is; fails when it is torn."""
    header, _, body = data.partition(b"\r\n\r\n")
    assert hashlib.sha256(body).hexdigest().encode() in header, f"a torn message was sent: {data[:500]!r}"
    return int(re.search(rb"Message-ID: <(\d+)@load>", header)[1])


def test_every_acknowledged_message_survives_kill_9(to_upstream, pytestconfig):
    rounds = pytestconfig.getoption("rounds")
    chance = random.Random(rounds)
    relay, upstream = to_upstream({"limits": {"connections": CONNECTIONS}})
    load = Load(relay.port)
    try:
        for _ in range(rounds):
            load.relay_is(up=True)
            already = len(load.acknowledged.all())
            load.acknowledged.wait(count=already + chance.randrange(1, MOST_PER_ROUND))
            load.relay_is(up=False)
            relay.kill()
            relay.start("--grace", "1")
    finally:
        load.end()

    promised = set(load.acknowledged.all())
    numbers = []
    while promised - set(numbers):
        messages = upstream.taken(len(numbers) + 1)
        numbers += [number_of(message.data) for message in messages[len(numbers):]]
    twice = len(numbers) - len(set(numbers))
    print(f"{rounds} kills, {len(promised)} acknowledged, {len(numbers)} arrived, {twice} of them twice")
    assert twice <= rounds * CONNECTIONS
