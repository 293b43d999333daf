"""Aliases: who a recipient stands for, as the upstream sees it."""

import signal

import pytest

from support import mail
from support.relayd import Client, command
from support.waiting import PATIENCE

SENDER = "cron@o.example"


@pytest.fixture
def aliased(relay, upstream):
    """A relay of o.example with these aliases, and its upstream: (relay, upstream)."""

    def start(aliases: dict, **sections):
        fake = upstream(accounts={}, certificate=None)
        return relay({"fake": fake.config()}, aliases=aliases, origin="o.example", **sections), fake

    return start


def arrived(one, upstream, *recipients: str) -> list[str]:
    """Sends one message to all of them; for whom it arrives."""
    id = one.submit(SENDER, list(recipients), mail.text(SENDER))
    names = one.wait_event("accepted", id=id)["to"].split(",")
    one.wait("delivered", len(names), id=id)
    return sorted(recipient for taken in upstream.taken(1) for recipient in taken.recipients)


def test_mail_to_root_reaches_a_mailbox(aliased):
    one, fake = aliased({"root": "ops@x.example"})
    assert arrived(one, fake, "root") == ["ops@x.example"]


def test_lists_lead_to_the_end_and_each_mailbox_gets_one_copy(aliased):
    one, fake = aliased({"root": ["admin", "log@x.example"], "admin": "ann@x.example",
                         "@old.example": "@new.example", "list": ["ann@X.example", "bob+t@old.example"]})
    assert arrived(one, fake, "Root@o.example", "list", "ann@x.example", "carl@y.example") == [
        "ann@x.example", "bob+t@new.example", "carl@y.example", "log@x.example"]


def test_the_header_stays_and_the_wishes_for_notifications_travel(relay, upstream):
    fake = upstream(accounts={}, certificate=None, extensions=("DSN",))
    one = relay({"fake": fake.config()}, aliases={"root": "ops@x.example", "two": ["a@x.example", "b@x.example"]},
                origin="o.example")
    with Client("127.0.0.1", one.port, timeout=PATIENCE) as client:
        client.ehlo()
        client.mail(SENDER, ["RET=HDRS"])
        assert client.rcpt("root", ["NOTIFY=SUCCESS,DELAY"])[0] == 250
        assert client.rcpt("two", ["NOTIFY=SUCCESS", "ORCPT=rfc822;two@elsewhere.example"])[0] == 250
        assert client.data(b"To: root\r\nSubject: x\r\n\r\ntext\r\n")[0] == 250
    (taken,) = fake.taken(1)
    assert b"\r\nTo: root@o.example\r\n" in taken.data
    named = {command.argument for command in fake.commands.all() if command.verb == "RCPT"}
    assert named == {"TO:<ops@x.example> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;root@o.example",
                     "TO:<a@x.example> NOTIFY=NEVER ORCPT=rfc822;two@elsewhere.example",
                     "TO:<b@x.example> NOTIFY=NEVER ORCPT=rfc822;two@elsewhere.example"}


def test_a_recipient_whose_targets_are_all_refused_is_refused(aliased):
    one, _ = aliased({"gone": "x@closed.example"}, access={"recipients": {"@closed.example": "reject"}})
    with Client("127.0.0.1", one.port, timeout=PATIENCE) as client:
        client.ehlo()
        client.mail(SENDER)
        assert client.rcpt("gone") == (550, b"5.1.1 <gone@o.example> stands only for recipients that are refused")


LISTS = {"list": ["ann@x.example", "inner", "Bob@x.example"], "owner-list": "boss@x.example",
         "inner": "carl@x.example", "Owner-Inner": "chief@x.example", "plain": "dora@x.example",
         "owner-owner-list": "top@x.example", "owner-nothing": "nobody@x.example"}


def transactions(upstream, count: int) -> list[tuple]:
    """The messages that arrived, with their senders."""
    return sorted((taken.sender, sorted(taken.recipients)) for taken in upstream.taken(count))


def test_mail_to_a_list_leaves_from_its_owner(aliased):
    one, fake = aliased(LISTS)
    one.submit(SENDER, ["list", "eve@y.example", "LIST@o.example", "plain"], mail.text(SENDER))
    assert transactions(fake, 3) == [
        ("Owner-Inner@o.example", ["carl@x.example"]), (SENDER, ["dora@x.example", "eve@y.example"]),
        ("owner-list@o.example", ["Bob@x.example", "ann@x.example"])]
    bodies = {taken.data.split(b"\r\nFrom: ", 1)[1] for taken in fake.taken(3)}
    assert len(bodies) == 1, "the header and the text are the same"
    senders = {event["from"] for event in one.wait("accepted", 3)}
    assert senders == {SENDER, "owner-list@o.example", "Owner-Inner@o.example"}


