"""Guesses of passwords whose keys take long to derive held up outbound mail: they had the same threads."""

import base64
import contextlib
import socket

from support import mail
from support.waiting import PATIENCE

GUESSES = 60
GUESS = base64.b64encode(b"\0app\0guess-canary")
OCTETS = base64.b64encode(b"x" * 32).decode()


def test_mail_leaves_while_guesses_wait_to_be_checked(relay, upstream):
    fake = upstream(accounts={"ann": "right-canary"})
    one = relay({"fake": fake.config(username="ann", password="right-canary")},
                listener={"auth": "optional", "allow": ["127.0.0.0/8"]},
                accounts=[{"name": "app", "scram_sha_256": f"SCRAM-SHA-256$600000:{OCTETS}${OCTETS}:{OCTETS}"}])
    with contextlib.ExitStack() as clients:
        for _ in range(GUESSES):
            client = clients.enter_context(socket.create_connection(("127.0.0.1", one.port), PATIENCE))
            client.sendall(b"EHLO a.example\r\nAUTH PLAIN " + GUESS + b"\r\n")
        one.submit("app@example.com", "one@rcpt.example", mail.text("app@example.com"))
        one.wait_event("delivered")
        assert len(one.logged("rejected")) < GUESSES / 2
