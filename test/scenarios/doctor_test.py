"""relayd doctor: each trouble of an upstream or account is one line that says what is wrong and what to change, and no
message is begun."""

import json
import os
import pty
import re
import socket
from datetime import datetime, timedelta, timezone

import pytest

from conftest import ACCOUNTS
from support.certificates import Authority, pin_of
from support.relayd import command
from support.upstream import CUT, HANG
from support.waiting import free_port

OK, BAD_USAGE, UNAVAILABLE, BAD_CONFIG = 0, 64, 69, 78
SENDER = "app@example.com"
ALICE = {"username": "alice", "password": ACCOUNTS["alice"]}


@pytest.fixture
def doctor(tmp_path):
    """Runs it with these upstreams; every finding, as --json has it, after both forms said the same."""

    def run(upstreams: dict, *words, senders: list | None = None, **sections):
        senders = senders or [{"match": SENDER, "upstream": next(iter(upstreams))}]
        file = tmp_path / "relayd.yaml"
        file.touch(mode=0o600)
        file.write_text(json.dumps({"hostname": "relay.test.example", "upstreams": upstreams, "senders": senders,
                                    "queue": {"directory": str(tmp_path / "queue")}, **sections}, indent=2))
        return command("doctor", "-c", file, *words)

    return run


def lines(told, state: str) -> list[str]:
    return [line for line in told.stdout.splitlines() if line.startswith(state)]


def failure(told) -> str:
    """The one line of what fails."""
    assert told.returncode == UNAVAILABLE, told.stdout + told.stderr
    (line,) = lines(told, "failed")
    return line


def sent_nothing(upstream) -> bool:
    return not {"DATA", "BDAT", "RCPT"} & set(upstream.verbs())


def test_all_is_well(doctor, upstream):
    fake = upstream()
    told = doctor({"fake": fake.config(**ALICE)})
    assert told.returncode == OK, told.stdout + told.stderr
    assert [line.split()[0] for line in told.stdout.splitlines()] == ["ok"] * 5
    connect, tls, ehlo, auth, sender = told.stdout.splitlines()
    assert connect == f"ok       fake connect 127.0.0.1:{fake.port}: connected"
    assert re.search(r"TLSv1\.3, the certificate fits 127\.0\.0\.1 and ends on \d{4}-\d\d-\d\d, in 6 days", tls)
    before, after = ehlo.split("before TLS: ")[1].split("; with TLS: ")
    assert "STARTTLS" in before and "AUTH" not in before
    assert "STARTTLS" not in after and after.endswith("AUTH PLAIN LOGIN")
    assert auth == "ok       fake as alice auth: logged in"
    assert sender == f"ok       fake as alice sender {SENDER}: MAIL is taken"
    assert fake.verbs()[-4:] == ["AUTH", "MAIL", "RSET", "QUIT"] and sent_nothing(fake)


def closed_port(upstream, authority, tmp_path):
    return {"host": "127.0.0.1", "port": free_port(), "tls": "starttls", **ALICE}


def no_starttls(upstream, authority, tmp_path):
    return {**upstream(certificate=None).config(), "tls": "starttls", **ALICE}


def wrong_name(upstream, authority, tmp_path):
    return upstream(certificate=authority.issue("somebody.else.example")).config(**ALICE)


def expired(upstream, authority, tmp_path):
    now = datetime.now(timezone.utc)
    old = authority.issue_for_a_time("127.0.0.1", now - timedelta(days=9), now - timedelta(days=2))
    return upstream(certificate=old).config(**ALICE)


def unknown_authority(upstream, authority, tmp_path):
    stranger = Authority(tmp_path / "stranger", "Stranger")
    return {**upstream().config(**ALICE), "tls_options": {"ca_file": str(stranger.file)}}


def another_pin(upstream, authority, tmp_path):
    fake = upstream()
    other = pin_of(authority.issue("other.example"))
    return {**fake.config(**ALICE), "tls_options": {"ca_file": str(authority.file), "pin_sha256": [other]}}


def implicit_at_starttls(upstream, authority, tmp_path):
    return {**upstream().config(**ALICE), "tls": "implicit"}


