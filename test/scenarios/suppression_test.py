"""Recipients whom an upstream has said not to exist: who is remembered and refused, and relayd suppress."""

import json
import smtplib

import pytest

from support import mail
from support.relayd import command
from support.sendmail import Sendmail
from support.waiting import PATIENCE, poll

SENDER = "app@sender.example"
GONE = "gone@rcpt.example"
UNKNOWN = "550 5.1.1 <gone@rcpt.example>: User unknown, \"ask\" elsewhere"
REFUSED, BAD_FILE, NO_FILE, NO_USER = 1, 65, 66, 67
ON = {"on": ["unknown_recipient"], "for": "30d"}


def suppress(relay, *arguments, status: int = 0):
    ended = command("suppress", *arguments, "-c", relay.file)
    assert ended.returncode == status, ended.stdout + ended.stderr
    return ended


def listed(relay, *arguments) -> list[dict]:
    lines = [json.loads(line) for line in suppress(relay, "list", "--json", *arguments).stdout.splitlines()]
    return [line for line in lines if "end" not in line]


def answer_to_rcpt(relay, recipient: str, sender: str = SENDER) -> tuple[int, str]:
    with smtplib.SMTP("127.0.0.1", relay.port, timeout=PATIENCE) as client:
        client.ehlo()
        assert client.mail(sender)[0] == 250
        code, text = client.rcpt(recipient)
    return code, text.decode()


@pytest.fixture
def refusing(relay, upstream):
    """A relay whose upstream knows no GONE, with such sections: (relay, upstream)."""

    def start(**sections):
        fake = upstream(accounts={})
        fake.answer("rcpt", UNKNOWN, about=GONE)
        return relay({"fake": fake.config()}, **sections), fake

    return start


def test_who_does_not_exist_is_refused_also_after_a_kill(refusing):
    relay, fake = refusing(suppress=ON)
    id = relay.submit(SENDER, [GONE, "ann@rcpt.example"], mail.text(SENDER))
    relay.wait_event("failed", id=id)
    remembered = relay.wait_event("suppressed", action="remembered")
    assert (remembered["id"], remembered["to"], remembered["upstream"]) == (id, GONE, "fake")
    code, text = answer_to_rcpt(relay, "Gone@Rcpt.example", "other@SENDER.example")
    assert code == 550 and text.startswith("5.1.1 <Gone@Rcpt.example> is suppressed from 20") and UNKNOWN in text
    assert relay.wait_event("suppressed", action="refused")["reason"] == UNKNOWN
    assert answer_to_rcpt(relay, GONE, "app@elsewhere.example")[0] == 250
    assert answer_to_rcpt(relay, "ann@rcpt.example")[0] == 250
    suppress(relay, "add", "ben@rcpt.example")  # it is answered when all is on disk
    relay.kill()
    relay.start()
    assert answer_to_rcpt(relay, GONE)[0] == 550
    assert {entry["address"] for entry in listed(relay)} == {GONE, "ben@rcpt.example"}
    assert "suppressed: 2 recipients" in command("status", "-c", relay.file).stdout
    assert not relay.logged("suppressions_damaged")


def test_without_the_key_nobody_is_remembered(refusing):
    relay, _ = refusing()
    relay.wait_event("failed", id=relay.submit(SENDER, GONE, mail.text(SENDER)))
    assert answer_to_rcpt(relay, GONE)[0] == 250
    assert listed(relay) == [] and not relay.logged("suppressed")
    assert "add `suppress:" in suppress(relay, "add", GONE, status=REFUSED).stderr


@pytest.mark.parametrize("stage, reply, event", [
    ("rcpt", "450 4.1.1 Later", "deferred"), ("rcpt", "550 5.7.1 Not from you", "failed"),
    ("rcpt", "550 5.1.8 Sender unknown", "failed"),
    ("rcpt", f"550 5.1.0 <{SENDER}>: Sender address rejected: User unknown in virtual mailbox table", "failed"),
    ("rcpt", "550 5.1.1 Sender verify failed", "failed"), ("rcpt", "550 5.1.2 Sender domain does not exist", "failed"),
    ("rcpt", "550 5.1.0 Address rejected. Your IP is on our blacklist", "failed"), ("mail", "550 5.1.1 Unknown", "failed"),
    ("data", "550 5.1.1 Unknown", "failed"), ("dot", "550 5.1.1 Unknown", "failed")])
