"""Logins with OAuth 2: access tokens of a real token server over HTTPS, and servers that refuse them in their ways."""

import json

import pytest

from support import mail
from support.relayd import command
from support.token_server import TokenServer
from support.tokens import KnownTokens
from support.waiting import poll

SENDER, OTHER, READER = "app@sender.example", "shop@sender.example", "reader@rcpt.example"
USER = "robot@sender.example"


@pytest.fixture
def signing_in(relay, upstream, certificate):
    """A relay that logs in at one upstream with tokens of one server: (relay, upstream, tokens, server)."""
    servers = []

    def start(manner: str = "gmail", mechanisms: str = "PLAIN LOGIN XOAUTH2", more: dict | None = None, **oauth2):
        tokens = KnownTokens(manner)
        servers.append(TokenServer(certificate, tokens))
        fake = upstream(accounts={}, tokens=tokens, mechanisms=mechanisms)
        settings = fake.config(oauth2=servers[-1].config(**oauth2), **(more or {}))
        return relay({"fake": settings}), fake, tokens, servers[-1]

    yield start
    for server in servers:
        server.close()


def send(relay, sender: str = SENDER):
    return relay.submit(sender, READER, mail.message(sender, "hello"))


@pytest.mark.parametrize("mechanism", ["XOAUTH2", "OAUTHBEARER"])
def test_mail_leaves_with_a_token_of_the_token_server(signing_in, mechanism):
    relay, fake, tokens, server = signing_in(mechanisms=f"PLAIN LOGIN {mechanism}")
    for _ in range(3):
        send(relay)
    assert {message.account for message in fake.taken(3)} == {USER}
    assert [(login.mechanism, login.token) for login in tokens.logins.all()][:1] == [(mechanism, "token-canary-1")]
    request, = server.requests.all()
    assert request.form == {"grant_type": "client_credentials", "client_id": "relayd", "scope": "mail",
                            "client_secret": "client-canary"}
    assert request.headers["content-type"] == "application/x-www-form-urlencoded"


@pytest.mark.parametrize("manner", ["gmail", "microsoft", "hve"])
def test_a_young_token_that_the_server_refuses_pauses_its_lane_and_fetches_no_other(signing_in, manner):
    relay, _, tokens, server = signing_in(manner)
    server.answer(200, {"token_type": "Bearer", "access_token": "token-canary-old", "expires_in": 3600})
    if manner == "hve":
        tokens.take("token-canary-old", seconds=300)
    send(relay)
    assert relay.wait("lane_paused")[0]["class"] == "auth"
    login = tokens.logins.all()[0]
    assert not login.taken and login.dismissal == ("" if manner == "gmail" else None)
    assert len(server.requests.all()) == 1


def test_without_a_mechanism_for_tokens_none_is_sent(signing_in):
    relay, fake, tokens, _ = signing_in(mechanisms="PLAIN LOGIN")
    send(relay)
    paused = relay.wait("lane_paused")[0]
    assert paused["class"] == "auth" and "AUTH PLAIN LOGIN" in paused["response"]
    assert "AUTH" not in fake.verbs() and not tokens.logins.all()


def test_a_token_that_ends_in_mid_connection_costs_no_attempt(signing_in):
    relay, fake, tokens, server = signing_in()
    server.answer(200, {"token_type": "Bearer", "access_token": "token-canary-short", "expires_in": 1})
    tokens.take("token-canary-short", seconds=2)  # longer than relayd knows
    send(relay)
    fake.taken(1)
    poll(lambda: tokens.left(USER, "token-canary-short") <= 0)
    fake.answer("mail", "454 4.7.0 Token has ended", times=1)
    second = send(relay)
    fake.taken(2)
    delivered = relay.wait("delivered", 2)[1]
    assert delivered["id"] == second and delivered["attempts"] == 1
    assert not relay.logged("lane_paused") and not relay.logged("deferred")


def test_a_token_server_that_is_down_pauses_its_lane_alone(relay, upstream, certificate):
    tokens = KnownTokens()
    server = TokenServer(certificate, tokens)
    try:
        for _ in range(20):
            server.answer(503, "<html>down</html>")
        fake = upstream(tokens=tokens, mechanisms="PLAIN XOAUTH2")
        robot = {"name": "fake", "oauth2": server.config()}
        there = relay({"fake": fake.config(username="alice", password="alice-canary")},
                      [{"match": SENDER, "upstream": robot}, {"match": "*", "upstream": "fake"}])
        send(there)
        paused = there.wait("lane_paused")[0]
        assert paused["class"] == "connect" and paused["account"] == USER
        send(there, OTHER)
        assert fake.taken(1)[0].account == "alice"
        assert not there.logged("upstream_paused")
    finally:
        server.close()


def test_each_sender_logs_in_as_itself(signing_in):
    relay, fake, tokens, server = signing_in(user="sender")
    for sender in (SENDER, OTHER, SENDER):
        send(relay, sender)
    taken = fake.taken(3)
    assert sorted((message.sender, message.account) for message in taken) == [
        (SENDER, SENDER), (SENDER, SENDER), (OTHER, OTHER)]
    assert len(server.requests.all()) == 1  # client_credentials: one token for all
    status = command("status", "--json", "-c", relay.file)
    lanes = {lane["account"]: lane["oauth2"] for lane in json.loads(status.stdout)["lanes"]}
    assert lanes == {SENDER: "client_credentials of generic", OTHER: "client_credentials of generic"}


def test_explain_shows_the_grant_and_the_user_and_no_secret(signing_in):
    relay, *_ = signing_in(user="sender")
    shown = command("explain", "--sender", OTHER, "-c", relay.file).stdout
    assert "client_credentials of generic" in shown and f"username   {OTHER}" in shown
