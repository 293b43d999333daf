"""PostOffice: relays for octets of every kind, and a sink that knows what each sender was to bring there.

One relay for each policy on bare newlines, with a listener of each kind. Closing it demands what must hold whatever
was said: no message that nobody sent, only CR LF lines on the wire, no NUL, no octet in the log that a terminal obeys,
bounded memory, a good end.
"""

import contextlib
import re
import ssl
from pathlib import Path

from support.raw_client import CLEAR, IMPLICIT, STARTTLS, RawClient
from support.relayd import Relayd
from support.upstream import FakeUpstream, Message
from support.waiting import free_port

KINDS = (CLEAR, STARTTLS, IMPLICIT)
POLICIES = ("normalise", "reject")
RECIPIENT = "one@rcpt.example"
RCPT = f"RCPT TO:<{RECIPIENT}>".encode()
MOST_GROWTH = 256 << 20  # a sanitizer keeps that much of what was freed
INVISIBLE = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]")
LOGIN = ("app", "app-canary")
VERBS = {"EHLO", "MAIL", "RCPT", "DATA", "RSET", "NOOP", "QUIT"}


class PostOffice:
    def __init__(self, folder: Path, certificate, **sections):
        self.upstream = FakeUpstream()
        self._trust = ssl.create_default_context(cafile=certificate.authority)
        self._certificate = {"certificate": str(certificate.certificate), "key": str(certificate.key)}
        self._sections = sections
        self._senders = 0
        self._refused = set()
        self.relays = {policy: self._start(folder / policy, policy) for policy in POLICIES}
        self._peaks = {policy: peak(relay.pid) for policy, relay in self.relays.items()}

    def _start(self, folder: Path, policy: str) -> Relayd:
        folder.mkdir()
        ports = {kind: free_port() for kind in KINDS}
        listen = [{"address": f"127.0.0.1:{ports[kind]}", "tls": kind, "auth": "optional"} for kind in KINDS]
        relay = Relayd(folder, {"sink": self.upstream.config()}, [{"match": "*", "upstream": "sink"}],
                       queue={"drop": str(folder / "drop")}, listen=listen,
                       tls={"certificates": [self._certificate]}, limits={"bare_newlines": policy},
                       accounts=[{"name": LOGIN[0], "password": LOGIN[1]}], **self._sections)
        relay.ports = ports
        return relay.start("--grace", "1")

    def client(self, kind: str = CLEAR, policy: str = "normalise", **options) -> RawClient:
        return RawClient(self.relays[policy].ports[kind], kind, self._trust, **options)

    def client_before_tls(self) -> RawClient:
        """Where STARTTLS is offered."""
        return RawClient(self.relays["normalise"].ports[STARTTLS], CLEAR, self._trust)

    @contextlib.contextmanager
    def at_data(self, sender: str, kind: str = CLEAR, policy: str = "normalise", rcpt=(RCPT,)):
        """A client whose DATA was answered with 354. Afterwards the transaction is over and the session is not."""
        with self.client(kind, policy) as client:
            client.say(b"\r\n".join([f"MAIL FROM:<{sender}>".encode(), *rcpt, b"DATA", b""]))
            client.expect("250 2.1.0", *["250 2.1.5"] * len(rcpt), "354")
            yield client
            client.say(b"RCPT TO:<victim@rcpt.example>\r\nQUIT\r\n")
            client.expect("503 5.5.1", "221 2.0.0")
            client.expect_end()

    # --- the sink ---

    def sender(self) -> str:
        """An address that nobody else uses."""
        self._senders += 1
        return f"sender{self._senders}@example.com"

    def refused(self, sender: str):
        """At the end nothing from there must have arrived."""
        self._refused.add(sender)

    def arrived(self, sender: str) -> Message:
        return self.upstream.messages.wait(lambda message: message.sender == sender)[0]

    def close(self):
        try:
            self._demand_all_well()
        finally:
            for relay in self.relays.values():
                relay.finish()
            self.upstream.close()

    def _demand_all_well(self):
        for policy, relay in self.relays.items():
            growth = peak(relay.pid) - self._peaks[policy]
            assert growth < MOST_GROWTH, f"{growth >> 20} MiB more resident"
            assert relay.finish() == 0
            visible = [event for event in relay.events.all() if INVISIBLE.search(" ".join(map(str, event.values())))]
            assert not visible, visible
        messages = self.upstream.messages.all()
        senders = [message.sender for message in messages]
        assert len(senders) == len(set(senders)), "a second envelope"
        strangers = [one for one in senders if not re.fullmatch(r"sender\d+@example\.com", one) or one in self._refused]
        assert not strangers, strangers
        for message in messages:
            assert not re.search(rb"(?<!\r)\n|\r(?!\n)|\0", message.data), message
        assert set(self.upstream.verbs()) <= VERBS, set(self.upstream.verbs()) - VERBS


def peak(pid: int) -> int:
    """The most memory that was resident since its start."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) << 10
