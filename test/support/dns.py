"""A DNS server on loopback, over UDP and TCP, that says what a test has it say."""

import socket
import struct
import threading

A, CNAME, MX, TXT, SRV, OPT = 1, 5, 15, 16, 33, 41
NO_ERROR, SERVFAIL, NXDOMAIN, REFUSED = 0, 2, 3, 5
UDP_SIZE = 1232


def encode_name(name: str) -> bytes:
    return b"".join(bytes([len(label)]) + label.encode() for label in name.split(".") if label) + b"\0"


def read_question(query: bytes) -> tuple[str, int, bytes]:
    """The name, the type, and the octets of the question."""
    labels, place = [], 12
    while size := query[place]:
        labels.append(query[place + 1:place + 1 + size].decode("latin-1"))
        place += 1 + size
    return ".".join(labels).lower(), struct.unpack("!H", query[place + 1:place + 3])[0], query[12:place + 5]


def address(text: str) -> bytes:
    return socket.inet_aton(text)


def exchanger(preference: int, host: str) -> bytes:
    return struct.pack("!H", preference) + encode_name(host)


def service(priority: int, weight: int, port: int, host: str) -> bytes:
    return struct.pack("!HHH", priority, weight, port) + encode_name(host)


class Dns:
    """`records` has what `(name, type)` is answered, as octets, to be kept for `ttl` seconds. `texts` has the records of a name: each a text, or a list of the strings that it is made of.

    `aliases` has CNAMEs. They are followed here, as a resolver does; not those in `unfollowed`, as the server of a
    domain does for names of others. `codes` has what else a name is answered; None: nothing at all. `owners` has the
    names that the records of a name are said to belong to. Where `echoes`, an answer looks like a question.
    """

    def __init__(self, texts: dict | None = None, aliases: dict | None = None):
        self.texts = texts or {}
        self.records: dict[tuple[str, int], list[bytes]] = {}
        self.ttl = 60
        self.aliases = aliases or {}
        self.unfollowed: set[str] = set()
        self.codes: dict[str, int | None] = {}
        self.owners: dict[str, str] = {}
        self.echoes = False
        self.asked: list[tuple[str, str]] = []  # ("udp" or "tcp", name)

    def start(self):
        self._udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        while True:
            self._udp.bind(("127.0.0.1", 0))
            try:
                self._tcp = socket.create_server(self._udp.getsockname())
                break
            except OSError:  # the number is taken there
                self._udp.close()
                self._udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._threads = [threading.Thread(target=self._serve_udp), threading.Thread(target=self._serve_tcp)]
        for thread in self._threads:
            thread.start()
        return self

    @property
    def address(self) -> str:
        return "127.0.0.1:%d" % self._udp.getsockname()[1]

    def stop(self):
        for listener in (self._udp, self._tcp):
            try:
                listener.shutdown(socket.SHUT_RDWR)
            except OSError:  # UDP has nobody at the other end; it wakes the thread all the same
                pass
        for thread in self._threads:
            thread.join()
        self._udp.close()
        self._tcp.close()

    def _serve_udp(self):
        while True:
            query, peer = self._udp.recvfrom(4096)
            if not query:
                return
            answer = self._answer("udp", query)
            if answer and len(answer) > UDP_SIZE:
                flags = struct.unpack("!H", answer[2:4])[0] | 0x0200  # truncated
                size = 12 + len(read_question(query)[2])
                answer = answer[:2] + struct.pack("!HHHHH", flags, 1, 0, 0, 0) + answer[12:size]
            if answer:
                try:
                    self._udp.sendto(answer, peer)
                except OSError:  # stopped meanwhile
                    return

    def _serve_tcp(self):
        while True:
            try:
                peer, _ = self._tcp.accept()
            except OSError:
                return
            with peer, peer.makefile("rb") as stream:
                while size := stream.read(2):
                    answer = self._answer("tcp", stream.read(struct.unpack("!H", size)[0]))
                    if answer:
                        peer.sendall(struct.pack("!H", len(answer)) + answer)

    def _answer(self, way: str, query: bytes) -> bytes | None:
        name, kind, question = read_question(query)
        self.asked.append((way, name))
        code = self.codes.get(name, NO_ERROR)
        if code is None:
            return None
        records, end = [], name
        while end in self.aliases and code == NO_ERROR:
            records.append(self._record(end, CNAME, encode_name(self.aliases[end])))
            if end in self.unfollowed:
                break
            end = self.aliases[end]
        found = self.texts.get(end, ()) if kind == TXT and code == NO_ERROR else ()
        for text in found:
            strings = [text] if isinstance(text, (str, bytes)) else text
            octets = [one if isinstance(one, bytes) else one.encode() for one in strings]
            parts = [one[i:i + 255] for one in octets for i in range(0, len(one) or 1, 255)]
            records.append(self._record(self.owners.get(end, end), TXT, b"".join(bytes([len(part)]) + part for part in parts)))
        if code == NO_ERROR:
            records += [self._record(end, kind, data) for data in self.records.get((end, kind), ())]
        if not records and code == NO_ERROR and not any(end == known for known, _ in self.records):
            code = NXDOMAIN
        flags = 0x0180 if self.echoes else 0x8180
        return query[:2] + struct.pack("!HHHHH", flags | code, 1, len(records), 0, 0) + question + b"".join(records)

    def _record(self, name: str, kind: int, data: bytes) -> bytes:
        return encode_name(name) + struct.pack("!HHIH", kind, 1, self.ttl, len(data)) + data

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()
