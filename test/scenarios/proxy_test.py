"""An upstream behind a proxy, SOCKS5 or HTTP CONNECT: the proxy looks the name up, TLS is with the upstream alone,
and who failed is said."""

import pytest

from conftest import ACCOUNTS
from support import mail
from support.proxy import Proxy
from support.upstream import FakeUpstream
from support.waiting import free_port

SENDER = "app@example.com"
NAME = "upstream.test.example"  # known to the proxy alone
ALICE = {"username": "alice", "password": ACCOUNTS["alice"]}
KINDS = pytest.mark.parametrize("socks", [True, False], ids=["socks5", "http"])


@pytest.fixture
def behind(relay, upstream):
    """Starts a relay whose upstream is reached by the proxy that `make` makes; all three."""

    def start(socks, user="", **options):
        server = upstream()
        proxy = Proxy(server.port, socks, **options)
        config = server.config(**ALICE, proxy=proxy.url(user)) | {"host": NAME}
        return relay({"far": config}), server, proxy

    return start


def send(one) -> str:
    return one.submit(SENDER, "one@rcpt.example", mail.text(SENDER, "proxy"))


@KINDS
def test_mail_goes_through_the_proxy(behind, socks):
    one, server, proxy = behind(socks)
    delivered = one.wait_event("delivered", id=send(one))
    assert delivered["host"] == f"{NAME}:{server.port}" and delivered["tls"]
    assert proxy.asked.all() == [(NAME, server.port)]
    assert server.taken(1)[0].account == "alice"


@KINDS
def test_a_proxy_may_ask_who_we_are(behind, socks):
    one, server, proxy = behind(socks, "relay:proxy%2Dcanary@", account=("relay", "proxy-canary"))
    one.wait_event("delivered", id=send(one))
    assert len(proxy.asked.all()) == 1


@KINDS
def test_a_wrong_account_at_the_proxy_is_said_and_shows_no_password(behind, socks):
    one, server, proxy = behind(socks, "relay:wrong-canary@", account=("relay", "proxy-canary"))
    send(one)
    paused = one.wait_event("upstream_paused")
    assert paused["class"] == "connect" and f"the proxy {proxy.url()}" in paused["response"]
    assert not server.verbs()


@KINDS
def test_a_proxy_that_cannot_reach_the_upstream_is_told_apart(behind, socks):
    one, server, proxy = behind(socks, status=5 if socks else 502)
    send(one)
    response = one.wait_event("upstream_paused")["response"]
    assert f"the proxy {proxy.url()}" in response and f"{NAME}:{server.port}" in response
    assert ("connection refused" if socks else "502") in response


@KINDS
def test_a_proxy_that_is_down_is_named(relay, upstream, socks):
    scheme, port, server = "socks5" if socks else "http", free_port(), upstream()
    one = relay({"far": server.config(**ALICE, proxy=f"{scheme}://127.0.0.1:{port}")})
    send(one)
    response = one.wait_event("upstream_paused")["response"]
    assert f"the proxy {scheme}://127.0.0.1:{port}: cannot connect" in response


@pytest.mark.parametrize("said", [b"", b"\5", b"\5\0\5\0", b"\0" * 300, b"HTTP/1.1 200", b"garbage\r\n\r\n",
                                  b"HTTP/1.1 200 Ok\r\nX: " + b"x" * 100_000, b"\xff" * 100_000],
                         ids=["nothing", "one octet", "half", "zeroes", "cut", "garbage", "long", "noise"])
@KINDS
def test_a_proxy_that_talks_nonsense_holds_the_mail_and_no_more(behind, socks, said):
    one, server, proxy = behind(socks, say=said)
    send(one)
    paused = one.wait_event("upstream_paused")
    assert paused["class"] == "connect" and "the proxy" in paused["response"] or "reset" in paused["response"].lower()
    assert not server.verbs() and not one.logged("failed")


# The server's greeting may come in one piece with the proxy's answer: none of it is lost.
@KINDS
def test_the_greeting_may_come_at_once(relay, socks):
    with FakeUpstream() as server, Proxy(server.port, socks) as proxy:
        one = relay({"far": {"host": "127.0.0.1", "port": server.port, "tls": "none", "proxy": proxy.url()}})
        one.wait_event("delivered", id=send(one))
