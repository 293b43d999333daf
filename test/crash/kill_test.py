"""kill -9 before each single call by which relayd changes the world: its start, mail accepted, mail delivered, its
end. After each a restart, and the ledger: nothing acknowledged is lost, nothing is torn, and what arrives twice was
under way to the upstream.

The suite takes the calls that change the disk; `--long` takes those that speak to the peers and to the log as well.
"""

import random
import signal
import smtplib

from support.faults import CALLS, DISK, Faults
from support.load import BIG, SENDER, demand_arrival, numbered, twice
from support.waiting import PATIENCE

CONNECTIONS = 2
SIZES = (200, BIG // 2, 300, 250)  # the second becomes a file of its own
CALLS_OF_A_START = 20
MOST_CALLS = 2000  # of one life, far above what it needs
ENDED, KILLED = 0, -signal.SIGKILL


def send_all(port: int, promised: set[int], first: int):
    chance = random.Random(first)
    with smtplib.SMTP("127.0.0.1", port, local_hostname="client.test.example", timeout=PATIENCE) as client:
        for number, size in enumerate(SIZES, first):
            client.sendmail(SENDER, ["one@rcpt.example"], numbered(number, chance.randbytes(size)))
            promised.add(number)


def live(relay, business=lambda: None) -> int:
    """From a start to an orderly stop, unless it is killed before; its exit code."""
    relay.launch("--grace", "5")
    try:
        relay.wait("queue_opened")
        business()
        relay.signal(signal.SIGTERM)
    except (OSError, smtplib.SMTPException, AssertionError):
        pass  # the exit code will tell whether it was killed
    code = relay.ended()
    assert code in (ENDED, KILLED), f"relayd ended with {code}"
    return code


def demand_a_clean_queue(relay):
    """Nothing was damaged, and nothing lies about."""
    assert not relay.logged("queue_damaged"), relay.logged("queue_damaged")
    assert not relay.logged("queue_trouble"), relay.logged("queue_trouble")
    left = [path.name for folder in ("large", "quarantine") for path in (relay.queue / folder).iterdir()]
    assert not left, left


def test_a_kill_before_any_call_loses_nothing(to_upstream, tmp_path, pytestconfig):
    calls = CALLS if pytestconfig.getoption("long") else DISK
    relay, upstream = to_upstream({"limits": {"connections": CONNECTIONS}}, certificate=None, accounts={})
    relay.stop()
    faults = Faults(relay, tmp_path / "faults")
    promised, numbers, code = set(), [], KILLED

    def business():
        send_all(relay.port, promised, first=at * len(SIZES))
        relay.wait("delivered", len(SIZES))

    for at in range(1, MOST_CALLS):
        faults.kill(calls, at)
        code = live(relay, business)
        # The start that finds what the kill left is killed as well, each time a little later.
        faults.kill(calls, 1 + at % CALLS_OF_A_START)
        live(relay)
        faults.heal()
        relay.start("--grace", "5")
        before, numbers = numbers, demand_arrival(upstream, promised)
        # Not all that is in the queue was promised.
        relay.wait("delivered", relay.wait_event("queue_opened")["messages"])
        assert twice(numbers) - twice(before) <= 2 * CONNECTIONS, f"at call {at}"
        assert relay.stop() == ENDED
        demand_a_clean_queue(relay)
        if code == ENDED:
            break
    print(f"{at - 1} calls, a kill before each: {len(promised)} acknowledged, {len(numbers)} arrived, "
          f"{twice(numbers)} of them twice")
    assert code == ENDED, "it never lived to its end"
    relay.start("--grace", "1")
