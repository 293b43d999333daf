"""What root gives up at the start, and what the kernel refuses relayd and its programs afterwards."""

import json
import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from support import mail
from support.relayd import BINARY, Relayd, command
from support.waiting import PATIENCE

USER = 54321  # a number that nobody has
LOOKS_FOR_LEAKS = b"__asan_init" in Path(BINARY).read_bytes()  # such a build must stay open to itself
SENDER = "app@a.example"
RECIPIENT = "one@rcpt.example"


@pytest.fixture
def folder():
    """A place that every user can reach, as pytest's own is not."""
    path = Path(tempfile.mkdtemp(prefix="relayd-rights-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


@pytest.fixture
def rights(folder):
    """A relay with a sandbox, not yet started, with a configuration that every user may read."""
    made = []

    def make(listener=None, upstreams=None, queue=None, **sections) -> Relayd:
        upstreams = upstreams or {"box": {"sandbox": {"directory": str(folder / "box")}}}
        made.append(Relayd(folder, upstreams, [{"match": "*", "upstream": next(iter(upstreams))}],
                           listener=listener, queue=queue, **sections))
        if "user" not in sections:
            del made[-1].config["user"]
            made[-1].write()
        made[-1].file.chmod(0o644)
        return made[-1]

    yield make
    for one in made:
        if one._process:
            assert one.finish() == 0


def threads(pid: int) -> list[dict[str, str]]:
    """What /proc says of each thread."""
    texts = [(task / "status").read_text() for task in Path(f"/proc/{pid}/task").iterdir()]
    return [dict(line.split(":\t", 1) for line in text.splitlines() if ":\t" in line) for text in texts]


def deliver(one: Relayd):
    one.wait_event("delivered", id=one.submit(SENDER, RECIPIENT, mail.text(SENDER)))


def test_root_becomes_the_user_and_keeps_nothing(rights, folder):
    one = rights(user=str(USER))
    one.wrapper = ["setpriv", "--groups=4242", "--"]
    one.start()
    deliver(one)
    for thread in threads(one.pid):
        assert thread["Uid"].split() == thread["Gid"].split() == [str(USER)] * 4
        assert all(int(thread[kind], 16) == 0 for kind in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")), thread
        assert thread["NoNewPrivs"] == "1" and thread["Groups"].split() == [str(USER)]
        assert thread["Umask"] == "0077"
    for place in (one.queue, folder / "box", one.queue / "admin.sock"):
        assert place.stat().st_uid == USER
    mails = list((folder / "box").glob("**/*.eml"))
    assert mails and all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in mails)


def test_no_user_is_needed_where_the_queue_has_an_owner(rights, folder):
    (folder / "queue").mkdir(0o700)
    os.chown(folder / "queue", USER, USER)
    one = rights().start()
    assert {thread["Uid"].split()[0] for thread in threads(one.pid)} == {str(USER)}


def test_a_container_that_may_not_change_users_goes_on_as_root(rights, folder):
    (folder / "queue").mkdir()
    (folder / "queue").chmod(0o777)
    os.chown(folder / "queue", USER, USER)
    one = rights()
    one.wrapper = ["setpriv", "--bounding-set=-setuid,-setgid", "--"]
    one.start()
    assert one.logged("runs_as_root")
    assert {thread["Uid"].split()[0] for thread in threads(one.pid)} == {"0"}


def test_root_alone_goes_on_without_its_rights_and_says_so(rights):
    one = rights(user="0").start()
    deliver(one)
    assert all(int(thread["CapEff"], 16) == 0 for thread in threads(one.pid))
    assert "user: root" in command("status", "-c", one.file).stdout


def test_a_user_that_is_not_there_is_an_error_with_its_name(rights):
    one = rights(user="nobody-of-that-name")
    for name in ("run", "check"):
        result = command(name, "-c", one.file)
        assert result.returncode == 78 and "user: there is no user 'nobody-of-that-name'" in result.stderr


def test_check_reads_as_the_user_that_run_becomes(rights, folder):
    secret = folder / "secret"
    secret.touch(mode=0o600)
    secret.write_text("canary\n")
    upstream = {"host": "127.0.0.1", "username": "a", "password": {"file": str(secret)}}
    one = rights(user=str(USER), upstreams={"real": upstream})
    result = command("check", "-c", one.file)
    assert result.returncode == 78 and "Permission denied" in result.stderr
    os.chown(secret, USER, USER)
    result = command("check", "-c", one.file)
    assert result.returncode == 0, result.stderr


def test_low_ports_are_bound_before_the_rights_are_gone(rights):
    """In a network of its own: on the machine's, port 25 may be taken."""
    one = rights(listener={"address": "127.0.0.1:25"}, user=str(USER))
    one.wrapper = ["unshare", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "sh"]
    one.start()
    greeting = subprocess.run(
        ["nsenter", f"--net=/proc/{one.pid}/ns/net", sys.executable, "-c",
         "import smtplib; print(smtplib.SMTP('127.0.0.1', 25).noop())"],
        capture_output=True, text=True, timeout=PATIENCE)
    assert "250" in greeting.stdout, greeting.stderr
    assert all(int(thread["CapPrm"], 16) == 0 for thread in threads(one.pid))


def test_neither_a_core_nor_another_process_shows_the_memory(rights):
    one = rights(user=str(USER)).start()
    limits = Path(f"/proc/{one.pid}/limits").read_text()
    assert (re.search("Max core file size +0 +0 ", limits) is not None) != LOOKS_FOR_LEAKS
    assert Path(f"/proc/{one.pid}/mem").stat().st_uid == 0


# A program that relayd starts, with all that it inherits. It prints a password and leaves word of what it could do.
PROBE = """#!/usr/bin/python3
import ctypes, fcntl, json, os, sys, termios
folder, queue, call = sys.argv[1], sys.argv[2], ctypes.CDLL(None, use_errno=True)

def system(function, *arguments):
    if getattr(call, function)(*arguments) < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))

ATTACH, NEWUSER = 16, 0x10000000
tries = {
    "write in the queue": lambda: open(queue + "/probe", "w").close(),
    "write elsewhere": lambda: open(folder + "/new", "w").close(),
    "change elsewhere": lambda: open(folder + "/victim", "a").close(),
    "empty elsewhere": lambda: os.truncate(folder + "/victim", 0),
    "remove elsewhere": lambda: os.unlink(folder + "/victim"),
    "move from elsewhere": lambda: os.rename(folder + "/victim", queue + "/victim"),
    "make a link elsewhere": lambda: os.symlink("/etc/passwd", folder + "/link"),
    "make a device": lambda: os.mknod(queue + "/device", 0o020600, os.makedev(1, 3)),
    "trace": lambda: system("ptrace", ATTACH, os.getppid(), 0, 0),
    "mount": lambda: system("mount", b"none", folder.encode(), b"tmpfs", 0, None),
    "load a module": lambda: system("syscall", 175, b"", 0, b""),
    "make a namespace": lambda: system("unshare", NEWUSER),
    "change root": lambda: os.chroot(folder),
    "make a program of this user's": lambda: os.chmod(queue + "/probe", 0o4755),
    "make one of its group's": lambda: os.close(os.open(queue + "/set-id", os.O_CREAT | os.O_WRONLY, 0o2755)),
    "make a folder of its group's": lambda: os.mkdir(queue + "/folder", 0o2755),
    "type into a terminal": lambda: fcntl.ioctl(0, termios.TIOCSTI, b"x"),
    # What any user may do otherwise; the answer would be another errno.
    "use a ring": lambda: system("syscall", 425, 1, 0),
    "use keys": lambda: system("syscall", 250, 99, 0, 0, 0, 0),
    "read a memory": lambda: system("syscall", 310, os.getpid(), 0, 0, 0, 0, 0),
    "take another personality": lambda: system("syscall", 135, 0xffffffff),
    "find a file by its number": lambda: system("syscall", 303, 0, 0, 0, 0, 0),
    "set the clock": lambda: system("settimeofday", ctypes.create_string_buffer(16), None),
    "use another environment": lambda: open(f"/proc/{os.getppid()}/environ").read(),
}
if sys.argv[3] == "looks for leaks":
    del tries["trace"], tries["use another environment"]
result = {"environment": dict(os.environ)}
for name, attempt in tries.items():
    try:
        attempt()
        result[name] = "done"
    except OSError as error:
        result[name] = error.strerror
with open(queue + "/told.part", "w") as file:
    json.dump(result, file)
os.rename(queue + "/told.part", queue + "/told")
print("canary")
"""


@pytest.mark.parametrize("user", [str(USER), "0"])
def test_what_runs_inside_can_do_nothing_but_its_work(rights, folder, user):
    """At the start, at a reload and in `relayd check` alike."""
    probe, told = folder / "probe", folder / "queue" / "told"
    probe.write_text(PROBE)
    probe.chmod(0o755)
    victim = folder / "victim"
    victim.write_text("still here")
    victim.chmod(0o666)
    folder.chmod(0o777)
    (folder / "queue").mkdir(0o700)
    os.chown(folder / "queue", int(user), int(user))
    one = rights(user=user, accounts=[{"name": "app", "password": {"command": [
        str(probe), str(folder), str(folder / "queue"), "looks for leaks" if LOOKS_FOR_LEAKS else "as shipped"]}}])
    one.environment = {"SECRET_OF_ANOTHER_ACCOUNT": "canary"}
    one.start()
    found = [json.loads(told.read_text())]
    one.reload()
    found.append(json.loads(told.read_text()))
    assert command("check", "-c", one.file, env={**os.environ, **one.environment}).returncode == 0
    found.append(json.loads(told.read_text()))
    for one_of in found:
        demand_nothing_was_done(one_of)
    assert victim.read_text() == "still here"
    deliver(one)


def demand_nothing_was_done(found: dict):
    assert "SECRET_OF_ANOTHER_ACCOUNT" not in found.pop("environment")
    assert found.pop("write in the queue") == "done"
    assert set(found.values()) <= {"Permission denied", "Operation not permitted"}, found


def test_without_a_command_nothing_can_be_started_and_a_reload_that_wants_it_says_so(rights, folder):
    one = rights(user=str(USER)).start()
    one.config["accounts"] = [{"name": "app", "password": {"command": ["echo", "canary"]}}]
    one.config["upstreams"]["other"] = {"sandbox": {"directory": str(folder / "other")}}
    one.write()
    one.signal(signal.SIGHUP)
    assert "may run programs only after a restart" in one.wait_event("reload_failed")["reason"]
    del one.config["accounts"]
    one.write()
    one.reload()
    assert str(folder / "other") in one.logged("reloaded")[-1]["reason"]


def test_the_log_and_status_say_what_holds(rights):
    one = rights(user=str(USER)).start()
    assert one.wait_event("started")["confinement"].startswith("Landlock ")
    process = json.loads(command("status", "--json", "-c", one.file).stdout)["process"]
    assert process["uid"] == USER and process["confined"] and process["seccomp"] and process["landlock"] >= 2
    assert "confinement" not in command("status", "-c", one.file).stdout


def test_confinement_can_be_switched_off_for_programs_that_need_more(rights):
    one = rights(user=str(USER), confinement=False).start()
    deliver(one)
    assert {thread["NoNewPrivs"] for thread in threads(one.pid)} == {"0"}
    assert one.wait_event("started")["confinement"] == "none"
    assert "confinement: none" in command("status", "-c", one.file).stdout


def test_the_socket_goes_with_the_process(rights, folder):
    one = rights(listener={"address": f"unix:{folder}/run/smtp.sock"}, user=str(USER)).start()
    path = folder / "run" / "smtp.sock"
    assert stat.S_ISSOCK(path.stat().st_mode) and path.stat().st_uid == USER
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))
        assert client.recv(100).startswith(b"220 ")
    assert one.stop() == 0 and not path.exists()


