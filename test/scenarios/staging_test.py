"""Copies and staging: who gets a message beside its recipients, or instead of them."""

import email

import pytest

from support import mail
from support.relayd import Client, command
from support.waiting import PATIENCE

SENDER = "app@o.example"


@pytest.fixture
def relaying(relay, upstream):
    """A relay of o.example with these sections, and its upstream: (relay, upstream)."""

    def start(**sections):
        fake = upstream(accounts={}, certificate=None, extensions=("DSN",))
        return relay({"fake": fake.config()}, origin="o.example", **sections), fake

    return start


def recipients(one, fake, sender: str, *to: str) -> list[str]:
    """Sends one message to all of them; for whom it arrives."""
    id = one.submit(sender, list(to), mail.text(sender))
    one.wait("delivered", id=id)
    (taken,) = fake.taken(1)
    return sorted(taken.recipients)


def test_a_copy_goes_to_whom_the_rules_of_sender_and_recipients_name(relaying):
    one, fake = relaying(aliases={"archive": ["a@x.example", "b@x.example"]},
                         bcc=[{"match": "@o.example", "to": "archive@o.example"},
                              {"recipient": "@customer.example", "to": "sales@x.example"}])
    assert recipients(one, fake, SENDER, "ann@customer.example", "a@x.example") == [
        "a@x.example", "ann@customer.example", "b@x.example", "sales@x.example"]


def test_a_copy_tells_the_sender_nothing(relaying):
    one, fake = relaying(bcc=[{"match": "*", "to": "archive@x.example"}])
    with Client("127.0.0.1", one.port, timeout=PATIENCE) as client:
        client.ehlo()
        client.mail(SENDER, [])
        assert client.rcpt("ann@y.example", ["NOTIFY=SUCCESS"])[0] == 250
        assert client.data(b"To: ann@y.example\r\n\r\ntext\r\n")[0] == 250
    (taken,) = fake.taken(1)
    assert b"archive" not in taken.data
    named = {command.argument for command in fake.commands.all() if command.verb == "RCPT"}
    assert named == {"TO:<ann@y.example> NOTIFY=SUCCESS",
                     "TO:<archive@x.example> NOTIFY=NEVER"}


def test_a_report_is_copied_to_nobody(relaying):
    one, fake = relaying(bcc=[{"match": "*", "to": "archive@x.example"},
                              {"recipient": "*", "to": "archive@x.example"}])
    assert recipients(one, fake, "", "ann@y.example") == ["ann@y.example"]


STAGING = {"redirect": "dev@x.example", "allow": ["@x.example"]}


def test_staging_sends_one_message_to_one_address_and_names_the_others(relaying):
    one, fake = relaying(staging=STAGING, aliases={"all": ["eve@z.example", "fred@x.example"]},
                         bcc=[{"match": "*", "to": "archive@y.example"}])
    assert recipients(one, fake, SENDER, "ann@y.example", "bob@y.example", "all", "carl@X.example") == [
        "carl@X.example", "dev@x.example", "fred@x.example"]
    (taken,) = fake.taken(1)
    message = email.message_from_bytes(taken.data)
    assert message.get_all("X-Original-To") == ["ann@y.example", "bob@y.example", "eve@z.example",
                                                "archive@y.example"]
    accepted = one.wait_event("accepted")
    assert accepted["instead_of"] == "ann@y.example,bob@y.example,eve@z.example,archive@y.example"
    named = {command.argument for command in fake.commands.all() if command.verb == "RCPT"}
    assert "TO:<dev@x.example> NOTIFY=NEVER" in named


def test_a_thousand_recipients_are_one_message_in_staging(relaying):
    one, fake = relaying(staging=STAGING)
    assert recipients(one, fake, SENDER, *[f"user{i}@y.example" for i in range(1000)]) == ["dev@x.example"]


def test_no_order_to_a_provider_leads_out_of_staging(relay, upstream):
    fake = upstream(accounts={}, certificate=None)
    one = relay({"fake": {**fake.config(), "provider": "sendgrid"}}, origin="o.example", staging=STAGING,
                listener={"provider_headers": True})
    one.submit(SENDER, "ann@y.example", b'X-SMTPAPI: {"to":["ann@y.example"]}\r\n' + mail.text(SENDER))
    (taken,) = fake.taken(1)
    assert b"SMTPAPI" not in taken.data and list(taken.recipients) == ["dev@x.example"]


def test_a_message_without_a_header_gets_its_fields_above_its_body(relaying):
    one, fake = relaying(staging=STAGING)
    one.submit(SENDER, "ann@y.example", b"Hello there\r\n")
    (taken,) = fake.taken(1)
    header, _, body = taken.data.partition(b"\r\n\r\n")
    assert b"X-Original-To: ann@y.example" in header and body == b"Hello there\r\n"


def test_the_start_says_that_staging_is_on(relaying):
    one, _ = relaying(staging=STAGING)
    assert one.wait_event("staging")["to"] == "dev@x.example"
    checked = command("check", "--config", str(one.file))
    assert "staging is on: all mail goes to dev@x.example" in checked.stderr
