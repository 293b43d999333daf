"""A configuration that is read again: by itself when a file of it changes, and by `relayd reload`."""

import errno
import json
import os
import signal
import smtplib
import ssl
import time
from pathlib import Path

import pytest

from support import mail
from support.dkim import Keys
from support.faults import Faults
from support.load import Load, demand_arrival, twice
from support.relayd import BINARY, command
from support.sendmail import Sendmail
from support.waiting import PATIENCE

SENDER = "cron@o.example"
OK, CONFIG, UNAVAILABLE = 0, 78, 69
# KiB over 800 reloads, one of which needs 20 for itself; a sanitizer keeps what was freed.
MOST_GROWTH = 256 << 10 if b"__asan_init" in Path(BINARY).read_bytes() else 8 << 10


@pytest.fixture
def aliased(relay, upstream):
    """A relay of o.example that sends root's mail to ops@x.example."""

    def start(aliases: dict | None = None, **sections):
        aliases = {"root": "ops@x.example"} if aliases is None else aliases
        return relay({"fake": upstream(accounts={}, certificate=None).config()}, aliases=aliases, origin="o.example",
                     **sections)

    return start


def whole(one, target: str) -> str:
    """The text of the configuration with root's mail going there."""
    return json.dumps({**one.config, "aliases": {"root": target}})


def root_of(one) -> str:
    id = one.submit(SENDER, "root", mail.text(SENDER))
    return one.wait_event("accepted", id=id)["to"]


def replace(file: Path, text: str):
    """As editors and configuration management do it."""
    other = file.with_name("." + file.name + ".other")
    other.touch(mode=0o600)
    other.write_text(text)
    other.rename(file)


def mounted(folder: Path, files: dict[str, str]):
    """Files as Kubernetes mounts a secret: each a link through `..data`, which is swapped for others at once."""
    folder.mkdir(exist_ok=True)
    version = folder / f"..{len(list(folder.iterdir()))}"
    version.mkdir()
    for name, text in files.items():
        (version / name).touch(mode=0o600)
        (version / name).write_text(text)
        if not (folder / name).is_symlink():
            (folder / name).symlink_to(f"..data/{name}")
    (folder / "..data_tmp").symlink_to(version.name)
    (folder / "..data_tmp").rename(folder / "..data")


# --- by itself ---


def test_a_file_that_is_edited_in_place_is_read_again(aliased):
    one = aliased()
    one.file.write_text(whole(one, "new@x.example"))
    assert one.wait_event("reloaded")["changed"] == str(one.file)
    assert root_of(one) == "new@x.example"


def test_a_file_that_another_was_renamed_to_is_read_again_and_again(aliased):
    one = aliased()
    for count in (1, 2):
        replace(one.file, whole(one, f"new{count}@x.example"))
        one.wait("reloaded", count)
        assert root_of(one) == f"new{count}@x.example"


def test_a_link_that_leads_elsewhere_is_followed(aliased, tmp_path):
    """All files of a mounted secret change at one time."""
    one = aliased()
    folder = tmp_path / "mounted"
    mounted(folder, {"relayd.yaml": whole(one, "ops@x.example")})
    one.stop()
    one.file = folder / "relayd.yaml"
    one.start("--grace", "1")
    for count in (1, 2):
        mounted(folder, {"relayd.yaml": whole(one, f"new{count}@x.example")})
        one.wait("reloaded", count)
        assert root_of(one) == f"new{count}@x.example"
    assert not one.logged("reload_failed")


def test_without_notices_of_the_system_the_files_are_looked_at(aliased, tmp_path):
    one = aliased()
    one.stop()
    Faults(one, tmp_path / "faults").fail(["watch"], errno.EMFILE)
    one.start("--grace", "1")
    assert "inotify" in one.wait_event("not_watching")["reason"]
    replace(one.file, whole(one, "new@x.example"))
    one.wait_event("reloaded")
    assert root_of(one) == "new@x.example"
    assert len(one.logged("not_watching")) == 1


def test_what_is_no_file_of_the_configuration_changes_nothing(aliased):
    one = aliased()
    one.file.with_name("notes").write_text("text")
    one.file.with_name("notes").unlink()
    one.file.write_text(one.file.read_text()[:20])  # half of it, and all of it a moment later
    one.file.write_text(whole(one, "new@x.example"))
    one.wait_event("reloaded")
    assert len(one.logged("reloaded")) == 1 and not one.logged("reload_failed")


def test_a_file_that_is_missing_for_a_while_keeps_what_was(aliased):
    one = aliased()
    text = whole(one, "new@x.example")
    one.file.unlink()
    assert "No such file" in one.wait_event("reload_failed")["reason"]
    assert root_of(one) == "ops@x.example"
    one.file.touch(mode=0o600)
    one.file.write_text(text)
    one.wait_event("reloaded")
    assert root_of(one) == "new@x.example"
    assert len(one.logged("reload_failed")) == 1


