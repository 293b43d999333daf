"""senders_file, accounts_file and tables: what stands in files beside the configuration, and their reload."""

import signal
import smtplib
import subprocess

import pytest

from support import mail
from support.relayd import BINARY, Client, command
from support.waiting import PATIENCE

ANN, BOB, CARL = "ann@a.example", "bob@b.example", "carl@c.example"


def private(path, text: str):
    """The file with that text, for its owner alone."""
    path.touch(mode=0o600)
    path.write_text(text)
    return path


@pytest.fixture
def with_senders(relay, upstream, tmp_path):
    """A relay with rules in a file, its upstream and the file: (relay, upstream, file)."""

    def start(text: str, **sections):
        fake = upstream()
        file = private(tmp_path / "senders.csv", text)
        one = relay({"fake": fake.config()}, [{"match": BOB, "upstream": "fake", "username": "bob", "password": "bob-canary"}],
                    senders_file=str(file), **sections)
        return one, fake, file

    return start


RULES = "match,upstream,username,password,reject\nann@a.example,fake,alice,alice-canary,\n@c.example,,,,550 5.7.1 Not you\n"


def accounts_of(fake, count: int) -> dict[str, str]:
    return {message.sender: message.account for message in fake.taken(count)}


def refusal(one, sender: str) -> tuple[int, bytes]:
    with Client("127.0.0.1", one.port, timeout=PATIENCE) as client:
        client.ehlo()
        return client.mail(sender)


def test_rules_of_the_file_stand_beside_those_of_the_configuration(with_senders):
    one, fake, _ = with_senders(RULES)
    for sender in (ANN, BOB):
        one.submit(sender, "r@r.example", mail.text(sender))
    assert accounts_of(fake, 2) == {ANN: "alice", BOB: "bob"}
    assert refusal(one, CARL) == (550, b"5.7.1 Not you")


def test_explain_names_the_file_and_the_line(with_senders):
    one, _, file = with_senders(RULES)
    told = [line.split() for line in command("explain", "--sender", ANN, "-c", one.file).stdout.splitlines()]
    assert ["rule", f'"{ANN}"', f"({file}:2)"] in told
    assert ["username", "alice", f"({file}:2)"] in told
    assert ["password", "in", str(file)] in told
    file.unlink()
    unreadable = command("explain", "--sender", ANN, "-c", one.file)
    assert unreadable.returncode == 78 and f"cannot read {file}" in unreadable.stderr


def test_a_reload_reads_the_file_again(with_senders):
    one, fake, file = with_senders(RULES)
    file.write_text(f"match,upstream,username,password\n{CARL},fake,carol,carol-canary\n")
    one.reload()
    one.submit(CARL, "r@r.example", mail.text(CARL))
    assert accounts_of(fake, 1) == {CARL: "carol"}
    assert refusal(one, ANN)[0] == 550


@pytest.mark.parametrize("text, told", [
    ("match,upstream\nann@a.example,fake\n@d.example,fke\n", ":3:12: unknown upstream 'fke' (did you mean 'fake'?)"),
    ("match,upstream\nbob@b.example,fake\n", ":2:1: duplicate match 'bob@b.example' (first in line "),
    ("match,upstream\n\"ann\n", ":2:1: a quote that is not closed"),
    ("", ":1:1: the first row has to name the columns"),
])
def test_a_file_with_a_fault_keeps_the_rules_that_were(with_senders, text, told):
    one, fake, file = with_senders(RULES)
    file.write_text(text)
    one.signal(signal.SIGHUP)
    assert f"{file}{told}" in one.wait_event("reload_failed")["reason"]
    assert command("check", "-c", one.file).returncode == 78
    one.submit(ANN, "r@r.example", mail.text(ANN))
    assert accounts_of(fake, 1) == {ANN: "alice"}


def test_a_file_that_others_may_read_is_refused(with_senders):
    one, _, file = with_senders(RULES)
    file.chmod(0o640)
    one.signal(signal.SIGHUP)
    assert f"others may read {file} (mode 0640): chmod 600 {file}" in one.wait_event("reload_failed")["reason"]


# --- senders_table ---


@pytest.fixture
def with_table(relay, upstream, tmp_path):
    """A relay whose senders go by a table, two upstreams and the table's file: (relay, {name: upstream}, file)."""

    def start(text: str):
        there = {name: upstream(accounts={}, certificate=None) for name in ("office", "other")}
        file = tmp_path / "tenants"
        file.write_text(text)
        one = relay({name: each.config() for name, each in there.items()}, [{"match": BOB, "upstream": "office"}],
                    tables={"tenants": {"file": str(file)}}, senders_table="tenants")
        return one, there, file

    return start


