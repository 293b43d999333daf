"""TokenServer: an OAuth 2 token endpoint over HTTPS on loopback, which gives what a test tells it to."""

import json
import ssl
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs

from support.certificates import Certificate
from support.tokens import KnownTokens
from support.waiting import Record


@dataclass(frozen=True)
class TokenRequest:
    form: dict[str, str] = field(repr=False)
    headers: dict[str, str] = field(repr=False)
    status: int  # of the answer


class TokenServer:
    """Without a scripted answer it gives a token that `known` takes from then on: token-canary-1, -2 and so on."""

    def __init__(self, certificate: Certificate, known: KnownTokens):
        self.authority = certificate.authority
        self.requests = Record("requests at the token server")
        self._known = known
        self._answers: list[tuple[int, object, dict]] = []
        self._given = 0
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate.certificate, certificate.key)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def config(self, **more) -> dict:
        """`oauth2` of an upstream."""
        port = self._server.server_address[1]
        return {"provider": "generic", "client_id": "relayd", "client_secret": "client-canary", "scope": "mail",
                "token_url": f"https://127.0.0.1:{port}/token", "ca_file": str(self.authority),
                "user": "robot@sender.example", **more}

    def answer(self, status: int, body: dict | str, **headers: str):
        """To the next request for which nothing was scripted yet."""
        with self._lock:
            self._answers.append((status, body, headers))

    def close(self):
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def reply_to(self, form: dict[str, str], headers: dict[str, str]) -> tuple[int, str, dict]:
        with self._lock:
            scripted = self._answers.pop(0) if self._answers else None
            if scripted is None:
                self._given += 1
                token = f"token-canary-{self._given}"
                self._known.take(token)
                scripted = 200, {"token_type": "Bearer", "access_token": token, "expires_in": 3599}, {}
        status, body, more = scripted
        self.requests.add(TokenRequest(form, headers, status))
        return status, body if isinstance(body, str) else json.dumps(body), more


def _handler(server: TokenServer):
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            form = {name: values[0] for name, values in parse_qs(body, keep_blank_values=True).items()}
            headers = {name.lower(): value for name, value in self.headers.items()}
            status, text, more = server.reply_to(form, headers)
            self.send_response(status)
            for name, value in {"Content-Type": "application/json", **more}.items():
                self.send_header(name.replace("_", "-"), value)
            self.send_header("Content-Length", str(len(text.encode())))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_):
            pass

    return Handler
