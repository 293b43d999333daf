"""Where mail goes by rules of recipients, and by what else rules ask for: that it arrives there, through a kill, a reload
and an upstream in trouble, and that explain says the same."""

import smtplib
from collections import Counter

import pytest

from support import mail
from support.relayd import command
from support.waiting import PATIENCE, free_port

SENDER = "app@example.com"
NO_USER = 67


@pytest.fixture
def two(upstream):
    return upstream(accounts={}, certificate=None), upstream(accounts={}, certificate=None)


@pytest.fixture
def routed(relay, two):
    """A relay in front of two upstreams, office and lists: (relay, office, lists)."""

    def start(senders=None, **sections):
        office, lists = two
        senders = senders or [{"match": "*", "upstream": "office"}]
        return relay({"office": office.config(), "lists": lists.config()}, senders, **sections), office, lists

    return start


def recipients_of(upstream):
    return Counter(recipient for message in upstream.messages.all() for recipient in message.recipients)


def explained(one, *words, code=0):
    told = command("explain", "--config", str(one.file), *map(str, words))
    assert told.returncode == code, told.stderr
    return told.stdout


TO_LISTS = [{"match": "@lists.example", "upstream": "lists"}]


def test_each_recipient_goes_where_its_rule_says(routed):
    relay, office, lists = routed(recipients=TO_LISTS)
    id = relay.submit(SENDER, ["a@lists.example", "b@rcpt.example", "c@lists.example"], mail.text(SENDER, "parted"))
    relay.wait("delivered", 3, id=id)
    assert recipients_of(office) == {"b@rcpt.example": 1}
    assert recipients_of(lists) == {"a@lists.example": 1, "c@lists.example": 1}
    assert len(lists.messages.all()) == 1


def test_a_rule_that_rejects_and_no_rule_at_all_are_told_at_rcpt(routed):
    relay, office, _ = routed([{"match": "@example.com", "upstream": "office"}],
                              recipients=[*TO_LISTS, {"match": "@gone.example", "reject": "551 5.1.6 It has moved"}])
    with smtplib.SMTP("127.0.0.1", relay.port, timeout=PATIENCE) as client:
        client.ehlo()
        assert client.mail("nobody@nowhere.example")[0] == 250
        assert client.rcpt("a@lists.example")[0] == 250
        assert client.rcpt("b@rcpt.example") == (
            550, b"5.7.1 No rule says where mail from nobody@nowhere.example to b@rcpt.example goes")
        assert client.rcpt("c@gone.example") == (551, b"5.1.6 It has moved")


def test_parted_shipments_live_through_a_kill(routed):
    relay, office, lists = routed(recipients=TO_LISTS)
    lists.answer("mail", "451 4.3.0 Later")
    id = relay.submit(SENDER, ["a@lists.example", "b@rcpt.example"], mail.text(SENDER, "killed"))
    relay.wait_event("delivered", id=id)
    relay.wait_event("deferred", id=id)
    command("queue", "retry", "--config", str(relay.file), id)  # it answers once what happened so far is on disk
    relay.kill()
    lists.behave()
    relay.start("--grace", "1")
    command("queue", "retry", "--config", str(relay.file), id)
    relay.wait_event("delivered", id=id, to="a@lists.example")
    assert recipients_of(office) == {"b@rcpt.example": 1}
    assert recipients_of(lists) == {"a@lists.example": 1}


def test_explain_says_where_each_recipient_goes(routed):
    relay, _, _ = routed([{"match": "@example.com", "upstream": "office"}], recipients=TO_LISTS,
                         aliases={"all": ["x@lists.example", "y@rcpt.example"]}, origin="o.example")
    told = explained(relay, "--sender", SENDER, "--recipient", "all")
    there, here = told[told.index("for        x@lists.example"):].split("for        y@rcpt.example")
    assert 'rule       "@lists.example" (' in there and "1. lists" in there, told
    assert 'rule       "@example.com" (' in here and "1. office" in here, told
    assert "for        whom no rule of 'recipients' is for" in explained(relay, "--sender", SENDER)
    assert "none matches" in explained(relay, "--sender", "x@y.example", "--recipient", "z@z.example", code=NO_USER)
    explained(relay, "--sender", "x@y.example", "--recipient", "z@lists.example")