def test_only_a_final_refusal_of_the_recipient_counts(relay, upstream, stage, reply, event):
    fake = upstream(accounts={})
    fake.answer(stage, reply, times=1)
    one = relay({"fake": fake.config()}, suppress=ON)
    one.wait_event(event, id=one.submit(SENDER, GONE, mail.text(SENDER)))
    assert listed(one) == []
    assert answer_to_rcpt(one, GONE)[0] == 250


def test_nobody_is_remembered_for_an_address_that_rewriting_put_there(refusing):
    relay, _ = refusing(suppress=ON, rewrite=[{"match": "ann@rcpt.example", "to": GONE, "in": ["recipient"]}])
    id = relay.submit(SENDER, "ann@rcpt.example", mail.text(SENDER))
    assert relay.wait_event("failed", id=id)["sent_to"] == GONE
    assert listed(relay) == []
    assert answer_to_rcpt(relay, "ann@rcpt.example")[0] == 250


def test_an_alias_that_stands_only_for_them_is_refused(refusing):
    relay, fake = refusing(suppress=ON, origin="o.example", aliases={"one": [GONE], "two": [GONE, "ann@rcpt.example"]})
    suppress(relay, "add", GONE, "--sender", "@Sender.example", "--for", "1h", "--reason", "left in May")
    code, text = answer_to_rcpt(relay, "one@o.example")
    assert (code, text) == (550, "5.1.1 <one@o.example> stands only for recipients that are refused")
    code, text = answer_to_rcpt(relay, GONE)
    assert code == 550 and text.endswith(": left in May")
    relay.submit(SENDER, "two@o.example", mail.text(SENDER))
    (message,) = fake.taken(1)
    assert message.recipients == ("ann@rcpt.example",)


def test_a_copy_to_who_is_suppressed_is_left_out(refusing):
    relay, fake = refusing(suppress=ON, bcc=[{"match": "*", "to": [GONE, "archive@rcpt.example"]}])
    suppress(relay, "add", GONE)
    relay.submit(SENDER, "ann@rcpt.example", mail.text(SENDER))
    (taken,) = fake.taken(1)
    assert set(taken.recipients) == {"ann@rcpt.example", "archive@rcpt.example"}
    assert relay.wait_event("suppressed", action="refused")["to"] == GONE


def test_who_is_suppressed_costs_the_others_of_sendmail_nothing(refusing, tmp_path):
    relay, fake = refusing(suppress=ON, queue={"drop": str(tmp_path / "drop")})
    suppress(relay, "add", GONE)
    sendmail = Sendmail(tmp_path / "bin", relay.file)
    message = b"Subject: by hand\n\nGood morning.\n"
    mixed = sendmail.run("-f", SENDER, GONE, "ann@rcpt.example", message=message)
    assert mixed.returncode == 0 and b"is suppressed" in mixed.stderr
    alone = sendmail.run("-f", SENDER, GONE, "Gone@rcpt.example", message=message)
    assert alone.returncode == NO_USER and b"is suppressed" in alone.stderr
    relay.stop()
    (tmp_path / "drop").mkdir(exist_ok=True)
    (tmp_path / "drop").chmod(0o3733)
    for recipients in [GONE, "ann@rcpt.example"], [GONE]:
        assert sendmail.run("-f", SENDER, *recipients, message=message).returncode == 0
    relay.start()
    assert {one.recipients for one in fake.taken(2)} == {("ann@rcpt.example",)}
    assert "is suppressed" in relay.wait_event("drop_refused")["reason"]
    poll(lambda: len(list((tmp_path / "drop").iterdir())) == 1)
    assert len(relay.logged("drop_refused")) == 1


