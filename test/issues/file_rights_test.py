"""A secret in a file that everybody could read was taken, a configuration that everybody could write as well; a sandbox
wrote through a link that lay in its place, and files for everybody to read."""

import grp
import json
import os
import shutil
import stat
import struct
import subprocess
import tempfile
from pathlib import Path

import pytest

from support import mail
from support.relayd import BINARY, command
from support.waiting import PATIENCE

OK, BAD_CONFIG = 0, 78
NOBODY, A_GROUP = 65534, 65533
# In mounts of its own, where the folder that comes next is read-only: the command behind it.
READ_ONLY = ["unshare", "--mount", "sh", "-c", 'mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" && exec "$@"']
SENDER, RECIPIENT = "app@example.com", "bob@rcpt.example"


@pytest.fixture
def folder():
    """Where other users may look."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


def write(folder: Path, **sections) -> Path:
    file = folder / "relayd.yaml"
    file.touch(mode=0o644)
    file.write_text(json.dumps({"hostname": "host.test.example", "queue": {"directory": f"{folder}/queue"}, **sections}))
    return file


def with_secret(folder: Path, mode: int, name: str = "secret") -> tuple[Path, Path]:
    secret = folder / name
    secret.write_text("canary\n")
    secret.chmod(mode)
    upstream = {"host": "127.0.0.1", "username": "app", "password": {"file": str(secret)}}
    return write(folder, upstreams={"fake": upstream}, senders=[{"match": "*", "upstream": "fake"}]), secret


def check(file: Path, user: int = 0, groups=(), **environment) -> subprocess.CompletedProcess:
    """As that user; the binary may stand where he cannot go."""
    binary = file.with_name("checker")
    shutil.copy(BINARY, binary)
    identity = {"user": user, "group": user, "extra_groups": list(groups)} if user else {}
    return subprocess.run([binary, "check", "-c", file], capture_output=True, text=True, timeout=PATIENCE, cwd="/",
                          env={**os.environ, **environment}, **identity)


# --- secrets ---

@pytest.mark.parametrize("mode, status", [(0o600, OK), (0o400, OK), (0o644, BAD_CONFIG), (0o604, BAD_CONFIG),
                                          (0o444, BAD_CONFIG), (0o640, BAD_CONFIG), (0o660, BAD_CONFIG)])
def test_a_secret_that_others_may_read_is_refused(folder, mode, status):
    file, secret = with_secret(folder, mode)
    ended = check(file)
    assert ended.returncode == status, ended.stderr
    if status != OK:
        assert f"others may read {secret} (mode {mode:04o}): chmod 600 {secret}" in ended.stderr


def test_a_group_may_read_it_that_relayd_reads_it_by(folder):
    """root owns it, and relayd's group was let in; a group that relayd has nothing to do with is somebody else."""
    file, secret = with_secret(folder, 0o640)
    os.chown(secret, 0, A_GROUP)
    assert check(file, NOBODY, [A_GROUP]).returncode == OK
    secret.chmod(0o644)
    assert check(file, NOBODY, [A_GROUP]).returncode == BAD_CONFIG
    secret.chmod(0o640)
    os.chown(secret, NOBODY, A_GROUP)
    assert check(file, NOBODY).returncode == BAD_CONFIG


def test_credentials_of_systemd_are_for_its_service_alone(folder):
    """Their folder is, and an access list shows as the group's mode."""
    credentials = folder / "credentials"
    credentials.mkdir(mode=0o700)
    file, _ = with_secret(folder, 0o440, "credentials/password")
    assert check(file, CREDENTIALS_DIRECTORY=str(credentials)).returncode == OK
    assert check(file).returncode == BAD_CONFIG
    assert check(file, CREDENTIALS_DIRECTORY=str(folder / "cred")).returncode == BAD_CONFIG


@pytest.mark.parametrize("mode, group, status", [(0o600, 0, OK), (0o640, "ssl-cert", OK), (0o644, 0, BAD_CONFIG),
                                                 (0o640, A_GROUP, BAD_CONFIG)])
def test_a_key_is_for_relayd_and_the_group_of_keys(folder, certificate, mode, group, status):
    """Debian keeps keys in a folder of the group ssl-cert."""
    key = folder / "server.key"
    shutil.copy(certificate.key, key)
    if isinstance(group, str):
        group = grp.getgrnam(group).gr_gid  # postfix, which other tests need, depends on its package
    os.chown(key, 0, group)
    key.chmod(mode)
    file = write(folder, tls={"certificates": [{"certificate": str(certificate.certificate), "key": str(key)}]},
                 upstreams={"fake": {"host": "127.0.0.1"}}, senders=[{"match": "*", "upstream": "fake"}])
    ended = check(file)
    assert ended.returncode == status, ended.stderr


