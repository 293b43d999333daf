"""Proxy: a SOCKS5 (RFC 1928, 1929) or HTTP CONNECT proxy that connects to one place whatever it is asked for, or
misbehaves as a test tells it to."""

import base64
import socket
import threading

from support.waiting import Record


class Proxy:
    """`say`: octets that it answers with, whatever is asked, before it closes."""

    def __init__(self, to: int, socks: bool = True, account: tuple[str, str] | None = None, say: bytes | None = None,
                 status: int = 200):
        self._to = to
        self._socks = socks
        self._account = account
        self._say = say
        self._status = status
        self.asked = Record("asked of the proxy")
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def url(self, account: str = "") -> str:
        return f"{'socks5' if self._socks else 'http'}://{account}127.0.0.1:{self.port}"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._listener.close()

    def _accept(self):
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket):
        with client:
            try:
                if self._say is not None:
                    client.recv(1)
                    client.sendall(self._say)
                elif self._socks_tunnel(client) if self._socks else self._http_tunnel(client):
                    with socket.create_connection(("127.0.0.1", self._to)) as server:
                        back = threading.Thread(target=_copy, args=(server, client), daemon=True)
                        back.start()
                        _copy(client, server)
                        back.join()
            except OSError:
                pass

    def _socks_tunnel(self, client) -> bool:
        version, count = _exactly(client, 2)
        methods = _exactly(client, count)
        assert version == 5
        if self._account:
            if 2 not in methods:
                client.sendall(b"\5\xff")
                return False
            client.sendall(b"\5\2")
            _, size = _exactly(client, 2)
            name = _exactly(client, size).decode()
            password = _exactly(client, _exactly(client, 1)[0]).decode()
            right = (name, password) == self._account
            client.sendall(b"\1\0" if right else b"\1\1")
            if not right:
                return False
        else:
            client.sendall(b"\5\0")
        _, _, _, kind = _exactly(client, 4)
        host = _exactly(client, _exactly(client, 1)[0]).decode() if kind == 3 else socket.inet_ntoa(_exactly(client, 4))
        port = int.from_bytes(_exactly(client, 2), "big")
        self.asked.add((host, port))
        client.sendall(bytes([5, 0 if self._status == 200 else self._status, 0, 1, 0, 0, 0, 0, 0, 0]))
        return self._status == 200

    def _http_tunnel(self, client) -> bool:
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += _exactly(client, 1)
        lines = head.decode().split("\r\n")
        method, target, _ = lines[0].split(" ")
        fields = dict(line.split(": ", 1) for line in lines[1:] if line)
        if self._account:
            expected = "Basic " + base64.b64encode(":".join(self._account).encode()).decode()
            if fields.get("Proxy-Authorization") != expected:
                client.sendall(b"HTTP/1.1 407 Who are you\r\nContent-Length: 0\r\n\r\n")
                return False
        assert method == "CONNECT" and fields["Host"] == target
        host, _, port = target.rpartition(":")
        self.asked.add((host, int(port)))
        client.sendall(f"HTTP/1.1 {self._status} Well\r\nContent-Length: 0\r\n\r\n".encode()
                       if self._status != 200 else b"HTTP/1.1 200 Well\r\n\r\n")
        return self._status == 200


def _exactly(client, count: int) -> bytes:
    octets = b""
    while len(octets) < count:
        more = client.recv(count - len(octets))
        if not more:
            raise OSError("the client left")
        octets += more
    return octets


def _copy(source, sink):
    try:
        while octets := source.recv(1 << 16):
            sink.sendall(octets)
    except OSError:
        pass
    for one in (source, sink):
        try:
            one.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
