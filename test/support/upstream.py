"""FakeUpstream: a provider's SMTP server that does at each stage what a test tells it to.

It speaks real SMTP over real TLS, checks credentials, and records every command and every message with the account
that sent it. What is not scripted succeeds.
"""

import base64
import re
import socket
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from support.certificates import Certificate
from support.mail import unstuffed
from support.tokens import DISMISSALS, MECHANISMS, KnownTokens, TokenLogin, read_message, refusal
from support.waiting import Record

CUT = "cut"  # instead of a reply: close the connection
HANG = "hang"  # instead of a reply: say nothing until the client goes away

STAGES = ("greeting", "ehlo", "starttls", "auth", "mail", "rcpt", "data", "body", "dot")
EXTENSIONS = ("PIPELINING", "8BITMIME", "SIZE 52428800", "ENHANCEDSTATUSCODES", "SMTPUTF8")


@dataclass(frozen=True)
class Command:
    connection: int
    verb: str
    argument: str
    tls: bool


@dataclass(frozen=True)
class Handshake:
    connection: int
    version: str
    resumed: bool
    client: str | None  # the common name of its certificate


@dataclass(frozen=True)
class Message:
    connection: int
    sender: str
    recipients: tuple[str, ...]
    data: bytes = field(repr=False)
    account: str | None
    reply: str  # to the final dot; CUT when there was none

    @property
    def taken(self) -> bool:
        return self.reply.startswith("2")


@dataclass
class Answer:
    stage: str
    reply: str | Callable[[], str]
    about: str  # only when the command's argument contains it
    times: int | None  # None: for ever


class FakeUpstream:
    def __init__(self, certificate: Certificate | None = None, tls: str = "starttls", port: int = 0,
                 accounts: dict[str, str] | None = None, mechanisms: str = "PLAIN LOGIN",
                 extensions: tuple[str, ...] = EXTENSIONS, session: "type[Session] | None" = None,
                 tokens: KnownTokens | None = None, address: str = "127.0.0.1"):
        """`session` is what serves a connection: a subclass misbehaves where no scripted reply could. `tokens` are
        taken beside passwords, where `mechanisms` has XOAUTH2 or OAUTHBEARER."""
        self.tls = tls if certificate else "none"
        self.certificate = certificate
        self.accounts = dict(accounts or {})
        self.tokens = tokens
        self.mechanisms = mechanisms
        self.extensions = extensions
        self.commands = Record("commands at the upstream")
        self.messages = Record("messages at the upstream")
        self.handshakes = Record("handshakes at the upstream")
        self.connections = Crowd()
        self._answers: list[Answer] = []
        self._lock = threading.Lock()
        self._sessions: list[Session] = []
        self._make_session = session or Session
        self.context = _server_context(certificate) if certificate else None
        self._listener = self._listen(address, port)
        # Connections inherit it: a large message cannot hide in the kernel, whatever the system's defaults are.
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
        self.port = None if self._listener.family == socket.AF_UNIX else self._listener.getsockname()[1]
        self._acceptor = threading.Thread(target=self._accept, daemon=True)
        self._acceptor.start()

    def _listen(self, address: str, port: int) -> socket.socket:
        return socket.create_server((address, port), backlog=512)

    def answer(self, stage: str, reply: str | Callable[[], str], about: str = "", times: int | None = None):
        """From now on this is the reply at that stage, `times` times. A function is called when it is needed."""
        assert stage in STAGES, stage
        with self._lock:
            self._answers.append(Answer(stage, reply, about, times))

    def use(self, session: "type[Session]"):
        """What serves connections from now on."""
        self._make_session = session

    def behave(self):
        """Forgets every scripted answer."""
        with self._lock:
            self._answers.clear()

    def config(self, **more) -> dict:
        """The entry under `upstreams:` that leads here."""
        trust = {"tls_options": {"ca_file": str(self.certificate.authority)}} if self.certificate else {}
        return {"host": "127.0.0.1", "port": self.port, "tls": self.tls, **trust, **more}

    def taken(self, count: int, **options) -> list[Message]:
        """Waits until that many messages were taken with a 2xx."""
        return self.messages.wait(lambda message: message.taken, count, **options)

    @property
    def wants_login(self) -> bool:
        return bool(self.accounts) or self.tokens is not None

    def verbs(self) -> list[str]:
        return [command.verb for command in self.commands.all()]

    def close(self):
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._acceptor.join()
        with self._lock:
            sessions = list(self._sessions)
        for session in sessions:
            session.end()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def scripted(self, stage: str, argument: str) -> str | None:
        with self._lock:
            fitting = [answer for answer in self._answers
                       if answer.stage == stage and answer.about.lower() in argument.lower() and answer.times != 0]
            if not fitting:
                return None
            if fitting[0].times is not None:
                fitting[0].times -= 1
        reply = fitting[0].reply
        return reply() if callable(reply) else reply

    def _accept(self):
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:
                session = self._make_session(self, connection, len(self._sessions), self.context)
                self._sessions.append(session)
            session.start()


