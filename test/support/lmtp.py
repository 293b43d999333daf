"""LmtpServer: a FakeUpstream that speaks LMTP (RFC 2033), over TCP or at a unix socket: LHLO, and a reply to the final
dot for each recipient, scripted by `answer("dot", …, about=RECIPIENT)`."""

import os
import socket
from pathlib import Path

from support.upstream import CUT, FakeUpstream, Gone, Message, Session


class LmtpSession(Session):
    def _on_lhlo(self, name: str):
        super()._on_ehlo(name)

    def _on_ehlo(self, name: str):
        self._send("500 5.5.1 This is LMTP")

    _on_helo = _on_ehlo

    def _on_data(self, argument: str):
        if not self._recipients:
            self._send("503 5.5.1 No valid recipients")
            return
        if not self._reply("data", argument, "354 Go on").startswith("354"):
            self._reset()
            return
        data = self._body()
        for recipient in self._recipients:
            reply = self._upstream.scripted("dot", recipient) or "250 2.0.0 Saved"
            self._upstream.messages.add(
                Message(self._number, self._sender, (recipient,), data, self._account, reply))
            if reply == CUT:
                raise Gone
            self._send(reply)
        self._reset()


class LmtpServer(FakeUpstream):
    """With `path` at a unix socket instead of a port."""

    def __init__(self, path: Path | None = None, **options):
        self._path = path
        super().__init__(session=LmtpSession, **options)

    def _listen(self, address: str, port: int) -> socket.socket:
        if self._path is None:
            return super()._listen(address, port)
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(os.fspath(self._path))
        listener.listen()
        return listener

    def config(self, **more) -> dict:
        if self._path is None:
            return {**super().config(), "protocol": "lmtp", **more}
        return {"host": f"unix:{self._path}", "protocol": "lmtp", **more}
