"""The account watch: an account that fails is told once, by mail through an account that works, in the log, in status and
as a metric; and once when it is well again."""

import json

import pytest

from conftest import ACCOUNTS
from support.prometheus import parse
from support.relayd import command
from support.upstream import HANG
from support.waiting import poll

ALICE = {"username": "alice", "password": ACCOUNTS["alice"]}
BOB = {"username": "bob", "password": "old-canary"}
SENDERS = [{"match": "bob@example.com", "upstream": "bad"}, {"match": "alice@example.com", "upstream": "good"}]


@pytest.fixture
def watched(relay, upstream):
    """(relay, the upstream that fails, the one that works)"""

    def start(**watch):
        bad, good = upstream(), upstream()
        bad.accounts["bob"] = ACCOUNTS["bob"]
        one = relay({"bad": bad.config(**BOB), "good": good.config(**ALICE)}, SENDERS,
                    watch={"every": "24h", "notify": "ops@example.com", **watch})
        return one, bad, good

    return start


def status(relay) -> dict:
    return json.loads(command("status", "--json", "-c", relay.file).stdout)


def account(relay, upstream: str) -> dict:
    (found,) = [one for one in status(relay)["accounts"] if one["upstream"] == upstream]
    return found


def ok(relay, upstream: str, name: str) -> float:
    families = parse(command("status", "--metrics", "-c", relay.file).stdout.encode())
    return families["relayd_account_ok"].value(upstream=upstream, account=name)


def test_an_account_that_fails_is_told_once_and_once_when_it_is_well_again(watched):
    relay, bad, good = watched()
    failing = relay.wait_event("account_failing")
    assert (failing["upstream"], failing["account"], failing["class"]) == ("bad", "bob", "auth")
    assert failing["reason"].startswith("535 5.7.8") and "`password` of 'bob'" in failing["reason"]
    letter = good.taken(1)[0]
    assert letter.sender == "alice@example.com" and letter.recipients == ("ops@example.com",)
    text = letter.data.decode()
    assert "Subject: 'bob' at 'bad' fails\r\n" in text and "Auto-Submitted: auto-generated" in text
    assert "The account 'bob' at 'bad' fails: 535 5.7.8" in text and "From: " in text
    assert {"state": "failing", "account": "bob", "class": "auth"}.items() <= account(relay, "bad").items()
    assert account(relay, "good")["state"] == "ok"
    assert ok(relay, "bad", "bob") == 0 and ok(relay, "good", "alice") == 1
    shown = command("status", "-c", relay.file).stdout
    assert 'critical: bad as bob fails: 535 5.7.8' in shown and "Correct `username`" in shown

    relay.reload()  # another look, which finds the same
    poll(lambda: bad.verbs().count("AUTH") == 2)
    assert not {"MAIL", "RCPT", "DATA"} & set(bad.verbs()) and len(good.messages.all()) == 1
    bad.accounts["bob"] = BOB["password"]
    relay.reload()
    assert relay.wait_event("account_ok")["account"] == "bob"
    letter = bad.taken(1)[0]  # its sender is the first that is taken now
    assert letter.sender == "bob@example.com" and "Subject: 'bob' at 'bad' is well again\r\n" in letter.data.decode()
    assert account(relay, "bad")["state"] == "ok" and ok(relay, "bad", "bob") == 1
    assert len(relay.logged("account_failing")) == 1 and len(good.messages.all()) == 1


def test_without_the_section_nobody_logs_in(relay, upstream):
    fake = upstream()
    one = relay({"fake": fake.config(**ALICE)})
    assert "accounts" not in status(one) and not fake.verbs()


def test_a_stop_amid_a_look_is_no_failure(relay, upstream):
    silent = upstream()
    silent.answer("greeting", HANG)
    one = relay({"silent": silent.config(**ALICE)}, watch={})
    poll(lambda: silent.connections.total)
    assert one.stop() == 0
    assert not one.logged("account_failing")
