"""What leaves is not what came: addresses, header rules, control fields and signatures, as the upstream sees them."""

import email
import email.policy

import pytest

from support import mail
from support.relayd import Client
from support.waiting import PATIENCE

SENDER = "ann@int.example"
MESSAGE = (b"From: Ann <ann@int.example>\r\nTo: bob@customer.example\r\nX-PHP-Script: /index.php\r\n"
           b"X-Mailer: app\r\nSubject: hello\r\nDate: Sun, 22 Nov 2026 12:00:00 +0000\r\n"
           b"Message-ID: <1@int.example>\r\n\r\ntext\r\n")


@pytest.fixture
def relaying(relay, upstream):
    """A relay of o.example with these sections, and its upstream: (relay, upstream)."""

    def start(of_upstream=None, senders=None, listener=None, **sections):
        fake = upstream(accounts={}, certificate=None)
        return relay({"fake": {**fake.config(), **(of_upstream or {})}}, senders=senders, listener=listener,
                     origin="o.example", **sections), fake

    return start


def sent(one, fake, message=MESSAGE, sender=SENDER, to=("bob@customer.example",)):
    """What arrives of one message: (sender, recipients, the parsed message)."""
    one.submit(sender, list(to), message)
    (taken,) = fake.taken(1)
    return taken.sender, sorted(taken.recipients), email.message_from_bytes(taken.data, policy=email.policy.SMTP)


def test_generic_addresses_leave_and_the_log_has_both(relaying):
    one, fake = relaying(rewrite=[{"match": "@int.example", "to": "@example.com"}])
    sender, to, message = sent(one, fake, to=("bob@customer.example", "eve@int.example"))
    assert (sender, to) == ("ann@example.com", ["bob@customer.example", "eve@example.com"])
    assert message["From"] == "Ann <ann@example.com>" and message["Message-ID"] == "<1@int.example>"
    delivered = one.wait_event("delivered", to="eve@int.example")
    assert (delivered["from"], delivered["sent_from"], delivered["sent_to"]) == (
        "ann@int.example", "ann@example.com", "eve@example.com")


def test_canonical_addresses_route_and_are_stored(relaying):
    one, fake = relaying(
        rewrite=[{"match": "@int.example", "to": "@example.com", "when": "taken"}],
        aliases={"root@example.com": "ops@example.net"},
        senders=[{"match": "@example.com", "upstream": "fake"}, {"match": "*", "reject": "550 5.7.1 Not this one"}])
    sender, to, message = sent(one, fake, to=("root+disk@int.example",))
    assert (sender, to) == ("ann@example.com", ["ops+disk@example.net"])
    assert message["From"] == "Ann <ann@example.com>"
    assert one.wait_event("accepted")["from"] == "ann@example.com"


def test_a_null_sender_is_routed_by_its_canonical_from(relaying):
    one, fake = relaying(
        rewrite=[{"match": "@int.example", "to": "@example.com", "when": "taken"}],
        senders=[{"match": "@example.com", "upstream": "fake"}, {"match": "*", "reject": "550 5.7.1 Not this one"}])
    sender, _, message = sent(one, fake, sender="")
    assert sender == "" and message["From"] == "Ann <ann@example.com>"


def test_a_forced_from_is_answered_to_who_wrote_it(relaying):
    one, fake = relaying(of_upstream={"rewrite": [{"match": "*", "to": "noreply@example.com", "in": ["sender", "from"],
                                                   "keep": "reply-to"}]})
    sender, _, message = sent(one, fake)
    assert sender == "noreply@example.com"
    assert (message["From"], message["Reply-To"]) == ("Ann <noreply@example.com>", "Ann <ann@int.example>")


