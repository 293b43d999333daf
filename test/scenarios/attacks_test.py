"""Upstreams that lie, and those that only know no better: TLS that does not fit, answers that nobody asked for, SCRAM
that proves nothing, replies without an end. No credential octet leaves, nothing is lost, and the lane recovers."""

import base64
import hashlib
import hmac
import socket
import ssl
import struct
from datetime import datetime, timedelta, timezone

import pytest

from conftest import ACCOUNTS
from support import mail
from support.certificates import Authority, pin_of
from support.upstream import Gone, Session

SENDER = "app@example.com"
ONE = "one@rcpt.example"
NOW = datetime.now(timezone.utc)
DAY = timedelta(days=1)


def send(relay, subject="attack") -> str:
    return relay.submit(SENDER, ONE, mail.text(SENDER, subject))


def demand_no_credential(upstream):
    assert "AUTH" not in upstream.verbs() and "MAIL" not in upstream.verbs()


# --- TLS ---

# What does not fit: (the server's certificate, from our authority and its usual one; changes to tls_options; what the
# log says).
HOST = "127.0.0.1"
STRANGERS = {
    "another name": (lambda authority, usual: authority.issue("else.example"), {},
                     "the certificate is for else.example, not for the address 127.0.0.1"),
    "expired": (lambda authority, usual: authority.issue_for_a_time(HOST, NOW - 9 * DAY, NOW - DAY), {},
                "the certificate expired on "),
    "not yet valid": (lambda authority, usual: authority.issue_for_a_time(HOST, NOW + DAY, NOW + 9 * DAY), {},
                      "the certificate is not valid before "),
    "unknown CA": (lambda authority, usual: Authority(authority.file.parent / "stranger", "Stranger").issue(HOST), {},
                   "issued by CN = Stranger, which is unknown here"),
    "another pin": (lambda authority, usual: usual, {"pin_sha256": ["00" * 32]},
                    "the server's key is none of tls_options.pin_sha256; its pin is "),
}


@pytest.mark.parametrize("style", ["starttls", "implicit"])
@pytest.mark.parametrize("what", STRANGERS)
def test_a_certificate_that_does_not_fit_is_told_and_hears_no_password(to_upstream, tmp_path, what, style):
    shown, changes, complaint = STRANGERS[what]
    authority = Authority(tmp_path / "authority")
    trust = {"ca_file": str(authority.file), **changes}
    relay, upstream = to_upstream({"tls_options": trust}, certificate=shown(authority, authority.issue(HOST)), tls=style)
    send(relay)
    for event in (relay.wait_event("deferred"), relay.wait_event("upstream_paused")):
        assert event["class"] == "tls" and complaint in event["response"]
    demand_no_credential(upstream)


def test_the_right_pin_is_enough_beside_the_chain(to_upstream, certificate):
    trust = {"ca_file": str(certificate.authority), "pin_sha256": ["00" * 32, pin_of(certificate)]}
    relay, _ = to_upstream({"tls_options": trust})
    relay.wait_event("delivered", id=send(relay))


def test_a_server_without_tls_1_3_does_not_get_less(to_upstream, certificate):
    trust = {"ca_file": str(certificate.authority), "min_version": "1.3"}
    relay, upstream = to_upstream({"tls_options": trust})
    upstream.context.maximum_version = ssl.TLSVersion.TLSv1_2
    id = send(relay)
    paused = relay.wait_event("upstream_paused", **{"class": "tls"})
    assert "no common TLS version: the server refuses TLS 1.3" in paused["response"]
    demand_no_credential(upstream)
    upstream.context.maximum_version = ssl.TLSVersion.MAXIMUM_SUPPORTED
    assert relay.wait_event("delivered", id=id)["tls"] == "TLSv1.3"


def test_the_next_connection_resumes_the_session(to_upstream):
    relay, upstream = to_upstream({"limits": {"connections": 1, "messages_per_connection": 1}})
    for number in range(4):
        relay.wait_event("delivered", id=send(relay, f"resumed-{number}"))
    assert [handshake.resumed for handshake in upstream.handshakes.wait(count=4)] == [False, True, True, True]