def test_the_table_says_where_senders_go_whom_no_rule_is_for(with_table):
    one, there, file = with_table(f"@a.example other\n{BOB} other\n")
    for sender in (ANN, BOB):
        one.wait_event("delivered", id=one.submit(sender, "r@r.example", mail.text(sender)))
    assert [message.sender for message in there["other"].taken(1)] == [ANN]
    assert [message.sender for message in there["office"].taken(1)] == [BOB]
    assert refusal(one, CARL)[0] == 550
    told = command("explain", "--sender", ANN, "-c", one.file).stdout
    assert f"table 'tenants', key \"@a.example\" ({file}:1)" in told and "1. other" in told, told
    file.write_text("@c.example other\n")
    one.reload()
    assert refusal(one, CARL)[0] == 250 and refusal(one, ANN)[0] == 550


def test_mail_of_a_value_that_names_no_upstream_waits_until_it_does(with_table):
    one, there, file = with_table("@a.example office, ofice\n@c.example other\n")
    why = "table 'tenants', key '@a.example': there is no upstream 'ofice'"
    ids = [one.submit(ANN, "r@r.example", mail.text(ANN)) for _ in range(2)]
    for id in ids:
        waits = one.wait("deferred", 2, id=id)[0]
        assert (waits["response"], waits["class"]) == (why, "none")
    assert [event["reason"] for event in one.logged("table_trouble")] == [why]
    told = command("explain", "--sender", ANN, "-c", one.file)
    assert told.returncode == 67 and f"waits      {why}" in told.stdout, told.stdout
    assert f"mail of {ANN} goes nowhere: {why}" in command("doctor", "--sender", ANN, "-c", one.file).stderr
    file.write_text("@a.example other\n")
    one.reload()
    for id in ids:
        one.wait_event("delivered", id=id)
    assert len(there["other"].taken(2)) == 2 and not there["office"].messages.all()


def test_a_table_for_senders_whose_values_cannot_be_read_is_refused(with_table):
    one, _, file = with_table("@a.example office\n")
    file.write_text("@a.example office\n@b.example office,,other\n@c.example office, office\n")
    one.signal(signal.SIGHUP)
    reason = one.wait_event("reload_failed")["reason"]
    assert f"{file}:2:1: a value names one upstream, or several with commas between them" in reason, reason
    assert f"{file}:3:1: upstream 'office' is named twice" in command("check", "-c", one.file).stderr


# --- accounts ---


def hashed(password: str) -> str:
    return subprocess.run([BINARY, "hash-password"], input=password + "\n", capture_output=True, text=True,
                          timeout=PATIENCE, check=True).stdout.strip()


@pytest.fixture
def with_accounts(relay, upstream, tmp_path):
    """A relay that wants a login of those in a file, and the file: (relay, file)."""
    file = private(tmp_path / "accounts", f"# ours\nann:{hashed('ann-canary')}\n")
    one = relay({"fake": upstream(accounts={}, certificate=None).config()}, listener={"auth": "required"},
                accounts=[{"name": "bob", "password": "bob-canary"}], accounts_file=str(file))
    return one, file


def lets_in(one, name: str, password: str) -> bool:
    with Client("127.0.0.1", one.port, timeout=PATIENCE) as client:
        try:
            client.login(name, password)
        except smtplib.SMTPAuthenticationError:
            return False
        return client.mail("anybody@x.example")[0] == 250


def test_accounts_of_the_file_log_in_beside_those_of_the_configuration(with_accounts):
    one, file = with_accounts
    assert lets_in(one, "ann", "ann-canary") and lets_in(one, "bob", "bob-canary")
    assert not lets_in(one, "ann", "wrong-canary")
    file.write_text(f"carl:{hashed('carl-canary')}\n")
    one.reload()
    assert lets_in(one, "carl", "carl-canary") and not lets_in(one, "ann", "ann-canary")


@pytest.mark.parametrize("text, told", [
    ("carl:plain-canary\n", ":1:1: expected NAME:SCRAM-SHA-256$..."),
    ("\ncarl:SCRAM-SHA-256$1:canary\n", ":2:1: scram_sha_256 of 'carl': "),
    ("bob:SCRAM-SHA-256$4096:c2FsdA==$AAAA:AAAA\n", ":1:1: duplicate account 'bob' (first in line "),
])
def test_a_broken_line_keeps_the_accounts_that_were(with_accounts, text, told):
    one, file = with_accounts
    file.write_text(text)
    one.signal(signal.SIGHUP)
    assert f"{file}{told}" in one.wait_event("reload_failed")["reason"]
    assert lets_in(one, "ann", "ann-canary")


# --- tables ---


def test_a_broken_table_keeps_what_was(relay, upstream, tmp_path):
    file = tmp_path / "generic"
    file.write_text("a@x b@y\n")
    one = relay({"fake": upstream(accounts={}, certificate=None).config()}, tables={"generic": {"file": str(file)}})
    file.write_text("a@x b@y\n\nA@x c@y\nalone\n")
    one.signal(signal.SIGHUP)
    told = [event["reason"] for event in one.wait("reload_failed", 2)]
    assert told == [f"{file}:3:1: 'a@x' is there twice: in line 1 as well", f"{file}:4:1: 'alone' has no value"]
    assert command("check", "-c", one.file).returncode == 78
    file.write_text("a@x b@y\n")
    one.reload()