def test_a_file_that_was_emptied_is_about_to_be_written(aliased, tmp_path):
    """As `generate > aliases` does it, while `generate` thinks."""
    file = tmp_path / "aliases"
    file.write_text("root: ops@x.example\n")
    one = aliased({}, aliases_file=str(file))
    file.write_text("")
    end = time.monotonic() + 1.5
    while time.monotonic() < end:
        assert root_of(one) == "ops@x.example"
    file.write_text("root: new@x.example\n")
    one.wait_event("reloaded")
    assert root_of(one) == "new@x.example"


def test_a_pipe_in_place_of_a_key_is_an_error_that_can_be_mended(aliased, tmp_path):
    keys = Keys(tmp_path, kinds=("ed25519",))
    one = aliased(dkim=keys.config())
    text = keys.files["ed25519"].read_text()
    keys.files["ed25519"].unlink()
    os.mkfifo(keys.files["ed25519"], 0o600)
    assert "timed out" in one.wait_event("reload_failed")["reason"]
    replace(keys.files["ed25519"], text)
    one.wait_event("reloaded")


def test_an_error_is_told_once_shown_in_status_and_gone_when_it_is_mended(aliased):
    one = aliased()
    replace(one.file, whole(one, "|/bin/prog"))
    failed = one.wait_event("reload_failed")["reason"]
    assert failed.startswith(f"{one.file}:1:") and "relayd delivers to no program" in failed

    def status(*options) -> str:
        result = command("status", "-c", good, *options)
        assert result.returncode == OK, result.stderr
        return result.stdout

    good = one.file.with_name("good.yaml")
    good.touch(mode=0o600)
    good.write_text(whole(one, "ops@x.example"))
    told = json.loads(status("--json"))["configuration"]
    assert told["failed"]["reason"] == failed and told["failed"]["errors"] == 1
    assert f"failed: {failed}" in status()
    assert root_of(one) == "ops@x.example"
    replace(one.file, whole(one, "new@x.example"))
    one.wait_event("reloaded")
    assert "failed" not in json.loads(status("--json"))["configuration"]
    assert "configuration: read at " in status()
    assert len(one.logged("reload_failed")) == 1


def test_an_alias_file_and_what_it_includes_are_read_again(aliased, tmp_path):
    team, file = tmp_path / "team", tmp_path / "aliases"
    team.write_text("ann@x.example\n")
    file.write_text(f"root: :include:{team}\n")
    one = aliased({}, aliases_file=str(file))
    assert root_of(one) == "ann@x.example"
    team.write_text("bob@x.example\n")
    assert one.wait_event("reloaded")["changed"] == str(team)
    assert root_of(one) == "bob@x.example"
    team.unlink()
    assert one.wait_event("reload_failed")["reason"].startswith(f"{file}:1:")
    team.write_text("carl@x.example\n")
    one.wait("reloaded", 2)
    assert root_of(one) == "carl@x.example"
    file.write_text("root: direct@x.example\n")
    one.wait("reloaded", 3)
    assert root_of(one) == "direct@x.example"


def test_a_password_of_an_account_is_read_again(relay, upstream, tmp_path):
    mounted(tmp_path / "secrets", {"app": "first-canary"})
    account = {"name": "app", "password": {"file": str(tmp_path / "secrets" / "app")}}
    one = relay({"fake": upstream(accounts={}).config()}, listener={"auth": "required"}, accounts=[account])

    def login(password: str):
        with smtplib.SMTP("127.0.0.1", one.port, timeout=PATIENCE) as client:
            client.login("app", password)

    login("first-canary")
    mounted(tmp_path / "secrets", {"app": "second-canary"})
    one.wait_event("reloaded")
    login("second-canary")
    with pytest.raises(smtplib.SMTPAuthenticationError):
        login("first-canary")


def test_a_secret_that_comes_later_mends_what_asked_for_it(aliased, tmp_path):
    one = aliased()
    secret = tmp_path / "password"
    upstream = {**one.config["upstreams"]["fake"], "username": "app", "password": {"file": str(secret)}}
    replace(one.file, json.dumps({**one.config, "upstreams": {"fake": upstream}}))
    assert str(secret) in one.wait_event("reload_failed")["reason"]
    replace(secret, "upstream-canary")
    assert one.wait_event("reloaded")["changed"] == str(secret)


