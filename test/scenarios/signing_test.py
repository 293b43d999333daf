"""What the relay sends is signed: dkimpy and OpenDKIM verify what arrived, straight and through other mail servers."""

import pytest

from conftest import ACCOUNTS
from support.dkim import Keys
from support.exim import Exim
from support.provider import Provider
from support.relayd import Client
from support.waiting import PATIENCE

SENDER = "ann@example.com"
HEADER = (b"From: Ann <ann@example.com>\r\nTo: bob@customer.example\r\nSubject: hello\r\n"
          b"Date: Sun, 22 Nov 2026 12:00:00 +0000\r\nMessage-ID: <1@example.com>\r\n")
BODIES = {"text": b"Hello.\r\n", "none": b"", "blank": b"\r\n\r\n", "dots": b".\r\n..\r\n.x\r\n\r\n",
          "blanks": b" a \t b  \r\n \r\n\r\n", "bare": b"one\ntwo\rthree\r\n", "no end": b"one",
          "long": b"x" * 998 + b"\r\n", "longest": b"y" * 70_000 + b"\r\n", "eight": "é€\r\n".encode(),
          "middling": b"%04d\r\n" * 20_000, "large": b"0123456789\r\n" * 200_000}


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    return Keys(tmp_path_factory.mktemp("keys"))


def demand_verified(keys, messages: list[bytes]):
    """Both signatures of each, by both verifiers."""
    assert keys.verify(messages) == ["True True"] * len(messages)
    assert keys.opendkim(messages) == ["True True"] * len(messages)


def send(one, message: bytes):
    with Client("127.0.0.1", one.port, timeout=PATIENCE) as client:
        client.ehlo()
        client.mail(SENDER, ["BODY=8BITMIME"])
        client.rcpt("bob@customer.example")
        code, text = client.data(message)
        assert code == 250, text


@pytest.fixture
def signing(relay, upstream, keys):
    def start(*upstreams, **sections):
        fakes = upstreams or (upstream(accounts={}, certificate=None, extensions=("8BITMIME",)),)
        named = {f"fake{number}": fake.config() for number, fake in enumerate(fakes)}
        return relay(named, **{"dkim": keys.config(), **sections}), fakes[0]

    return start


@pytest.mark.parametrize("body", BODIES)
def test_each_key_signs_what_arrives(signing, keys, body):
    one, fake = signing()
    send(one, HEADER + b"\r\n" + BODIES[body])
    (taken,) = fake.taken(1)
    assert taken.data.count(b"\r\nDKIM-Signature:") == 1 and taken.data.startswith(b"DKIM-Signature:")
    demand_verified(keys, [taken.data])


def test_a_header_alone_is_signed(signing, keys):
    one, fake = signing()
    send(one, HEADER)
    (taken,) = fake.taken(1)
    demand_verified(keys, [taken.data])


def test_the_domain_is_that_of_the_from_that_leaves(signing, keys):
    one, fake = signing(rewrite=[{"match": "@int.example", "to": "@example.com"}],
                        headers={"set": {"Reply-To": "help@example.com"}, "subject_prefix": "[x]"})
    send(one, HEADER.replace(b"ann@example.com>", b"ann@int.example>") + b"\r\nHello\r\n")
    (taken,) = fake.taken(1)
    assert b"[x] hello" in taken.data
    demand_verified(keys, [taken.data])


def test_mail_of_others_is_not_signed(signing):
    one, fake = signing()
    send(one, HEADER.replace(b"ann@example.com>", b"ann@elsewhere.example>") + b"\r\nHello\r\n")
    (taken,) = fake.taken(1)
    assert b"DKIM-Signature" not in taken.data


@pytest.mark.parametrize("body", ("text", "large"))
def test_mail_that_waited_for_its_key_is_signed(relay, upstream, keys, body):
    fake = upstream(accounts={}, certificate=None, extensions=("8BITMIME",))
    one = relay({"fake": {**fake.config(), "port": 1}}, queue={"retry": {"first": "1s", "maximum": "1s"}})
    send(one, HEADER + b"\r\n" + BODIES[body])
    one.wait("deferred")
    one.config["dkim"] = keys.config()
    one.config["upstreams"]["fake"] = fake.config()
    one.write()
    one.reload()
    (taken,) = fake.taken(1)
    demand_verified(keys, [taken.data])


def test_each_upstream_gets_a_signature_of_what_it_gets(relay, upstream, keys):
    first = upstream(accounts={}, certificate=None)
    second = upstream(accounts={}, certificate=None)
    first.answer("dot", "421 4.7.0 Too many messages, slow down")
    one = relay({"first": {**first.config(), "headers": {"set": {"Subject": "one"}}},
                 "second": {**second.config(), "headers": {"set": {"Subject": "two"}}}},
                senders=[{"match": "*", "upstream": ["first", "second"]}], dkim=keys.config())
    send(one, HEADER + b"\r\nHello\r\n")
    (refused,) = first.messages.wait()
    (taken,) = second.taken(1)
    assert b"Subject: one" in refused.data and b"Subject: two" in taken.data
    demand_verified(keys, [refused.data, taken.data])


# Not a line above 998 octets, which Postfix breaks and Exim refuses.
THROUGH_OTHERS = ("text", "none", "blank", "dots", "blanks", "bare", "no end", "long", "eight", "middling")


def signed_part(message) -> bytes:
    """Without what the server in between put above."""
    return message.data[message.data.index(b"DKIM-Signature:"):]


def test_signatures_survive_postfix(relay, certificate, keys):
    with Provider(certificate, {"alice": (ACCOUNTS["alice"], SENDER)}) as provider:
        one = relay({"postfix": provider.config("starttls", username="alice", password=ACCOUNTS["alice"])},
                    dkim=keys.config())
        for body in THROUGH_OTHERS:
            send(one, HEADER + b"\r\n" + BODIES[body])
        arrived = provider.received(len(THROUGH_OTHERS))
    demand_verified(keys, [signed_part(message) for message in arrived])


def test_signatures_survive_exim(relay, upstream, certificate, keys):
    sink = upstream(accounts={}, certificate=None, extensions=("8BITMIME",))
    with Exim(certificate, "alice", ACCOUNTS["alice"], sink) as exim:
        one = relay({"exim": exim.config()}, dkim=keys.config())
        for body in THROUGH_OTHERS:
            send(one, HEADER + b"\r\n" + BODIES[body])
        arrived = sink.taken(len(THROUGH_OTHERS))
    demand_verified(keys, [signed_part(message) for message in arrived])
