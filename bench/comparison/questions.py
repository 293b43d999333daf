"""The questions: each runs one peer once and answers with numbers.

`value` is what the table shows. Beside it stand the processor time of the peer's whole tree for 1,000 messages and the
most memory it was seen with, where there was a load, and whatever else explains the value.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

from comparison.change import ROWS
from comparison.kit import Kit, Sink
from comparison.peer import Peer, Setup
from comparison.processes import Watch, pss_mib, tree
from support.upstream import FakeUpstream
from support.waiting import free_port

CHANGING = ("relayd", "postfix", "postfix-tuned")
DRAINED = 10  # seconds that accepted messages have until they must have arrived


@dataclass
class Bench:
    """Where a question finds what it needs: the kit, and a fresh instance of the peer in turn."""

    kit: Kit
    seconds: float  # of load
    make: Callable[..., Peer]

    def peer(self, upstream: int, **setup) -> Peer:
        return self.make(Setup(upstream, self.kit.certificate.authority, **setup))


@dataclass(frozen=True)
class Question:
    name: str
    text: str
    unit: str
    ask: Callable[[Bench], dict]
    more_is_better: bool = True
    rounds: int = 1000  # at most: some take minutes
    peers: tuple[str, ...] = ()  # that can; none: all


def costs(watch: Watch, messages: int) -> dict:
    return {"cpu ms/1000": 1e6 * watch.cpu / max(messages, 1), "peak MiB": watch.peak_mib}


def accept(**load) -> Callable[[Bench], dict]:
    """Clients hand in for some seconds; nothing leaves."""
    def ask(bench: Bench) -> dict:
        with bench.peer(free_port(), held=True) as peer, Watch(peer.pid) as watch:
            report = bench.kit.load(peer.port, messages=10_000_000, seconds=bench.seconds, **load)
        return {"value": report["per_second"], "p50 ms": report["commit_us"]["p50"] / 1000,
                "p99 ms": report["commit_us"]["p99"] / 1000, "errors": report["errors"],
                **costs(watch, report["messages"])}
    return ask


def relay(accounts: int = 1, rtt: int = 0, connections: int = 0, messages: int = 0) -> Callable[[Bench], dict]:
    """Clients hand in for some seconds, or so many messages; from their start to the last arrival at the sink."""
    def ask(bench: Bench) -> dict:
        limit = {"messages": messages} if messages else {"messages": 10_000_000, "seconds": bench.seconds}
        with bench.kit.sink(rtt=rtt) as sink, bench.peer(sink.port, accounts=accounts, connections=connections) as peer:
            return relayed(bench, sink, peer, DRAINED, senders=accounts, **limit)
    return ask


def relayed(bench: Bench, sink: Sink, peer: Peer, patience: float, **load) -> dict:
    with Watch(*peer.roots()) as watch:
        report = bench.kit.load(peer.port, sessions=32, **load)
        counts = sink.wait(report["messages"], patience)
    arrived = counts["distinct"]
    complete = arrived == report["messages"]
    ended = counts["last"] if complete else time.monotonic_ns()  # who stalls has waited as well
    return {"value": arrived / ((ended - report["begun"]) / 1e9),
            "handshakes/message": sum(counts["handshakes"].values()) / max(arrived, 1),
            "resumed": counts["handshakes"]["resumed"], "connections": counts["connections_peak"],
            "errors": report["errors"], "missing": report["messages"] - arrived,
            "duplicates": counts["duplicates"], **costs(watch, arrived)}


def changed(kind: str) -> Callable[[Bench], dict]:
    """The same of messages that are changed on their way; "": they are not. The first of them goes to an upstream that
    keeps it, where it is looked at."""
    def ask(bench: Bench) -> dict:
        change = bench.kit.change(kind)
        upstream = free_port()
        with bench.peer(upstream, change=change) as peer:
            with FakeUpstream(bench.kit.certificate, accounts={"everybody": "secret"}, port=upstream) as first:
                bench.kit.load(peer.port, messages=1)
                (message,) = first.taken(1)
            if change:
                change.check(message)
            with bench.kit.sink(port=upstream) as sink:
                return relayed(bench, sink, peer, 3 * DRAINED, messages=10_000_000, seconds=bench.seconds)
    return ask


def transit(bench: Bench) -> dict:
    """One message at a time, from the client's connect to its final dot at the sink."""
    messages = 100
    with bench.kit.sink() as sink, bench.peer(sink.port) as peer:
        report = bench.kit.load(peer.port, messages=messages, every=50)
        counts = sink.wait(messages, DRAINED)
    return {"value": counts["transit_us"]["p50"] / 1000, "p99 ms": counts["transit_us"]["p99"] / 1000,
            "errors": report["errors"], "missing": messages - counts["distinct"]}


