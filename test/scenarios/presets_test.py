"""The presets of providers. A fake speaks as each provider does and gives the replies that its documentation quotes;
what is logged, what becomes of the message and of the lane. And what `relayd explain` says that a preset filled in."""

import re
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from support import mail
from support.relayd import Relayd, command

SENDER = "app@example.com"
TO = "one@rcpt.example"
FIXTURES = Path(__file__).parent.parent / "providers"  # their lines are described in fixture.hpp there
HOUR = 3600
LINE = re.compile(r"(?P<reason>[a-z]+) at (?P<stages>[a-z_ ]+): (?P<reply>.*)")


@dataclass
class Provider:
    """A preset: how its server looks, and (stage, reply, class) of its documented replies, each at its first stage."""

    server: dict[str, str] = field(default_factory=dict)
    replies: list[tuple[str, str, str]] = field(default_factory=list)

    @property
    def more(self) -> dict[str, str]:
        return {"region": self.server["region"]} if "region" in self.server else {}


def read(name: str) -> Provider:
    """Lines with a bracket are left out: they do more than their class says."""
    provider = Provider()
    named = False
    for line in (FIXTURES / f"{name}.txt").read_text().splitlines():
        if line.startswith("server "):
            key, value = line.removeprefix("server ").split(": ", 1)
            provider.server[key] = value
        elif line.startswith("provider: "):
            named = name in line.split()
        elif named and (match := LINE.fullmatch(line)) and match["reason"] != "none":
            stage = match["stages"].split()[0].replace("final_dot", "dot")
            provider.replies.append((stage, match["reply"], match["reason"]))
    return provider


PROVIDERS = {path.stem: read(path.stem) for path in sorted(FIXTURES.glob("*.explain"))}
REPLIES = [(name, *said) for name, provider in PROVIDERS.items() for said in dict.fromkeys(provider.replies)]

FAILS = ("sender", "rcpt", "size", "content")  # the message is over, the lane goes on
PAUSES = ("connect", "tls", "auth", "quota", "rate", "conn")  # the message waits with the lane


def start(relay, upstream, name: str):
    provider = PROVIDERS[name]
    username = provider.server["username"]
    fake = upstream(accounts={username: "canary"}, mechanisms=provider.server["mechanisms"],
                    extensions=tuple(provider.server["extensions"].split(", ")))
    credential = {"username": username, "password": "canary"}
    return relay({name: fake.config(provider=name, **credential, **provider.more)}), fake


def send(relay, subject: str) -> str:
    return relay.submit(SENDER, TO, mail.text(SENDER, subject))


@pytest.mark.parametrize("name, stage, reply, reason", REPLIES,
                         ids=[f"{name} {stage} {reply[:9]} {reason}" for name, stage, reply, reason in REPLIES])
def test_a_documented_reply_means_what_the_provider_means(relay, upstream, name, stage, reply, reason):
    one, fake = start(relay, upstream, name)
    fake.answer(stage, reply, times=1)
    id = send(one, "refused")
    if reason in FAILS:
        assert one.wait_event("failed", id=id)["class"] == reason
        one.wait_event("delivered", id=send(one, "next"))
        assert not one.logged("lane_paused")
        return
    deferred = one.wait_event("deferred", id=id)
    assert (deferred["class"], deferred["code"]) == (reason, int(reply[:3]))
    if reason in PAUSES:
        paused = one.wait_event("upstream_paused" if reason == "connect" else "lane_paused")
        assert paused["class"] == reason
        assert (paused["delay"] >= HOUR) == (reason == "quota")
    if reason != "quota":
        assert one.wait_event("delivered", id=id)["attempts"] == 2
    assert bool(one.logged("lane_paused") + one.logged("upstream_paused")) == (reason in PAUSES)


@pytest.mark.parametrize("name", PROVIDERS)
def test_a_provider_that_is_well_takes_the_mail(relay, upstream, name):
    one, fake = start(relay, upstream, name)
    delivered = one.wait_event("delivered", id=send(one, "hello"))
    server = PROVIDERS[name].server
    assert delivered["account"] == fake.taken(1)[0].account == server["username"]
    assert [entry.argument.split()[0] for entry in fake.commands.all() if entry.verb == "AUTH"] == [server["chosen"]]


@pytest.mark.parametrize("name", PROVIDERS)
def test_explain_shows_what_the_preset_filled_in(tmp_path, name):
    provider = PROVIDERS[name]
    entry = {"provider": name, "username": provider.server["username"], "password": "canary", **provider.more}
    file = Relayd(tmp_path, {name: entry}, [{"match": "*", "upstream": name}]).file
    explained = command("explain", "-c", file, "--sender", SENDER)
    assert explained.returncode == 0, explained.stderr
    said = re.sub(rf"{re.escape(str(file))}:\d+", "relayd.yaml", explained.stdout)
    assert said == (FIXTURES / f"{name}.explain").read_text()
