"""What `sendmail -C FILE -q`, `relayd status` and every other command but `run` and `check` did with a configuration:
they ran the commands that print its secrets, as whoever called them. PHP hands its fifth argument of mail() to
sendmail; a set-user-ID program took RELAYD_* of its caller."""

import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from support.relayd import BINARY, command
from support.waiting import PATIENCE

OK, NO_DAEMON, BAD_CONFIG = 0, 69, 78
NOBODY = 65534
AS_NOBODY = {"user": NOBODY, "group": NOBODY, "extra_groups": []}


def write(folder: Path, **sections) -> Path:
    """A configuration whose daemon does not run."""
    file = folder / "evil.yaml"
    config = {"hostname": "host.test.example", "queue": {"directory": f"{folder}/queue"},
              "listen": [{"address": f"unix:{folder}/smtp.sock"}],
              "upstreams": {"fake": {"host": "127.0.0.1"}}, "senders": [{"match": "*", "upstream": "fake"}], **sections}
    file.touch(mode=0o600)
    file.write_text(json.dumps(config) + "\n")
    return file


def program(*words, folder: Path, name: str = "sendmail", **options) -> subprocess.CompletedProcess:
    link = folder / name
    link.symlink_to(BINARY)
    return subprocess.run([link, *map(str, words)], capture_output=True, text=True, timeout=PATIENCE, cwd=folder,
                          input=options.pop("message", ""), **options)


SENDMAIL = {"send": ["-fa@b.example", "bob@rcpt.example"], "-q": ["-fa@b.example", "-q"], "-bv": ["-bv", "-fa@b.example"],
            "-bp": ["-bp"], "-bs": ["-bs"]}
COMMANDS = {"status": ["status"], "queue": ["queue", "list"], "queue check": ["queue", "check"],
            "queue export": ["queue", "export"], "lane": ["lane", "pause", "fake"], "lane list": ["lane", "list"],
            "healthcheck": ["healthcheck"], "explain": ["explain", "--sender", "a@b.example"]}


def with_secrets(folder: Path, password) -> Path:
    return write(folder, accounts=[{"name": "app", "password": password}],
                 upstreams={"fake": {"host": "127.0.0.1", "username": "app", "password": password}})


@pytest.mark.parametrize("way", SENDMAIL)
def test_sendmail_runs_no_command_of_a_file(tmp_path, way):
    ran = tmp_path / "ran"
    file = with_secrets(tmp_path, {"command": ["/usr/bin/touch", str(ran)]})
    ended = program(f"-C{file}", *SENDMAIL[way], folder=tmp_path)
    assert not ran.exists()
    assert ended.returncode != BAD_CONFIG, ended.stderr


@pytest.mark.parametrize("way", COMMANDS)
def test_a_command_that_needs_no_secret_runs_nothing(tmp_path, way):
    ran = tmp_path / "ran"
    file = with_secrets(tmp_path, {"command": ["/usr/bin/touch", str(ran)]})
    ended = command(*COMMANDS[way], "-c", file, cwd=tmp_path)
    assert not ran.exists()
    assert ended.returncode != BAD_CONFIG, ended.stderr


@pytest.mark.parametrize("secret", [{"file": "/nonexistent/secret"}, {"file": "${NO_SUCH_FOLDER}/secret"},
                                    {"env": "NO_SUCH_SECRET"}, "${NO_SUCH_SECRET}", "in-clear"])
def test_the_operator_needs_no_secret_of_the_daemon(tmp_path, secret):
    """They are in the daemon's environment, or readable for its user alone."""
    file = with_secrets(tmp_path, secret)
    file.chmod(0o644)
    for words in COMMANDS.values():
        ended = command(*words, "-c", file, cwd=tmp_path)
        assert ended.returncode != BAD_CONFIG, ended.stderr
    assert command("check", "-c", file).returncode == BAD_CONFIG


def test_keys_of_the_daemon_keep_nobody_from_its_socket(tmp_path):
    key = {"certificate": f"{tmp_path}/none.pem", "key": "${NO_SUCH_FOLDER}/none.key"}
    file = write(tmp_path, tls={"certificates": [key]})
    assert command("status", "-c", file).returncode == NO_DAEMON
    assert command("check", "-c", file).returncode == BAD_CONFIG


@pytest.mark.parametrize("way", SENDMAIL)
def test_sendmail_refuses_a_file_of_somebody_else(tmp_path, way):
    file = write(tmp_path)
    os.chown(file, NOBODY, NOBODY)
    ended = program("-C", file, *SENDMAIL[way], folder=tmp_path)
    assert ended.returncode == BAD_CONFIG
    assert f"{file}: " in ended.stderr and "must be yours or root's" in ended.stderr
    assert command("explain", "-c", file, "--sender", "a@b.example").returncode == OK  # that is the operator's word


def test_sendmail_takes_a_file_of_its_caller_and_of_root(public_folder):
    file = write(public_folder)
    for owner in (0, NOBODY):
        os.chown(file, owner, owner)
        file.chmod(0o644)
        ended = subprocess.run([BINARY, "sendmail", "-C", file, "-bv", "-fa@b.example"], capture_output=True, text=True,
                               timeout=PATIENCE, cwd=public_folder, **AS_NOBODY)
        assert ended.returncode == OK, ended.stderr


@pytest.fixture
def public_folder():
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


@pytest.mark.parametrize("variable", ["RELAYD_CONFIG", "RELAYD_HOST"])
def test_a_set_id_program_takes_no_variable_of_its_caller(public_folder, variable):
    file = write(public_folder)
    file.chmod(0o644)
    binary = public_folder / "relayd"
    shutil.copy(BINARY, binary)
    environment = {**os.environ, variable: str(file) if variable == "RELAYD_CONFIG" else "smtp.caller.example"}
    environment.pop("RELAYD", None)

    def explain() -> subprocess.CompletedProcess:
        return subprocess.run([binary, "explain", "--sender", "a@b.example"], capture_output=True, text=True,
                              timeout=PATIENCE, cwd=public_folder, env=environment, **AS_NOBODY)

    assert explain().returncode == OK
    binary.chmod(0o2755)
    ended = explain()
    assert "nothing says where mail goes" in ended.stderr
    # A sanitizer cannot look at a set-id process for leaks, and ends it with a status of its own.
    assert ended.returncode == BAD_CONFIG or "LeakSanitizer does not work" in ended.stderr
