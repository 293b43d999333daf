"""Mail leaves through a real Postfix with Dovecot: the clients people use, three senders through three accounts, on
both port styles. What arrives is what was sent under one Received field, and the provider says which account sent it."""

import re

import pytest

from conftest import ACCOUNTS
from support import mail
from support.clients import CLIENTS
from support.provider import account_of
from support.submission import Submission

STYLES = ("starttls", "implicit")
HUNDRED = [f"rcpt{number}@rcpt.example" for number in range(100)]


@pytest.fixture(scope="module", params=STYLES)
def three_accounts(request, provider, tmp_path_factory):
    """One relay whose three senders have each an account at the provider."""
    from support.relayd import Relayd

    senders = [{"match": f"@{name}.example", "upstream": "provider", "username": name, "password": password}
               for name, password in ACCOUNTS.items()]
    relay = Relayd(tmp_path_factory.mktemp("relay"), {"provider": provider.config(request.param)}, senders)
    relay.start()
    yield relay
    assert relay.finish() == 0


def arrived(provider, subject: bytes, recipients: list[str]) -> list:
    """The messages of that subject, when all the recipients have it."""
    def all_there(messages):
        return {recipient for message in messages for recipient in message.recipients} >= set(recipients)

    count = 1
    while True:
        messages = provider.sink.messages.wait(lambda message: subject in message.data, count)
        if all_there(messages):
            return messages
        count = len(messages) + 1


def demand_arrived(provider, sent: bytes, recipients: list[str], account: str):
    for message in arrived(provider, re.search(rb"Message-ID: (\S+)", sent)[1], recipients):
        assert account_of(message.data) == account
        at_provider = mail.without_field(message.data, b"Received")
        assert b"by relay.test.example" in at_provider.partition(b"\r\n")[0] + at_provider[:400]
        mail.demand_same(mail.without_field(at_provider, b"Received"), sent)


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("kind", mail.KINDS)
def test_bytes_arrive_as_sent(three_accounts, provider, tmp_path, client, kind):
    sent = mail.KINDS[kind]("alice@alice.example", f"{kind}-{client}-{three_accounts.port}")
    file = tmp_path / "message"
    file.write_bytes(sent)
    CLIENTS[client](Submission(three_accounts.port, "alice@alice.example", ["someone@rcpt.example"], file))
    demand_arrived(provider, sent, ["someone@rcpt.example"], "alice")


@pytest.mark.parametrize("client", CLIENTS)
def test_a_hundred_recipients_each_have_it(three_accounts, provider, tmp_path, client):
    sent = mail.text("bob@bob.example", f"hundred-{client}-{three_accounts.port}")
    file = tmp_path / "message"
    file.write_bytes(sent)
    CLIENTS[client](Submission(three_accounts.port, "bob@bob.example", HUNDRED, file))
    demand_arrived(provider, sent, HUNDRED, "bob")


def test_each_sender_leaves_through_its_own_account(three_accounts, provider):
    for name in ACCOUNTS:
        subject = f"account-{name}-{three_accounts.port}"
        sent = mail.text(f"{name}@{name}.example", subject)
        id = three_accounts.submit(f"{name}@{name}.example", "someone@rcpt.example", sent)
        demand_arrived(provider, sent, ["someone@rcpt.example"], name)
        assert three_accounts.wait_event("delivered", id=id)["account"] == name
        assert f"sasl_username={name}" in provider.log()


def test_the_strongest_mechanism_is_chosen(relay, provider):
    one = relay({"provider": provider.config("starttls", username="carol", password=ACCOUNTS["carol"])})
    one.submit("carol@carol.example", "someone@rcpt.example", mail.text("carol@carol.example", f"scram-{one.port}"))
    one.wait_event("delivered")
    assert "sasl_method=SCRAM-SHA-256, sasl_username=carol" in provider.log()


def test_missing_date_from_and_message_id_are_added_and_nothing_else(relay, provider):
    one = relay({"provider": provider.config("implicit", username="carol", password=ACCOUNTS["carol"])})
    subject = f"bare-{one.port}".encode()
    one.submit("carol@carol.example", "someone@rcpt.example", b"Subject: " + subject + b"\r\n\r\nbody\r\n")
    message = arrived(provider, subject, ["someone@rcpt.example"])[0]
    assert sorted(mail.field_names(message.data)) == ["date", "from", "message-id", "received", "received", "subject"]
    assert message.data.endswith(b"\r\n\r\nbody\r\n")