def test_the_rule_of_a_sender_comes_before_its_upstream(relaying):
    one, fake = relaying(of_upstream={"rewrite": [{"match": "*", "to": "up@x.example", "in": ["sender", "from"]}]},
                         senders=[{"match": SENDER, "upstream": "fake",
                                   "rewrite": [{"match": "*", "to": "rule@x.example", "in": ["sender", "from"]}]},
                                  {"match": "*", "upstream": "fake"}])
    assert sent(one, fake)[0] == "rule@x.example"
    one.submit("carl@int.example", "bob@customer.example", mail.text("carl@int.example"))
    assert {taken.sender for taken in fake.taken(2)} == {"rule@x.example", "up@x.example"}


def test_a_table_is_read_when_it_is_asked_for(relaying, tmp_path):
    table = tmp_path / "generic"
    table.write_text("# generic\nann@int.example ann.smith@example.com\n@int.example @example.org\n")
    one, fake = relaying(rewrite=[{"table": "generic", "in": ["sender", "header"]}],
                         tables={"generic": {"file": str(table)}})
    sender, _, message = sent(one, fake)
    assert (sender, message["From"]) == ("ann.smith@example.com", "Ann <ann.smith@example.com>")


def test_header_rules_change_what_leaves(relaying):
    one, fake = relaying(headers={"remove": ["X-PHP-*"], "set": {"X-Mailer": "relay"}, "default": {"Organization": "Us"},
                                  "subject_prefix": "[test]", "received": "masked"})
    _, _, message = sent(one, fake)
    assert (message["X-PHP-Script"], message.get_all("X-Mailer"), message["Organization"], message["Subject"]) == (
        None, ["relay"], "Us", "[test] hello")
    assert "127.0.0.1" not in message["Received"] and "relay.test.example" in message["Received"]


CONTROLS = MESSAGE.replace(b"Subject:", b"X-SMTPAPI: {\"to\":[\"eve@evil.example\"]}\r\nX-Mailgun-Tag: t\r\nSubject:")


def test_orders_to_providers_are_taken_out(relaying):
    one, fake = relaying()
    _, _, message = sent(one, fake, CONTROLS)
    assert message["X-SMTPAPI"] is None and message["X-Mailgun-Tag"] is None and message["Subject"] == "hello"


def test_a_message_that_nothing_is_about_leaves_as_it_came(relaying):
    one, fake = relaying(rewrite=[{"match": "@elsewhere.example", "to": "@example.com"}], headers={"remove": ["X-None"]})
    one.submit(SENDER, "bob@customer.example", MESSAGE)
    (taken,) = fake.taken(1)
    assert taken.data.endswith(MESSAGE) and taken.data.startswith(b"Received:")


