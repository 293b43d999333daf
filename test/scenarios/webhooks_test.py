"""Webhooks: a real receiver over HTTPS verifies what relayd tells of its mail with the library of Standard Webhooks."""

import json
import socket
import time

import pytest

from support import mail
from support.receiver import Receiver
from support.relayd import command
from support.waiting import free_port, poll

SENDER, READER, GONE = "app@sender.example", "reader@rcpt.example", "gone@rcpt.example"
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OLD_SECRET = "whsec_YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFh"
UNKNOWN = '550 5.1.1 <gone@rcpt.example>: User "unknown" here'


@pytest.fixture
def receiver(certificate):
    made = []

    def start(*secrets: str, port: int = 0) -> Receiver:
        made.append(Receiver(certificate, *(secrets or (SECRET,)), port=port))
        return made[-1]

    yield start
    for one in made:
        one.close()


@pytest.fixture
def telling(relay, upstream):
    """A relay in front of an upstream that knows no GONE, with these receivers: (relay, upstream)."""

    def start(*webhooks: dict, **sections):
        fake = upstream(accounts={})
        fake.answer("rcpt", UNKNOWN, about=GONE)
        return relay({"fake": fake.config()}, webhooks=list(webhooks), **sections), fake

    return start


def status_of(relay) -> dict:
    ended = command("status", "--json", "-c", relay.file)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return json.loads(ended.stdout)["webhooks"][0]


def send(relay, subject: str = "secret words", recipients=READER) -> str:
    return relay.submit(SENDER, recipients, mail.message(SENDER, subject))


def test_an_account_that_fails_is_told_and_that_it_is_well_again(receiver, relay, upstream):
    there, fake = receiver(), upstream(accounts={"bob": "right-canary"})
    one = relay({"fake": fake.config(username="bob", password="wrong-canary")}, watch={}, webhooks=[there.config(SECRET)])
    _, failing = there.wait_event("account.failing", upstream="fake", account="bob")
    assert "`password` of 'bob'" in failing["data"]["reason"]
    fake.accounts["bob"] = "wrong-canary"
    one.reload()
    there.wait_event("account.ok", upstream="fake", account="bob")


def test_what_became_of_each_recipient_is_told_and_verifies(receiver, telling):
    there = receiver()
    relay, _ = telling(there.config(SECRET))
    message = send(relay, recipients=[READER, GONE])
    request, delivered = there.wait_event("delivered", to=READER)
    assert request.method == "POST" and request.url == "/hook?key=1"
    assert request.headers["content-type"] == "application/json"
    assert delivered["data"]["message"] == message and delivered["data"]["from"] == SENDER
    assert delivered["data"]["upstream"] == "fake" and delivered["data"]["code"] == 250
    _, failed = there.wait_event("failed", to=GONE)
    assert failed["data"]["code"] == 550 and 'User "unknown" here' in failed["data"]["reply"]
    for one in there.requests.all():
        assert one.verified == [True] and one.octets <= 20_000 and "." not in one.id
        assert "secret words" not in json.dumps(one.body)
        assert abs(int(one.headers["webhook-timestamp"]) - time.time()) < 300


def test_what_is_refused_with_500_comes_again_with_the_same_id(receiver, telling):
    there = receiver()
    there.answer("500")
    relay, _ = telling(there.config(SECRET))
    send(relay)
    relay.wait_event("webhook_failed")
    first, second = there.requests.wait(count=2)
    assert (first.status, second.status) == (500, 204)
    assert first.id == second.id and first.body == second.body and second.verified == [True]
    assert int(first.headers["webhook-timestamp"]) < int(second.headers["webhook-timestamp"])


def test_each_of_two_secrets_signs(receiver, telling):
    there = receiver(SECRET, OLD_SECRET)
    relay, _ = telling(there.config([SECRET, OLD_SECRET]))
    send(relay)
    request, _ = there.wait_event("delivered")
    assert request.verified == [True, True]
    assert len(request.headers["webhook-signature"].split(" ")) == 2


def test_what_was_not_told_before_a_kill_is_told_after_it(receiver, telling, certificate):
    port = free_port()
    with socket.create_server(("127.0.0.1", port)):  # connections wait there
        url = f"https://127.0.0.1:{port}/"
        relay, _ = telling({"url": url, "secret": SECRET, "ca_file": str(certificate.authority)})
        messages = [send(relay, recipients=[READER, GONE]) for _ in range(3)]
        relay.wait("failed", 3)
        relay.kill()
    there = receiver(port=port)
    relay.start("--grace", "1")
    for message in messages:
        there.wait_event("delivered", message=message, to=READER)
        there.wait_event("failed", message=message, to=GONE)
    assert all(request.verified == [True] for request in there.requests.all())


def test_mail_goes_on_without_a_receiver(telling):
    relay, upstream = telling({"url": f"https://127.0.0.1:{free_port()}/?key=1", "secret": SECRET})
    send(relay)
    failed = relay.wait_event("webhook_failed")
    assert "key=1" not in json.dumps(failed)
    for _ in range(5):
        send(relay)
    upstream.messages.wait(count=6)
    poll(lambda: status_of(relay)["waiting_octets"] > 0)


def test_410_ends_it_until_a_reload(receiver, telling):
    there = receiver()
    there.answer("410")
    relay, upstream = telling(there.config(SECRET))
    send(relay)
    there.requests.wait()
    poll(lambda: status_of(relay)["disabled"])
    message = send(relay)
    upstream.messages.wait(count=2)
    assert len(there.requests.all()) == 1
    relay.config["log"]["level"] = "debug"
    relay.write()
    relay.reload()
    there.wait_event("delivered", message=message)


def test_a_redirect_is_not_followed(receiver, telling):
    there, elsewhere = receiver(), receiver()
    there.answer(f"307 https://127.0.0.1:{elsewhere.port}/")
    relay, _ = telling(there.config(SECRET))
    send(relay)
    relay.wait_event("webhook_failed")
    there.wait_event("delivered")  # the same again, to the same receiver
    assert elsewhere.requests.all() == []