def test_a_session_of_tls_1_2_is_resumed_too(to_upstream):
    relay, upstream = to_upstream({"limits": {"connections": 1, "messages_per_connection": 1}})
    upstream.context.maximum_version = ssl.TLSVersion.TLSv1_2
    for number in range(2):
        assert relay.wait_event("delivered", id=send(relay, f"resumed-{number}"))["tls"] == "TLSv1.2"
    assert [handshake.resumed for handshake in upstream.handshakes.wait(count=2)] == [False, True]


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_client_certificate_is_shown_to_who_demands_it(to_upstream, authority, certificate, version):
    ours = authority.issue_to_client("relay-client")
    trust = {"ca_file": str(certificate.authority)}
    shown = {"client_certificate": str(ours.certificate), "client_key": str(ours.key)}
    relay, upstream = to_upstream({"tls_options": trust})
    upstream.context.verify_mode = ssl.CERT_REQUIRED
    upstream.context.load_verify_locations(authority.file)
    upstream.context.maximum_version = version
    send(relay)
    paused = relay.wait_event("upstream_paused")
    assert paused["class"] == "tls"
    assert paused["response"].startswith("the server demands a client certificate: set tls_options.client_certificate")
    demand_no_credential(upstream)
    relay.config["upstreams"]["fake"]["tls_options"].update(shown)
    relay.write()
    relay.reload()
    relay.wait_event("delivered")
    assert upstream.handshakes.all()[-1].client == "relay-client"


class NoHandshake(Session):
    def _handshake(self):
        self._receive()
        self._socket.sendall(b"\x15\x03\x03\x00\x02\x02\x28")  # a fatal alert: handshake_failure
        raise Gone


class PlainAfter220(Session):
    def _handshake(self):
        self._receive()
        self._socket.sendall(b"250-injected\r\n250 AUTH PLAIN\r\n")
        raise Gone


class MoreAfter220(Session):
    """The octets that an attacker on the wire puts behind the 220 come in the same segment."""

    def _on_starttls(self, argument):
        self._socket.sendall(b"220 Go ahead\r\n250-injected\r\n250 AUTH PLAIN\r\n")
        self._receive()
        raise Gone


class ListBeforeTls(Session):
    """Offers AUTH before TLS, and none after it."""

    def _on_ehlo(self, name):
        self._send("250-upstream.test.example\r\n250" + (" HELP" if self._encrypted else "-STARTTLS\r\n250 AUTH PLAIN"))


@pytest.mark.parametrize("session, reason, complaint", [
    (NoHandshake, "tls", "the server refuses the TLS handshake (alert \"handshake failure\")"),
    (PlainAfter220, "tls", "the server answers, but not in TLS"),
    (MoreAfter220, "tls", "the server sent bytes between its 220 and the TLS handshake"),
    (ListBeforeTls, "auth", "the server offers AUTH ; we may use "),
])
def test_starttls_that_is_none_hears_no_password(to_upstream, session, reason, complaint):
    relay, upstream = to_upstream(session=session)
    send(relay)
    paused = relay.wait_event("lane_paused" if reason == "auth" else "upstream_paused")
    assert paused["class"] == reason
    assert complaint in paused["response"]
    demand_no_credential(upstream)
    assert not relay.logged("failed")


# --- AUTH ---

