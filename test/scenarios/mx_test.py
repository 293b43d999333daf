"""Upstreams whose servers DNS names: MX and SRV records, in their order and for their time; addresses by our own loop."""

import pytest

from conftest import ACCOUNTS
from support import mail
from support.dns import MX, SERVFAIL, SRV, A, Dns, address, exchanger, service
from support.relayd import command
from support.waiting import free_port

SENDER = "app@example.com"
DOMAIN = "example.net"
FIRST, SECOND = "mx1.example.net", "mx2.example.net"
ALICE = {"username": "alice", "password": ACCOUNTS["alice"]}


@pytest.fixture
def dns(monkeypatch):
    """Knows two MX hosts; relayd asks there."""
    with Dns() as server:
        server.records = {(DOMAIN, MX): [exchanger(20, SECOND), exchanger(10, FIRST)],
                          (FIRST, A): [address("127.0.0.1")], (SECOND, A): [address("127.0.0.2")]}
        monkeypatch.setenv("RELAYD_DNS", server.address)
        yield server


@pytest.fixture
def hosts(upstream, authority):
    """Two servers at one port, each with a certificate for its own name."""
    port = free_port()
    return [upstream(port=port, address=at, certificate=authority.issue(name))
            for name, at in ((FIRST, "127.0.0.1"), (SECOND, "127.0.0.2"))]


def by_mx(host, authority, **more) -> dict:
    return {"direct": {"host": DOMAIN, "mx": True, "port": host.port, "tls_options": {"ca_file": str(authority.file)}, **more}}


def send(relay, subject="by mx") -> str:
    return relay.submit(SENDER, "one@rcpt.example", mail.text(SENDER, subject))


def test_mail_goes_to_the_most_preferred_host_under_its_own_name(relay, dns, hosts, authority):
    first, second = hosts
    one = relay(by_mx(first, authority, **ALICE))
    id = send(one)
    assert one.wait_event("delivered", id=id)["host"] == f"{FIRST}:{first.port}"
    assert len(first.taken(1)) == 1 and not second.verbs()


@pytest.mark.parametrize("trouble", [("greeting", "421 4.3.2 Shutting down"), ("greeting", "554 5.3.2 No"),
                                     ("starttls", "454 4.7.0 TLS not available")])
def test_a_host_that_takes_nothing_is_passed_over(relay, dns, hosts, authority, trouble):
    first, second = hosts
    first.answer(*trouble)
    one = relay(by_mx(first, authority, **ALICE))
    assert one.wait_event("delivered", id=send(one))["host"] == f"{SECOND}:{second.port}"
    assert len(second.taken(1)) == 1


def test_a_host_that_is_away_is_passed_over(relay, dns, hosts, authority):
    first, second = hosts
    dns.records[FIRST, A] = [address("127.0.0.3")]
    one = relay(by_mx(first, authority, **ALICE))
    assert one.wait_event("delivered", id=send(one))["host"] == f"{SECOND}:{second.port}"


def test_the_certificate_is_for_the_host_that_dns_names(relay, dns, hosts, authority):
    first, second = hosts
    dns.records[FIRST, A] = [address("127.0.0.2")]  # where only the other one's certificate is shown
    one = relay(by_mx(first, authority, **ALICE))
    assert one.wait_event("delivered", id=send(one))["host"] == f"{SECOND}:{second.port}"


def test_a_password_goes_to_no_host_that_only_dns_names(relay, dns, upstream, authority):
    thief = upstream(certificate=authority.issue("mx.evil.example"))
    dns.records = {(DOMAIN, MX): [exchanger(1, "mx.evil.example")], ("mx.evil.example", A): [address("127.0.0.1")]}
    one = relay(by_mx(thief, authority, **ALICE))
    event = one.wait_event("deferred", id=send(one))
    assert event["class"] == "tls" and "mx.evil.example" in event["response"] and "gets no password" in event["response"]
    assert thief.verbs() == []


