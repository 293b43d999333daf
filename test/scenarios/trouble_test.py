"""Upstreams in trouble: down, silent, with the wrong certificate or the wrong password. Nothing is lost, nothing is
said over an unverified wire, and no upstream holds up another."""

import pytest

from conftest import ACCOUNTS
from support import mail
from support.upstream import HANG, FakeUpstream
from support.waiting import free_port

SENDER = "app@example.com"
ALICE = {"username": "alice", "password": ACCOUNTS["alice"]}


def send(relay, sender=SENDER) -> str:
    return relay.submit(sender, "one@rcpt.example", mail.text(sender, "trouble"))


def demand_nothing_said_in_clear(upstream):
    """Neither a credential nor an envelope on a wire that is not verified."""
    assert not {"AUTH", "MAIL", "RCPT", "DATA"} & set(upstream.verbs())


def test_mail_waits_for_an_upstream_that_is_down(relay, certificate):
    port = free_port()
    entry = {"host": "127.0.0.1", "port": port, "tls": "starttls",
             "tls_options": {"ca_file": str(certificate.authority)}, **ALICE}
    one = relay({"fake": entry})
    id = send(one)
    assert one.wait_event("upstream_paused")["class"] == "connect"
    with FakeUpstream(certificate, port=port, accounts=ACCOUNTS) as upstream:
        one.wait_event("delivered", id=id)
        assert len(upstream.taken(1)) == 1


def test_a_wrong_password_holds_the_lane_and_fails_nothing(to_upstream):
    relay, upstream = to_upstream({"password": "wrong-canary"})
    id = send(relay)
    paused = relay.wait_event("lane_paused")
    assert (paused["class"], paused["account"], paused["code"]) == ("auth", "alice", 535)
    assert not relay.logged("failed")
    upstream.accounts["alice"] = "wrong-canary"
    relay.wait_event("delivered", id=id)
    assert upstream.taken(1)[0].account == "alice"


@pytest.mark.parametrize("style", ["starttls", "implicit"])
def test_a_certificate_for_another_name_is_refused(to_upstream, authority, style):
    relay, upstream = to_upstream(tls=style, certificate=authority.issue("somebody.else.example"))
    send(relay)
    paused = relay.wait_event("upstream_paused")
    assert paused["class"] == "tls"
    assert "somebody.else.example" in paused["response"] or "127.0.0.1" in paused["response"]
    demand_nothing_said_in_clear(upstream)


@pytest.mark.parametrize("style", ["starttls", "implicit"])
def test_an_unknown_authority_is_refused(to_upstream, certificate, tmp_path, style):
    from support.certificates import Authority

    stranger = Authority(tmp_path / "stranger", "Stranger")
    relay, upstream = to_upstream({"tls_options": {"ca_file": str(stranger.file)}}, tls=style)
    send(relay)
    assert relay.wait_event("upstream_paused")["class"] == "tls"
    demand_nothing_said_in_clear(upstream)


def test_missing_starttls_is_never_a_reason_to_go_on_in_clear(to_upstream):
    relay, upstream = to_upstream({"tls": "starttls"}, certificate=None)
    send(relay)
    assert relay.wait_event("upstream_paused")["class"] == "tls"
    demand_nothing_said_in_clear(upstream)


def test_the_name_to_verify_can_be_given(to_upstream, authority, certificate):
    trust = {"ca_file": str(certificate.authority), "name": "mail.somewhere.example"}
    relay, upstream = to_upstream({"tls_options": trust}, certificate=authority.issue("mail.somewhere.example"))
    event = relay.wait_event("delivered", id=send(relay))
    assert event["tls"]
    assert upstream.taken(1)[0].account == "alice"


def test_a_silent_upstream_delays_no_other(relay, upstream):
    silent, quick = upstream(), upstream()
    silent.answer("greeting", HANG)
    senders = [{"match": "silent@example.com", "upstream": "silent"}, {"match": "*", "upstream": "quick"}]
    one = relay({"silent": silent.config(**ALICE), "quick": quick.config(**ALICE)}, senders)
    waiting = [send(one, "silent@example.com") for _ in range(20)]
    for _ in range(20):
        one.wait_event("delivered", id=send(one, "quick@example.com"))
    assert not [id for id in waiting if one.logged("delivered", id=id)]


def test_the_next_upstream_takes_over(relay, upstream):
    broken, good = upstream(), upstream()
    broken.answer("greeting", "554 5.3.2 Closed")
    senders = [{"match": "*", "upstream": ["broken", "good"]}]
    one = relay({"broken": broken.config(**ALICE), "good": good.config(**ALICE)}, senders)
    assert one.wait_event("delivered", id=send(one))["upstream"] == "good"
    assert len(good.taken(1)) == 1


def test_a_message_refused_for_its_content_moves_to_no_other_upstream(relay, upstream):
    strict, good = upstream(), upstream()
    strict.answer("dot", "554 5.7.1 Spam")
    senders = [{"match": "*", "upstream": ["strict", "good"]}]
    one = relay({"strict": strict.config(**ALICE), "good": good.config(**ALICE)}, senders)
    assert one.wait_event("failed", id=send(one))["class"] == "content"
    assert not good.messages.all()


def test_bytes_injected_before_the_handshake_end_the_connection(to_upstream):
    relay, upstream = to_upstream()
    upstream.answer("starttls", "220 Go ahead\r\n250-injected\r\n250 AUTH PLAIN", times=1)
    id = send(relay)
    assert relay.wait_event("upstream_paused")["class"] == "tls"
    relay.wait_event("delivered", id=id)
    assert {command.tls for command in upstream.commands.all() if command.verb == "AUTH"} == {True}


def test_an_expired_message_is_one_line_for_all_its_recipients(to_upstream):
    relay, upstream = to_upstream(queue={"lifetime": "1s"})
    upstream.answer("greeting", "421 4.3.2 Busy")
    recipients = [f"r{number}@rcpt.example" for number in range(12)]
    id = relay.submit(SENDER, recipients, mail.text(SENDER))
    told = relay.wait_event("expired", id=id)["to"]
    assert told.startswith("r0@rcpt.example,r1@rcpt.example,") and told.endswith(" 12 in all")
    relay.stop()
    assert len(relay.logged("expired")) == 1


def test_mail_that_nobody_takes_in_its_lifetime_expires(to_upstream):
    relay, upstream = to_upstream(queue={"lifetime": "1s"})
    upstream.answer("greeting", "421 4.3.2 Busy")
    id = send(relay)
    assert relay.wait_event("expired", id=id)["to"] == "one@rcpt.example"
    assert not relay.logged("delivered")
