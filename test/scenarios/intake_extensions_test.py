"""Extensions of SMTP: what is passed on to an upstream that offers them, and what is refused, as early as it can be
known, where none does. No message is changed to fit, and no bit of it is stripped."""

import smtplib
import ssl

import pytest

from support import mail
from support.upstream import EXTENSIONS
from support.waiting import PATIENCE

SENDER, RECIPIENT = "app@example.com", "one@rcpt.example"
WITHOUT = {name: tuple(offer for offer in (*EXTENSIONS, "REQUIRETLS") if offer != name)
           for name in ("8BITMIME", "SMTPUTF8", "REQUIRETLS")}
# What a message asks for, and how it is refused.
NEEDS = {"8BITMIME": ("BODY=8BITMIME", 554, "5.6.3"), "SMTPUTF8": ("SMTPUTF8", 550, "5.6.7"),
         "REQUIRETLS": ("REQUIRETLS", 550, "5.7.30")}


def connect(relay) -> smtplib.SMTP:
    client = smtplib.SMTP("127.0.0.1", relay.port, "client.test.example", PATIENCE)
    client.ehlo()
    return client


@pytest.fixture
def over_tls(relay, certificate, authority):
    """Starts a relay that offers STARTTLS; a client that has used it: (relay, client)."""
    clients = []

    def start(upstreams: dict, senders: list | None = None):
        pair = {"certificate": str(certificate.certificate), "key": str(certificate.key)}
        one = relay(upstreams, senders, listener={"tls": "starttls"}, tls={"certificates": [pair]})
        clients.append(connect(one))
        assert "requiretls" not in clients[-1].esmtp_features
        clients[-1].starttls(context=ssl.create_default_context(cafile=str(authority.file)))
        clients[-1].ehlo()
        return one, clients[-1]

    yield start
    for client in clients:
        client.close()


def send(client, *parameters: str, data: bytes | None = None) -> tuple[int, bytes]:
    """One transaction, up to its first refusal."""
    code, text = client.docmd("MAIL", " ".join([f"FROM:<{SENDER}>", *parameters]))
    if code != 250:
        return code, text
    client.rcpt(RECIPIENT)
    return client.data(data or mail.text(SENDER))


@pytest.mark.parametrize("need", NEEDS)
def test_what_no_upstream_offers_is_refused_at_mail_once_that_is_known(over_tls, upstream, need):
    parameter, code, status = NEEDS[need]
    fake = upstream(accounts={}, extensions=WITHOUT[need])
    relay, client = over_tls({"fake": fake.config()})
    assert send(client, parameter)[0] == 250  # nobody has asked the upstream yet
    failed = relay.wait_event("failed")
    assert failed["response"].startswith(f"{status} the message needs {need}")
    refused = send(client, parameter)
    print(*refused)
    assert (refused[0], refused[1].split()[0].decode()) == (code, status)
    assert relay.wait_event("rejected")["code"] == code
    assert send(client)[0] == 250
    relay.wait_event("delivered")
    assert fake.verbs().count("MAIL") == 1


@pytest.mark.parametrize("need", NEEDS)
def test_a_message_goes_to_the_upstream_that_offers_what_it_needs(over_tls, upstream, need):
    parameter, _, _ = NEEDS[need]
    first = upstream(accounts={}, extensions=WITHOUT[need])
    able = upstream(accounts={}, extensions=(*EXTENSIONS, "REQUIRETLS"))
    upstreams = {"first": first.config(retry_next_on=["connect"]), "able": able.config()}
    relay, client = over_tls(upstreams, [{"match": "*", "upstream": ["first", "able"]}])
    for _ in range(2):
        assert send(client, parameter)[0] == 250
    assert [event["upstream"] for event in relay.wait("delivered", 2)] == ["able", "able"]
    assert "MAIL" not in first.verbs()
    assert all(parameter in command.argument for command in able.commands.all() if command.verb == "MAIL")


def test_eight_bits_that_nobody_declared_are_declared_on_the_way(relay, upstream):
    fake = upstream(accounts={})
    one = relay({"fake": fake.config()})
    with connect(one) as client:
        assert send(client, data=mail.eight_bit(SENDER))[0] == 250
    arrived = fake.taken(1)[0].data
    mail.demand_same(mail.without_field(arrived, b"Received"), mail.eight_bit(SENDER))
    assert "BODY=8BITMIME" in next(command.argument for command in fake.commands.all() if command.verb == "MAIL")


