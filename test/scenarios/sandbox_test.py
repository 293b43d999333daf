"""`relayd sandbox PROVIDER`, the fake that users test against, and relayd's own presets against it: what the log says
of each bad day of each provider, and what becomes of the message and of the lane. And docs/providers.md."""

import re
import signal
import smtplib
import ssl
import subprocess
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from support import mail
from support.relayd import BINARY, Relayd, command
from support.sandbox import Sandbox

PROJECT = Path(__file__).parent.parent.parent
FIXTURES = PROJECT / "test" / "providers"  # their lines are described in fixture.hpp there
SENDER = "app@example.com"
TO = "one@rcpt.example"
HOUR = 3600
BY = re.compile(r"(?P<reason>[a-z]+)(?P<extra> \([^)]*\))? by (?P<names>[-a-z ]+)")
REGIONS = {"ses": "eu-west-1", "oci": "eu-frankfurt-1", "m365-connector": "example-com"}

FAILS = ("sender", "rcpt", "size", "content", "suppressed")  # the message is over, the lane goes on
PAUSES = ("connect", "auth", "quota", "rate", "conn")  # the message waits with the lane


def presets() -> list[str]:
    return [line.split()[0] for line in command("presets").stdout.splitlines()[1:]]


def behaviours() -> list[tuple[str, str, str, str]]:
    """(provider, behaviour, class, what its row says beside) of each preset."""
    found = []
    for path in sorted(FIXTURES.glob("*.txt")):
        names = []
        for line in path.read_text().splitlines():
            if line.startswith("provider: "):
                names = line.removeprefix("provider: ").split()
            elif match := BY.fullmatch(line):
                found += [(name, behaviour, match["reason"], match["extra"] or "")
                          for name in names for behaviour in match["names"].split()]
    return found


def region(name: str) -> tuple[str, ...]:
    return ("--region", REGIONS[name]) if name in REGIONS else ()


def account(upstream: dict) -> str | None:
    """As whom relayd logs in there."""
    return upstream["oauth2"]["user"] if "oauth2" in upstream else upstream.get("username")


AT_A_TIME = 16  # sandboxes: with the sanitizers each takes some 200 MiB

PRESETS = presets()
BEHAVIOURS = [one for one in behaviours() if one[0] in PRESETS]


@pytest.fixture
def sandbox():
    """Starts sandboxes; each must end well."""
    started = []

    def start(provider: str, *arguments: str) -> Sandbox:
        started.append(Sandbox(provider, *region(provider), *arguments))
        return started[-1]

    yield start
    for one in started:
        assert one.finish() == 0


def send(relay, subject: str, sender: str = SENDER) -> str:
    return relay.submit(sender, TO, mail.text(sender, subject))


def rules(names) -> list[dict]:
    """A sender for each upstream: NAME@example.com."""
    return [{"match": f"{name}@example.com", "upstream": name} for name in names]


@contextmanager
def together(folder: Path, wanted: dict[str, tuple[str, ...]]):
    """A sandbox for each name, started with these words beside the region, and one relay before them all.

    Processes of their own cost most of a test's time: those that do not touch share a relay.
    """
    with ThreadPoolExecutor(8) as starting:
        fakes = dict(zip(wanted, starting.map(lambda words: Sandbox(words[0], *region(words[0]), *words[1:],
                                                                    seeks_leaks=False), wanted.values())))
    one = Relayd(folder, {name: fake.upstream for name, fake in fakes.items()}, rules(fakes))
    try:
        yield one.start("--grace", "1"), fakes
    finally:
        assert one.finish() == 0
        assert [fake.finish() for fake in fakes.values()] == [0] * len(fakes)


