"""The curves: what relayd does as one thing grows and everything else stays.

Each gives its points one by one: `x`, the series it belongs to, messages a second, microseconds of processor time for a
message, and whatever else explains them.
"""

import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from comparison.kit import Kit
from comparison.peer import Setup
from comparison.processes import Watch, pss_mib
from comparison.relayd import Relayd
from support.waiting import free_port

DRAINED = 20  # seconds that accepted messages have until they must have arrived
PREFILLED = 300  # and so many until all that are to wait are in
MANY = 10_000_000
LIMITS = {"connections": 5000, "connections_per_client": 5000}
HELD = {"senders": {"*": "hold"}}


class Instance(Relayd):
    """With what `change` makes of its configuration."""

    def __init__(self, directory: Path, setup: Setup, change: Callable[[dict], None]):
        self._change = change
        super().__init__(directory, setup)

    def configuration(self) -> dict:
        configuration = {**super().configuration(), "limits": LIMITS}
        self._change(configuration)
        return configuration

    def reload(self) -> float:
        """Seconds until it uses its file, read anew."""
        log = self.directory / "log"
        already = log.read_text().count('"event":"reloaded"')
        begun = time.monotonic()
        self._process.send_signal(signal.SIGHUP)
        while log.read_text().count('"event":"reloaded"') == already:
            assert time.monotonic() < begun + DRAINED, "it does not reload"
            time.sleep(0.005)
        return time.monotonic() - begun


class Measured:
    """Where a curve finds the kit and makes its instances."""

    def __init__(self, kit: Kit, folder: Path, seconds: float, largest: int):
        self.kit, self.folder, self.seconds, self.largest = kit, folder, seconds, largest
        self._made = 0

    def up_to(self, *values: int) -> list[int]:
        return [value for value in values if value <= self.largest]

    def instance(self, upstream: int, change: Callable[[dict], None] = lambda configuration: None) -> Instance:
        self._made += 1
        return Instance(self.folder / str(self._made), Setup(upstream, self.kit.certificate.authority), change)

    def forget(self, instance: Instance):
        """So that no disk is needed for all of them."""
        shutil.rmtree(instance.directory)

    def accept(self, **load) -> dict:
        with self.instance(free_port(), lambda configuration: configuration.update(access=HELD)) as relay:
            point = self.handed_in(relay, **load)
        self.forget(relay)
        return point

    def relay(self, **load) -> dict:
        with self.kit.sink() as sink, self.instance(sink.port) as relay:
            point = self.carried(relay, sink, **load)
        self.forget(relay)
        return point

    def handed_in(self, relay: Instance, **load) -> dict:
        with Watch(relay.pid) as watch:
            report = self.kit.load(relay.port, messages=MANY, seconds=self.seconds, **load)
        return self._point(watch, report, report["messages"], report["seconds"])

    def carried(self, relay: Instance, sink, already: int = 0, **load) -> dict:
        """From the first connection to the last arrival; `already` had arrived before."""
        with Watch(relay.pid) as watch:
            report = self.kit.load(relay.port, messages=MANY, seconds=self.seconds, **load)
            counts = sink.wait(already + report["messages"], DRAINED, "messages")
        arrived = counts["messages"] - already
        ended = counts["last"] if arrived >= report["messages"] else time.monotonic_ns()
        return {**self._point(watch, report, arrived, (ended - report["begun"]) / 1e9),
                "missing": report["messages"] - arrived}

    def _point(self, watch: Watch, report: dict, messages: int, seconds: float) -> dict:
        return {"rate": messages / seconds, "cpu_us": 1e6 * watch.cpu / max(messages, 1), "messages": messages,
                "errors": report["errors"], "p99_us": report["commit_us"]["p99"], "peak_mib": watch.peak_mib}


def sessions(measured: Measured) -> Iterator[dict]:
    for number in measured.up_to(1, 3, 10, 30, 100, 300, 1000):
        yield {"x": number, "series": "accept", **measured.accept(sessions=number)}
        yield {"x": number, "series": "relay", **measured.relay(sessions=number)}
        yield {"x": number, "series": "load and sink alone", **measured.kit.speed(number, measured.seconds)}


