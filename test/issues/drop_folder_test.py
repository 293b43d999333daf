"""One file stopped the drop folder for everybody, for ever; and who may not use the socket could use the folder."""

import fcntl
import os
import signal
from pathlib import Path

import pytest

from support.relayd import Relayd


@pytest.fixture
def dropping(relay, upstream, tmp_path):
    """A relay with an empty drop folder."""

    def start(senders=None, **sections) -> Relayd:
        queue = {"drop": str(tmp_path / "drop"), **sections.pop("queue", {})}
        return relay({"fake": upstream(accounts={}).config()}, senders, queue=queue, **sections)

    return start


def begin(relay, number: int, sender: str = "app@a.example", recipients: int = 1, owner: int = 0) -> Path:
    """A file that its writer has not yet given its name: the relay does not look at it."""
    names = "".join(f"RCPT TO:<r{one}@rcpt.example>\r\n" for one in range(recipients))
    begun = Path(relay.config["queue"]["drop"]) / f"new-{number}"
    begun.write_bytes(f"relayd drop 1\r\nMAIL FROM:<{sender}>\r\n{names}DATA\r\nSubject: x\r\n\r\ntext\r\n.\r\n".encode())
    os.chown(begun, owner, -1)
    return begun


def leave(relay, number: int, **what) -> Path:
    """A file as a writer leaves it; the lower its number, the older it seems."""
    begun = begin(relay, number, **what)
    return begun.rename(begun.with_name(f"{number:016x}-{'0' * 32}"))


def test_too_many_recipients_are_set_aside_and_stop_nobody(dropping):
    one = dropping(limits={"recipients": 100})
    leave(one, 0, recipients=101)
    leave(one, 1)
    one.wait_event("delivered")
    assert "at most 100 recipients" in one.wait_event("drop_refused")["reason"]


def test_what_is_refused_for_now_waits_alone(dropping):
    reject = {"match": "later@a.example", "reject": "450 4.7.1 Not today"}
    one = dropping([reject, {"match": "*", "upstream": "fake"}])
    file = leave(one, 0, sender="later@a.example")
    one.wait_event("rejected")
    leave(one, 1)
    one.wait_event("delivered")
    assert file.exists() and not one.logged("drop_refused")


def test_users_whom_the_socket_does_not_allow_leave_nothing_in_the_folder_either(dropping, tmp_path):
    one = dropping(listen=[{"address": f"unix:{tmp_path}/smtp.sock", "allow": ["uid:1000"]}])
    leave(one, 0, owner=1001)
    leave(one, 1, owner=1000)
    assert one.wait_event("accepted")["client"] == "uid:1000"
    refused = one.wait_event("drop_refused")
    assert refused["was"].startswith("0" * 16)
    assert refused["reason"] == "uid 1001 may use no unix: listener without a login"
    one.wait_event("delivered")


@pytest.fixture
def no_sigio():
    """It tells the owner of a lease that somebody wants the file."""
    before = signal.signal(signal.SIGIO, signal.SIG_IGN)
    yield
    signal.signal(signal.SIGIO, before)


@pytest.mark.usefixtures("no_sigio")
def test_a_file_that_its_owner_keeps_shut_stops_nobody(dropping):
    """A lease needs no privilege: open() then fails with EWOULDBLOCK, once for each look."""
    one = dropping()
    shut = begin(one, 0)
    with shut.open("r+b") as file:
        fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_WRLCK)
        shut.rename(shut.with_name(f"{2:016x}-{'1' * 32}"))
        leave(one, 1)
        one.wait_event("delivered")
        assert "keeps others from opening" in one.wait_event("drop_refused")["reason"]


def test_however_many_recipients_are_refused_the_others_lose_nothing(dropping):
    """A session ends at its twentieth error: the file was set aside, and with it the mail of those not refused."""
    gone = [f"gone{one}@rcpt.example" for one in range(25)]
    relay = dropping(access={"recipients": {**dict.fromkeys(gone, "reject"), "*": "accept"}})
    begun = Path(relay.config["queue"]["drop"]) / "new-0"
    names = "".join(f"RCPT TO:<{one}>\r\n" for one in [*gone, "ann@rcpt.example"])
    begun.write_bytes(f"relayd drop 1\r\nMAIL FROM:<app@a.example>\r\n{names}DATA\r\nSubject: x\r\n\r\ntext\r\n.\r\n"
                      .encode())
    begun.rename(begun.with_name(f"{0:016x}-{'0' * 32}"))
    assert relay.wait_event("delivered")["to"] == "ann@rcpt.example"
    assert len(relay.logged("rejected")) == len(gone) and not relay.logged("drop_refused")