def test_what_a_command_complains_of_is_in_the_reason_and_its_log_is_its_own(rights, folder):
    """Standard error is where relayd's log goes: a program could write lines of it."""
    forged = ("for i in $(seq 300); do echo '{\"event\": \"delivered\", \"id\": \"forged\"}'; done >&2; "
              "echo no vault today >&2; exit 3")
    one = rights(user=str(USER), accounts=[{"name": "app", "password": {"command": ["sh", "-c", forged]}}])
    result = command("check", "-c", one.file)
    assert result.returncode == 78 and "ended with status 3: no vault today" in result.stderr
    assert "forged" not in result.stderr


def test_root_makes_nothing_where_others_could_put_a_link(rights, folder):
    """The sandbox's folder is to be made in a place of somebody else's, who has a link there."""
    theirs, target = folder / "theirs", folder / "target"
    target.mkdir(0o755)
    theirs.mkdir(0o755)
    (theirs / "box").symlink_to(target)
    os.chown(theirs, USER + 1, USER + 1)
    os.chown(theirs / "box", USER + 1, USER + 1, follow_symlinks=False)
    rights(user=str(USER), upstreams={"mine": {"sandbox": {"directory": str(theirs / "box" / "inner")}}},
           queue={"drop": str(theirs / "drop")}).start()
    assert not list(target.iterdir()) and not (theirs / "drop").exists()


