"""KnownTokens: the access tokens that a FakeUpstream takes, and how it refuses the others.

What providers do with one that they do not take: `gmail` says 334 with JSON, waits for the client's answer and says 535;
`microsoft` says 535 at once; `hve` does so too, and says 501 to one that ends within ten minutes; `mute` says nothing.
"""

import base64
import json
import threading
import time
from dataclasses import dataclass, field

from support.waiting import Record

MANNERS = ("gmail", "microsoft", "hve", "mute")
HVE_SECONDS = 600
MECHANISMS = ("XOAUTH2", "OAUTHBEARER")
DISMISSALS = {"XOAUTH2": "", "OAUTHBEARER": "AQ=="}
REFUSALS = {
    "XOAUTH2": {"status": "400", "schemes": "Bearer", "scope": "https://mail.google.com/"},
    "OAUTHBEARER": {"status": "invalid_token", "scope": "https://mail.google.com/"},
}


@dataclass(frozen=True)
class TokenLogin:
    connection: int
    mechanism: str
    user: str
    token: str = field(repr=False)
    taken: bool
    dismissal: str | None = None  # what the client answered to a refusal that asked it


@dataclass
class _Known:
    users: tuple[str, ...]  # empty: all
    until: float  # monotonic


class KnownTokens:
    def __init__(self, manner: str = "gmail"):
        assert manner in MANNERS, manner
        self.manner = manner
        self.logins = Record("logins with a token")
        self._known: dict[str, _Known] = {}
        self._lock = threading.Lock()

    def take(self, token: str, *users: str, seconds: float = 3600):
        """From now on it is good, for these users (for all where none is named) and so many seconds."""
        with self._lock:
            self._known[token] = _Known(users, time.monotonic() + seconds)

    def end(self, token: str):
        with self._lock:
            self._known.pop(token, None)

    def left(self, user: str, token: str) -> float:
        """Seconds that it is good for; 0 or less: it is not."""
        with self._lock:
            known = self._known.get(token)
        if known is None or (known.users and user not in known.users):
            return 0
        return known.until - time.monotonic()

    def reply(self, user: str, token: str) -> str:
        left = self.left(user, token)
        if left <= 0:
            return ("535 5.7.8 Username and Password not accepted" if self.manner == "gmail" else
                    "535 5.7.3 Authentication unsuccessful")
        if self.manner == "hve" and left < HVE_SECONDS:
            return "501 5.5.127 Token lifetime is too short"
        return "235 2.7.0 Accepted"


def read_message(mechanism: str, octets: bytes) -> tuple[str, str]:
    """User and token of a client's message. Strict: a field too many or too few is an AssertionError."""
    fields = octets.decode().split("\1")
    assert fields[-2:] == ["", ""], fields
    if mechanism == "XOAUTH2":
        user, authorisation = fields[:-2]
        assert user.startswith("user=")
        user = user.removeprefix("user=")
    else:
        header, host, port, authorisation = fields[:-2]
        assert header.startswith("n,a=") and header.endswith(","), header
        assert host.startswith("host=") and port.startswith("port="), fields
        user = header[4:-1]
        assert "," not in user, user
        user = user.replace("=2C", ",").replace("=3D", "=")
    assert authorisation.startswith("auth=Bearer "), authorisation[:12]
    return user, authorisation.removeprefix("auth=Bearer ")


def refusal(mechanism: str) -> str:
    return base64.b64encode(json.dumps(REFUSALS[mechanism]).encode()).decode()