def idle(bench: Bench) -> dict:
    """Once it greets; then again when a message has gone through every part of it."""
    with bench.kit.sink() as sink, bench.peer(sink.port) as peer:
        begun = {"value": pss_mib(peer.pid), "processes": len(tree(peer.pid))}
        bench.kit.load(peer.port, messages=1)
        sink.wait(1, DRAINED)
        return {**begun, "MiB after a message": pss_mib(peer.pid), "processes then": len(tree(peer.pid))}


def start(bench: Bench) -> dict:
    """Its second start: the first makes directories and, in Postfix, takes two seconds for once."""
    peer = bench.peer(free_port())
    with peer:
        pass
    with peer:
        return {"value": 1000 * peer.start_seconds}


def crash(messages: int) -> Callable[[Bench], dict]:
    """The upstream is down while messages come; kill -9; the upstream is there; restart; all are to arrive."""
    def ask(bench: Bench) -> dict:
        upstream = free_port()
        with bench.peer(upstream, down=True) as peer:
            report = bench.kit.load(peer.port, sessions=32, messages=messages)
            peer.kill()
            with bench.kit.sink(port=upstream) as sink:
                begun = time.monotonic_ns()
                peer.start()
                peer.retry()
                counts = sink.wait(report["messages"], 6 * DRAINED)
                missing = report["messages"] - counts["distinct"]
                ended = time.monotonic_ns() if missing else counts["last"]
        return {"value": (ended - begun) / 1e9, "start ms": 1000 * peer.start_seconds,
                "errors": report["errors"], "missing": missing,
                "duplicates": counts["duplicates"]}
    return ask


QUESTIONS = [
    Question("accept", "Accept, 32 sessions", "msg/s", accept(sessions=32)),
    Question("accept-1", "Accept, 1 session", "msg/s", accept(sessions=1)),
    Question("accept-100k", "Accept 100 KiB, 32 sessions", "msg/s", accept(sessions=32, size=100 << 10)),
    Question("accept-fresh", "Accept, a connection each, 32 at once", "msg/s", accept(sessions=32, fresh=True)),
    Question("relay", "Relay by TLS and AUTH, one account", "msg/s", relay()),
    Question("relay-100", "Relay, 100 senders with an account each", "msg/s", relay(accounts=100)),
    Question("relay-100x30", "The same, 30 messages each", "msg/s", relay(accounts=100, messages=3000)),
    Question("relay-rtt", "The same, 50 ms away, 20 connections", "msg/s",
             relay(accounts=100, rtt=50, connections=20, messages=3000)),
    Question("line-1", "One account, 50 ms away, 1 connection (bound: 20)", "msg/s",
             relay(rtt=50, connections=1, messages=200), rounds=1),
    Question("line-20", "One account, 50 ms away, 20 connections (bound: 400)", "msg/s",
             relay(rtt=50, connections=20, messages=4000), rounds=1),
    Question("message", "Relay, nothing done to a message", "msg/s", changed(""), peers=CHANGING),
    Question("generic", f"Relay, addresses by {ROWS:,} generic rows", "msg/s", changed("generic"), peers=CHANGING),
    Question("dkim", "Relay, signed, RSA-2048", "msg/s", changed("rsa"), peers=CHANGING),
    Question("dkim-ed25519", "Relay, signed, Ed25519", "msg/s", changed("ed25519"), peers=("relayd",)),
    Question("transit", "One message at a time, connect to sink, p50", "ms", transit, False),
    Question("idle", "Memory (PSS) once it greets", "MiB", idle, False),
    Question("start", "Start to greeting", "ms", start, False),
    Question("crash", "20,000 queued, kill -9, until all arrived", "s", crash(20_000), False, rounds=1),
]
