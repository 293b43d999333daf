"""relayd doctor beyond a host with a password: servers that DNS names, proxies, LMTP, Maildirs, and access tokens in the
eight ways in which they are set up wrongly."""

import base64
import json

import pytest

from conftest import ACCOUNTS
from support.dns import MX, A, Dns, address, exchanger
from support.lmtp import LmtpServer
from support.proxy import Proxy
from support.relayd import command
from support.token_server import TokenServer
from support.tokens import KnownTokens
from support.waiting import free_port

OK, UNAVAILABLE = 0, 69
SENDER, USER = "app@example.com", "robot@example.com"
ALICE = {"username": "alice", "password": ACCOUNTS["alice"]}


@pytest.fixture
def doctor(tmp_path):
    """Looks at one upstream: what it says, line by line."""

    def run(upstream: dict, *words, match: str = SENDER):
        file = tmp_path / "relayd.yaml"
        file.touch(mode=0o600)
        file.write_text(json.dumps({"hostname": "relay.test.example", "upstreams": {"far": upstream},
                                    "senders": [{"match": match, "upstream": "far"}],
                                    "queue": {"directory": str(tmp_path / "queue")}}))
        return command("doctor", "-c", file, *words)

    return run


def failure(told) -> str:
    assert told.returncode == UNAVAILABLE, told.stdout + told.stderr
    (line,) = [line for line in told.stdout.splitlines() if line.startswith("failed")]
    return line


# --- servers that DNS names ---

FIRST, SECOND = "mx1.example.net", "mx2.example.net"


@pytest.fixture
def dns(monkeypatch):
    with Dns() as server:
        server.records = {("example.net", MX): [exchanger(10, FIRST), exchanger(20, SECOND)],
                          (FIRST, A): [address("127.0.0.1")], (SECOND, A): [address("127.0.0.2")]}
        monkeypatch.setenv("RELAYD_DNS", server.address)
        yield server


def test_each_host_that_mx_names_is_tried_under_its_own_name(doctor, dns, upstream, authority):
    port = free_port()
    for name, at in ((FIRST, "127.0.0.1"), (SECOND, "127.0.0.2")):
        upstream(port=port, address=at, certificate=authority.issue(name))
    told = doctor({"host": "example.net", "mx": True, "port": port, "tls_options": {"ca_file": str(authority.file)}, **ALICE})
    assert told.returncode == OK, told.stdout + told.stderr
    assert f"far resolve example.net: DNS names {FIRST}:{port}, {SECOND}:{port}" in told.stdout
    for name, at in ((FIRST, "127.0.0.1"), (SECOND, "127.0.0.2")):
        assert f"far tls {at}:{port}: TLSv1.3, the certificate fits {name}" in told.stdout
    assert "far as alice auth : logged in" in told.stdout or "far as alice auth: logged in" in told.stdout


@pytest.mark.parametrize("first", ["nobody", "alice"])
def test_a_host_of_another_domain_gets_no_password(tmp_path, dns, upstream, authority, first):
    """Also where the first account that is looked at has none."""
    host = "mx.attacker.example"
    dns.records |= {("example.net", MX): [exchanger(10, host)], (host, A): [address("127.0.0.1")]}
    fake = upstream(certificate=authority.issue(host))
    direct = {"host": "example.net", "mx": True, "port": fake.port, "tls_options": {"ca_file": str(authority.file)}}
    senders = [{"match": "a@example.com", "upstream": "far"}, {"match": "b@example.com", "upstream": "far", **ALICE}]
    file = tmp_path / "relayd.yaml"
    file.touch(mode=0o600)
    file.write_text(json.dumps({"hostname": "relay.test.example", "upstreams": {"far": direct},
                                "senders": senders if first == "nobody" else senders[::-1],
                                "queue": {"directory": str(tmp_path / "queue")}}))
    told = command("doctor", "-c", file)
    (line,) = [line for line in told.stdout.splitlines() if "as alice auth" in line]
    assert line.startswith("failed") and f"{host}, which DNS names for example.net, gets no password" in line
    assert "AUTH" not in fake.verbs() and "Correct `host`" not in line


# --- proxies, LMTP, Maildirs ---

@pytest.mark.parametrize("socks", [True, False], ids=["socks5", "http"])
def test_a_proxy_looks_the_name_up(doctor, upstream, socks):
    server = upstream()
    with Proxy(server.port, socks) as proxy:
        settings = server.config(**ALICE, proxy=proxy.url("ann:proxy-canary@")) | {"host": "upstream.test.example"}
        told = doctor(settings)
        assert told.returncode == OK, told.stdout + told.stderr
        assert f"connected, through {proxy.url()}" in told.stdout and "canary" not in told.stdout
        assert "resolve" not in told.stdout
        assert proxy.asked.all()


def test_a_proxy_that_is_not_there_is_named(doctor, upstream):
    settings = upstream().config(**ALICE, proxy=f"socks5://127.0.0.1:{free_port()}")
    assert "See whether the proxy socks5://127.0.0.1:" in failure(doctor(settings))