class Gone(Exception):
    """Ends the connection."""


class Crowd:
    """Who is there, and how many have been at a time."""

    def __init__(self):
        self._lock = threading.Lock()
        self._present = set()
        self.peak = self.total = 0

    def enter(self, who):
        with self._lock:
            self.total += 1
            self._present.add(who)
            self.peak = max(self.peak, len(self._present))

    def leave(self, who):
        with self._lock:
            self._present.discard(who)


class Session:
    """One connection, served by a thread of its own."""

    def __init__(self, upstream: FakeUpstream, connection: socket.socket, number: int, context):
        self._upstream = upstream
        self._socket = connection
        self._number = number
        self._context = context
        self._buffer = b""
        self._encrypted = False
        self._account = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._reset()

    def start(self):
        self._thread.start()

    def end(self):
        try:
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self._thread.join()

    def _run(self):
        self._upstream.connections.enter(self)
        try:
            if self._socket.family != socket.AF_UNIX:
                self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._upstream.tls == "implicit":
                self._handshake()
            self._reply("greeting", "", "220 upstream.test.example ESMTP")
            while self._serve(self._line()):
                pass
        except (Gone, OSError, UnicodeDecodeError):
            pass
        finally:
            self._upstream.connections.leave(self)
            self._socket.close()

    def _serve(self, line: str) -> bool:
        verb, _, argument = line.partition(" ")
        verb = verb.upper()
        self._note(verb, argument)
        serve = getattr(self, f"_on_{verb.lower()}", None)
        if serve is None:
            self._send("500 5.5.1 Unknown command")
            return True
        serve(argument)
        return verb != "QUIT"

    def _on_ehlo(self, name: str):
        offers = ["upstream.test.example", *self._upstream.extensions]
        clear = not self._encrypted
        if clear and self._upstream.tls == "starttls":
            offers.append("STARTTLS")
        elif self._upstream.wants_login:
            offers.append(f"AUTH {self._upstream.mechanisms}")
        lines = [f"250{' ' if offer is offers[-1] else '-'}{offer}" for offer in offers]
        self._reply("ehlo", name, "\r\n".join(lines))

    def _on_starttls(self, argument: str):
        if self._reply("starttls", argument, "220 2.0.0 Go ahead").startswith("220"):
            assert not self._buffer, "the client spoke on after STARTTLS"
            self._handshake()
            self._reset()

    def _on_auth(self, argument: str):
        mechanism, _, initial = argument.partition(" ")
        if mechanism.upper() in MECHANISMS:
            assert not initial, "a token does not fit into the AUTH command"
            self._log_in_by_token(mechanism.upper())
            return
        if mechanism.upper() == "PLAIN":
            name, password = self._decode(initial or self._ask("")).split("\0")[1:]
        else:
            name = self._decode(initial or self._ask("VXNlcm5hbWU6"))
            password = self._decode(self._ask("UGFzc3dvcmQ6"))
        right = self._upstream.accounts.get(name) == password
        default = "235 2.7.0 Welcome" if right else "535 5.7.8 Authentication credentials invalid"
        if self._reply("auth", name, default).startswith("235"):
            self._account = name

    def _log_in_by_token(self, mechanism: str):
        tokens = self._upstream.tokens
        user, token = read_message(mechanism, base64.b64decode(self._ask("")))
        reply = self._upstream.scripted("auth", user) or tokens.reply(user, token)
        taken = reply.startswith("235")
        dismissal = None
        if reply.startswith("535") and tokens.manner == "gmail":
            dismissal = self._ask(refusal(mechanism))
            assert dismissal == DISMISSALS[mechanism], dismissal
        tokens.logins.add(TokenLogin(self._number, mechanism, user, token, taken, dismissal))
        if not taken and tokens.manner == "mute":
            reply = HANG
        self._say(reply)
        if taken:
            self._account = user

    def _on_mail(self, argument: str):
        if self._upstream.wants_login and self._account is None:
            self._send("530 5.7.0 Authentication required")
        elif self._reply("mail", argument, "250 2.1.0 Ok").startswith("2"):
            self._reset()
            self._sender = _path(argument)

    def _on_rcpt(self, argument: str):
        if self._sender is None:
            self._send("503 5.5.1 MAIL first")
        elif self._reply("rcpt", argument, "250 2.1.5 Ok").startswith("2"):
            self._recipients.append(_path(argument))

    def _on_data(self, argument: str):
        if not self._recipients:
            self._send("554 5.5.1 No valid recipients")
            return
        if not self._reply("data", argument, "354 Go on").startswith("354"):
            self._reset()
            return
        if self._upstream.scripted("body", self._sender) == CUT:
            self._receive()
            raise Gone
        data = self._body()
        reply = self._upstream.scripted("dot", self._sender) or "250 2.0.0 Taken"
        self._upstream.messages.add(
            Message(self._number, self._sender, tuple(self._recipients), data, self._account, reply))
        self._reset()
        self._say(reply)

    def _on_rset(self, argument: str):
        self._reset()
        self._send("250 2.0.0 Ok")

    def _on_noop(self, argument: str):
        self._send("250 2.0.0 Ok")

    def _on_quit(self, argument: str):
        self._upstream.connections.leave(self)  # the client may open another once it has our answer
        self._send("221 2.0.0 Bye")

    # --- the wire ---

    def _reset(self):
        self._sender = None
        self._recipients = []

    def _reply(self, stage: str, argument: str, default: str) -> str:
        reply = self._upstream.scripted(stage, argument) or default
        self._say(reply)
        return reply

    def _say(self, reply: str):
        if reply == CUT:
            raise Gone
        if reply == HANG:
            while True:
                self._receive()
        self._send(reply)

    def _ask(self, challenge: str) -> str:
        self._send(f"334 {challenge}")
        return self._line()

    @staticmethod
    def _decode(text: str) -> str:
        return base64.b64decode(text).decode()

    def _handshake(self):
        try:
            self._socket = self._context.wrap_socket(self._socket, server_side=True)
        except OSError as failure:
            self._note("TLS-FAILED", str(failure))
            raise
        self._encrypted = True
        subject = (self._socket.getpeercert() or {}).get("subject", ())
        name = next((value for part in subject for key, value in part if key == "commonName"), None)
        self._upstream.handshakes.add(
            Handshake(self._number, self._socket.version(), self._socket.session_reused, name))

    def _note(self, verb: str, argument: str):
        self._upstream.commands.add(Command(self._number, verb, argument, self._encrypted))

    def _send(self, text: str):
        self._socket.sendall(text.encode() + b"\r\n")

    def _receive(self) -> bytes:
        chunk = self._socket.recv(1 << 18)
        if not chunk:
            raise Gone
        return chunk

    def _line(self) -> str:
        while b"\r\n" not in self._buffer:
            self._buffer += self._receive()
        line, _, self._buffer = self._buffer.partition(b"\r\n")
        return line.decode()

    def _body(self) -> bytes:
        return unstuffed(self._octets())

    def _octets(self) -> bytes:
        """Up to the final dot and with it, as they are on the wire."""
        data = bytearray(b"\r\n" + self._buffer)
        searched = 0
        while (end := data.find(b"\r\n.\r\n", searched)) < 0:
            searched = max(0, len(data) - 4)
            data += self._receive()
        self._buffer = bytes(data[end + 5:])
        return bytes(data[2:end + 5])


def _path(argument: str) -> str:
    return re.search(r"<(.*?)>", argument)[1]


def _server_context(certificate: Certificate) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(Path(certificate.certificate), Path(certificate.key))
    return context
