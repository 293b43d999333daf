"""relayd as the sendmail program: what callers write arrives, what goes wrong has its exit code, and without a daemon
mail waits in the drop folder."""

import os
import random
import shutil
import signal
import socket
import stat
import subprocess
import tempfile
import threading
from pathlib import Path

import pytest

from support import mail
from support.relayd import BINARY
from support.sendmail import Sendmail, demand_arrived
from support.sendmail_callers import CALLERS, HIDDEN, RECIPIENT, SENDER
from support.upstream import CUT, EXTENSIONS, FakeUpstream
from support.waiting import PATIENCE, free_port, poll
from support.wire import transaction_of

OK, USAGE, BAD_DATA, NO_USER, UNAVAILABLE, TRY_AGAIN, FORBIDDEN, BAD_CONFIG = 0, 64, 65, 67, 69, 75, 77, 78
NOBODY = 65534
MESSAGE = b"From: app@example.com\nTo: bob@rcpt.example\nSubject: by hand\n\nGood morning.\n"


@pytest.fixture
def post(relay, upstream, tmp_path):
    """A relay with its sendmail program and a drop folder: (relay, upstream, sendmail)."""

    def start(listener: dict | None = None, connections: int = 10, **sections):
        fake = upstream(accounts={})
        one = relay({"fake": fake.config(limits={"connections": connections})}, listener=listener,
                    queue={"drop": str(tmp_path / "drop"), **sections.pop("queue", {})}, **sections)
        return one, fake, Sendmail(tmp_path / "bin", one.file)

    return start


@pytest.fixture
def daemon(tmp_path):
    """A daemon that does as it is told, a sendmail program that sends to it, and an empty drop folder."""
    with FakeUpstream(extensions=(*EXTENSIONS, "DSN")) as fake:
        drop = tmp_path / "drop"
        drop.mkdir()
        drop.chmod(0o3733)
        config = tmp_path / "relayd.yaml"
        config.write_text(f"hostname: host.test.example\nlisten: [{{address: '127.0.0.1:{fake.port}'}}]\n"
                          f"queue: {{directory: '{tmp_path}/queue', drop: '{drop}'}}\n")
        yield fake, Sendmail(tmp_path / "bin", config), drop


def dropped(relay) -> list[str]:
    return sorted(os.listdir(relay.config["queue"]["drop"]))


def restart(relay):
    relay.start("--grace", "1")


# --- callers ---


@pytest.mark.parametrize("caller", CALLERS)
def test_what_a_caller_writes_arrives(post, caller):
    _, upstream, sendmail = post()
    CALLERS[caller](sendmail)
    (arrived,) = upstream.taken(1)
    assert arrived.sender == SENDER
    assert sorted(arrived.recipients) == [RECIPIENT, HIDDEN]
    words = sendmail.words()
    if "-bs" in words:
        said = transaction_of(sendmail.message())
        assert (said.sender, said.recipients) == (arrived.sender, arrived.recipients)
        assert b"from Symfony" in said.octets and b"Bcc" not in said.octets
        mail.demand_same(mail.without_field(arrived.data, b"Received"), mail.unstuffed(said.octets))
    else:
        demand_arrived(arrived.data, sendmail.message(), "-t" in words)


def test_cron_sends_to_a_name_without_a_domain(post):
    _, upstream, sendmail = post()
    ended = sendmail.run("-FCronDaemon", "-i", "-B8BITMIME", "-oem", "root", message=MESSAGE)
    assert (ended.returncode, ended.stderr) == (OK, b"")
    (arrived,) = upstream.taken(1)
    assert arrived.recipients == ("root@test.example",)
    demand_arrived(arrived.data, MESSAGE, False)


def test_recipients_of_the_header_and_of_the_command_are_one_list(post):
    _, upstream, sendmail = post()
    message = b"From: app@example.com\nTo: bob@rcpt.example\nBcc: eve@rcpt.example\n\nx\n"
    assert sendmail.run("-t", "-i", "ann@rcpt.example, bob@rcpt.example", message=message).returncode == OK
    (arrived,) = upstream.taken(1)
    assert arrived.recipients == ("ann@rcpt.example", "bob@rcpt.example", "eve@rcpt.example")
    assert b"eve@" not in arrived.data