# --- what else rules ask for ---

def test_a_header_an_account_and_a_client_decide(routed):
    relay, office, lists = routed(
        [{"match": "*", "upstream": "office"}, {"match": "*", "header": {"X-Stream": "bulk"}, "upstream": "lists"},
         {"match": "@blocked.example", "client": "127.0.0.0/8", "reject": "550 5.7.1 Not from there"}])
    for stream in ("bulk", "other"):
        message = b"X-Stream: " + stream.encode() + b"\r\n" + mail.text(SENDER, stream)
        relay.wait_event("delivered", id=relay.submit(SENDER, f"{stream}@rcpt.example", message))
    assert recipients_of(lists) == {"bulk@rcpt.example": 1}
    assert recipients_of(office) == {"other@rcpt.example": 1}
    with smtplib.SMTP("127.0.0.1", relay.port, timeout=PATIENCE) as client:
        client.ehlo()
        assert client.mail("x@blocked.example") == (550, b"5.7.1 Not from there")


def test_a_large_message_is_routed_by_its_header_too(routed):
    relay, office, lists = routed(
        [{"match": "*", "upstream": "office"}, {"match": "*", "header": {"X-Stream": "bulk"}, "upstream": "lists"}])
    message = b"X-Stream: bulk\r\n" + mail.text(SENDER, "large") + b"line of the body\r\n" * 40000
    relay.wait_event("delivered", id=relay.submit(SENDER, "b@rcpt.example", message))
    assert recipients_of(lists) == {"b@rcpt.example": 1}
    assert not office.messages.all()


def test_a_reload_asks_for_fields_that_nobody_asked_for_when_the_mail_came(routed):
    relay, office, lists = routed([{"match": "*", "upstream": "office"}, {"match": "@o.example", "upstream": "lists"}])
    office.answer("mail", "451 4.3.0 Later")
    id = relay.submit(SENDER, "b@rcpt.example", b"X-Stream: bulk\r\n" + mail.text(SENDER, "waits"))
    relay.wait_event("deferred", id=id)
    relay.config["senders"].append({"match": "*", "header": {"X-Stream": "bulk"}, "upstream": "lists"})
    relay.write()
    relay.reload()
    command("queue", "retry", "--config", str(relay.file), id)
    relay.wait_event("delivered", id=id)
    assert recipients_of(lists) == {"b@rcpt.example": 1}


# Rules that ask by which of two listeners the mail came.
BY_LISTENER = [{"match": "*", "upstream": "office"}, {"match": "*", "listener": "bulk", "upstream": "lists"}]


@pytest.fixture
def two_listeners(routed):
    """A relay that listens as apps and, at a second port, as bulk, in front of two upstreams."""

    def start(senders=BY_LISTENER, **sections):
        ports = {"apps": free_port(), "bulk": free_port()}
        listen = [{"name": name, "address": f"127.0.0.1:{port}"} for name, port in ports.items()]
        return *routed([*senders], listen=listen, **sections), ports

    return start


def submit(relay, port, recipient):
    relay.port = port
    return relay.submit(SENDER, recipient, mail.text(SENDER, recipient))


def retry(relay, id):
    command("queue", "retry", "--config", str(relay.file), id)


def test_the_listener_decides_also_after_a_restart(two_listeners):
    relay, office, lists, ports = two_listeners()
    for upstream in (office, lists):
        upstream.answer("mail", "451 4.3.0 Later")
    ids = [submit(relay, ports[name], f"{name}@rcpt.example") for name in ports]
    assert [relay.wait_event("deferred", id=id)["upstream"] for id in ids] == ["office", "lists"]
    shown = command("queue", "show", "--config", str(relay.file), ids[1]).stdout
    assert ", listener bulk\n" in shown, shown
    assert relay.wait_event("accepted", id=ids[1])["listener"] == "bulk"
    relay.kill()
    for upstream in (office, lists):
        upstream.behave()
    relay.start("--grace", "1")
    for id in ids:
        retry(relay, id)
        relay.wait_event("delivered", id=id)
    assert recipients_of(office) == {"apps@rcpt.example": 1}
    assert recipients_of(lists) == {"bulk@rcpt.example": 1}


