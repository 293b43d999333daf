"""What goes over a wire, octet for octet: a tee in front of a relay, and a sink behind it."""

import re
import socket
import threading
from dataclasses import dataclass, field

from support.upstream import FakeUpstream, Session
from support.waiting import PATIENCE


@dataclass(frozen=True)
class Transaction:
    sender: str
    parameters: tuple[str, ...]  # of MAIL
    recipients: tuple[str, ...]
    octets: bytes = field(repr=False)  # behind the 354, with the final dot

    @staticmethod
    def of(mail: str, rcpt: list[str], octets: bytes) -> "Transaction":
        """From the arguments of the commands."""
        path, parameters = _split(mail)
        return Transaction(path, parameters, tuple(_split(one)[0] for one in rcpt), octets)


def transaction_of(said: bytes) -> Transaction:
    """The only one of a connection, from all that a client said on it."""
    commands, data = re.split(rb"(?i)(?<=\r\n)DATA\r\n", said, maxsplit=1)
    lines = commands.decode()
    mail, = re.findall(r"(?im)^MAIL (.*)\r$", lines)
    end = (b"\r\n" + data).index(b"\r\n.\r\n") + 3
    return Transaction.of(mail, re.findall(r"(?im)^RCPT (.*)\r$", lines), data[:end])


def _split(argument: str) -> tuple[str, tuple[str, ...]]:
    path, _, parameters = argument.partition("<")[2].rpartition(">")
    return path, tuple(parameters.upper().split())


class Tee:
    """Carries one connection in clear to a server on loopback, and keeps what the client says."""

    def __init__(self, port: int):
        self._server = port
        self._said = bytearray()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._carry, daemon=True)
        self._thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        try:
            self._listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # it is closed after the first connection
        self._thread.join(PATIENCE)
        self._listener.close()

    def transaction(self) -> Transaction:
        """The only one of the connection; the client must be gone."""
        self._thread.join(PATIENCE)
        return transaction_of(bytes(self._said))

    def _carry(self):
        try:
            client, _ = self._listener.accept()
        except OSError:
            return
        self._listener.close()
        with client, socket.create_connection(("127.0.0.1", self._server)) as server:
            back = threading.Thread(target=_pump, args=(server, client, bytearray()), daemon=True)
            back.start()
            _pump(client, server, self._said)
            back.join()


def _pump(source: socket.socket, target: socket.socket, record: bytearray):
    target.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        while chunk := source.recv(1 << 18):
            record += chunk
            target.sendall(chunk)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        pass  # the other side has seen the end


class Sink(FakeUpstream):
    """Takes all mail in clear, without a login. Each message is fetched once, by its first recipient."""

    def __init__(self):
        self.waiting: dict[str, Transaction] = {}
        self._changed = threading.Condition()
        super().__init__(session=_SinkSession)

    def put(self, transaction: Transaction):
        with self._changed:
            self.waiting[transaction.recipients[0]] = transaction
            self._changed.notify_all()

    def fetch(self, recipient: str) -> Transaction:
        with self._changed:
            there = self._changed.wait_for(lambda: recipient in self.waiting, PATIENCE)
            assert there, f"nothing came for {recipient}; there is {list(self.waiting)}"
            return self.waiting.pop(recipient)


class _SinkSession(Session):
    def _on_mail(self, argument: str):
        super()._on_mail(argument)
        self._mail, self._rcpt = argument, []

    def _on_rcpt(self, argument: str):
        super()._on_rcpt(argument)
        self._rcpt.append(argument)

    def _on_data(self, argument: str):
        self._send("354 Go on")
        self._upstream.put(Transaction.of(self._mail, self._rcpt, self._octets()))
        self._reset()
        self._send("250 2.0.0 Taken")