def test_a_null_sender_stays_null_on_a_list_and_an_owner_may_be_a_list(aliased):
    one, fake = aliased(LISTS)
    one.submit("", ["list+x"], mail.text(SENDER))
    assert transactions(fake, 1) == [("", ["Bob+x@x.example", "ann+x@x.example", "carl+x@x.example"])]
    one.submit(SENDER, ["owner-list", "owner-nothing"], mail.text(SENDER))
    assert transactions(fake, 3)[1:] == [(SENDER, ["nobody@x.example"]), ("owner-owner-list@o.example", ["boss@x.example"])]


def test_a_list_takes_nothing_of_what_its_sender_asked_for(relay, upstream):
    fake = upstream(accounts={}, certificate=None, extensions=("DSN",))
    one = relay({"fake": fake.config()}, aliases=LISTS, origin="o.example")
    with Client("127.0.0.1", one.port, timeout=PATIENCE) as client:
        client.ehlo()
        client.mail(SENDER, ["RET=HDRS", "ENVID=abc"])
        assert client.rcpt("inner", ["NOTIFY=SUCCESS,FAILURE", "ORCPT=rfc822;inner@o.example"])[0] == 250
        assert client.data(b"Subject: x\r\n\r\ntext\r\n")[0] == 250
    fake.taken(1)
    said = {command.argument for command in fake.commands.all() if command.verb == "RCPT"}
    assert said == {"TO:<carl@x.example>"}
    (begun,) = (command.argument for command in fake.commands.all() if command.verb == "MAIL")
    assert begun.startswith("FROM:<Owner-Inner@o.example>") and "ENVID" not in begun and "RET" not in begun


def test_whoever_asks_hears_that_his_mail_went_to_the_list(relay, upstream):
    fake = upstream(accounts={}, certificate=None, extensions=("DSN",))
    one = relay({"fake": fake.config()}, aliases=LISTS, origin="o.example", bounce={"from": "postmaster@o.example"})
    with Client("127.0.0.1", one.port, timeout=PATIENCE) as client:
        client.ehlo()
        client.mail(SENDER, ["ENVID=abc"])
        assert client.rcpt("inner", ["NOTIFY=SUCCESS", "ORCPT=rfc822;inner@o.example"])[0] == 250
        assert client.data(b"Subject: x\r\n\r\ntext\r\n")[0] == 250
    assert transactions(fake, 2) == [("", [SENDER]), ("Owner-Inner@o.example", ["carl@x.example"])]
    (report,) = (taken.data for taken in fake.taken(2) if not taken.sender)
    for line in (b"Original-Envelope-Id: abc", b"Original-Recipient: rfc822; inner@o.example",
                 b"Final-Recipient: rfc822; inner", b"Action: delivered", b"Status: 2.0.0"):
        assert line in report, report
    assert b"carl@x.example" not in report and b"Owner-Inner" not in report


def test_explain_shows_whose_way_mail_to_a_list_goes(relay, upstream):
    fake, other = upstream(accounts={}, certificate=None), upstream(accounts={}, certificate=None)
    one = relay({"fake": fake.config(), "other": other.config()}, aliases=LISTS, origin="o.example",
                senders=[{"match": "owner-inner@o.example", "upstream": "other"}, {"match": "*", "upstream": "fake"}],
                bcc=[{"match": "@o.example", "to": "list@o.example"}])

    def explained(sender: str) -> str:
        told = command("explain", "--config", str(one.file), "--sender", sender, "--recipient", "inner")
        assert told.returncode == 0, told.stderr
        return told.stdout

    told, of_list = explained(SENDER).split("list       its mail leaves from Owner-Inner@o.example\n")
    assert "becomes    carl@x.example from Owner-Inner@o.example" in told
    assert "1. fake" in told and "1. other" in of_list
    assert "becomes    ann@x.example\n" in told, "a copy keeps the sender"
    null = explained("")
    assert "becomes    carl@x.example\n" in null and "Owner-Inner" not in null


def test_a_list_whose_owner_has_no_route_is_refused(relay, upstream):
    fake = upstream(accounts={}, certificate=None)
    one = relay({"fake": fake.config()}, aliases=LISTS, origin="o.example",
                senders=[{"match": SENDER, "upstream": "fake"}])
    with Client("127.0.0.1", one.port, timeout=PATIENCE) as client:
        client.ehlo()
        client.mail(SENDER)
        code, text = client.rcpt("inner")
        assert (code, text) == (550, b"5.7.1 <inner@o.example> is a list of Owner-Inner@o.example: "
                                     b"No rule says where mail from Owner-Inner@o.example goes")
        assert client.rcpt("plain")[0] == 250
    words = ("explain", "--config", str(one.file), "--sender", SENDER, "--recipient")
    assert [command(*words, name).returncode for name in ("inner", "plain")] == [67, 0]


def test_a_reload_takes_other_aliases(aliased):
    one, fake = aliased({"root": "ops@x.example"})
    one.config["aliases"] = {"root": "new@x.example"}
    one.write()
    one.reload()
    assert arrived(one, fake, "root") == ["new@x.example"]