@pytest.mark.parametrize("size", (1000, 300_000, 2_000_000))
def test_small_and_large_messages_keep_their_body(relaying, size):
    one, fake = relaying(rewrite=[{"match": "@int.example", "to": "@example.com"}])
    body = b"".join(b"%09d\r\n" % i for i in range(size // 11))
    one.submit(SENDER, "bob@customer.example", MESSAGE + body)
    (taken,) = fake.taken(1)
    head, _, rest = taken.data.partition(b"\r\n\r\n")
    assert b"From: Ann <ann@example.com>" in head and rest == b"text\r\n" + body


def test_recipients_who_become_one_are_asked_once_and_share_its_fate(relaying):
    one, fake = relaying(rewrite=[{"match": "@int.example", "to": "all@example.com", "in": ["recipient"]}])
    _, to, _ = sent(one, fake, to=("a@int.example", "b@int.example", "c@customer.example"))
    assert to == ["all@example.com", "c@customer.example"]
    delivered = one.wait("delivered", 3)
    assert sorted(line["to"] for line in delivered) == ["a@int.example", "b@int.example", "c@customer.example"]


def test_many_who_become_one_are_one_copy_whatever_a_message_may_hold(relaying):
    one, fake = relaying(of_upstream={"limits": {"recipients_per_message": 2}},
                         rewrite=[{"match": "@int.example", "to": "all@example.com", "in": ["recipient"]}])
    many = [f"u{number}@int.example" for number in range(7)]
    one.submit(SENDER, [*many, "c@customer.example"], MESSAGE)
    delivered = one.wait("delivered", 8)
    assert sorted(line["to"] for line in delivered) == sorted([*many, "c@customer.example"])
    assert [list(taken.recipients) for taken in fake.taken(1)] == [["all@example.com", "c@customer.example"]]
    assert len(fake.messages.all()) == 1


def test_an_address_that_is_too_often_refused_teaches_no_limit(relaying):
    one, fake = relaying(rewrite=[{"match": "@int.example", "to": "all@example.com", "in": ["recipient"]}])
    fake.answer("dot", "552 5.5.3 too many recipients")
    one.submit(SENDER, [f"u{number}@int.example" for number in range(8)], MESSAGE)
    one.wait("failed", 8)
    assert not one.logged("limit_learnt") and len(fake.messages.all()) == 1


FORCED = {"match": "@b.example", "to": "a@a.example", "in": ["from"], "when": "taken", "keep": "reply-to"}


LONGER = {"match": "@b.example", "to": f"{'y' * 60}@a.example", "in": ["from"], "when": "taken"}


@pytest.mark.parametrize("rule, header", (
    (FORCED, b"From: ceo@b.example\r\nResent-From: ceo@b.example\r\n"),
    (LONGER, b"From: ceo@b.example(" + b"x" * 970 + b")\r\n")))
def test_rules_let_nobody_write_as_another(relay, upstream, rule, header):
    fake = upstream(accounts={}, certificate=None)
    one = relay({"fake": fake.config()}, origin="o.example", listener={"auth": "optional"},
                accounts=[{"name": "app", "password": "app-canary", "may_send_as": ["@a.example"],
                           "may_send_as_header": True}],
                rewrite=[rule])
    with Client("127.0.0.1", one.port, timeout=PATIENCE) as client:
        client.login("app", "app-canary")
        client.mail("x@a.example")
        client.rcpt("bob@customer.example")
        code, text = client.data(header + b"Subject: x\r\n\r\ntext\r\n")
    assert code == 550 and b"may not write as ceo@b.example" in text


@pytest.mark.parametrize("when", ("taken", "sent"))
def test_an_address_that_must_not_become_another_stays_and_is_told(relaying, when):
    long = ".".join(["y" * 60] * 4) + ".example"
    one, fake = relaying(rewrite=[{"match": SENDER, "to": f"@{long}", "in": ["sender"], "when": when}])
    assert sent(one, fake)[0] == SENDER
    assert [line["to"] for line in one.logged("not_rewritten")] == [SENDER]


def test_a_signature_of_the_client_that_a_rule_breaks_is_told_once(relaying):
    signed = b"DKIM-Signature: v=1; a=rsa-sha256; d=int.example; s=s; h=from; bh=x; b=y\r\n" + MESSAGE
    one, fake = relaying(rewrite=[{"match": "@int.example", "to": "@example.com"}])
    for _ in range(3):
        one.submit(SENDER, "bob@customer.example", signed)
    fake.taken(3)
    one.wait("delivered", 3)
    assert len(one.logged("signature_broken")) == 1


def test_waiting_mail_goes_to_the_redirect_once_staging_begins(relay, upstream):
    fake = upstream(accounts={}, certificate=None)
    one = relay({"fake": {**fake.config(), "port": 1}}, origin="o.example", queue={"retry": {"first": "1s", "maximum": "1s"}})
    one.submit(SENDER, ["bob@customer.example", "eve@customer.example"], MESSAGE)
    one.wait("deferred", 2)
    one.config["staging"] = {"redirect": "dev@x.example"}
    one.config["upstreams"]["fake"] = fake.config()
    one.write()
    one.reload()
    (taken,) = fake.taken(1)
    assert list(taken.recipients) == ["dev@x.example"]
    message = email.message_from_bytes(taken.data)
    assert message.get_all("X-Original-To") == ["bob@customer.example", "eve@customer.example"]
    one.wait("delivered", 2)
