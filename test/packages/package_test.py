"""The Debian packages on fresh machines: installed, set up, started by a real systemd, upgraded, removed."""

import contextlib
import json
import os
import re
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from support.machine import Machine, Root, make_root, run  # noqa: E402
from support.waiting import poll  # noqa: E402

BUILD = Path(os.environ["RELAYD"]).resolve().parents[1]
BAD_CONFIG = "78"
# The mail programs' callers, and another mail system to take the place of.
PACKAGES = ["bsd-mailx", "cron", "php-cli", "postfix", "procps", "systemd", "systemd-sysv"]
CONFIG = """\
hostname: mail.example.com
upstreams:
  mailgun:
    provider: mailgun
    host: 127.0.0.1
    port: 2587
    tls: starttls
    tls_options: {ca_file: /srv/sandbox/ca.pem}
    username: app@example.com
    password: {credential: mailgun}
senders:
  - {match: "*", upstream: mailgun}
aliases: {root: ops@example.org}
http: {address: "127.0.0.1:9125"}
"""


def make_packages(folder: Path, *options: str) -> dict[str, Path]:
    """By the package's name."""
    made = run(["cpack", "--config", BUILD / "CPackConfig.cmake", "-B", folder, *options], cwd=BUILD, timeout=120)
    assert made.returncode == 0, made.stdout + made.stderr
    return {path.name.split("_")[0]: path for path in folder.glob("*.deb")}


@pytest.fixture(scope="module")
def packages(tmp_path_factory):
    return make_packages(tmp_path_factory.mktemp("packages"))


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    file = tmp_path_factory.mktemp("archive") / "root.tar"
    make_root(file, PACKAGES)
    return file


@pytest.fixture
def root(tmp_path, archive):
    tmp_path.chmod(0o755)
    return Root(tmp_path / "root", archive)


@pytest.fixture
def machine(root, packages):
    """Boots the root with relayd installed, its configuration as the test says."""
    with contextlib.ExitStack() as stack:

        def boot(config: str | None = None, *more: Path) -> Machine:
            if config:
                root.write("etc/relayd/relayd.yaml", config)
                root.write("etc/relayd/mailgun", "sandbox\n", 0o600)
                root.write("etc/systemd/system/relayd.service.d/secrets.conf",
                           "[Service]\nLoadCredential=mailgun:/etc/relayd/mailgun\nReadOnlyPaths=/srv\n")
            root.install(packages["relayd"], *more)
            root.write("etc/systemd/system/sandbox.service",
                       "[Service]\nExecStart=relayd sandbox mailgun --listen 127.0.0.1:2587 --directory /srv/sandbox\n"
                       "Environment=TMPDIR=/srv\n")
            return stack.enter_context(contextlib.closing(Machine(root)))

        yield boot


def test_lintian_finds_no_error(packages):
    ended = run(["lintian", "--allow-root", "--fail-on", "error,warning", *packages.values()], timeout=120)
    assert ended.returncode == 0, ended.stdout


def test_the_unit_is_sound_and_exposes_little(root, packages):
    root.install(packages["relayd"])
    units = ["relayd.service", "relayd.socket"]
    verified = root.run("systemd-analyze", "verify", "--man=no", *units)
    said = [line for line in verified.stderr.splitlines() if "kernel does not support IPv6" not in line]
    assert (verified.returncode, said) == (0, [])
    judged = root.run("systemd-analyze", "security", "--offline=yes", "--threshold=15", units[0])
    assert judged.returncode == 0, judged.stdout


def test_without_a_configuration_it_says_what_to_do_and_init_does_it(machine):
    one = machine()
    states = [one.property(unit, "ActiveState") for unit in ("relayd.service", "relayd.socket")]
    assert states == ["inactive", "inactive"]  # another mail system may have port 25
    assert one.systemctl("start", "relayd.service").returncode != 0
    assert one.property("relayd.service", "ActiveState") == "failed"
    assert one.property("relayd.service", "ExecMainStatus") == BAD_CONFIG
    assert "relayd init" in one.journal()
    one.ok("systemctl", "start", "sandbox.service")
    one.ok("relayd", "init", "--provider", "mailgun", "--username", "app@example.com", "--password-stdin", "--sender", "*",
           input="sandbox\n", stdin=None)
    one.ok("systemctl", "disable", "--now", "postfix.service")  # which has had port 25 until now
    one.ok("systemctl", "enable", "--now", "relayd.service")
    assert one.property("relayd.service", "ActiveState") == "active"
    assert "socket_unused" not in one.journal()


def sent(one: Machine) -> list[str]:
    """What the provider was given."""
    return [file.read_text() for file in one.root.path("srv/sandbox").glob("*.eml")]