def test_a_lone_dot_ends_the_message_unless_it_is_ignored(post):
    _, upstream, sendmail = post()
    text = MESSAGE + b".\nbehind the dot\n"
    for words in ([], ["-i"], ["-oi"]):
        assert sendmail.run(*words, RECIPIENT, message=text).returncode == OK
    bodies = sorted(message.data.partition(b"\r\n\r\n")[2] for message in upstream.taken(3))
    assert bodies == [b"Good morning.\r\n"] + [b"Good morning.\r\n.\r\nbehind the dot\r\n"] * 2


def test_a_message_without_a_header_gets_one(post):
    _, upstream, sendmail = post()
    assert sendmail.run("-F", "J\u00f6rg, at work", RECIPIENT, message=b"just text\n").returncode == OK
    (arrived,) = upstream.taken(1)
    assert mail.field_names(arrived.data) == ["received", "date", "message-id", "from"]
    assert b"\r\nFrom: =?utf-8?q?J=C3=B6rg=2C_at_work?= <%s>\r\n" % arrived.sender.encode() in arrived.data
    assert arrived.sender.endswith("@test.example")
    assert arrived.data.endswith(b"\r\n\r\njust text\r\n")


def test_more_recipients_than_a_transaction_holds_go_in_several(post):
    _, upstream, sendmail = post(limits={"recipients": 100})
    recipients = [f"r{number}@rcpt.example" for number in range(250)]
    message = b"From: app@example.com\nTo: " + b",\n ".join(one.encode() for one in recipients) + b"\n\nx\n"
    assert sendmail.run("-t", message=message).returncode == OK
    reached = [one for message in upstream.taken(3) for one in message.recipients]
    assert sorted(reached) == sorted(recipients)


def test_the_daemon_is_found_by_its_unix_socket(post, tmp_path):
    socket_path = tmp_path / "smtp.sock"
    _, upstream, sendmail = post(listener={"address": f"unix:{socket_path}"})
    assert sendmail.run(RECIPIENT, message=MESSAGE).returncode == OK
    upstream.taken(1)


# --- the programs beside it ---


def test_smtp_on_standard_input(post):
    _, upstream, sendmail = post()
    codes, status = sendmail.converse("EHLO client.test.example", "MAIL FROM:<app@example.com>",
                                      "RCPT TO:<bob@rcpt.example>", "DATA", "Subject: by SMTP\r\n\r\nx\r\n.", "QUIT")
    assert (codes, status) == ([b"220", b"250", b"250", b"250", b"354", b"250", b"221"], OK)
    upstream.taken(1)


def test_smtp_on_standard_input_without_a_daemon_is_put_off(post):
    relay, _, sendmail = post()
    relay.finish()
    ended = sendmail.run("-bs")
    assert ended.returncode == TRY_AGAIN and ended.stdout.startswith(b"421 ")
    restart(relay)


def test_mailq_lists_what_waits_as_postfix_does(post):
    relay, upstream, sendmail = post(queue={"retry": {"first": "1h", "maximum": "1h"}})
    empty = sendmail.run(program="mailq")
    assert (empty.returncode, empty.stdout) == (OK, b"Mail queue is empty\n")
    upstream.answer("mail", "451 4.3.0 Later", times=1)
    id = relay.submit(SENDER, RECIPIENT, mail.text(SENDER))
    relay.wait_event("deferred", id=id)
    poll(lambda: b"Later" in sendmail.run(program="mailq").stdout)  # the reason is read back from the disk
    for ended in (sendmail.run(program="mailq"), sendmail.run("-bp")):
        lines = ended.stdout.decode().splitlines()
        assert ended.returncode == OK
        assert lines[0].startswith("-Queue ID-")
        assert lines[1].split()[0] == id and lines[1].endswith(SENDER)
        assert "(4.3.0 Later)" in lines[2]
        assert lines[3].strip() == RECIPIENT
        assert lines[-1] == "-- 1 Kbytes in 1 Request."
    assert sendmail.run("-q").returncode == OK
    relay.wait_event("delivered", id=id)