@pytest.mark.parametrize("aliases, told", [
    ({"a": "b", "b": "a"}, "'a' leads back to itself by 'b'"),
    ({"a": "|/bin/prog"}, "relayd delivers to no program and no file"),
    ({"a": []}, "'a' stands for nobody"),
    ({"a": "x y"}, "'x y' is no address, name or @domain"),
])
def test_what_cannot_work_is_an_error_with_its_place(aliased, aliases, told):
    one, _ = aliased({"root": "ops@x.example"})
    one.config["aliases"] = aliases
    one.write()
    result = command("check", "-c", one.file)
    assert result.returncode == 78 and told in result.stderr
    assert result.stderr.startswith(f"{one.file}:")


def test_explain_shows_each_step_with_its_line(aliased):
    one, _ = aliased({"root": "admin", "admin": ["ann@x.example", "bob@x.example"]})
    lines = command("explain", "--sender", SENDER, "--recipient", "Root", "-c", one.file).stdout.splitlines()
    assert lines[0] == "recipient  Root@o.example"
    assert lines[1].split()[:3] == ["alias", "Root@o.example", "by"] and lines[1].endswith("(root)")
    assert [line.split() for line in lines[3:5]] == [["becomes", "ann@x.example"], ["becomes", "bob@x.example"]]


def test_one_variable_is_enough_for_cron(aliased):
    one, fake = aliased({"root": "ops@x.example"})
    environment = {"RELAYD_HOST": "smtp.example.net", "RELAYD_ROOT_TO": "ops@x.example", "RELAYD_HOSTNAME": "o.example"}
    told = command("explain", "--sender", SENDER, "--recipient", "root", env=environment).stdout
    assert "becomes    ops@x.example" in told


def test_a_file_of_aliases_is_read_as_others_read_it(aliased, tmp_path):
    team, file = tmp_path / "team", tmp_path / "aliases"
    team.write_text("Ann Smith <ann@x.example>\n# nobody else\nbob@x.example\n")
    file.write_text(f"# /etc/aliases\nPostmaster: root\nroot:\n\tops@x.example,\n\tteam\nteam: :include:{team}\n"
                    "mine: theirs@x.example\n")
    one, fake = aliased({"mine": "ours@x.example"}, aliases_file=str(file))
    assert arrived(one, fake, "postmaster", "mine") == [
        "ann@x.example", "bob@x.example", "ops@x.example", "ours@x.example"]
    file.write_text("postmaster: new@x.example\n")
    one.reload()
    id = one.submit(SENDER, "postmaster", mail.text(SENDER))
    assert one.wait_event("accepted", id=id)["to"] == "new@x.example"


@pytest.mark.parametrize("text, mode, told", [
    ("root: ann@x\nprog: |/bin/true\n", 0o644, ":2:1: '|/bin/true': relayd runs no program for mail"),
    ("a: b\nb: a\n", 0o644, "leads back to itself"),
    ("a: b@x\nA: c@x\n", 0o644, ":2:1: 'A' is there twice"),
    ("root: ann@x\n", 0o666, "others may write"),
])
def test_a_file_that_cannot_be_used_keeps_what_was(aliased, tmp_path, text, mode, told):
    file = tmp_path / "aliases"
    file.write_text("root: ops@x.example\n")
    one, fake = aliased({}, aliases_file=str(file))
    file.write_text(text)
    file.chmod(mode)
    one.signal(signal.SIGHUP)
    assert told in one.wait_event("reload_failed")["reason"]
    assert arrived(one, fake, "root") == ["ops@x.example"]
    assert len(one.logged("reload_failed")) == 1  # a fault is told once


def test_a_target_of_utf8_asks_for_smtputf8(aliased):
    one, fake = aliased({"ops": "grüße@x.example"})
    id = one.submit(SENDER, "ops", mail.text(SENDER))
    one.wait_event("delivered", id=id)
    (said,) = [command.argument for command in fake.commands.all() if command.verb == "MAIL"]
    assert "SMTPUTF8" in said.split()


def test_a_target_that_is_refused_is_told_of(aliased):
    one, fake = aliased({"two": ["a@x.example", "b@closed.example"]},
                        access={"recipients": {"@closed.example": "reject"}})
    assert arrived(one, fake, "two") == ["a@x.example"]
    told = one.wait_event("alias_trouble")
    assert told["to"] == "two@o.example" and "b@closed.example" in told["reason"]


def test_whom_a_recipient_stands_for_is_told_at_debug(aliased):
    one, fake = aliased({"root": ["a@x.example", "b@x.example"]}, log={"format": "json", "level": "debug"})
    arrived(one, fake, "root")
    told = one.wait_event("alias_expanded")
    assert told["to"] == "root@o.example" and told["reason"] == "it stands for a@x.example, b@x.example"
