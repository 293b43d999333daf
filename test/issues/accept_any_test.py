"""A login on an accept-any listener, which any password gives, let a client past the listener's allow list."""

import smtplib

from support.waiting import PATIENCE


def test_accept_any_does_not_lift_the_allow_list(relay, upstream):
    fake = upstream(accounts={})
    one = relay({"fake": fake.config()}, listener={"auth": "accept-any", "allow": ["127.0.0.1/32"]})
    for source, expected in (("127.0.0.1", 250), ("127.0.0.2", 550)):
        with smtplib.SMTP("127.0.0.1", one.port, timeout=PATIENCE, source_address=(source, 0)) as client:
            client.login("anybody", "anything")
            assert client.mail("a@b.example")[0] == expected, source
