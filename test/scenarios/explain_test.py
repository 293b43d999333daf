"""explain: the way of one message through every rule, and that what it says is what arrives."""

import email
import email.policy

import pytest

from support.dkim import Keys
from support.relayd import command

NO_INPUT = 66
MESSAGE = (b"From: Ann <ann@int.example>\nTo: root\nSubject: hello\nX-PHP-Script: x\nX-SMTPAPI: {}\n"
           b"Date: Sun, 22 Nov 2026 12:00:00 +0000\nMessage-ID: <1@int.example>\n\ntext\n")


@pytest.fixture
def ruled(relay, upstream, tmp_path):
    """A relay with rules of every kind, its upstream, and a message in a file."""
    fake = upstream(accounts={}, certificate=None)
    table = tmp_path / "generic"
    table.write_text("ann@example.com noreply@example.com\n")
    one = relay({"fake": {**fake.config(), "headers": {"set": {"X-Through": "fake"}}}}, origin="o.example",
                aliases={"root": "ops@customer.example"}, bcc=[{"match": "@example.com", "to": "archive@x.example"}],
                staging={"redirect": "dev@x.example", "allow": ["@customer.example"], "subject_prefix": "[t]"},
                rewrite=[{"match": "@int.example", "to": "@example.com", "when": "taken"},
                         {"table": "generic", "in": ["sender", "from"]}],
                tables={"generic": {"file": str(table)}}, headers={"remove": ["X-PHP-*"]},
                dkim=Keys(tmp_path, kinds=("ed25519",)).config())
    file = tmp_path / "message"
    file.write_bytes(MESSAGE)
    return one, fake, file


def explained(one, *words):
    told = command("explain", "--config", str(one.file), *map(str, words))
    assert told.returncode == 0, told.stderr
    return told.stdout


def test_every_step_is_there_with_its_place(ruled):
    one, _, file = ruled
    told = explained(one, "--sender", "ann@int.example", "--recipient", "root", "--message", file)
    for line in ("taken as   ann@example.com (", "alias      root@o.example by ", "copy       archive@x.example",
                 "staging    in place of archive@x.example", "becomes    ops@customer.example",
                 "becomes    dev@x.example", "header     - From: Ann <ann@int.example>",
                 "header     + From: Ann <ann@example.com>", "header     + To: root@o.example",
                 "sender     noreply@example.com", "header     + From: Ann <noreply@example.com>",
                 "header     - X-PHP-Script: x", "header     - X-SMTPAPI: {}", "header     + X-Through: fake",
                 "header     + Subject: [t] hello", "signed     ed25519._domainkey.example.com"):
        assert f"   {line}" in told, told


def test_what_it_says_is_what_arrives(ruled):
    one, fake, file = ruled
    told = explained(one, "--sender", "ann@int.example", "--recipient", "root", "--message", file)
    one.submit("ann@int.example", "root", MESSAGE.replace(b"\n", b"\r\n"))
    (taken,) = fake.taken(1)
    assert taken.sender == "noreply@example.com"
    assert sorted(taken.recipients) == ["dev@x.example", "ops@customer.example"]
    arrived = email.message_from_bytes(taken.data, policy=email.policy.SMTP)
    for name in ("From", "To", "Subject", "X-Through"):
        assert f"+ {name}: {arrived[name]}\n" in told
    assert arrived["X-PHP-Script"] is None and arrived["DKIM-Signature"]


def test_a_file_that_is_not_there_is_told(ruled):
    one, _, _ = ruled
    told = command("explain", "--config", str(one.file), "--sender", "a@b", "--message", "/nowhere")
    assert told.returncode == NO_INPUT and told.stderr == "/nowhere: No such file or directory\n"


def test_the_last_line_says_that_a_rejected_sender_s_mail_is_not_taken(relay, upstream):
    fake = upstream(accounts={}, certificate=None)
    one = relay({"fake": fake.config()}, access={"senders": {"@spam.example": "reject"}})
    told = explained(one, "--sender", "a@spam.example")
    assert "1. fake" in told
    assert told.splitlines()[-1] == "refused    the mail is not taken: 'access' rejects its sender"
    assert "not taken" not in explained(one, "--sender", "a@good.example")
