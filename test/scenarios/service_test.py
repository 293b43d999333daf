"""relayd under a service manager: what it tells the manager, and the sockets and credentials that it is handed. The
manager is a stand-in; the unit itself is tested by unit_test.py."""

import contextlib
import os
import signal
import smtplib
import socket

import pytest

from support import mail
from support.faults import Faults
from support.relayd import Relayd, command
from support.service_manager import ServiceManager
from support.waiting import PATIENCE

SENDER, RECIPIENT = "app@example.com", "one@rcpt.example"
BAD_CONFIG, CANNOT_START = 78, 71


@pytest.fixture
def manager(tmp_path):
    with contextlib.closing(ServiceManager(tmp_path / "notify")) as one:
        yield one


@pytest.fixture
def unstarted(tmp_path):
    """Makes a relay that the test starts."""
    made = []

    def make(upstream: dict) -> Relayd:
        made.append(Relayd(tmp_path, {"fake": upstream}, [{"match": "*", "upstream": "fake"}]))
        return made[-1]

    yield make
    for one in made:
        if one.launched:
            one.finish()


@pytest.fixture
def served(unstarted, upstream, manager):
    """A relay before its start, beside the manager."""
    one = unstarted(upstream(accounts={}).config())
    one.environment["NOTIFY_SOCKET"] = manager.name
    return one


def test_it_is_ready_when_the_queue_was_read_and_not_before(served, manager, tmp_path):
    faults = Faults(served, tmp_path / "faults")
    served.start("--grace", "1")
    served.submit(SENDER, RECIPIENT, mail.text(SENDER))
    served.wait_event("delivered")
    served.stop()
    assert manager.heard("READY") == ["1"] and manager.heard("STOPPING") == ["1"]
    faults.stall("open", first=4)
    served.launch("--grace", "1")
    assert int(manager.wait("EXTEND_TIMEOUT_USEC", count=2)["EXTEND_TIMEOUT_USEC"]) >= 30_000_000
    manager.wait("STATUS", "Reading the queue", 2)
    assert manager.heard("READY") == ["1"]
    faults.heal()
    manager.wait("READY", count=2)
    manager.wait("STATUS", "0 waiting, 0 held, 0 failed", 2)


def test_a_reload_ends_with_ready_whether_it_was_taken_or_refused(served, manager):
    served.start("--grace", "1")
    manager.wait("READY")
    served.reload()
    assert manager.wait("RELOADING")["MONOTONIC_USEC"].isdigit()
    manager.wait("READY", count=2)
    served.config["queue"]["retry"] = {"first": "never"}
    served.write()
    served.signal(signal.SIGHUP)
    served.wait("reload_failed")
    manager.wait("READY", count=3)

def test_a_start_that_fails_says_why(served, manager, tmp_path):
    faults = Faults(served, tmp_path / "faults")
    served.start("--grace", "1")
    served.stop()
    faults.fail("open", 5, first=4)
    served.launch("--grace", "1")
    assert served.ended() == CANNOT_START
    reason = served.wait_event("stopped")["reason"]
    manager.wait("STATUS", reason)
    assert manager.heard("READY") == ["1"]


def test_the_loop_itself_feeds_the_watchdog(served, manager):
    served.environment |= {"WATCHDOG_USEC": "200000"}
    served.start("--grace", "1")
    manager.wait("WATCHDOG", count=5)
    served.signal(signal.SIGSTOP)
    served.signal(signal.SIGCONT)
    manager.wait("WATCHDOG", count=len(manager.heard("WATCHDOG")) + 3)


@pytest.mark.parametrize("interval, pid", [("0", None), ("-5", None), ("soon", None), ("200000", "1")])
def test_without_a_watchdog_that_is_ours_nothing_is_fed(served, manager, interval, pid):
    served.environment |= {"WATCHDOG_USEC": interval} | ({"WATCHDOG_PID": pid} if pid else {})
    served.start("--grace", "1")
    served.stop()
    manager.wait("STOPPING")
    assert not manager.heard("WATCHDOG")


def test_an_abstract_name_is_told_as_well(served, tmp_path):
    with contextlib.closing(ServiceManager(f"@relayd-test-{os.getpid()}")) as manager:
        served.environment["NOTIFY_SOCKET"] = manager.name
        served.start("--grace", "1")
        manager.wait("READY")


@pytest.mark.parametrize("name", ["", "notify", "@", "/no/such/socket", "/" + "n" * 200, "vsock:2:1"])
def test_a_manager_that_cannot_be_told_is_no_fault(served, name):
    served.environment["NOTIFY_SOCKET"] = name
    served.start("--grace", "1")
    served.submit(SENDER, RECIPIENT, mail.text(SENDER))
    served.wait_event("delivered")


def test_programs_that_it_starts_are_not_told_of_the_manager(served, tmp_path):
    seen = tmp_path / "seen"
    script = tmp_path / "password"
    script.write_text(f'#!/bin/sh\nenv >{seen}\necho window-token-canary\n')
    script.chmod(0o700)
    served.config["confinement"] = False  # the script writes
    served.config["http"] = {"address": "127.0.0.1:0", "token": {"command": [str(script)]}}
    served.write()
    served.environment |= {"WATCHDOG_USEC": "60000000"}
    served.start("--grace", "1")
    assert "NOTIFY_SOCKET" not in seen.read_text() and "WATCHDOG" not in seen.read_text()