def test_a_certificate_and_its_key_change_together(relay, upstream, authority, tmp_path):
    def issue(name: str) -> dict[str, str]:
        pair = authority.issue(name)
        return {"tls.crt": Path(pair.certificate).read_text(), "tls.key": Path(pair.key).read_text()}

    folder = tmp_path / "tls"
    mounted(folder, issue("first.example"))
    files = {"certificate": str(folder / "tls.crt"), "key": str(folder / "tls.key")}
    one = relay({"fake": upstream(accounts={}).config()}, listener={"tls": "starttls"}, tls={"certificates": [files]})
    trust = ssl.create_default_context(cafile=str(authority.file))

    def demand_served(name: str):
        with smtplib.SMTP("127.0.0.1", one.port, timeout=PATIENCE) as client:
            client._host = name  # whom TLS asks for, and believes no other
            client.starttls(context=trust)

    mounted(folder, issue("second.example"))
    one.wait_event("reloaded")
    demand_served("second.example")
    one.config["listen"].append({"address": "127.0.0.1:0"})  # which waits for the next start
    one.write()
    mounted(folder, issue("third.example"))
    assert "listen" in one.wait("reloaded", 2)[1]["reason"]
    demand_served("third.example")
    assert not one.logged("reload_failed")


# --- relayd reload, newaliases ---


def test_reload_says_whether_it_was_taken(aliased):
    one = aliased()
    one.file.write_text(whole(one, "new@x.example"))
    taken = command("reload", "-c", one.file)
    assert (taken.returncode, taken.stdout, taken.stderr) == (OK, "", "")
    assert root_of(one) == "new@x.example"
    one.file.write_text(json.dumps({**one.config, "aliases": {"root": "new2@x.example"}, "user": "0",
                                    "log": {"format": "text"}}))
    said = command("reload", "-c", one.file).stdout
    noticed = [line for line in one.logged("reloaded") if "log" in line.get("reason", "")]  # before the command asked
    assert "takes effect with the next start: log" in said or noticed


def test_reload_tells_what_is_wrong_and_that_the_old_one_stays(aliased, tmp_path):
    """The aliases are read by the daemon alone: the command knows of no error before it asks."""
    file = tmp_path / "aliases"
    file.write_text("root: ops@x.example\n")
    one = aliased({}, aliases_file=str(file))
    file.write_text("root: ops@x.example\nprog: |/bin/prog\n")
    refused = command("reload", "-c", one.file)
    assert refused.returncode == CONFIG and f"{file}:2:1: " in refused.stderr
    assert refused.stderr.endswith("relayd goes on with the configuration that it had\n")
    assert root_of(one) == "ops@x.example"


def test_reload_needs_a_daemon(aliased):
    one = aliased()
    one.stop()
    refused = command("reload", "-c", one.file)
    assert refused.returncode == UNAVAILABLE and "relayd does not answer" in refused.stderr


def test_newaliases_checks_the_aliases_and_has_them_read(aliased, tmp_path):
    file = tmp_path / "aliases"
    file.write_text("root: ops@x.example\n")
    one = aliased({}, aliases_file=str(file))
    sendmail = Sendmail(tmp_path / "bin", one.file)
    file.write_text("root: new@x.example\n")
    result = sendmail.run(program="newaliases")
    assert (result.returncode, result.stdout, result.stderr) == (OK, b"", b"")
    assert root_of(one) == "new@x.example"
    file.write_text("root: |/bin/prog\n")
    for result in (sendmail.run(program="newaliases"), sendmail.run("-bi")):
        assert result.returncode == CONFIG and result.stderr.startswith(f"{file}:1:1: ".encode())
    assert root_of(one) == "new@x.example"


def test_newaliases_is_content_without_a_daemon_or_a_configuration(aliased, tmp_path):
    one = aliased()
    one.stop()
    sendmail = Sendmail(tmp_path / "bin", one.file)
    for config in (str(one.file), ""):
        sendmail.environment["RELAYD_CONFIG"] = config
        result = sendmail.run(program="newaliases")
        assert (result.returncode, result.stdout, result.stderr) == (OK, b"", b"")


def test_newaliases_names_a_configuration_that_is_not_there(tmp_path):
    result = Sendmail(tmp_path / "bin", tmp_path / "missing.yaml").run(program="newaliases")
    assert result.returncode == CONFIG
    assert result.stderr == f"newaliases: cannot read the configuration {tmp_path}/missing.yaml: " \
                            "No such file or directory\n".encode()


# --- under load ---


def resident(pid: int) -> int:
    """KiB of memory."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))


def test_a_thousand_reloads_under_load_lose_nothing_and_keep_nothing(relay, upstream):
    fake = upstream(accounts={}, certificate=None)
    one = relay({"fake": fake.config()})
    load = Load(one.port)
    load.relay_is(up=True)
    load.more(50)

    def reload(until: int):
        """As often as it can: the next signal is sent when the last was taken."""
        while (done := len(one.logged("reloaded"))) < until:
            one.signal(signal.SIGHUP)
            one.wait("reloaded", done + 1)

    reload(200)
    before = resident(one.pid)
    reload(1000)
    load.more(50)
    load.end()
    promised = set(load.acknowledged.all())
    assert twice(demand_arrival(fake, promised)) == 0
    assert resident(one.pid) < before + MOST_GROWTH
    assert not one.logged("reload_failed")