def test_mailq_without_a_daemon_says_so(post):
    relay, _, sendmail = post()
    relay.finish()
    ended = sendmail.run(program="mailq")
    assert ended.returncode == UNAVAILABLE and b"does not answer" in ended.stderr
    restart(relay)


def test_who_cannot_read_the_configuration_asks_where_the_default_says(tmp_path):
    """Where nothing is named; `-bv` needs the rules."""
    sendmail = Sendmail(tmp_path / "bin", tmp_path / "none.yaml")
    for program, words in (("mailq", []), ("sendmail", ["-bp"]), ("sendmail", ["-q"])):
        ended = sendmail.run(*words, program=program)
        assert ended.returncode == UNAVAILABLE and b"does not answer" in ended.stderr
    for words in (["-q", "-C", tmp_path / "none.yaml"], ["-bp", "-C", tmp_path / "none.yaml"], ["-bv"]):
        ended = sendmail.run(*words)
        assert ended.returncode == BAD_CONFIG and b"none.yaml" in ended.stderr


def test_newaliases_and_explain(post):
    _, _, sendmail = post()
    assert sendmail.run(program="newaliases").returncode == OK
    assert sendmail.run("-bi").returncode == OK
    ended = sendmail.run("-bv", "-f", "app@example.com", "bob@rcpt.example")
    assert ended.returncode == OK and b"fake" in ended.stdout
    by_command = subprocess.run([BINARY, "sendmail", "-Z"], capture_output=True, timeout=PATIENCE)
    assert by_command.returncode == USAGE


# --- what goes wrong ---


@pytest.mark.parametrize("words, message, status, told", [
    (["-Z", RECIPIENT], MESSAGE, USAGE, "unknown option -Z"),
    ([], MESSAGE, USAGE, "no recipient"),
    (["-t"], b"From: a@x.example\n\nx\n", BAD_DATA, "no recipient"),
    (["-t"], b"To: who is this\n\nx\n", BAD_DATA, "'who is this'"),
    (["bob@rcpt.example", "-fother@example.com"], MESSAGE, BAD_DATA, "-fother@example.com"),
    (["-C", "/nonexistent/relayd.yaml", RECIPIENT], MESSAGE, BAD_CONFIG, "/nonexistent/relayd.yaml"),
])
def test_a_wrong_call_is_refused_in_words(daemon, words, message, status, told):
    fake, sendmail, drop = daemon
    ended = sendmail.run(*words, message=message)
    assert ended.returncode == status
    assert told in ended.stderr.decode()
    assert not fake.verbs() and not os.listdir(drop)


@pytest.mark.parametrize("stage, reply, status", [
    ("mail", "550 5.7.1 No rule says where mail goes", FORBIDDEN),
    ("mail", "552 5.3.4 Too large", BAD_DATA),
    ("rcpt", "550 5.1.1 No such user", NO_USER),
    ("rcpt", "550 5.7.1 Not from you", FORBIDDEN),
    ("data", "554 5.5.1 No", BAD_DATA),
    ("dot", "554 5.6.0 What is this", BAD_DATA),
])
def test_a_refusal_becomes_an_exit_code(daemon, stage, reply, status):
    fake, sendmail, drop = daemon
    fake.answer(stage, reply)
    ended = sendmail.run("-f", SENDER, RECIPIENT, message=MESSAGE)
    assert ended.returncode == status
    assert reply[4:] in ended.stderr.decode() and ended.stderr.count(b"\n") == 1
    assert not os.listdir(drop)


RESTARTING = "421 4.3.2 Service shutting down"
NOT_TAKEN = [(stage, reply) for reply in ("451 4.3.0 Not now", RESTARTING, CUT)
             for stage in ("greeting", "ehlo", "mail", "rcpt", "data")]


