"""Clients of other machines: what a listener that they reach does with them.

Needs root that may make a network namespace, so it is no part of the suite, but one command. All addresses are the
namespace's own, on its loopback device.
"""

import contextlib
import ctypes
import os
import smtplib
import socket
import ssl
import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest

from support import mail
from support.relayd import Relayd
from support.waiting import PATIENCE

CLONE_NEWNET = 0x40000000
HERE, GATEWAY, OTHER = "10.99.0.2", "10.99.0.1", "10.99.0.3"
# The gateway's route comes first: once the address is the machine's own, the kernel takes it for no gateway.
COMMANDS = ("link set lo up", f"address add {HERE}/32 dev lo", f"route add default via {GATEWAY} dev lo onlink",
            f"address add {GATEWAY}/32 dev lo", f"address add {OTHER}/32 dev lo")


@pytest.fixture
def network():
    """This thread, and the threads and processes that it starts, are in a network of their own."""
    libc = ctypes.CDLL(None, use_errno=True)
    with open("/proc/thread-self/ns/net") as before:
        refused = libc.unshare(CLONE_NEWNET) != 0
        assert not refused, f"a network needs root and CAP_SYS_ADMIN: {os.strerror(ctypes.get_errno())}"
        for command in COMMANDS:
            subprocess.run(["ip", *command.split()], check=True)
        yield
        assert libc.setns(before.fileno(), CLONE_NEWNET) == 0


@pytest.fixture
def reachable(network, upstream, tmp_path):
    """Makes a relay that all of them reach."""
    with contextlib.ExitStack() as running:

        def start(listener: dict | None = None, **sections) -> Relayd:
            fake = upstream(accounts={})
            one = Relayd(tmp_path, {"fake": fake.config()}, [{"match": "*", "upstream": "fake"}], **sections)
            allow = {"allow": ["127.0.0.0/8", "10.99.0.0/24"], **(listener or {})}
            one.config["listen"] = [{"address": f"0.0.0.0:{one.port}", **allow}]
            one.write()
            running.callback(lambda: one.finish())
            return one.start("--grace", "1")

        yield start


def connect(relay, client: str, server: str = HERE) -> tuple[socket.socket, bytes]:
    """The connection and the code it is greeted with."""
    connection = socket.create_connection((server, relay.port), PATIENCE, (client, 0))
    return connection, connection.recv(4)[:3]


def test_many_clients_with_the_gateways_address_are_told_of_once(reachable):
    relay = reachable()
    with contextlib.ExitStack() as open_connections:

        def come(client: str, times: int):
            for _ in range(times):
                connection, code = connect(relay, client)
                open_connections.enter_context(connection)
                assert code == b"220"

        come(OTHER, 30)
        come(GATEWAY, 9)
        assert not relay.logged("clients_share_an_address")
        come(GATEWAY, 30)
    warning = relay.wait_event("clients_share_an_address")
    assert warning["client"] == GATEWAY and "auth: required" in warning["reason"]
    relay.submit("app@example.com", "one@rcpt.example", mail.text("app@example.com"))
    assert len(relay.logged("clients_share_an_address")) == 1


def test_a_tenth_of_the_connections_is_kept_for_this_machine(reachable):
    relay = reachable(limits={"connections": 20, "connections_per_client": 20})
    with contextlib.ExitStack() as open_connections:

        def come(client: str, server: str = HERE) -> bytes:
            connection, code = connect(relay, client, server)
            open_connections.enter_context(connection)
            return code

        assert [come((GATEWAY, OTHER)[number % 2]) for number in range(18)] == [b"220"] * 18
        assert come(GATEWAY) == come(OTHER) == b"421"
        assert come("127.0.0.1", "127.0.0.1") == b"220"
        assert come(OTHER) == b"421"
        relay.submit("app@example.com", "one@rcpt.example", mail.text("app@example.com"))
        relay.wait_event("delivered")
        assert come("127.0.0.1", "127.0.0.1") == b"220"
        assert come("127.0.0.1", "127.0.0.1") == b"421"


def test_who_guesses_shuts_out_none_of_his_neighbours(reachable, authority):
    shown = authority.issue(HERE)
    trust = ssl.create_default_context(cafile=authority.file)
    relay = reachable({"auth": "required", "tls": "implicit"},
                      accounts=[{"name": name, "password": f"{name}-canary"} for name in ("ann", "bob")],
                      tls={"certificates": [{"certificate": str(shown.certificate), "key": str(shown.key)}]})

    def log_in(name: str, password: str, client: str) -> int:
        with smtplib.SMTP_SSL(HERE, relay.port, "client.test.example", timeout=PATIENCE, context=trust,
                              source_address=(client, 0)) as one:
            one.ehlo()
            one.user, one.password = name, password
            try:
                return one.auth("PLAIN", one.auth_plain)[0]
            except smtplib.SMTPAuthenticationError as refused:
                return refused.smtp_code

    with ThreadPoolExecutor(20) as pool:
        assert set(pool.map(lambda _: log_in("ann", "guess-canary", GATEWAY), range(20))) == {535}
    assert log_in("ann", "ann-canary", GATEWAY) == 421
    assert log_in("bob", "bob-canary", GATEWAY) == 235
    assert log_in("ann", "ann-canary", OTHER) == 235