def starttls_at_implicit(upstream, authority, tmp_path):
    return {**upstream(tls="implicit").config(**ALICE), "tls": "starttls"}


def no_talk(upstream, authority, tmp_path):
    fake = upstream()
    fake.answer("greeting", CUT)
    return fake.config(**ALICE)


def refused_host(upstream, authority, tmp_path):
    fake = upstream()
    fake.answer("greeting", "554 5.7.1 192.0.2.7 is listed")
    return fake.config(**ALICE)


def wrong_password(upstream, authority, tmp_path):
    return upstream().config(username="alice", password="wrong-canary")


def hangs_up_at_login(upstream, authority, tmp_path):
    fake = upstream()
    fake.answer("auth", CUT)
    return fake.config(**ALICE)


def no_check_now(upstream, authority, tmp_path):
    fake = upstream()
    fake.answer("auth", "454 4.7.0 Temporary authentication failure")
    return fake.config(**ALICE)


def no_password(upstream, authority, tmp_path):
    return upstream().config(username="alice", password={"file": str(tmp_path / "nowhere")})


def no_mechanism(upstream, authority, tmp_path):
    return upstream(mechanisms="XOAUTH2").config(**ALICE)


def no_sender(upstream, authority, tmp_path):
    fake = upstream()
    fake.answer("mail", "553 5.7.1 Sender address rejected: not owned by user alice")
    return fake.config(**ALICE)


def used_up(upstream, authority, tmp_path):
    fake = upstream()
    fake.answer("mail", "454 4.7.0 Daily message quota exceeded")
    return fake.config(**ALICE)


def used_up_at_login(upstream, authority, tmp_path):
    fake = upstream()
    fake.answer("auth", "454 4.7.0 Daily message quota exceeded")
    return fake.config(**ALICE)


def no_such_name(upstream, authority, tmp_path):
    return {"host": "nowhere.invalid", "port": 587, "tls": "starttls", **ALICE}


@pytest.mark.parametrize("make, step, says, advises", [
    (closed_port, "connect", "Connection refused", "Correct `host` or `port`: usual are 587"),
    (no_such_name, "resolve", "nowhere.invalid does not resolve", "Correct `host`, or mend the DNS"),
    (no_starttls, "tls", "does not offer STARTTLS", "Set `tls: implicit` with the port for it (465)"),
    (wrong_name, "tls", "the certificate is for somebody.else.example", "set tls_options.name"),
    (expired, "tls", "the certificate expired on ", "Its operator has to renew it"),
    (unknown_authority, "tls", "unknown", "tls_options.ca_file"),
    (another_pin, "tls", "the server's key is none of tls_options.pin_sha256; its pin is", "write that pin into"),
    (implicit_at_starttls, "tls", "not in TLS", "`tls: starttls`"),
    (no_talk, "ehlo", "closed the connection", "set `tls: implicit`; else this is no server of SMTP"),
    (refused_host, "ehlo", "554 5.7.1 192.0.2.7 is listed", "refuses to talk to this host"),
    (wrong_password, "auth", "535 5.7.8", "Correct `username` and `password` of 'alice'"),
    (hangs_up_at_login, "auth", "closed the connection", "ends the connection at the login: correct `username`"),
    (no_check_now, "auth", "454 4.7.0 Temporary", "could not check it now: try again"),
    (no_password, "auth", "nowhere", "Put the secret where the configuration says"),
    (no_mechanism, "auth", "the server offers AUTH XOAUTH2", "Allow a mechanism that the server offers"),
    (no_sender, "sender", "553 5.7.1 Sender address rejected", "Let account 'alice' send as app@example.com"),
    (used_up, "sender", "454 4.7.0 Daily message quota exceeded", "The quota is used up: mail waits"),
    (used_up_at_login, "auth", "454 4.7.0 Daily message quota exceeded", "The quota is used up: mail waits"),
])
def test_a_failure_is_one_line_that_says_what_to_change(doctor, upstream, authority, tmp_path, make, step, says, advises):
    entry = make(upstream, authority, tmp_path)
    line = failure(doctor({"fake": entry}))
    who = r"(as alice )?" if step in ("auth", "sender") else ""
    assert re.match(rf"failed   fake {who}{step} ", line), line
    assert says in line and advises in line, line
    assert re.search(r"relayd\.yaml:\d+\)$", line), line