@pytest.mark.parametrize("kind", ["tcp", "unix"])
def test_lmtp_is_greeted_as_such(doctor, tmp_path, kind):
    path = tmp_path / "lmtp.sock" if kind == "unix" else None
    with LmtpServer(path, certificate=None) as server:
        told = doctor(server.config())
        assert told.returncode == OK, told.stdout + told.stderr
        assert "LHLO" in server.verbs() and "EHLO" not in server.verbs()
        assert f"far sender {SENDER}: MAIL is taken" in told.stdout
        if kind == "unix":
            assert f"far connect unix:{path}: connected" in told.stdout


def test_a_maildir_is_no_server(doctor, tmp_path):
    told = doctor({"maildir": {"directory": str(tmp_path / "mail")}})
    assert told.returncode == OK
    assert "a Maildir: messages are delivered there" in told.stdout


# --- access tokens ---

def jwt(**claims) -> str:
    part = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"eyJhbGciOiJub25lIn0.{part}.c2lnbmF0dXJl"


@pytest.fixture
def tenant(doctor, upstream, certificate):
    """Looks at an application of Microsoft's whose token server and mail server do as a test says."""
    tokens = KnownTokens("microsoft")
    server = TokenServer(certificate, tokens)
    fake = upstream(accounts={}, tokens=tokens, mechanisms="LOGIN XOAUTH2")

    def run(match: str = SENDER, **oauth2):
        settings = server.config(provider="microsoft", tenant="example.com", **{"user": USER, **oauth2})
        del settings["scope"]
        return doctor(fake.config(oauth2=settings), match=match)

    run.server, run.fake, run.tokens = server, fake, tokens
    yield run
    server.close()


def refusal(code: int, error: str = "invalid_client") -> dict:
    return {"error": error, "error_description": f"AADSTS{code}: Something is wrong.", "error_codes": [code]}


def test_an_application_logs_in_and_no_token_is_shown(tenant):
    told = tenant()
    assert told.returncode == OK, told.stdout + told.stderr
    assert f"far as {USER} auth: logged in" in told.stdout
    assert "canary" not in told.stdout + told.stderr
    assert [login.user for login in tenant.tokens.logins.all()] == [USER]


@pytest.mark.parametrize("code, error, says", [
    (700016, "unauthorized_client", "client_id relayd is unknown in tenant example.com: check tenant and cloud"),
    (7000215, "invalid_client", "Copy the secret's Value, not its Secret ID"),
    (7000222, "invalid_client", "The client secret has ended: make a new one"),
    (65001, "invalid_grant", "An admin must grant consent for SMTP.Send or SMTP.SendAsApp"),
], ids=["tenant", "secret ID", "ended secret", "consent"])
def test_what_the_token_server_refuses_is_one_line(tenant, code, error, says):
    tenant.server.answer(400, refusal(code, error))
    line = failure(tenant())
    assert f"far as {USER} auth " in line and says in line and f"AADSTS{code}" in line


MAIL = {"aud": "https://outlook.office365.com", "roles": ["SMTP.SendAsApp"], "exp": 4_000_000_000}


@pytest.mark.parametrize("claims, says", [
    (MAIL, "the object id of the Enterprise application, not of the app registration, and the app needs a right on "
           f"{USER} by Add-MailboxPermission"),
    ({**MAIL, "roles": []}, "The token has no role SMTP.SendAsApp"),
    ({**MAIL, "aud": "https://graph.microsoft.com"}, "The token is for another service: leave `scope` as it is by default"),
], ids=["object id or right on the mailbox", "role", "scope"])
def test_what_the_mail_server_refuses_is_told_by_what_the_token_says(tenant, claims, says):
    tenant.server.answer(200, {"access_token": jwt(**claims), "expires_in": 3600})
    line = failure(tenant())
    assert "535 5.7.3 Authentication unsuccessful" in line and says in line
    assert jwt(**claims) not in line


@pytest.mark.parametrize("whose, says", [
    ("Tenant", "Set-TransportConfig -SmtpClientAuthenticationDisabled $false"),
    ("Mailbox", f"Set-CASMailbox {USER} -SmtpClientAuthenticationDisabled $false")])
def test_smtp_that_is_switched_off_is_told(tenant, whose, says):
    tenant.fake.answer("auth", "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the "
                               f"{whose}.")
    assert says in failure(tenant())


def test_each_sender_logs_in_as_itself(tenant):
    told = tenant(user="sender")
    assert told.returncode == OK, told.stdout + told.stderr
    assert [login.user for login in tenant.tokens.logins.all()] == [SENDER]


def test_without_an_address_nobody_logs_in(tenant):
    told = tenant(match="*", user="sender")
    assert "name one with --sender" in told.stdout
    assert not tenant.tokens.logins.all()


def test_a_sign_in_is_left_to_the_running_relay(tenant):
    told = tenant(grant="refresh_token")
    assert told.returncode == OK, told.stdout + told.stderr
    assert "only the running relayd uses the sign-in" in told.stdout
    assert not tenant.server.requests.all() and not tenant.tokens.logins.all()