def test_folders_above_what_is_missing_stay_roots_and_can_be_entered(rights, folder):
    queue, drop = folder / "a" / "b" / "queue", folder / "c" / "drop"
    (folder / "link").symlink_to(folder)  # root's own, as /var/run is
    one = rights(user=str(USER), queue={"directory": f"{queue}/", "drop": f"{folder}/link/c/drop/"})
    one.start()
    found = {path: (path.stat().st_uid, stat.S_IMODE(path.stat().st_mode)) for path in
             (folder / "a", folder / "a" / "b", queue, folder / "c", drop)}
    assert list(found.values()) == [(0, 0o755), (0, 0o755), (USER, 0o700), (0, 0o755), (USER, 0o3733)]


def test_descriptors_of_whoever_started_it_are_not_kept(rights, folder):
    (folder / "shadow").write_text("hidden")
    with open(folder / "shadow") as shadow:
        one = rights(user=str(USER))
        one.pass_descriptors = (shadow.fileno(),)
        one.start()
        names = [os.readlink(link) for link in Path(f"/proc/{one.pid}/fd").iterdir()]
        assert str(folder / "shadow") not in names


def test_a_configuration_that_root_can_read_but_the_user_cannot_is_an_error(rights):
    one = rights(user=str(USER))
    one.file.chmod(0o600)
    for name in ("run", "check"):
        result = command(name, "-c", one.file)
        assert result.returncode == 78 and "Permission denied" in result.stderr
        assert f"as the user uid {USER}" in result.stderr


def test_a_configuration_may_come_through_a_pipe(rights, folder):
    """Not root's, which is read twice."""
    one = rights(user=str(USER))
    os.chown(folder, USER, USER)
    piped = ["bash", "-c", f'exec "{BINARY}" check -c <(cat "{one.file}")']
    result = subprocess.run(piped, capture_output=True, text=True, timeout=PATIENCE, user=USER, group=USER)
    assert result.returncode == 0, result.stderr
    result = subprocess.run(piped, capture_output=True, text=True, timeout=PATIENCE)
    assert result.returncode == 78 and "what root reads is read twice" in result.stderr