def test_a_listener_that_may_not_send_there_is_told_at_rcpt(two_listeners):
    relay, _, _, ports = two_listeners(recipients=[
        {"match": "@inside.example", "reject": "550 5.7.1 From apps alone"},
        {"match": "@inside.example", "listener": "apps", "upstream": "lists"}])
    told = []
    for port in ports.values():
        with smtplib.SMTP("127.0.0.1", port, timeout=PATIENCE) as client:
            client.ehlo()
            client.mail(SENDER)
            told.append(client.rcpt("a@inside.example")[0])
    assert told == [250, 550]


def test_a_reload_may_take_a_listener_its_name(two_listeners):
    relay, office, lists, ports = two_listeners()
    lists.answer("mail", "451 4.3.0 Later")
    id = submit(relay, ports["bulk"], "bulk@rcpt.example")
    relay.wait_event("deferred", id=id)
    del relay.config["listen"][1]["name"]
    relay.write()
    refused = command("check", "--config", str(relay.file))
    assert refused.returncode == 78 and "unknown listener 'bulk'" in refused.stderr, refused.stderr
    relay.config["senders"].pop()
    relay.write()
    relay.reload()
    retry(relay, id)
    relay.wait_event("delivered", id=id)
    relay.config["listen"][1]["name"] = "bulk"
    relay.config["senders"].append(BY_LISTENER[1])
    relay.write()
    relay.reload()
    lists.behave()
    relay.wait_event("delivered", id=submit(relay, ports["bulk"], "named@rcpt.example"))
    assert recipients_of(office) == {"bulk@rcpt.example": 1}
    assert recipients_of(lists) == {"named@rcpt.example": 1}


def test_explain_asks_for_the_listener(two_listeners):
    relay, _, _, _ = two_listeners()
    told = explained(relay, "--sender", SENDER, "--listener", "bulk")
    assert "   listener   bulk" in told and "1. lists" in told, told
    for other in ([], ["--listener", "apps"]):
        assert "1. office" in explained(relay, "--sender", SENDER, *other)
    unknown = command("explain", "--config", str(relay.file), "--sender", SENDER, "--listener", "bluk")
    assert unknown.returncode == 64 and "no listener" in unknown.stderr, unknown.stderr


def test_explain_asks_for_client_account_and_header(routed, tmp_path):
    relay, _, _ = routed(
        [{"match": "*", "upstream": {"office": 90, "lists": 10}},
         {"match": "*", "account": "app", "header": {"X-Stream": "bulk"}, "upstream": "lists"},
         {"match": "*", "client": ["10.0.0.0/8", "uid:7"], "upstream": "lists"}])
    file = tmp_path / "message"
    file.write_bytes(b"X-Stream: bulk\n" + mail.text(SENDER, "explained"))
    told = explained(relay, "--sender", SENDER)
    assert "   share      90 of 100 at office" in told and "   share      10 of 100 at lists" in told, told
    told = explained(relay, "--sender", SENDER, "--account", "app", "--message", file)
    assert "   account    app" in told and "   header     X-Stream: bulk" in told, told
    for client in ("10.1.1.1", "uid:7"):
        assert "   client     10.0.0.0/8" in explained(relay, "--sender", SENDER, "--client", client)


# --- shares ---

def test_messages_are_shared_and_the_other_upstream_follows(routed):
    relay, office, lists = routed([{"match": "*", "upstream": {"office": 1, "lists": 1}}])
    ids = [relay.submit(SENDER, f"r{i}@rcpt.example", mail.text(SENDER, f"shared {i}")) for i in range(40)]
    for id in ids:
        relay.wait_event("delivered", id=id)
    at_office, at_lists = recipients_of(office), recipients_of(lists)
    assert len(at_office) + len(at_lists) == 40 and 5 < len(at_office) < 35
    office.answer("mail", "550 5.7.1 Not your address")
    for i in range(10):
        relay.wait_event("delivered", id=relay.submit(SENDER, f"s{i}@rcpt.example", mail.text(SENDER, f"more {i}")))
    assert len(recipients_of(lists)) == len(at_lists) + 10
