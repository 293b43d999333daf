"""Rules of one account at one upstream took turns in making its lane anew: a connection for each change of sender."""

import smtplib

from support.waiting import PATIENCE


def test_rules_of_one_account_share_its_connections(relay, upstream):
    fake = upstream(accounts={"relay": "secret"})
    account = {"upstream": "fake", "username": "relay", "password": "secret"}
    one = relay({"fake": fake.config(limits={"connections": 1})}, [{"match": "a@x.example", **account}, {"match": "b@x.example", **account}])
    handed_in = 0
    for _ in range(3):
        for sender in ("a@x.example", "b@x.example"):
            with smtplib.SMTP("127.0.0.1", one.port, timeout=PATIENCE) as client:
                client.sendmail(sender, "c@y.example", "Subject: x\r\n\r\nx\r\n")
            handed_in += 1
            fake.taken(handed_in)
    assert fake.connections.total == 1