def test_the_operator_removes_whom_mail_shall_reach(refusing):
    relay, fake = refusing(suppress=ON)
    relay.wait_event("failed", id=relay.submit(SENDER, GONE, mail.text(SENDER)))
    assert answer_to_rcpt(relay, GONE)[0] == 550
    assert "1 removed" in suppress(relay, "remove", GONE.upper()).stdout
    assert "is not suppressed" in suppress(relay, "remove", GONE, status=REFUSED).stderr
    fake.behave()
    relay.kill()
    relay.start()
    relay.wait_event("delivered", id=relay.submit(SENDER, GONE, mail.text(SENDER)))


def test_what_is_exported_can_be_imported(refusing, tmp_path):
    relay, _ = refusing(suppress=ON)
    suppress(relay, "add", GONE, "--sender", "sender.example", "--reason", 'a "word", and a comma')
    suppress(relay, "add", '"odd, one"@rcpt.example', "--for", "10d")
    exported = suppress(relay, "export").stdout
    assert exported.splitlines()[0] == "address,sender,since,until,reason" and exported.count("\n") == 3
    before = sorted(listed(relay), key=str)
    for entry in before:
        suppress(relay, "remove", entry["address"])
    assert listed(relay) == []
    file = tmp_path / "list.csv"
    file.write_text(exported)
    assert "2 imported" in suppress(relay, "import", file).stdout
    assert sorted(listed(relay), key=str) == before
    relay.kill()
    relay.start()
    assert sorted(listed(relay), key=str) == before
    assert [entry["address"] for entry in listed(relay, "@RCPT.example", "--sender", "sender.example")] == [GONE]


def test_a_file_with_a_fault_changes_nothing(refusing, tmp_path):
    relay, _ = refusing(suppress=ON)
    file = tmp_path / "list.csv"
    file.write_text('address,until\nann@rcpt.example,2099-01-01\nnobody,\nben@rcpt.example,tomorrow\n')
    ended = suppress(relay, "import", file, status=BAD_FILE)
    assert f"{file}:3:1: 'nobody' is no address" in ended.stderr
    assert f"{file}:4:18: 'tomorrow' is no time" in ended.stderr and "nothing was imported" in ended.stderr
    assert listed(relay) == []
    suppress(relay, "import", tmp_path / "none.csv", status=NO_FILE)


def test_a_directory_is_no_list(refusing, tmp_path):
    relay, _ = refusing(suppress=ON)
    assert f"cannot read {tmp_path}: Is a directory" in suppress(relay, "import", tmp_path, status=NO_FILE).stderr


def test_a_domain_in_unicode_is_that_of_its_a_labels(refusing):
    relay, _ = refusing(suppress=ON)
    suppress(relay, "add", "ann@ä.example", "--sender", "@ö.example")
    (entry,) = listed(relay, "ann@xn--4ca.example", "--sender", "ö.Example")
    assert (entry["address"], entry["sender"]) == ("ann@xn--4ca.example", "xn--nda.example")
    assert answer_to_rcpt(relay, "ann@xn--4ca.example", "b@xn--nda.example")[0] == 550
    assert "1 removed" in suppress(relay, "remove", "ann@xn--4ca.example", "--sender", "ö.example").stdout


def test_a_damaged_list_is_kept_and_what_is_sound_counts(refusing):
    relay, _ = refusing(suppress=ON)
    suppress(relay, "add", GONE)
    suppress(relay, "add", "ann@rcpt.example")
    relay.kill()
    file = relay.queue / "suppressed.csv"
    damaged = file.read_bytes().replace(b"gone@", b"\0\0\0\0\0")
    file.write_bytes(damaged)
    relay.start()
    assert "kept as suppressed.csv.damaged-" in relay.wait_event("suppressions_damaged")["reason"]
    assert [entry["address"] for entry in listed(relay)] == ["ann@rcpt.example"]
    (aside,) = relay.queue.glob("suppressed.csv.damaged-*")
    assert aside.read_bytes() == damaged
    relay.wait_event("delivered", id=relay.submit(SENDER, "carl@rcpt.example", mail.text(SENDER)))