def test_a_secret_is_not_for_the_group_of_keys(folder):
    groups = [line.split(":") for line in Path("/etc/group").read_text().splitlines()]
    group = next((int(line[2]) for line in groups if line[0] == "ssl-cert"), A_GROUP)
    file, secret = with_secret(folder, 0o640)
    os.chown(secret, 0, group)
    assert check(file).returncode == BAD_CONFIG


@pytest.mark.parametrize("mode", [0o444, 0o777])
def test_what_a_container_mounts_read_only_is_as_whoever_mounted_it_wants(folder, mode):
    """Swarm's secrets are 0444, Docker Desktop shows 0777: nobody in the container can change that."""
    secrets = folder / "secrets"
    secrets.mkdir()
    secret = secrets / "password"
    secret.write_text("canary\n")
    file = write(secrets, upstreams={"fake": {"host": "127.0.0.1", "username": "a", "password": {"file": str(secret)}}},
                 senders=[{"match": "*", "upstream": "fake"}])
    for path in (secret, file):
        path.chmod(mode)
    assert check(file).returncode == BAD_CONFIG
    mounted = [*READ_ONLY, str(secrets), BINARY, "check", "-c", str(file)]
    ended = subprocess.run(mounted, capture_output=True, text=True, timeout=PATIENCE)
    assert ended.returncode == OK, ended.stderr
    assert f"warning: others may read {secret} (mode {mode:04o}), and only whoever mounted it" in ended.stderr


def access_list(*entries: tuple[int, int, int]) -> bytes:
    """Tag, rights and id of each, as the kernel has them."""
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)


def test_an_access_list_is_named_where_it_lets_others_in(folder):
    """What shows as the group's rights is its mask: chmod 600 takes the right from relayd's own user too."""
    file, secret = with_secret(folder, 0o600)
    nobody = 2**32 - 1
    os.setxattr(secret, "system.posix_acl_access", access_list(
        (0x01, 6, nobody), (0x02, 4, NOBODY), (0x04, 0, nobody), (0x10, 4, nobody), (0x20, 0, nobody)))
    assert stat.S_IMODE(secret.stat().st_mode) == 0o640
    ended = check(file)
    assert ended.returncode == BAD_CONFIG
    assert f"others may read {secret} (mode 0640)" in ended.stderr
    assert "its access list, see getfacl, may name them: setfacl -b removes it" in ended.stderr


# --- the configuration ---

@pytest.mark.parametrize("mode, status", [(0o644, OK), (0o600, OK), (0o666, BAD_CONFIG), (0o646, BAD_CONFIG),
                                          (0o664, BAD_CONFIG)])
def test_a_configuration_that_others_may_write_is_refused(folder, mode, status):
    file = write(folder, upstreams={"fake": {"host": "127.0.0.1"}}, senders=[{"match": "*", "upstream": "fake"}])
    file.chmod(mode)
    for words in (["check"], ["explain", "--sender", SENDER]):
        ended = command(*words, "-c", file)
        assert ended.returncode == status, ended.stderr
        if status != OK:
            assert f"others may write it (mode {mode:04o}): chmod go-w {file}" in ended.stderr


# --- the sandbox ---

def test_files_of_a_sandbox_are_private_and_follow_no_link(relay, tmp_path):
    captured, precious = tmp_path / "captured", tmp_path / "precious"
    captured.mkdir()
    precious.write_text("precious")
    one = relay({"capture": {"sandbox": {"directory": str(captured)}}}, queue={"retry": {"first": "1h", "maximum": "1h"}})
    first = one.submit(SENDER, RECIPIENT, mail.text(SENDER))
    one.wait_event("delivered", id=first)
    for ending in ("eml", "json"):
        assert stat.S_IMODE((captured / f"{first}.{ending}").stat().st_mode) == 0o600

    command("lane", "pause", "capture", "-c", one.file)
    second = one.submit(SENDER, RECIPIENT, mail.text(SENDER))
    for ending in ("part", "eml"):
        (captured / f"{second}.{ending}").symlink_to(precious)
    command("lane", "resume", "capture", "-c", one.file)
    one.wait_event("delivered", id=second)
    assert precious.read_text() == "precious"
    assert not (captured / f"{second}.eml").is_symlink() and b"Subject" in (captured / f"{second}.eml").read_bytes()
