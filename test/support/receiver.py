"""A receiver of webhooks: a small Node server over HTTPS, which verifies with the library of Standard Webhooks."""

import json
import os
import subprocess
import threading
from dataclasses import dataclass
from pathlib import Path

from support.certificates import Certificate
from support.waiting import PATIENCE, Record

PROJECT = Path(__file__).resolve().parents[2]
PROGRAM = PROJECT / "test/scenarios/receiver/receiver.js"


@dataclass(frozen=True)
class Request:
    method: str
    url: str
    headers: dict
    status: int  # of the answer
    verified: list[bool]  # with each of the receiver's secrets
    octets: int
    body: dict

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def events(self) -> list[dict]:
        """One, or those of a batch."""
        return self.body["data"]["events"] if self.body["type"] == "message.events" else [self.body]


class Receiver:
    def __init__(self, certificate: Certificate, *secrets: str, port: int = 0):
        """`certificate` is for 127.0.0.1."""
        self.authority = certificate.authority
        self.requests = Record("requests at the receiver")
        self._other = Record("what the receiver says")
        self._process = subprocess.Popen(
            ["node", str(PROGRAM), str(port), str(certificate.certificate), str(certificate.key), *secrets],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env={**os.environ, "NODE_PATH": str(PROJECT / "build/peers/node_modules")})
        self._reader = threading.Thread(target=self._read)
        self._reader.start()
        self.port = self._other.wait(lambda line: "port" in line)[0]["port"]

    def _read(self):
        with self._process.stdout as lines:
            for line in map(json.loads, lines):
                if "method" in line:
                    self.requests.add(Request(**line))
                else:
                    self._other.add(line)
        self.requests.close()
        self._other.close()

    def config(self, secret, **more) -> dict:
        """An element of `webhooks`."""
        return {"url": f"https://127.0.0.1:{self.port}/hook?key=1", "secret": secret, "ca_file": str(self.authority),
                **more}

    def answer(self, *statuses: str):
        """To the next requests: "500", or "307 https://elsewhere"; to what comes then 204."""
        told = len(self._other.all(_is_told))
        self._process.stdin.write("".join(f"{status}\n" for status in statuses))
        self._process.stdin.flush()
        self._other.wait(_is_told, told + len(statuses))

    def wait_event(self, type: str, **data) -> tuple[Request, dict]:
        """The first such event in a request that was answered well."""
        def found(request: Request):
            return request.status < 300 and _among(request, type, data)

        request = self.requests.wait(found)[0]
        return request, _among(request, type, data)[0]

    def close(self):
        self._process.stdin.close()
        self._process.wait(PATIENCE)
        self._reader.join(PATIENCE)


def _is_told(line: dict) -> bool:
    return "told" in line


def _among(request: Request, type: str, data: dict) -> list[dict]:
    return [event for event in request.events if event["type"] in (type, f"message.{type}")
            and all(event["data"].get(key) == value for key, value in data.items())]