@pytest.mark.parametrize("stage, says", [("greeting", "no answer to greeting within 1 s"),
                                         ("ehlo", "no answer to ehlo within 1 s"), ("mail", "no answer to mail within 1 s")])
def test_silence_ends_after_the_time_that_is_given(doctor, upstream, stage, says):
    fake = upstream()
    fake.answer(stage, HANG)
    assert says in failure(doctor({"fake": fake.config(**ALICE)}, "--timeout", "1s"))


def test_tls_from_the_first_octet_is_guessed_from_silence(doctor, upstream, authority, tmp_path):
    line = failure(doctor({"fake": starttls_at_implicit(upstream, authority, tmp_path)}, "--timeout", "1s"))
    assert "no answer to greeting" in line and "set `tls: implicit`" in line


def test_a_blocked_port_is_told_and_another_one_that_works_is_named(doctor, upstream):
    """A full backlog swallows packets as a firewall does."""
    fake = upstream()
    with socket.create_server(("127.0.0.1", 0), backlog=0) as blocked:
        port = blocked.getsockname()[1]
        fillers = []
        for _ in range(4):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", port))
            fillers.append(filler)
        told = doctor({"fake": {**fake.config(**ALICE), "port": [port, fake.port]}}, "--timeout", "2s")
        for filler in fillers:
            filler.close()
    assert told.returncode == OK, told.stdout
    (line,) = lines(told, "warning")
    assert f"connect 127.0.0.1:{port}: no answer within 2 s: the port looks blocked" in line
    assert f"Mail goes by 127.0.0.1:{fake.port} meanwhile" in line and "A firewall on the way" in line
    assert lines(told, "ok")[-1].endswith("MAIL is taken")


def test_a_certificate_that_ends_soon_is_a_warning(doctor, upstream, authority):
    now = datetime.now(timezone.utc)
    brief = authority.issue_for_a_time("127.0.0.1", now - timedelta(days=9), now + timedelta(days=3, hours=1))
    told = doctor({"fake": upstream(certificate=brief).config(**ALICE)})
    assert told.returncode == OK
    (line,) = lines(told, "warning")
    assert "in 3 days. Its operator has to renew it before then" in line


def test_every_account_and_sender_is_tried(doctor, upstream):
    fake = upstream()
    fake.answer("mail", "553 5.7.1 Not yours", about="two@example.com")
    senders = [{"match": "one@example.com", "upstream": "fake"}, {"match": "two@example.com", "upstream": "fake"},
               {"match": "@bob.example", "upstream": "fake", "username": "bob", "password": "wrong-canary"},
               {"match": "*", "upstream": "fake", "username": "carol", "password": ACCOUNTS["carol"]}]
    told = doctor({"fake": fake.config(**ALICE)}, senders=senders)
    assert told.returncode == UNAVAILABLE
    refused, wrong = lines(told, "failed")
    assert "fake as alice sender two@example.com: 553" in refused
    assert "fake as bob auth " in wrong and "of 'bob'" in wrong
    assert "ok       fake as alice sender one@example.com: MAIL is taken" in told.stdout
    (note,) = lines(told, "note")
    assert "fake as carol sender: no rule names an address that it sends for: name one with --sender" in note
    only = doctor({"fake": fake.config(**ALICE)}, "--sender", "x@carol.example", senders=senders)
    assert only.returncode == OK and "as carol sender x@carol.example: MAIL is taken" in only.stdout
    assert "alice" not in only.stdout and "bob" not in only.stdout


def test_a_slow_upstream_holds_up_no_other_and_hides_nothing(doctor, upstream):
    silent, good = upstream(), upstream()
    silent.answer("greeting", HANG)
    told = doctor({"silent": silent.config(**ALICE), "good": good.config(**ALICE)}, "--timeout", "1s",
                  senders=[{"match": SENDER, "upstream": ["silent", "good"]}])
    assert "silent ehlo" in failure(told)
    assert f"ok       good as alice sender {SENDER}: MAIL is taken" in told.stdout
    assert doctor({"silent": silent.config(**ALICE), "good": good.config(**ALICE)}, "good",
                  senders=[{"match": SENDER, "upstream": ["silent", "good"]}]).returncode == OK