def in_groups(values: list) -> list[tuple]:
    """Each value behind the number of its group."""
    return [(number // AT_A_TIME, value) for number, value in enumerate(values)]


class OneAtATime:
    """Of the contexts that `make` makes by number, the one that was asked for last is open."""

    def __init__(self, make):
        self._make, self._number, self._value, self._stack = make, None, None, ExitStack()

    def of(self, number: int):
        if number != self._number:
            self.close()
            self._number, self._value = number, self._stack.enter_context(self._make(number))
        return self._value

    def close(self):
        self._stack.close()


@pytest.fixture(scope="module")
def all_presets(tmp_path_factory):
    """By group: (relay, sandboxes, where each keeps what it takes, the ids of a message for each)"""

    @contextmanager
    def start(number: int):
        folder = tmp_path_factory.mktemp("presets")
        names = [name for group, name in in_groups(PRESETS) if group == number]
        with together(folder, {name: (name, "--directory", str(folder / "kept" / name)) for name in names}) as (one, fakes):
            yield one, fakes, folder / "kept", {name: send(one, "hello", f"{name}@example.com") for name in fakes}

    groups = OneAtATime(start)
    yield groups
    groups.close()


@pytest.mark.parametrize("group, name", in_groups(PRESETS), ids=PRESETS)
def test_a_preset_and_its_sandbox_agree(all_presets, group, name):
    one, fakes, directory, ids = all_presets.of(group)
    fake = fakes[name]
    delivered = one.wait_event("delivered", id=ids[name])
    assert (delivered["upstream"], delivered.get("account")) == (name, account(fake.upstream))
    line, = fake.lines.wait(lambda text: "kept=" in text, 1)
    assert f"from=<{name}@example.com> to={TO} " in line
    kept, = (directory / name).iterdir()
    assert kept.stat().st_mode & 0o777 == 0o600
    assert b"Subject: hello\r\n" in kept.read_bytes()


@pytest.fixture(scope="module")
def bad_days(tmp_path_factory):
    """By group, each once: (relay, the ids of a message for each)"""

    @contextmanager
    def start(number: int):
        wanted = {f"{name}-{behaviour}": (name, "--behaviour", behaviour, "--times", "1")
                  for group, (name, behaviour, _, _) in in_groups(BEHAVIOURS) if group == number}
        with together(tmp_path_factory.mktemp("bad-days"), wanted) as (one, fakes):
            yield one, {name: send(one, "refused", f"{name}@example.com") for name in fakes}

    groups = OneAtATime(start)
    yield groups
    groups.close()


@pytest.mark.parametrize("group, name, behaviour, reason, extra",
                         [(group, *one) for group, one in in_groups(BEHAVIOURS)],
                         ids=[f"{name} {behaviour}" for name, behaviour, _, _ in BEHAVIOURS])
def test_a_bad_day_of_a_provider_means_what_it_means_there(bad_days, group, name, behaviour, reason, extra):
    one, ids = bad_days.of(group)
    upstream = f"{name}-{behaviour}"
    id = ids[upstream]

    def pauses() -> list[dict]:
        return [event for kind in ("lane_paused", "upstream_paused") for event in one.logged(kind, upstream=upstream)]

    if reason in FAILS:
        assert one.wait_event("failed", id=id)["class"] == reason
        one.wait_event("delivered", id=send(one, "next", f"{upstream}@example.com"))
        assert not pauses()
        return
    if "at once" in extra:
        assert one.wait_event("delivered", id=id)
        assert not pauses()
        return
    deferred = one.wait_event("deferred", id=id)
    assert deferred["class"] == reason
    assert reason in PAUSES or reason == "temp"
    if reason in PAUSES:
        one.events.wait(lambda line: line["event"] in ("lane_paused", "upstream_paused")
                        and line["upstream"] == upstream, 1)
    paused = pauses()
    assert [event["class"] for event in paused] == ([reason] if reason in PAUSES else [])
    waits = reason == "quota" or "1800 s" in extra
    if paused:
        assert (paused[0]["delay"] >= HOUR / 2) == waits
    if not waits:
        assert one.wait_event("delivered", id=id)["attempts"] == 2


@pytest.mark.parametrize("name", ["gmail", "azure-acs"])
def test_a_preset_that_takes_both_takes_the_token_that_its_sandbox_prints(relay, sandbox, name):
    fake = sandbox(name)
    one = relay({name: fake.by_token})
    assert one.wait_event("delivered", id=send(one, "hello"))["account"] == account(fake.by_token)
    line, = fake.lines.wait(lambda text: "reply=250" in text, 1)
    assert f"account={account(fake.by_token)} " in line
    assert "sandbox-token" not in "".join(fake.lines.all())


@pytest.mark.parametrize("name, code", [("gmail", "535 5.7.8"), ("office365-hve", "535 5.7.3")])
def test_a_token_that_is_not_the_sandboxes_is_refused_as_there(relay, sandbox, name, code):
    fake = sandbox(name)
    oauth2 = {"token": {"command": ["/bin/echo", "another"]}, "user": account(fake.by_token)}
    one = relay({name: {**fake.by_token, "oauth2": oauth2}})
    send(one, "refused")
    assert one.wait_event("lane_paused")["class"] == "auth"
    refused = fake.lines.wait(lambda text: "reply=" in text, 1)[0]
    assert f"reply={code} " in refused


def test_another_provider_takes_over_on_a_bad_day(relay, sandbox):
    ses = sandbox("ses", "--behaviour", "over-quota")
    postmark = sandbox("postmark")
    one = relay({"ses": ses.upstream, "postmark": postmark.upstream},
                [{"match": "*", "upstream": ["ses", "postmark"]}])
    id = send(one, "over")
    assert one.wait_event("delivered", id=id)["upstream"] == "postmark"
    assert one.logged("deferred", id=id)[0]["class"] == "quota"


def test_a_reply_that_never_comes_leaves_the_message_in_doubt(relay, sandbox):
    fake = sandbox("ses", "--behaviour", "break-off", "--times", "1")
    one = relay({"ses": fake.upstream})
    id = send(one, "doubt")
    one.wait_event("in_doubt", id=id)
    fake.lines.wait(lambda text: text.endswith("reply=(closed)"), 1)


def test_any_mail_program_can_use_it(sandbox):
    fake = sandbox("gmail", "--tls", "implicit")
    context = ssl.create_default_context(cafile=str(fake.ca_file))
    with smtplib.SMTP_SSL(fake.upstream["host"], fake.upstream["port"], context=context) as client:
        with pytest.raises(smtplib.SMTPAuthenticationError) as refused:
            client.login(fake.upstream["username"], "wrong")
        assert refused.value.smtp_error.startswith(b"5.7.8 Username and Password not accepted")
        client.login(fake.upstream["username"], fake.upstream["password"])
        client.sendmail(SENDER, TO, "Subject: hi\r\n\r\n.hello\r\n")
    fake.lines.wait(lambda text: "reply=250 2.0.0 OK" in text, 1)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_with_open_connections_and_takes_its_certificate_away(sandbox, number):
    fake = sandbox("ses")
    with smtplib.SMTP(fake.upstream["host"], fake.upstream["port"]) as client:
        client.ehlo()
        assert fake.ca_file.exists()
        assert fake.finish(number) == 0
        assert not fake.ca_file.exists()
        client.close()


@pytest.mark.parametrize("arguments, complaint", [
    (["sess"], "unknown provider 'sess' (did you mean 'ses'?)"),
    (["ses", "--behaviour", "throtle"], "unknown behaviour 'throtle'; ses has: ok, throttle, "),
    (["mailgun", "--region", "moon"], "unknown region 'moon' of 'mailgun'"),
    (["cloudflare", "--tls", "starttls"], "cloudflare has no port with starttls TLS"),
    (["ses", "--listen", "localhost"], "--listen wants ADDRESS:PORT, not 'localhost'"),
])
def test_what_it_cannot_do_is_said(arguments, complaint):
    ended = command("sandbox", *arguments)
    assert ended.returncode == 64
    assert complaint in ended.stderr


def test_it_lists_the_bad_days():
    listed = command("sandbox", "ses", "--behaviour", "list").stdout
    assert re.search(r"^throttle +final_dot +454 Throttling failure", listed, re.MULTILINE)
    assert re.search(r"^break-off +final_dot +closes the connection", listed, re.MULTILINE)


def test_the_page_of_providers_is_what_is_known():
    made = subprocess.run([BINARY, "presets", "--markdown"], capture_output=True, text=True, check=True).stdout
    assert made == (PROJECT / "docs" / "providers.md").read_text(), \
        "run: relayd presets --markdown > docs/providers.md"
