"""The commands beside `run`: check, explain, healthcheck, demo and version, with the exit codes a script relies on."""

import re

import pytest

from support.relayd import command

NO_ROUTE, BAD_CONFIG = 67, 78

GOOD = """\
hostname: relay.test.example
upstreams:
  office:
    host: smtp.example.net
    port: 465
    tls: implicit
    username: relay
    password: {env: OFFICE_PASSWORD}
  mailgun:
    provider: mailgun
    username: postmaster@mg.example.com
    password: {env: MAILGUN_PASSWORD}
senders:
  - match: billing@example.com
    upstream: [mailgun, office]
  - match: "@example.com"
    upstream: office
"""


@pytest.fixture(autouse=True)
def passwords(monkeypatch):
    for provider in ("OFFICE", "MAILGUN"):
        monkeypatch.setenv(f"{provider}_PASSWORD", f"{provider}-canary")


@pytest.fixture
def file(tmp_path):
    def write(text: str, mode: int = 0o600):
        path = tmp_path / "relayd.yaml"
        path.touch(mode=mode)
        path.write_text(text)
        return path

    return write


def test_check_accepts_a_good_file(file):
    checked = command("check", "-c", file(GOOD))
    assert checked.returncode == 0, checked.stderr


@pytest.mark.parametrize("wrong, place, hint", [
    (GOOD.replace("    host:", "    hots:"), "4:5", "host"),
    (GOOD.replace("port: 465", "port: many"), "5:11", "port"),
    (GOOD.replace("upstream: office\n", "upstream: ofice\n"), "17:15", "office"),
    (GOOD + "hostname: again\n", "18:1", "hostname"),
    (GOOD + "redis: {}\n", "18:1", "not supported yet"),
    (GOOD + "queue: {retry: {first: soon}}\n", "18:24", "soon"),
], ids=["unknown key", "wrong type", "unknown upstream", "duplicate key", "reserved key", "wrong unit"])
def test_check_says_where_and_what(file, wrong, place, hint):
    path = file(wrong)
    checked = command("check", "-c", path)
    assert checked.returncode == BAD_CONFIG
    lines = (checked.stdout + checked.stderr).splitlines()
    assert [line for line in lines if line.startswith(f"{path}:{place}: ") and hint in line], lines


def test_check_finds_every_error_in_one_pass(file):
    path = file(GOOD.replace("    host:", "    hots:").replace("port: 465", "port: many"))
    checked = command("check", "-c", path)
    assert {match[1] for match in re.finditer(rf"^{path}:(\d+):\d+: ", checked.stdout + checked.stderr, re.M)} >= {
        "4", "5"}


def test_a_secret_that_cannot_be_had_is_an_error(file, monkeypatch):
    monkeypatch.delenv("OFFICE_PASSWORD")
    path = file(GOOD)
    checked = command("check", "-c", path)
    assert checked.returncode == BAD_CONFIG
    assert f"{path}:8:" in checked.stderr and "OFFICE_PASSWORD" in checked.stderr


def test_a_file_with_a_secret_that_others_can_read_is_refused(file):
    text = GOOD.replace("{env: OFFICE_PASSWORD}", "canary")
    assert command("check", "-c", file(text)).returncode == 0
    path = file(text)
    path.chmod(0o644)
    checked = command("check", "-c", path)
    assert checked.returncode == BAD_CONFIG
    assert "canary" not in checked.stdout + checked.stderr


def test_check_of_a_file_that_is_not_there(tmp_path):
    checked = command("check", "-c", tmp_path / "missing.yaml")
    assert checked.returncode == BAD_CONFIG
    assert "missing.yaml" in checked.stderr


def test_check_names_what_a_start_set_aside(to_upstream):
    relay, _ = to_upstream()
    (relay.queue / "quarantine" / "0000000000000001-4096").write_bytes(b"damaged")
    checked = command("check", "-c", relay.file)
    assert checked.returncode == 0
    assert "quarantine/0000000000000001-4096" in checked.stderr


@pytest.mark.parametrize("sender, upstreams, line", [
    ("billing@example.com", ["mailgun", "office"], 14),
    ("anybody@example.com", ["office"], 16),
])
def test_explain_shows_the_route_and_no_password(file, sender, upstreams, line):
    path = file(GOOD.replace("{env: OFFICE_PASSWORD}", "canary"))
    said = command("explain", "-c", path, "--sender", sender)
    assert said.returncode == 0, said.stderr
    assert f"{path}:{line}" in said.stdout
    assert re.findall(r"^\d+\. (\w+)", said.stdout, re.MULTILINE) == upstreams
    assert "username   relay" in said.stdout
    assert "canary" not in said.stdout


def test_explain_without_a_route(file):
    said = command("explain", "-c", file(GOOD), "--sender", "stranger@elsewhere.example")
    assert said.returncode == NO_ROUTE


def test_healthcheck_tells_a_running_relay_from_none(to_upstream):
    relay, _ = to_upstream()
    assert command("healthcheck", "-c", relay.file).returncode == 0
    relay.stop()
    assert command("healthcheck", "-c", relay.file).returncode == 1


def test_demo_shows_three_senders_leaving_through_three_accounts():
    shown = command("demo", "--once")
    assert shown.returncode == 0, shown.stdout + shown.stderr
    for account in ("shop-account", "billing-account", "everybody"):
        assert re.search(rf"\b{account}\s+TLSv1\.3\s+250 ", shown.stdout), shown.stdout
    assert "3 of 3 messages arrived" in shown.stdout


def test_version_names_the_library_it_stands_on():
    said, short = command("version"), command("--version")
    assert (said.returncode, short.returncode) == (0, 0)
    assert said.stdout.startswith(short.stdout.strip())
    assert "BoringSSL API" in said.stdout


def test_help_is_help_and_an_unknown_command_is_an_error():
    assert command("--help").returncode == 0
    assert command("no-such-command").returncode != 0