def with_sandbox(one: Machine):
    one.ok("systemctl", "start", "sandbox.service")
    folder = one.root.path("srv")
    poll(lambda: list(folder.glob("relayd-sandbox-*/ca.pem")))
    (certificate,) = folder.glob("relayd-sandbox-*/ca.pem")
    (folder / "sandbox").mkdir(exist_ok=True)
    (folder / "sandbox/ca.pem").write_bytes(certificate.read_bytes())
    one.ok("systemctl", "restart", "relayd.service")


def test_what_cron_php_and_mail_hand_to_sendmail_goes_out(machine, packages):
    """Postfix was there; relayd-mta takes its place."""
    one = machine(CONFIG, packages["relayd-mta"])
    assert one.root.status("postfix") == "config-files"
    with_sandbox(one)
    one.ok("mail", "-s", "of mail", "-r", "ann@example.com", "bob@example.org", input="body\n", stdin=None)
    one.ok("php", "-r", 'mail("bob@example.org", "of PHP", "body", "", "-fann@example.com");')
    one.root.write("etc/cron.d/job", "MAILTO=root\nMAILFROM=ann@example.com\n@reboot root echo of cron\n")
    one.ok("sh", "-c", "rm -f /run/crond.reboot && systemctl restart cron.service")
    poll(lambda: len(sent(one)) == 3)
    assert sorted(re.search("of (mail|PHP|cron)", text)[0] for text in sent(one)) == ["of PHP", "of cron", "of mail"]
    assert "Mail queue is empty" in one.ok("mailq")
    one.ok("newaliases")
    read = "echo file_get_contents('http://127.0.0.1:9125/status.json');"
    assert json.loads(one.ok("php", "-r", read))["version"]


def test_the_service_is_confined_ready_watched_and_reloaded(machine):
    one = machine(CONFIG)
    with_sandbox(one)
    unit = "relayd.service"
    assert one.property(unit, "ActiveState") == "active"
    assert one.property(unit, "StatusText") == "0 waiting, 0 held, 0 failed"
    pid = one.property(unit, "MainPID")
    status = dict(re.findall(r"^(\w+):\t(.*)$", one.ok("cat", f"/proc/{pid}/status"), re.MULTILINE))
    user = one.ok("id", "-u", "relayd").strip()
    assert status["Uid"].split() == [user] * 4 and int(status["CapBnd"], 16) == 0
    assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")
    assert "not_confined" not in one.journal() and "socket_unused" not in one.journal()
    one.ok("systemctl", "reload", unit)
    assert one.property(unit, "MainPID") == pid
    one.root.write(f"etc/systemd/system/{unit}.d/watchdog.conf", "[Service]\nWatchdogSec=2\nRestartSec=0\n")
    one.ok("systemctl", "daemon-reload")
    one.ok("systemctl", "restart", unit)
    pid = one.property(unit, "MainPID")
    one.ok("kill", "-STOP", pid)
    poll(lambda: one.property(unit, "MainPID") not in ("0", pid))
    poll(lambda: one.property(unit, "ActiveState") == "active")


def test_an_upgrade_keeps_settings_and_mail_that_waits_and_a_purge_removes_neither(root, packages, tmp_path):
    root.install(packages["relayd"], packages["relayd-mta"])
    newer = make_packages(tmp_path / "newer", "-D", "CPACK_DEBIAN_PACKAGE_VERSION=0.1.1",
                          "-D", "CPACK_DEBIAN_MTA_PACKAGE_DEPENDS=relayd (= 0.1.1)")
    root.write("etc/relayd/environment", "MAILGUN=mine\n", 0o600)
    assert root.run("sendmail", "-i", "-f", "ann@example.com", "bob@example.org", input="Subject: waits\n\nbody\n",
                    stdin=None).returncode == 0
    assert "0.1.1" in root.install(*newer.values())
    waiting = list(root.path("var/spool/relayd-drop").iterdir())
    assert len(waiting) == 1 and root.path("etc/relayd/environment").read_text() == "MAILGUN=mine\n"
    assert "postfix" in root.install("postfix")  # and back
    assert root.status("relayd-mta") in ("", "config-files") and root.path("usr/sbin/sendmail").exists()
    purged = root.run("apt-get", "-q", "-y", "purge", "relayd", timeout=120)
    assert purged.returncode == 0, purged.stderr
    assert "/var/spool/relayd-drop is not empty and stays" in purged.stdout + purged.stderr
    assert waiting[0].exists() and not root.path("etc/relayd").exists()
    assert not root.path("usr/bin/relayd").exists()
