"""`relayd queue show` wrote ESC and OSC of a message to the terminal as they were; a login on an accept-any listener looked
like one of `accounts` in the log; masked addresses stood in full within replies."""

import json
import re
import smtplib

import pytest

from support import mail
from support.post_office import INVISIBLE
from support.relayd import command
from support.sendmail import Sendmail
from support.waiting import PATIENCE, poll

SENDER, RECIPIENT = "app@example.com", "bob@rcpt.example"
TITLE = "\x1b]0;title\x07"
NASTY = f"{TITLE}\x1b[2J \u202egpj.exe\u2066 \u009b31m \x7f".encode() + b" \x9b31m"
LATER = {"retry": {"first": "1h", "maximum": "1h"}}


def demand_plain(output: str):
    found = INVISIBLE.findall(re.sub(r"\r?\n|\t", "", output))
    assert not found, found


@pytest.fixture
def waiting(to_upstream, tmp_path):
    """A message that waits, with what a terminal would obey in it and in the reply: (relay, id)."""
    relay, upstream = to_upstream(queue=LATER, accounts={})
    upstream.answer("mail", f"451 4.3.0 {TITLE} \u202e later", times=1)
    id = relay.submit(SENDER, RECIPIENT, b"Subject: " + NASTY + b"\r\n\r\nIn the body: " + NASTY + b"\r\n\tlast\r\n")
    relay.wait_event("deferred", id=id)
    return relay, id


# Not `show --body --json`: the octets of the body follow the line that counts them, as they are.
@pytest.mark.parametrize("words", [["show"], ["show", "--body"], ["list"], ["hold"], ["show", "--json"], ["list", "--json"],
                                   ["hold", "--json"]])
def test_nothing_of_a_message_speaks_to_the_terminal(waiting, words):
    relay, id = waiting
    ended = command("queue", *words, id, "-c", relay.file)
    assert ended.returncode == 0
    demand_plain(ended.stdout + ended.stderr)
    if words == ["show"]:
        assert "Subject: \\x1B]0;title\\x07" in ended.stdout
    if "--body" in words:
        assert "\r\nIn the body: \\x1B]0;title\\x07" in ended.stdout.replace("\n", "\r\n").replace("\r\r", "\r")
        assert "\\x9B31m" in ended.stdout and "\tlast" in ended.stdout


def test_json_means_the_same(waiting):
    relay, id = waiting
    said = command("queue", "show", id, "--json", "-c", relay.file).stdout.splitlines()[0]
    assert TITLE + "\x1b[2J \u202egpj.exe\u2066 \u009b31m \x7f" in json.loads(said)["header"]


def test_mailq_and_status_are_plain(waiting, tmp_path):
    relay, _ = waiting
    sendmail = Sendmail(tmp_path / "bin", relay.file)
    poll(lambda: b"later" in sendmail.run(program="mailq").stdout)
    demand_plain(sendmail.run(program="mailq").stdout.decode())
    for words in (["status"], ["status", "--json"], ["lane", "list"], ["lane", "list", "--json"]):
        demand_plain(command(*words, "-c", relay.file).stdout)


def test_what_is_quoted_of_the_command_line_is_plain(waiting, tmp_path):
    relay, _ = waiting
    sendmail = Sendmail(tmp_path / "bin", relay.file)
    for ended in (command("explain", "--sender", TITLE + "@example.com", "-c", relay.file),
                  command("status", TITLE), command(TITLE), command("queue", "list", "--state", TITLE),
                  command("status", "-c", f"{tmp_path}/{TITLE.replace('/', '')}"),
                  command("lane", "pause", TITLE, "--account", TITLE, "-c", relay.file)):
        demand_plain(ended.stdout + ended.stderr)
    for words in ([f"-Z{TITLE}"], [f"-b{TITLE}"], ["-f", TITLE, RECIPIENT], ["-t", f"<{TITLE}>"], ["-C", TITLE, RECIPIENT]):
        ended = sendmail.run(*words, message=b"To: x\n\n")
        demand_plain((ended.stdout + ended.stderr).decode())


# --- names of logins ---

def test_a_name_that_nobody_checked_looks_like_none_of_the_accounts(relay, upstream):
    fake = upstream(accounts={})
    accounts = [{"name": "webapp", "password": "webapp-canary", "may_send_as": ["@else.example"]}]
    one = relay({"fake": fake.config()}, listener={"auth": "accept-any"}, accounts=accounts)
    with smtplib.SMTP("127.0.0.1", one.port, timeout=PATIENCE) as client:
        client.login("webapp", "anything")
        client.sendmail(SENDER, RECIPIENT, mail.text(SENDER))
    assert one.wait_event("accepted")["account"] == "unverified:webapp"


def test_an_account_cannot_look_like_a_name_that_nobody_checked(tmp_path):
    file = tmp_path / "relayd.yaml"
    file.touch(mode=0o600)
    file.write_text("accounts: [{name: 'unverified:ann', password: x}]\n")
    ended = command("check", "-c", file)
    assert ended.returncode == 78 and "'unverified:'" in ended.stderr


# --- masked addresses ---

def test_an_address_within_a_reply_is_masked(relay, upstream):
    fake = upstream(accounts={})
    one = relay({"fake": fake.config()}, log={"format": "json", "addresses": "masked"})
    fake.answer("rcpt", '550 5.1.1 <bob@rcpt.example>, "bob b"@rcpt.example: no user bob@rcpt.example here', times=1)
    with smtplib.SMTP("127.0.0.1", one.port, timeout=PATIENCE) as client:
        client.sendmail(SENDER, RECIPIENT, mail.text(SENDER))
    told = one.wait_event("failed")
    assert told["response"] == '5.1.1 <b***@rcpt.example>, "***@rcpt.example: no user b***@rcpt.example here'
    assert not [event for event in one.events.all() if "bob" in json.dumps(event)]
