"""Power cuts on real file systems: relayd under load on ext4 and on XFS in a loop device, cut off at random points,
with the log of the file system as it is then; a start of the machine; a start of relayd; the ledger.

Needs root and loop devices, which an ordinary container lacks; so it is no part of the suite, but one command:
`--points` says how often the power goes.
"""

import random

import pytest

from scenarios.commands_test import command
from support.load import Load, demand_arrival, twice
from support.mounts import LoopDisk, leave_the_common_mounts
from support.waiting import poll

CONNECTIONS = 4  # to the upstream: so many messages can be under way when the power goes
MOST_PER_POINT = 40  # messages acknowledged before the next cut, at most


@pytest.mark.parametrize("kind", ["ext4", "xfs"])
def test_a_power_cut_loses_nothing(kind, to_upstream, tmp_path, pytestconfig):
    points = pytestconfig.getoption("points")
    chance = random.Random(points)
    leave_the_common_mounts()
    with LoopDisk(tmp_path / "disk", kind) as disk:
        relay, upstream = to_upstream({"limits": {"connections": CONNECTIONS}}, certificate=None, accounts={},
                                      queue={"directory": str(disk.point / "queue")})
        load = Load(relay.port)
        try:
            for _ in range(points):
                load.relay_is(up=True)
                load.more(chance.randrange(1, MOST_PER_POINT))
                disk.cut_power()
                load.relay_is(up=False)
                relay.kill()
                disk.unmount()
                disk.mount()
                relay.start("--grace", "5")
                assert not relay.logged("queue_damaged"), relay.logged("queue_damaged")
        finally:
            load.end()

        promised = set(load.acknowledged.all())
        numbers = demand_arrival(upstream, promised)
        print(f"{kind}: {points} cuts, {len(promised)} acknowledged, {len(numbers)} arrived, "
              f"{twice(numbers)} of them twice")
        assert twice(numbers) <= points * CONNECTIONS

        # What was under way at a cut is in doubt, and sent again now.
        def is_empty():
            command("queue", "retry", "--all", "-c", relay.file)
            return "The queue is empty" in command("queue", "list", "-c", relay.file).stdout
        poll(is_empty)
        # An orderly stop leaves nothing that could be sent again, wherever the power goes after it.
        assert relay.stop() == 0
        disk.cut_power()
        disk.unmount()
        disk.mount()
        relay.start("--grace", "5")
        assert relay.wait_event("queue_opened")["messages"] == 0
        assert relay.stop() == 0