def sizes(measured: Measured) -> Iterator[dict]:
    for kib in measured.up_to(1, 4, 16, 64, 256, 1000, 4000, 10_000):
        yield {"x": kib, "series": "accept", **measured.accept(sessions=32, size=kib << 10)}
        yield {"x": kib, "series": "relay", **measured.relay(sessions=32, size=kib << 10)}


def depth(measured: Measured) -> Iterator[dict]:
    """One instance, in whose queue more and more messages wait for an upstream that is down."""
    def with_another(configuration: dict):
        configuration["queue"]["retry"] = {"first": "5d", "maximum": "5d"}
        configuration["upstreams"]["down"] = {**configuration["upstreams"]["sink"], "port": free_port()}
        configuration["senders"].append({"match": "waiting0@bench.example", "upstream": "down"})

    with measured.kit.sink() as sink:
        with measured.instance(sink.port, with_another) as relay:
            waiting = arrived = 0
            for number in measured.up_to(0, 10, 100, 1000, 10_000, 100_000, 1_000_000):
                if number > waiting:
                    measured.kit.load(relay.port, PREFILLED, sessions=64, size=1024, sender="waiting",
                                      messages=number - waiting)
                    waiting = number
                    os.sync()  # what was handed in is not to be written while the next load is measured
                idle = pss_mib(relay.pid)
                point = measured.carried(relay, sink, arrived, sessions=32)
                arrived += point["messages"]
                yield {"x": number, "series": "relay", "idle_mib": idle, **point}
    measured.forget(relay)


def senders(measured: Measured) -> Iterator[dict]:
    """A rule for each sender, or one for all of them."""
    for number in measured.up_to(1, 10, 100, 1000, 10_000, 100_000):
        yield {"x": number, "series": "one rule for all", **measured.relay(sessions=32, senders=number)}
        yield {"x": number, "series": "a rule for each", **_with_rules(measured, number)}


def _with_rules(measured: Measured, number: int) -> dict:
    def with_rules(configuration: dict):
        configuration["upstreams"]["sink"].update(username="everybody", password="secret")
        configuration["senders"] = [{"match": f"s{sender}@bench.example", "upstream": "sink"}
                                    for sender in range(number)]

    with measured.kit.sink() as sink, measured.instance(sink.port, with_rules) as relay:
        facts = {"start_ms": 1000 * relay.start_seconds, "idle_mib": pss_mib(relay.pid),
                 "reload_ms": 1000 * relay.reload(), "reloaded_mib": pss_mib(relay.pid)}
        point = measured.carried(relay, sink, sessions=32, senders=number)
    measured.forget(relay)
    return {**facts, **point}


def upstreams(measured: Measured) -> Iterator[dict]:
    """Each has a sender of its own; all lead to the sink."""
    for number in measured.up_to(1, 3, 10, 30, 100):
        def with_all(configuration: dict, names=range(number)):
            account = configuration["senders"][0]
            configuration["senders"] = [{**account, "match": f"s{name}@bench.example", "upstream": f"u{name}"}
                                        for name in names]
            configuration["upstreams"] = {f"u{name}": configuration["upstreams"]["sink"] for name in names}

        with measured.kit.sink() as sink, measured.instance(sink.port, with_all) as relay:
            point = measured.carried(relay, sink, sessions=32, senders=number)
        measured.forget(relay)
        yield {"x": number, "series": "relay", **point}


@dataclass(frozen=True)
class Curve:
    name: str
    grows: str  # what x counts
    measure: Callable[[Measured], Iterator[dict]]


CURVES = [
    Curve("sessions", "sessions at a time", sessions),
    Curve("size", "KiB of a message", sizes),
    Curve("depth", "messages that wait for another upstream", depth),
    Curve("senders", "senders", senders),
    Curve("upstreams", "upstreams", upstreams),
]