def encode(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


class Scram(Session):
    """A server of SCRAM-SHA-256 (RFC 5802) that knows alice's password; the subclasses are worse."""

    iterations = 4096
    password = ACCOUNTS["alice"]

    def nonce(self, client: str) -> str:
        return client + "server"

    def signature(self, signature: bytes) -> str:
        return "v=" + base64.b64encode(signature).decode()

    def _on_auth(self, argument):
        first = self._decode(argument.split()[1])[3:]
        salt = b"salt-of-alice"
        nonce = self.nonce(first.partition("r=")[2])
        server_first = f"r={nonce},s={base64.b64encode(salt).decode()},i={self.iterations}"
        answer = self._ask(encode(server_first))
        if answer == "*":
            self._send("501 5.7.0 Cancelled")
            return
        final = self._decode(answer).rpartition(",p=")
        salted = hashlib.pbkdf2_hmac("sha256", self.password.encode(), salt, self.iterations)
        message = ",".join([first, server_first, final[0]]).encode()
        key = hmac.digest(salted, b"Server Key", "sha256")
        last = self._ask(encode(self.signature(hmac.digest(key, message, "sha256"))))
        self._account = "alice"
        self._send("235 2.7.0 Welcome" if last == "" else "501 5.5.2 Cancelled")


class FewIterations(Scram):
    iterations = 1


class EndlessIterations(Scram):
    iterations = 2**31


class AnotherNonce(Scram):
    def nonce(self, client):
        return "x" + client


class WrongSignature(Scram):
    def signature(self, signature):
        return super().signature(bytes(32))


class NoSignature(Scram):
    def signature(self, signature):
        return "x=nothing"


class EarlySuccess(Session):
    def _on_auth(self, argument):
        self._account = "alice"
        self._send("235 2.7.0 Welcome")


class EndlessQuestions(Session):
    def _on_auth(self, argument):
        while self._ask("") != "*":
            pass
        self._send("501 5.7.0 Cancelled")


class LongQuestion(Session):
    def _on_auth(self, argument):
        self._ask("QUFB" * 3250)
        raise Gone


def test_scram_proves_both_sides(to_upstream):
    relay, upstream = to_upstream(session=Scram, mechanisms="SCRAM-SHA-256")
    relay.wait_event("delivered", id=send(relay))
    assert upstream.taken(1)[0].account == "alice"


@pytest.mark.parametrize("session", [FewIterations, EndlessIterations, AnotherNonce, WrongSignature,
                                     NoSignature, EarlySuccess, EndlessQuestions, LongQuestion],
                         ids=lambda session: session.__name__)
def test_a_server_that_proves_nothing_gets_no_mail(to_upstream, session):
    relay, upstream = to_upstream(session=session, mechanisms="SCRAM-SHA-256")
    id = send(relay)
    paused = relay.wait_event("lane_paused")
    print(session.__name__, paused["class"], paused["response"])
    assert paused["class"] == "auth"
    assert "MAIL" not in upstream.verbs()
    upstream.use(Scram)
    relay.wait_event("delivered", id=id)


def test_questions_without_an_end_are_left_unanswered(to_upstream):
    relay, upstream = to_upstream(session=EndlessQuestions, mechanisms="LOGIN")
    id = send(relay)
    paused = relay.wait_event("lane_paused")
    print(paused["class"], paused["response"])
    assert paused["class"] == "auth"
    upstream.use(Session)
    relay.wait_event("delivered", id=id)


# --- the wire ---

class OneOctetAtATime(Session):
    def _send(self, text):
        for octet in text.encode() + b"\r\n":
            self._socket.sendall(bytes([octet]))


class EndlessReply(Session):
    def _on_ehlo(self, name):
        while True:
            self._socket.sendall(b"250-AND SO ON\r\n" * 1000)


class EndlessLine(Session):
    def _on_ehlo(self, name):
        while True:
            self._socket.sendall(b"x" * 10000)


class Nonsense(Session):
    def _on_ehlo(self, name):
        self._send("HTTP/1.1 400 Bad Request")


class ResetAtEhlo(Session):
    def _on_ehlo(self, name):
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        raise Gone


class HalfClosed(Session):
    """Says good-bye without a word, and goes on listening."""

    def _on_mail(self, argument):
        self._socket.shutdown(socket.SHUT_WR)
        while True:
            self._receive()


def test_an_octet_at_a_time_is_slow_and_enough(to_upstream):
    relay, upstream = to_upstream(session=OneOctetAtATime)
    for number in range(3):
        relay.wait_event("delivered", id=send(relay, f"octets-{number}"))
    assert not relay.logged("deferred")


@pytest.mark.parametrize("session", [EndlessReply, EndlessLine, Nonsense, ResetAtEhlo, HalfClosed],
                         ids=lambda session: session.__name__)
def test_an_upstream_without_sense_costs_nothing_but_time(to_upstream, session):
    relay, upstream = to_upstream(session=session)
    id = send(relay)
    deferred = relay.wait_event("deferred", id=id)
    print(session.__name__, deferred["class"], deferred["stage"], deferred["response"])
    upstream.use(Session)
    relay.wait_event("delivered", id=id)
    assert len(upstream.taken(1)) == 1
    assert not relay.logged("failed") and not relay.logged("in_doubt")