@pytest.fixture
def with_tables(relay, upstream, tmp_path):
    """A relay of o.example with a table for each use, and its upstream: (relay, upstream, folder)."""
    (tmp_path / "virtual").write_text("team  Ann@x.example, bob\n@old.example  @new.example\n")
    (tmp_path / "patterns").write_text("/^(.*)@customer\\.example$/  $1+copy@archive.example\n")
    (tmp_path / "blocked.csv").write_text("key,value\nmallory@x.example,reject\n@spam.example,discard\n")
    fake = upstream(accounts={}, certificate=None)
    one = relay({"fake": fake.config()}, origin="o.example", aliases_table="virtual", bcc=[{"table": "patterns", "of": "recipient"}],
                access={"senders": {"table": "blocked"}, "recipients": {"table": ["blocked"], "bob@o.example": "accept"}},
                tables={"virtual": {"file": str(tmp_path / "virtual")}, "patterns": {"regexp": str(tmp_path / "patterns")},
                        "blocked": {"file": str(tmp_path / "blocked.csv")}})
    return one, fake, tmp_path


def arrived(one, upstream, *recipients: str) -> list[str]:
    id = one.submit(ANN, list(recipients), mail.text(ANN))
    names = one.wait_event("accepted", id=id)["to"].split(",")
    one.wait("delivered", len(names), id=id)
    return sorted(recipient for taken in upstream.taken(1) for recipient in taken.recipients)


def test_tables_say_who_gets_it_who_gets_a_copy_and_who_may_write(with_tables):
    one, fake, _ = with_tables
    assert arrived(one, fake, "team", "U@old.example", "Carl@customer.example", "eve@spam.example") == [
        "Ann@x.example", "Carl+copy@archive.example", "Carl@customer.example", "U@new.example", "bob@o.example"]
    assert refusal(one, '"Mallory"@X.example') == (550, b'5.7.1 Mail from <"Mallory"@X.example> is not taken')
    with Client("127.0.0.1", one.port, timeout=PATIENCE) as client:
        client.ehlo()
        client.mail(ANN)
        assert client.rcpt("mallory+t@x.example")[0] == 550


def test_explain_names_the_row_that_decides(with_tables):
    one, _, folder = with_tables

    def told(sender: str, recipient: str) -> list[str]:
        answer = command("explain", "--sender", sender, "--recipient", recipient, "-c", one.file)
        return [" ".join(line.split()) for line in answer.stdout.splitlines()]

    lines = told(ANN, "team")
    assert f"alias team@o.example by {folder}/virtual:1 (team)" in lines
    assert "access accept bob@o.example by 'bob@o.example'" in lines
    assert f"copy carl+copy@archive.example by {folder}/patterns:1 (carl@customer.example)" in told(ANN, "carl@customer.example")
    lines = told("mallory@x.example", "eve@spam.example")
    assert f"access reject mallory@x.example by {folder}/blocked.csv:2 (mallory@x.example)" in lines
    assert f"access discard eve@spam.example by {folder}/blocked.csv:3 (@spam.example)" in lines


@pytest.mark.parametrize("name, text, told", [
    ("virtual", "team nobody here\n", ":1:1: "),
    ("virtual", "a b\nb a\n", ":2:1: 'a' leads back to itself by 'b'"),
    ("blocked.csv", "key,value\na@x,OK\n", ":2:1: 'OK' is not one of accept, reject, discard and hold"),
    ("patterns", "/a/ b\n", ":1:1: 'b' is no address with its domain"),
])
def test_a_value_that_cannot_be_used_keeps_what_was(with_tables, name, text, told):
    one, fake, folder = with_tables
    (folder / name).write_text(text)
    one.signal(signal.SIGHUP)
    assert f"{folder}/{name}{told}" in one.wait_event("reload_failed")["reason"]
    assert command("check", "-c", one.file).returncode == 78
    assert arrived(one, fake, "team") == ["Ann@x.example", "bob@o.example"]


def test_a_changed_row_is_noticed(with_tables):
    one, fake, folder = with_tables
    (folder / "virtual").write_text("team  carl@x.example\n")
    one.wait_event("reloaded")
    assert arrived(one, fake, "team") == ["carl@x.example"]


def test_what_a_pattern_makes_of_an_address_may_be_wrong_when_mail_comes(with_tables):
    one, fake, folder = with_tables
    (folder / "patterns").write_text("/^(.*)@customer.example$/ $1 $1\n")
    one.wait_event("reloaded")
    with Client("127.0.0.1", one.port, timeout=PATIENCE) as client:
        client.ehlo()
        client.mail(ANN)
        client.rcpt("carl@customer.example")
        assert client.docmd("DATA") == (451, b"4.6.0 Who gets a copy cannot be found out")
    assert "table 'patterns', 'carl@customer.example'" in one.wait_event("alias_trouble")["reason"]
    assert arrived(one, fake, "dan@x.example") == ["dan@x.example"]
