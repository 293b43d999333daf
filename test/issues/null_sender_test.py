"""A report from the null sender, whose header From no rule matches, got 250 and waited until it expired."""

import smtplib

import pytest

from support.waiting import PATIENCE


def test_a_null_sender_without_a_route_is_refused_at_once(relay, upstream):
    fake = upstream(accounts={})
    one = relay({"fake": fake.config()}, [{"match": "@example.com", "upstream": "fake"}])
    with smtplib.SMTP("127.0.0.1", one.port, timeout=PATIENCE) as client:
        client.sendmail("", ["ann@rcpt.example"], b"From: app@example.com\r\n\r\nrouted by its header\r\n")
        with pytest.raises(smtplib.SMTPDataError) as refused:
            client.sendmail("", ["ann@rcpt.example"], b"From: app@elsewhere.example\r\n\r\nno rule\r\n")
    assert refused.value.smtp_code == 550
    one.wait_event("delivered")
    assert len(one.logged("accepted")) == 1
