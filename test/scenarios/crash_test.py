"""kill -9 in a loop under load, with a ledger: every message whose 250 a client has seen arrives, whole, and what
arrives twice is at most what was under way at a kill.

Thirty rounds are part of the suite; `pytest test/scenarios/crash_test.py --rounds 500` is the long form.
"""

import random

from support.load import Load, demand_arrival, twice

CONNECTIONS = 4  # to the upstream: so many messages can be under way when the relay dies
MOST_PER_ROUND = 40  # messages acknowledged before the next kill, at most


def test_every_acknowledged_message_survives_kill_9(to_upstream, pytestconfig):
    rounds = pytestconfig.getoption("rounds")
    chance = random.Random(rounds)
    relay, upstream = to_upstream({"limits": {"connections": CONNECTIONS}})
    load = Load(relay.port)
    try:
        for _ in range(rounds):
            load.relay_is(up=True)
            load.more(chance.randrange(1, MOST_PER_ROUND))
            load.relay_is(up=False)
            relay.kill()
            relay.start("--grace", "1")
    finally:
        load.end()

    promised = set(load.acknowledged.all())
    numbers = demand_arrival(upstream, promised)
    print(f"{rounds} kills, {len(promised)} acknowledged, {len(numbers)} arrived, {twice(numbers)} of them twice")
    assert twice(numbers) <= rounds * CONNECTIONS
