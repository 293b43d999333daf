"""The presets of providers. A fake speaks as each provider does and gives the replies that its documentation quotes;
what is logged, what becomes of the message and of the lane. And what `relayd explain` says that a preset filled in."""

import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from support import mail
from support.relayd import Relayd, command

SENDER = "app@example.com"
TO = "one@rcpt.example"
SNAPSHOTS = Path(__file__).with_name("explain")
HOUR = 3600


@dataclass(frozen=True)
class Provider:
    username: str
    mechanisms: str
    extensions: tuple[str, ...]
    more: dict


PROVIDERS = {
    "gmail": Provider("app@example.com", "LOGIN PLAIN XOAUTH2 PLAIN-CLIENTTOKEN OAUTHBEARER XOAUTH",
                      ("SIZE 35882577", "8BITMIME", "ENHANCEDSTATUSCODES", "PIPELINING", "CHUNKING", "SMTPUTF8"), {}),
    "mailgun": Provider("postmaster@mg.example.com", "PLAIN LOGIN",
                        ("PIPELINING", "8BITMIME", "SMTPUTF8", "SIZE 52428800", "ENHANCEDSTATUSCODES"),
                        {"region": "eu"}),
    "office365": Provider("app@example.com", "LOGIN XOAUTH2",
                          ("SIZE 157286400", "PIPELINING", "DSN", "ENHANCEDSTATUSCODES", "8BITMIME", "BINARYMIME",
                           "CHUNKING", "SMTPUTF8"), {}),
    "sendcloud": Provider("api_user", "PLAIN LOGIN", ("PIPELINING", "SIZE 20971520", "8BITMIME"), {}),
    "sendgrid": Provider("apikey", "PLAIN LOGIN", ("8BITMIME", "PIPELINING", "SIZE 31457280"), {}),
    "ses": Provider("AKIAEXAMPLE", "PLAIN LOGIN", ("8BITMIME",), {"region": "eu-west-1"}),
}

# (provider, stage, the reply as documented, its class). What a class means is below.
REPLIES = [
    ("gmail", "greeting", "421 4.7.0 Temporary System Problem. Try again later. - gsmtp", "connect"),
    ("gmail", "auth", "454 4.7.0 Too many login attempts, please try again later. - gsmtp", "auth"),
    ("gmail", "auth", "535 5.7.8 Username and Password not accepted. - gsmtp", "auth"),
    ("gmail", "mail", "530 5.7.0 Must issue a STARTTLS command first. - gsmtp", "auth"),
    ("gmail", "mail", "550 5.7.1 Invalid credentials for relay. - gsmtp", "auth"),
    ("gmail", "mail", "550 5.7.1 Email quota exceeded. - gsmtp", "quota"),
    ("gmail", "rcpt", "550 5.7.1 Daily SMTP relay limit exceeded for customer. - gsmtp", "quota"),
    ("gmail", "dot", "550 5.4.5 Daily user sending limit exceeded. - gsmtp", "quota"),
    ("gmail", "mail", "450 4.2.1 Peak SMTP relay limit exceeded for customer. - gsmtp", "rate"),
    ("gmail", "dot", "421 4.7.0 Our system has detected an unusual rate of unsolicited mail. - gsmtp", "rate"),
    ("gmail", "rcpt", "450 4.2.1 The user is receiving mail too quickly. - gsmtp", "temp"),
    ("gmail", "rcpt", "550 5.1.1 The email account that you tried to reach does not exist. - gsmtp", "rcpt"),
    ("gmail", "dot", "552 5.2.3 Your message exceeded Google's message size limits. - gsmtp", "size"),
    ("gmail", "dot", "550 5.7.1 Our system has detected that this message is likely spam. - gsmtp", "content"),

    ("mailgun", "auth", "535 Authentication failed", "auth"),
    ("mailgun", "dot", "421 Domain mg.example.com is not allowed to send: recipient limit exceeded", "auth"),
    ("mailgun", "dot", "554 Sandbox subdomains are for test purposes only.", "sender"),

    ("office365", "auth", "535 5.7.139 Authentication unsuccessful, basic authentication is disabled.", "auth"),
    ("office365", "auth", "550 5.7.30 Basic authentication is not supported for Client Submission.", "auth"),
    ("office365", "mail", "530 5.7.57 Client not authenticated to send mail.", "auth"),
    ("office365", "mail", "550 5.1.8 Access denied, bad outbound sender", "auth"),
    ("office365", "mail", "432 4.3.2 Concurrent connections limit exceeded.", "conn"),
    ("office365", "dot", "432 4.3.2 STOREDRV.ClientSubmit; sender thread limit exceeded", "conn"),
    ("office365", "dot", "554 5.2.0 STOREDRV.Submission.Exception:SubmissionQuotaExceededException", "quota"),
    ("office365", "dot", "554 5.2.2 mailbox full; STOREDRV.Submission.Exception:QuotaExceededException", "quota"),
    ("office365", "mail", "550 5.2.251 Sender throttled due to continuous invalid recipients errors", "rate"),
    ("office365", "dot", "554 5.2.0 STOREDRV.Submission.Exception:SendAsDeniedException", "sender"),
    ("office365", "dot", "550 5.7.60 SMTP; Client does not have permissions to send as this sender", "sender"),

    ("sendcloud", "auth", "535 Error: authentication failed", "auth"),
    ("sendcloud", "dot", "554 5.7.1 Refused", "content"),

    ("sendgrid", "auth", "451 Authentication failed: Maximum credits exceeded", "quota"),
    ("sendgrid", "auth", "535 Authentication failed: Bad username / password", "auth"),
    ("sendgrid", "dot", "451 You have exceeded your messaging limits", "quota"),
    ("sendgrid", "dot", "550 The from address does not match a verified Sender Identity.", "sender"),
    ("sendgrid", "mail", "550 Unauthenticated senders not allowed", "auth"),

    ("ses", "auth", "454 4.7.0 Temporary authentication failure", "auth"),
    ("ses", "auth", "535 Authentication Credentials Invalid", "auth"),
    ("ses", "dot", "454 Throttling failure: Maximum sending rate exceeded.", "rate"),
    ("ses", "dot", "454 Throttling failure: Daily message quota exceeded.", "quota"),
    ("ses", "dot", "554 Message rejected: Email address is not verified. app@example.com", "sender"),
    ("ses", "dot", "554 Message rejected: Sending paused for this account.", "auth"),
    ("ses", "dot", "421 Too many concurrent SMTP connections", "conn"),
]

