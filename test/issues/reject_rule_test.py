"""A rule's `reject: "550 Not from here"` went out without an enhanced status code, though EHLO offers them."""

import smtplib

import pytest

from support.waiting import PATIENCE


@pytest.mark.parametrize("rule, reply", [
    ("550 Not from here", b"5.7.1 Not from here"),
    ("450 4.2.0 Not now", b"4.2.0 Not now"),
    ("550 4.2.0 Which", b"5.7.1 4.2.0 Which"),  # of another class: text, RFC 2034 4
])
def test_a_rule_that_rejects_says_so_with_an_enhanced_code(relay, upstream, rule, reply):
    one = relay({"fake": upstream(accounts={}).config()},
                [{"match": "*", "reject": rule}, {"match": "@used.example", "upstream": "fake"}])
    with smtplib.SMTP("127.0.0.1", one.port, timeout=PATIENCE) as client:
        client.ehlo()
        assert client.mail("a@b.example") == (int(rule[:3]), reply)