@pytest.mark.parametrize("stage, reply", [*NOT_TAKEN, ("body", CUT), ("dot", "451 4.3.0 Not now"), ("dot", RESTARTING)])
def test_what_the_daemon_does_not_take_waits_in_the_drop_folder(daemon, stage, reply):
    fake, sendmail, drop = daemon
    fake.answer(stage, reply)
    size = 16 << 20 if stage == "body" else 0  # more than a socket holds: the dot cannot have left
    ended = sendmail.run("-f", SENDER, RECIPIENT, message=MESSAGE + size // 64 * (b"%063d\n" % 0))
    assert (ended.returncode, ended.stderr) == (OK, b"")
    assert len(os.listdir(drop)) == 1


def test_a_socket_that_nobody_serves_is_passed_over(daemon, tmp_path):
    """To loopback, and to the drop folder when nobody answers there either."""
    fake, sendmail, drop = daemon
    stale = tmp_path / "smtp.sock"
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(str(stale))
    config = tmp_path / "both.yaml"
    for port, dropped in ((fake.port, 0), (free_port(), 1)):
        config.write_text(f"listen: [{{address: '127.0.0.1:{port}'}}, {{address: 'unix:{stale}'}}]\n"
                          f"queue: {{drop: '{drop}'}}\n")
        assert sendmail.run("-C", config, "-f", SENDER, RECIPIENT, message=MESSAGE).returncode == OK
        assert len(os.listdir(drop)) == dropped
    assert len(fake.taken(1)) == 1


def test_what_the_daemon_may_have_taken_is_not_dropped(daemon):
    fake, sendmail, drop = daemon
    fake.answer("dot", CUT)
    ended = sendmail.run("-f", SENDER, RECIPIENT, message=MESSAGE)
    assert ended.returncode == TRY_AGAIN and b"may be queued" in ended.stderr
    assert not os.listdir(drop)


def test_a_refused_recipient_is_named_and_the_others_get_the_message(daemon):
    fake, sendmail, drop = daemon
    fake.answer("rcpt", "550 5.1.1 No such user", about="eve")
    ended = sendmail.run("eve@rcpt.example", RECIPIENT, message=MESSAGE)
    assert ended.returncode == OK and b"eve@rcpt.example: 550 5.1.1 No such user" in ended.stderr
    (taken,) = fake.taken(1)
    assert taken.recipients == (RECIPIENT,) and not os.listdir(drop)
    fake.answer("rcpt", "421 4.7.0 Too many errors", about="bob")
    ended = sendmail.run("eve@rcpt.example", RECIPIENT, message=MESSAGE)
    assert len(os.listdir(drop)) == 1 and b"the others" not in ended.stderr  # they have not got it yet


def test_wishes_about_notifications_are_passed_on(daemon):
    fake, sendmail, _ = daemon
    assert sendmail.run("-N", "failure,delay", "-R", "hdrs", "-V", "an=id", RECIPIENT, message=MESSAGE).returncode == OK
    said = [f"{command.verb} {command.argument}" for command in fake.commands.all()]
    assert any("RET=HDRS" in line and "ENVID=an+3Did" in line for line in said if line.startswith("MAIL"))
    assert any("NOTIFY=FAILURE,DELAY" in line for line in said if line.startswith("RCPT"))


def test_without_daemon_and_folder_the_caller_keeps_the_message(daemon):
    fake, sendmail, drop = daemon
    fake.answer("greeting", "421 4.3.2 Not now")
    drop.rmdir()
    ended = sendmail.run(RECIPIENT, message=MESSAGE)
    assert ended.returncode == TRY_AGAIN
    assert ended.stderr.count(b"\n") == 1 and b"try again later" in ended.stderr
    assert str(drop).encode() in ended.stderr


# --- the drop folder ---


def test_mail_of_a_time_without_daemon_is_sent_after_its_start(post):
    relay, upstream, sendmail = post()
    assert stat.S_IMODE(os.stat(relay.config["queue"]["drop"]).st_mode) == 0o3733
    relay.finish()
    message = MESSAGE + b".\n..\n\xfc\r\n" + b"x" * 70000 + b"\n" + b"last line without end"
    ended = sendmail.run("-i", "-f", SENDER, RECIPIENT, HIDDEN, message=message)
    assert (ended.returncode, ended.stderr) == (OK, b"")
    assert b"in the drop folder" in sendmail.run("-v", "-f", SENDER, RECIPIENT, message=MESSAGE).stderr
    assert len(dropped(relay)) == 2
    restart(relay)
    one, two = sorted(upstream.taken(2), key=lambda taken: -len(taken.data))
    assert (one.sender, one.recipients) == (SENDER, (RECIPIENT, HIDDEN))
    demand_arrived(one.data, message, False)
    demand_arrived(two.data, MESSAGE, False)
    assert {event["client"] for event in relay.wait("accepted", 2)} == {f"uid:{os.getuid()}"}
    relay.finish()
    assert dropped(relay) == []
    restart(relay)


def test_a_running_daemon_soon_finds_what_was_dropped(post, tmp_path):
    relay, upstream, sendmail = post()
    elsewhere = tmp_path / "elsewhere.yaml"
    elsewhere.write_text(f"listen: [{{address: '127.0.0.1:{free_port()}'}}]\n"
                         f"queue: {{drop: '{relay.config['queue']['drop']}'}}\n")
    assert sendmail.run("-C", elsewhere, "-f", SENDER, RECIPIENT, message=MESSAGE).returncode == OK
    upstream.taken(1)


def test_a_daemon_killed_under_the_message_gets_it_once(post):
    relay, upstream, sendmail = post()
    body = MESSAGE + b"".join(b"%074d\n" % number for number in range(70_000))
    half = len(body) // 2
    sending = subprocess.Popen([sendmail.real, "-t", "-i"], stdin=subprocess.PIPE, stderr=subprocess.PIPE,
                               env=sendmail.environment)
    sending.stdin.write(body[:half])
    relay.signal(signal.SIGSTOP)  # the kernel still accepts connections for it
    feeder = threading.Thread(target=lambda: (sending.stdin.write(body[half:]), sending.stdin.close()))
    feeder.start()
    feeder.join()
    relay.kill()
    assert sending.wait(PATIENCE) == OK, sending.stderr.read()
    sending.stderr.close()
    restart(relay)
    (arrived,) = upstream.taken(1)
    demand_arrived(arrived.data, body, True)
    relay.finish()
    assert len(upstream.messages.all()) == 1 and dropped(relay) == []
    restart(relay)


def test_nothing_is_lost_while_the_daemon_restarts(post):
    """Each call ends well, whether the daemon is there, leaves, is gone or just comes; each message arrives once."""
    relay, upstream, sendmail = post()
    ended = []

    def send():
        for number in range(60):
            ended.append(sendmail.run("-f", SENDER, RECIPIENT, message=b"Subject: %d\n" % number + MESSAGE))

    sender = threading.Thread(target=send)
    sender.start()
    while sender.is_alive():
        assert relay.finish() == OK
        restart(relay)
    sender.join()
    assert {(one.returncode, one.stderr) for one in ended} == {(OK, b"")}
    arrived = [mail.subject(message.data) for message in upstream.taken(60)]
    assert sorted(arrived, key=int) == [str(number) for number in range(60)]


def test_a_daemon_that_dies_before_it_removes_the_file_sends_it_twice_at_most(post):
    relay, upstream, sendmail = post(connections=1)
    relay.finish()
    for number in range(20):
        assert sendmail.run("-f", SENDER, RECIPIENT, message=b"Subject: %d\n" % number + MESSAGE).returncode == OK
    for _ in range(5):
        relay.launch("--grace", "1")
        if len(dropped(relay)) > 3:
            relay.wait("accepted", random.randrange(1, 4))
        relay.kill()
    restart(relay)

    def subjects() -> set[bytes]:
        return {message.data.partition(b"Subject: ")[2].split()[0] for message in upstream.messages.all()}

    upstream.messages.wait(lambda message: len(subjects()) == 20)
    assert len(upstream.messages.all()) <= 20 + 5 * 2  # of each kill: one in the folder, one in doubt upstream


def test_what_others_put_there_harms_nobody(post, tmp_path):
    relay, upstream, sendmail = post(limits={"message_size": "1MiB"})
    relay.finish()
    drop = Path(relay.config["queue"]["drop"])

    def name(number: int) -> Path:
        return drop / f"{number:016x}-{0:032x}"

    secret = tmp_path / "secret"
    head = "relayd drop 1\r\nMAIL FROM:<a@x.example>\r\nRCPT TO:<b@x.example>\r\nDATA\r\n"
    secret.write_text(head + "secret\r\n.\r\n")
    name(1).symlink_to(secret)
    os.link(secret, name(2))
    os.mkfifo(name(3))
    name(4).mkdir()
    with open(name(5), "wb") as huge:
        huge.truncate(1 << 40)
    (drop / "wrong name").write_text(secret.read_text())
    name(6).write_text("what is this\r\n")
    name(7).write_text(head + "no end\r\n")
    name(8).write_text(head.replace("RCPT", "RSET\r\nRCPT") + "x\r\n.\r\n")
    name(9).write_text(head.replace("b@x.example", "b@x@y") + "x\r\n.\r\n")
    name(10).write_text(head + "a\0b\r\n.\r\n")
    (drop / "new-half").write_text(head)
    folder = os.open(drop, os.O_DIRECTORY)  # its path is too long for the address of a socket
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(f"/proc/self/fd/{folder}/{name(11).name}")
    os.close(folder)
    assert sendmail.run("-f", SENDER, RECIPIENT, message=MESSAGE).returncode == OK
    restart(relay)
    (arrived,) = upstream.taken(1)
    demand_arrived(arrived.data, MESSAGE, False)
    refused = relay.wait("drop_refused", 12)
    assert {event["was"] for event in refused} == {*(name(number).name for number in range(1, 12)), "wrong name"}
    relay.finish()
    left = dropped(relay)
    assert len(left) == 13 and all(one.startswith("refused-") or one == "new-half" for one in left)
    assert len(relay.logged("accepted")) == 1
    assert secret.exists()
    restart(relay)


def test_mail_that_no_rule_lets_go_is_set_aside(post, tmp_path):
    relay, upstream, sendmail = post()
    relay.finish()
    relay.config["senders"] = [{"match": "@example.com", "upstream": "fake"}]
    relay.write()
    assert sendmail.run("-f", "nobody@elsewhere.example", RECIPIENT, message=MESSAGE).returncode == OK
    restart(relay)
    assert "elsewhere.example" in relay.wait_event("drop_refused")["reason"]


def test_mail_for_a_full_disk_stays_in_the_folder(post):
    relay, upstream, sendmail = post()
    relay.finish()
    reserve, relay.config["queue"]["reserve"] = relay.config["queue"]["reserve"], "1000000GiB"
    relay.write()
    restart(relay)
    assert sendmail.run("-f", SENDER, RECIPIENT, message=MESSAGE).returncode == OK
    relay.wait("rejected", code=452)
    relay.finish()
    assert len(dropped(relay)) == 1
    relay.config["queue"]["reserve"] = reserve
    relay.write()
    restart(relay)
    upstream.taken(1)


def test_a_user_without_rights_sends_and_drops(upstream, relay):
    """Through the socket, and the drop folder, which he may write and not list."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        binary = folder / "sendmail"
        shutil.copy(BINARY, binary)
        fake = upstream(accounts={})
        one = relay({"fake": fake.config()}, listener={"address": f"unix:{folder}/smtp.sock"},
                    queue={"drop": f"{folder}/drop"})
        public = folder / "relayd.yaml"
        public.write_text(f"listen: [{{address: 'unix:{folder}/smtp.sock'}}]\nqueue: {{drop: '{folder}/drop'}}\n")
        options = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.getuid() == 0 else {}

        def send():
            ended = subprocess.run([binary, "-C", public, "-f", SENDER, RECIPIENT], input=MESSAGE, timeout=PATIENCE,
                                   capture_output=True, cwd=folder, **options)
            assert (ended.returncode, ended.stderr) == (OK, b"")

        send()
        fake.taken(1)
        one.finish()
        send()
        send()
        one.start("--grace", "1")
        fake.taken(3)
        assert {event["client"] for event in one.wait("accepted", 2)} == {f"uid:{NOBODY if options else os.getuid()}"}
        one.finish()
        one.start("--grace", "1")