FAILS = ("sender", "rcpt", "size", "content")  # the message is over, the lane goes on
PAUSES = ("connect", "tls", "auth", "quota", "rate", "conn")  # the message waits with the lane


def start(relay, upstream, name: str):
    provider = PROVIDERS[name]
    fake = upstream(accounts={provider.username: "canary"}, mechanisms=provider.mechanisms,
                    extensions=provider.extensions)
    credential = {"username": provider.username, "password": "canary"}
    return relay({name: fake.config(provider=name, **credential, **provider.more)}), fake


def send(relay, subject: str) -> str:
    return relay.submit(SENDER, TO, mail.text(SENDER, subject))


@pytest.mark.parametrize("name, stage, reply, reason", REPLIES,
                         ids=[f"{name} {stage} {reply[:9]} {reason}" for name, stage, reply, reason in REPLIES])
def test_a_documented_reply_means_what_the_provider_means(relay, upstream, name, stage, reply, reason):
    one, fake = start(relay, upstream, name)
    fake.answer(stage, reply, times=1)
    id = send(one, "refused")
    if reason in FAILS:
        assert one.wait_event("failed", id=id)["class"] == reason
        one.wait_event("delivered", id=send(one, "next"))
        assert not one.logged("lane_paused")
        return
    deferred = one.wait_event("deferred", id=id)
    assert (deferred["class"], deferred["code"]) == (reason, int(reply[:3]))
    if reason in PAUSES:
        paused = one.wait_event("upstream_paused" if reason == "connect" else "lane_paused")
        assert paused["class"] == reason
        assert (paused["delay"] >= HOUR) == (reason == "quota")
    if reason != "quota":
        assert one.wait_event("delivered", id=id)["attempts"] == 2
    assert bool(one.logged("lane_paused") + one.logged("upstream_paused")) == (reason in PAUSES)


@pytest.mark.parametrize("name", PROVIDERS)
def test_a_provider_that_is_well_takes_the_mail(relay, upstream, name):
    one, fake = start(relay, upstream, name)
    delivered = one.wait_event("delivered", id=send(one, "hello"))
    assert delivered["account"] == PROVIDERS[name].username
    assert fake.taken(1)[0].account == PROVIDERS[name].username
    mechanism = "LOGIN" if name == "office365" else "PLAIN"
    assert [entry.argument.split()[0] for entry in fake.commands.all() if entry.verb == "AUTH"] == [mechanism]


@pytest.mark.parametrize("name", PROVIDERS)
def test_explain_shows_what_the_preset_filled_in(tmp_path, name):
    provider = PROVIDERS[name]
    entry = {"provider": name, "username": provider.username, "password": "canary", **provider.more}
    file = Relayd(tmp_path, {name: entry}, [{"match": "*", "upstream": name}]).file
    explained = command("explain", "-c", file, "--sender", SENDER)
    assert explained.returncode == 0, explained.stderr
    said = re.sub(rf"{re.escape(str(file))}:\d+", "relayd.yaml", explained.stdout)
    assert said == (SNAPSHOTS / f"{name}.txt").read_text()