def test_the_next_password_is_tried_and_told(doctor, upstream):
    told = doctor({"fake": upstream().config(username="alice", password="old-canary", next_password=ACCOUNTS["alice"])})
    assert told.returncode == OK
    (line,) = lines(told, "warning")
    assert "logged in with `next_password`; `password` is refused. Make it the `password`" in line


def test_scripts_get_a_line_of_json_for_each_finding(doctor, upstream):
    told = doctor({"fake": upstream().config(username="alice", password="wrong-canary")}, "--json")
    assert told.returncode == UNAVAILABLE
    findings = [json.loads(line) for line in told.stdout.splitlines()]
    (failed,) = [one for one in findings if one["state"] == "failed"]
    assert {"step": "auth", "upstream": "fake", "account": "alice", "class": "auth"}.items() <= failed.items()
    assert failed["text"].startswith("535 5.7.8") and "`password`" in failed["advice"] and ":" in failed["where"]
    (tls,) = [one for one in findings if one["step"] == "tls"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", tls["until"])


def test_what_a_server_says_moves_no_cursor(doctor, upstream):
    fake = upstream()
    fake.answer("mail", "553 5.7.1 \x1b[2J\x07no")
    for words in ((), ("--json",)):
        told = doctor({"fake": fake.config(**ALICE)}, *words)
        assert told.returncode == UNAVAILABLE
        assert not [c for c in told.stdout if ord(c) < 32 and c != "\n"]


@pytest.mark.parametrize("words, says", [(("nobody",), "there is no upstream 'nobody'"),
                                         (("--sender", "x@y.example"), "no rule of `senders` matches")])
def test_whom_nobody_knows_is_refused(doctor, upstream, words, says):
    told = doctor({"fake": upstream().config(**ALICE)}, *words)
    assert told.returncode == BAD_USAGE and says in told.stderr and told.stdout == ""


def test_a_broken_configuration_is_told(doctor):
    assert doctor({"fake": {"provider": "nobody"}}).returncode == BAD_CONFIG


def test_a_sandbox_needs_no_network(doctor, tmp_path):
    told = doctor({"kept": {"sandbox": {"directory": str(tmp_path / "kept")}}})
    assert told.returncode == OK and lines(told, "note")[0].endswith("messages are kept there and sent nowhere")


@pytest.mark.parametrize("unwanted", [False, True])
def test_colour_is_for_terminals(doctor, upstream, monkeypatch, tmp_path, unwanted):
    fake = upstream()
    assert "\x1b" not in doctor({"fake": fake.config(**ALICE)}).stdout
    import subprocess

    from support.relayd import BINARY

    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", **({"NO_COLOR": "1"} if unwanted else {})}
    subprocess.run([BINARY, "doctor", "-c", str(tmp_path / "relayd.yaml")], stdout=theirs, stdin=subprocess.DEVNULL,
                   env=environment, timeout=30, check=True)
    os.close(theirs)
    shown = b""
    while True:
        try:
            piece = os.read(ours, 65536)
        except OSError:
            break
        if not piece:
            break
        shown += piece
    os.close(ours)
    assert (b"\x1b[32mok     \x1b[0m  fake connect" in shown) != unwanted


def test_a_daemon_beside_it_is_not_disturbed(relay, upstream):
    from support import mail

    fake = upstream()
    one = relay({"fake": fake.config(**ALICE, limits={"connections": 1})})
    one.wait_event("delivered", id=one.submit(SENDER, "one@rcpt.example", mail.text(SENDER)))
    told = command("doctor", "-c", one.file, "--sender", SENDER)
    assert told.returncode == OK, told.stdout + told.stderr
    one.wait_event("delivered", id=one.submit(SENDER, "two@rcpt.example", mail.text(SENDER)))
    assert not one.logged("lane_paused") and not one.logged("upstream_paused")