def test_eight_bits_that_nobody_declared_are_not_forced_on_an_upstream(relay, upstream):
    fake = upstream(accounts={}, extensions=WITHOUT["8BITMIME"])
    one = relay({"fake": fake.config()})
    with connect(one) as client:
        assert send(client, data=mail.eight_bit(SENDER))[0] == 250
        assert one.wait_event("failed")["response"].startswith("5.6.3 ")
        refused = send(client, data=mail.eight_bit(SENDER))  # now it is known, and seen at the final dot
        assert (refused[0], refused[1][:5]) == (554, b"5.6.3")
        assert send(client)[0] == 250
    one.wait_event("delivered")
    assert fake.verbs().count("MAIL") == 1


def test_a_new_offer_is_noticed(relay, upstream):
    fake = upstream(accounts={}, extensions=WITHOUT["SMTPUTF8"])
    one = relay({"fake": fake.config(limits={"messages_per_connection": 1})})
    with connect(one) as client:
        assert send(client)[0] == 250
        one.wait_event("delivered")
        assert send(client, "SMTPUTF8")[0] == 550
        fake.extensions = EXTENSIONS
        assert send(client)[0] == 250
        one.wait("delivered", 2)
        assert send(client, "SMTPUTF8")[0] == 250
    one.wait("delivered", 3)


def test_after_a_reload_an_upstream_is_asked_anew(relay, upstream):
    one = relay({"fake": upstream(accounts={}, extensions=WITHOUT["SMTPUTF8"]).config()})
    with connect(one) as client:
        assert send(client)[0] == 250
        one.wait_event("delivered")
        assert send(client, "SMTPUTF8")[0] == 550
        one.config["upstreams"]["fake"] = upstream(accounts={}).config()
        one.write()
        one.reload()
        assert send(client, "SMTPUTF8")[0] == 250
    one.wait("delivered", 2)


def test_a_smaller_size_is_known_once_it_was_announced(relay, upstream):
    fake = upstream(accounts={}, extensions=("PIPELINING", "SIZE 100000"))
    one = relay({"fake": fake.config()})
    with connect(one) as client:
        assert send(client)[0] == 250
        one.wait_event("delivered")
        refused = send(client, "SIZE=100001")
        assert (refused[0], refused[1][:5]) == (552, b"5.3.4")
        assert send(client, data=mail.attachment(SENDER, size=100_000))[0] == 552  # at the final dot
        assert send(client, "SIZE=90000")[0] == 250


TLS_NOT_REQUIRED = "TLS-Required: No\r\n"


def test_tls_is_not_given_up_for_a_header_field(over_tls, upstream):
    """RFC 8689 5 lets it override the policy of recipients' domains. That of an upstream is the operator's."""
    fake = upstream(accounts={})
    relay, client = over_tls({"fake": fake.config()})
    sent = mail.message(SENDER, "tls-required", more=TLS_NOT_REQUIRED)
    assert send(client, data=sent)[0] == 250
    mail.demand_same(mail.without_field(fake.taken(1)[0].data, b"Received"), sent)
    assert relay.wait_event("delivered")["tls"].startswith("TLSv1")
    assert all(command.tls for command in fake.commands.all() if command.verb == "MAIL")


def test_the_header_field_does_not_lift_the_parameter(over_tls, upstream):
    """RFC 8689 4.1: with REQUIRETLS the field is ignored."""
    fake = upstream(accounts={})
    relay, client = over_tls({"fake": fake.config()})
    assert send(client, "REQUIRETLS", data=mail.message(SENDER, "both", more=TLS_NOT_REQUIRED))[0] == 250
    assert "5.7.30" in relay.wait_event("failed")["response"]
    assert "MAIL" not in fake.verbs()


def test_a_client_without_tls_cannot_require_it(relay, upstream):
    one = relay({"fake": upstream(accounts={}).config()})
    with connect(one) as client:
        refused = send(client, "REQUIRETLS")
    assert (refused[0], refused[1][:6]) == (530, b"5.7.10")


@pytest.mark.parametrize("offered", [True, False], ids=["offered", "not offered"])
def test_dsn_parameters_are_passed_on(relay, upstream, offered):
    fake = upstream(accounts={}, extensions=(*EXTENSIONS, "DSN") if offered else EXTENSIONS)
    one = relay({"fake": fake.config()})
    with connect(one) as client:
        assert "dsn" in client.esmtp_features
        client.mail(SENDER, ["RET=HDRS", "ENVID=QQ314159"])
        client.rcpt(RECIPIENT, ["NOTIFY=SUCCESS,DELAY", "ORCPT=rfc822;one+40rcpt.example"])
        client.data(mail.text(SENDER))
    one.wait_event("delivered")
    said = " ".join(command.argument for command in fake.commands.all())
    for parameter in ("RET=HDRS", "ENVID=QQ314159", "NOTIFY=SUCCESS,DELAY", "ORCPT=rfc822;one+40rcpt.example"):
        assert (parameter in said) is offered, said