# --- sockets ---


def hand_over(one, *sockets, **variables):
    """Has `one` start with these sockets as descriptors from 3."""
    numbers = [each.fileno() for each in sockets]
    moves = " ".join(f"{3 + place}<&{number}" for place, number in enumerate(numbers))
    names = " ".join(f"{name}={value}" for name, value in ({"LISTEN_FDS": len(sockets)} | variables).items())
    one.wrapper = ["bash", "-c", f'exec {moves}; export LISTEN_PID=$$ {names}; exec "$@"', "bash"]
    for each in sockets:
        each.set_inheritable(True)
    one.pass_descriptors = tuple(numbers)


def test_a_socket_bound_to_a_listeners_address_is_taken(served, tmp_path):
    """The configuration need not know of the socket unit."""
    path = tmp_path / "smtp.sock"
    served.config["listen"].append({"address": f"unix:{path}"})
    served.write()
    with socket.create_server(("127.0.0.1", served.port)) as tcp, socket.socket(socket.AF_UNIX) as local:
        local.bind(str(path))
        local.listen()
        hand_over(served, tcp, local)
        served.start("--grace", "1")
        served.submit(SENDER, RECIPIENT, mail.text(SENDER))
        served.wait_event("delivered")
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(PATIENCE)
            client.connect(str(path))
            assert client.recv(100).startswith(b"220 ")
        assert not served.logged("socket_unused")
        assert served.stop() == 0
        assert path.exists()  # it is the manager's
        served.start("--grace", "1")  # and was not shut down
        served.submit(SENDER, RECIPIENT, mail.text(SENDER))


def test_a_socket_that_no_listener_takes_is_warned_of(served):
    with socket.create_server(("127.0.0.1", 0)) as other:
        hand_over(served, other)
        served.start("--grace", "1")
        address, port = other.getsockname()
        assert served.wait_event("socket_unused")["address"] == f"{address}:{port}"


@pytest.mark.parametrize("kind, words", [("datagram", "no stream socket"), ("silent", "does not listen"),
                                         ("missing", "descriptor 3"), ("file", "is no socket"),
                                         ("endless", "no socket (LISTEN_PID")])
def test_what_is_no_socket_of_a_listener_stops_the_start_with_its_reason(served, tmp_path, kind, words):
    served.config["listen"] = [{"address": "fd:3", "allow": ["127.0.0.1"]}]
    served.write()
    with contextlib.ExitStack() as stack:
        if kind == "datagram":
            given = [stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))]
        elif kind == "file":
            given = [stack.enter_context(open(tmp_path / "file", "wb"))]
        elif kind == "missing":
            given = []
        else:
            given = [stack.enter_context(socket.socket())]
        for each in given:
            os.set_inheritable(each.fileno(), True)
        numbers = [each.fileno() for each in given]
        moves = " ".join(f"{3 + place}<&{number}" for place, number in enumerate(numbers)) or "3<&-"
        count = 10**9 if kind == "endless" else 1
        served.wrapper = ["bash", "-c", f'exec {moves}; export LISTEN_PID=$$ LISTEN_FDS={count}; exec "$@"', "bash"]
        served.pass_descriptors = tuple(numbers)
        served.launch()
        assert served.ended() == CANNOT_START
    assert words in served.wait_event("stopped")["reason"]


# --- credentials ---


@pytest.fixture
def credentials(tmp_path):
    folder = tmp_path / "credentials"
    folder.mkdir(mode=0o700)
    (folder / "password").write_text("upstream-canary\n")
    (folder / "password").chmod(0o440)
    return folder


def test_a_credential_of_the_manager_is_the_password(unstarted, upstream, certificate, credentials):
    fake = upstream(accounts={"app": "upstream-canary"})
    account = {"username": "app", "password": {"credential": "password"}}
    one = unstarted(fake.config() | account)
    one.environment["CREDENTIALS_DIRECTORY"] = str(credentials)
    one.start("--grace", "1")
    one.submit(SENDER, RECIPIENT, mail.text(SENDER))
    one.wait_event("delivered")


@pytest.mark.parametrize("name, given, words", [
    ("password", False, "LoadCredential=password:FILE"),
    ("other", True, "there is no credential 'other': add LoadCredential=other:FILE"),
    ("../credentials/password", True, "is not the name of a credential"),
])
def test_a_credential_that_is_not_there_says_what_the_unit_lacks(unstarted, upstream, credentials, name, given, words):
    account = {"username": "app", "password": {"credential": name}}
    one = unstarted(upstream().config() | account)
    variables = {"CREDENTIALS_DIRECTORY": str(credentials)} if given else {}
    ended = command("check", "-c", one.file, env={**os.environ, **variables})
    assert ended.returncode == BAD_CONFIG and words in ended.stderr
    without = command("explain", "--sender", SENDER, "-c", one.file)  # needs no secret
    assert without.returncode == (BAD_CONFIG if "/" in name else 0)