def test_the_operator_can_say_who_gets_the_password(relay, dns, upstream, authority):
    provider = upstream(certificate=authority.issue("mx.provider.example"))
    dns.records = {(DOMAIN, MX): [exchanger(1, "mx.provider.example")], ("mx.provider.example", A): [address("127.0.0.1")]}
    options = {"ca_file": str(authority.file), "name": "mx.provider.example"}
    one = relay(by_mx(provider, authority, **ALICE, tls_options=options))
    assert one.wait_event("delivered", id=send(one))["host"] == f"mx.provider.example:{provider.port}"


def test_without_mx_the_domain_is_its_own_host(relay, dns, upstream, authority):
    own = upstream(certificate=authority.issue(DOMAIN))
    dns.records = {(DOMAIN, A): [address("127.0.0.1")]}
    one = relay(by_mx(own, authority, **ALICE))
    assert one.wait_event("delivered", id=send(one))["host"] == f"{DOMAIN}:{own.port}"


@pytest.mark.parametrize("records, code, says", [
    ({(DOMAIN, MX): [exchanger(0, "")]}, 0, "null MX"),
    ({}, 0, "no such domain"),
    ({(DOMAIN, MX): [exchanger(0, FIRST)]}, SERVFAIL, "SERVFAIL"),
    ({(DOMAIN, MX): [exchanger(0, "relay.test.example")]}, 0, "no MX host"),
    ({(DOMAIN, MX): [exchanger(0, "127.0.0.1")]}, 0, "no MX host"),
])
def test_mail_waits_while_dns_names_no_host(relay, dns, hosts, authority, records, code, says):
    dns.records, dns.codes = records, {DOMAIN: code}
    one = relay(by_mx(hosts[0], authority))
    event = one.wait_event("deferred", id=send(one))
    assert event["class"] == "connect" and says in event["response"] and "mail waits" in event["response"]


def test_srv_names_host_port_and_tls(relay, dns, upstream, authority):
    implicit = upstream(tls="implicit", certificate=authority.issue("smtp.example.net"))
    dns.records = {("_submissions._tcp.example.net", SRV): [service(0, 0, implicit.port, "smtp.example.net")],
                   ("smtp.example.net", A): [address("127.0.0.1")]}
    one = relay({"direct": {"host": DOMAIN, "srv": True, **ALICE, "tls_options": {"ca_file": str(authority.file)}}})
    assert one.wait_event("delivered", id=send(one))["host"] == f"smtp.example.net:{implicit.port}"


def test_srv_falls_to_starttls_where_implicit_tls_is_not_offered(relay, dns, upstream, authority):
    starttls = upstream(certificate=authority.issue("smtp.example.net"))
    dns.records = {("_submissions._tcp.example.net", SRV): [service(0, 0, 0, "")],
                   ("_submission._tcp.example.net", SRV): [service(0, 0, starttls.port, "smtp.example.net")],
                   ("smtp.example.net", A): [address("127.0.0.1")]}
    one = relay({"direct": {"host": DOMAIN, "srv": True, **ALICE, "tls_options": {"ca_file": str(authority.file)}}})
    assert one.wait_event("delivered", id=send(one))["host"] == f"smtp.example.net:{starttls.port}"


def test_explain_shows_what_is_looked_up_and_what_is_found(dns, tmp_path):
    dns.records["xn--bcher-kva.example", MX] = [exchanger(20, SECOND), exchanger(10, FIRST)]
    dns.records["_submissions._tcp.example.net", SRV] = [service(0, 0, 465, "smtp.example.net")]
    file = tmp_path / "relayd.yaml"
    file.touch(mode=0o600)
    file.write_text("hostname: relay.test.example\nupstreams:\n  mx: {host: bücher.example, mx: true}\n"
                    "  srv: {host: example.net, srv: true}\nsenders:\n  - {match: '*', upstream: [mx, srv]}\n")
    told = command("explain", "--sender", SENDER, "-c", file)
    assert told.returncode == 0, told.stderr
    assert "its MX hosts, by the records of xn--bcher-kva.example" in told.stdout and "25 starttls" in told.stdout
    assert "_submissions._tcp.example.net, then _submission._tcp.example.net" in told.stdout
    assert "certificate must be valid for the host that DNS names" in told.stdout
    assert f"mx: {FIRST}, {SECOND}\n" in told.stdout and "srv: smtp.example.net port 465\n" in told.stdout
