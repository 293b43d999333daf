"""What somebody meets who tries relayd for the first time: a start by the environment, its errors, the example of
compose, and `relayd check`."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
import yaml

from support.relayd import Relayd, command
from support.waiting import PATIENCE

OK, BAD_CONFIG = 0, 78
STRANGER = 54321  # a number that nobody has
COMPOSE = Path(__file__).parents[2] / "compose.example.yaml"
MAILGUN = {"RELAYD_PROVIDER": "mailgun", "RELAYD_USERNAME": "postmaster@mg.example.com", "RELAYD_PASSWORD": "x"}


def by_environment(*arguments, **more) -> subprocess.CompletedProcess:
    """A command that has these RELAYD_ variables, and none of ours; what else is given is for subprocess."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RELAYD_")}
    for name in [name for name in more if name.startswith("RELAYD_")]:
        environment[name] = more.pop(name)
    return command(*arguments, env=environment, **more)


class WithoutFile(Relayd):
    """A relay that its environment alone configures."""

    def __init__(self, directory: Path, environment: dict[str, str]):
        super().__init__(directory, {}, [])
        self.environment = {**environment, "RELAYD_LISTEN": f"127.0.0.1:{self.port}", "RELAYD_LOG_FORMAT": "json",
                            "RELAYD_QUEUE_DIRECTORY": str(self.queue), "RELAYD_USER": str(os.getuid())}

    def command_line(self, *arguments: str) -> list[str]:
        return ["run", *arguments]

    def write(self):
        """There is no file."""


def test_a_start_with_nothing_says_what_it_wants():
    for name in ("run", "check"):
        told = by_environment(name, RELAYD_LISTEN="0.0.0.0:2525")
        assert told.returncode == BAD_CONFIG
        for wanted in ("RELAYD_PROVIDER", "RELAYD_USERNAME", "RELAYD_PASSWORD_FILE", "relayd init"):
            assert wanted in told.stderr, told.stderr
        assert len(told.stderr.splitlines()) == 1


@pytest.mark.parametrize("variables, host", [
    ({**MAILGUN, "RELAYD_REGION": "eu"}, "smtp.eu.mailgun.org"),
    ({**MAILGUN, "RELAYD_PROVIDER": "ses", "RELAYD_REGION": "eu-west-1", "RELAYD_USERNAME": "AKIAX"},
     "email-smtp.eu-west-1.amazonaws.com"),
], ids=["mailgun", "ses"])
def test_a_region_is_heard(variables, host):
    assert f"host       {host} " in by_environment("explain", "--sender", "a@b.example", **variables).stdout
    assert by_environment("check", **variables).returncode == OK


@pytest.mark.parametrize("variables, told", [
    ({**MAILGUN, "RELAYD_REGION": "moon"}, "RELAYD_REGION: unknown region 'moon' of 'mailgun': it has us, eu\n"),
    ({**MAILGUN, "RELAYD_PROVIDER": "mailgunn"},
     "RELAYD_PROVIDER: unknown provider 'mailgunn' (did you mean 'mailgun'?)\n"),
    ({**MAILGUN, "RELAYD_PROVIDER": "ses", "RELAYD_USERNAME": "AKIAX"},
     "RELAYD_REGION: 'ses' needs a region, such as eu-west-1\n"),
    ({**MAILGUN, "RELAYD_USERNAME": "postmaster"},
     "RELAYD_USERNAME: username and password at mailgun are the full SMTP login of the domain, such as "
     "postmaster@mg.example.com, and its SMTP password (not the API key)\n"),
    ({**MAILGUN, "RELAYD_HTTP": "127.0.0.1:0", "RELAYD_HTTP_TOKEN": "short"},
     "RELAYD_HTTP_TOKEN: the token of RELAYD_HTTP has 16 octets at least\n"),
], ids=["region", "provider", "no region", "username", "token"])
def test_what_is_wrong_is_told_of_the_variable(variables, told):
    checked = by_environment("check", **variables)
    assert (checked.returncode, checked.stderr) == (BAD_CONFIG, told)


def test_a_user_whom_nobody_can_become_is_no_account():
    checked = by_environment("check", user=STRANGER, group=STRANGER, cwd="/", **MAILGUN, RELAYD_USER="0")
    assert checked.returncode == BAD_CONFIG
    assert checked.stderr.startswith("RELAYD_USER: it has no effect: only root can become another user")
    assert "RELAYD_USERNAME" in checked.stderr


def test_a_variable_beside_a_file_stops_the_start_and_no_command(to_upstream):
    one, fake = to_upstream()
    refused = command("check", "-c", one.file, env={**os.environ, "RELAYD_REGION": "eu"})
    assert refused.returncode == BAD_CONFIG
    assert refused.stderr.startswith("RELAYD_REGION: it has no effect beside a configuration file")
    assert command("status", "-c", one.file, env={**os.environ, "RELAYD_REGION": "eu"}).returncode == OK


def test_check_has_nothing_against_a_running_daemon(to_upstream):
    one, fake = to_upstream()
    checked = command("check", "-c", one.file)
    assert (checked.returncode, checked.stderr) == (OK, "")
    assert ": ok, 1 upstream, 1 rule" in checked.stdout and "relayd queue check" in checked.stdout


@pytest.fixture
def reachable():
    """A folder that every user can reach, as pytest's own is not."""
    path = Path(tempfile.mkdtemp(prefix="relayd-first-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


def test_check_reads_secrets_as_the_user_that_is_named(reachable):
    key, file = reachable / "key", reachable / "relayd.yaml"
    key.touch(mode=0o600)
    key.write_text("secret-canary\n")
    file.write_text(f"""\
upstreams: {{office: {{host: smtp.example.net, username: u, password: {{file: key}}}}}}
senders: [{{match: "*", upstream: office}}]
queue: {{directory: {reachable}/queue}}
""")
    assert ", read as the user root" in command("check", "-c", file, "--as", "root").stdout
    refused = command("check", "-c", file, "--as", STRANGER)
    assert refused.returncode == BAD_CONFIG
    for words in (f"{file}:1:76: cannot read {key} as the user uid {STRANGER}", "mode 0600, of root",
                  f"chown {STRANGER} {key}", "LoadCredential="):
        assert words in refused.stderr, refused.stderr
    os.chown(key, STRANGER, STRANGER)
    assert command("check", "-c", file, "--as", STRANGER).returncode == OK
    reachable.chmod(0o750)
    assert f"it may not enter {reachable}" in command("check", "-c", file, "--as", STRANGER).stderr


def test_the_application_of_the_compose_example_sends(tmp_path, upstream):
    example = yaml.safe_load(COMPOSE.read_text())
    service, app = example["services"]["relayd"], example["services"]["app"]
    assert service["restart"] and app["depends_on"]["relayd"] == {"condition": "service_healthy"}
    secret = service["environment"]["RELAYD_PASSWORD_FILE"]
    assert secret == f"/run/secrets/{service['secrets'][0]}" and service["secrets"][0] in example["secrets"]
    assert (app["environment"]["MAIL_HOST"], app["environment"]["MAIL_PORT"]) == ("relayd", "2525")
    fake = upstream(accounts={"relay": "relay-canary"})
    password = tmp_path / "password"
    password.touch(mode=0o600)
    password.write_text("relay-canary\n")
    one = WithoutFile(tmp_path, {**service["environment"], "RELAYD_HOST": "127.0.0.1", "RELAYD_PORT": str(fake.port),
                                 "RELAYD_CA_FILE": str(fake.certificate.authority), "RELAYD_ALLOW": "127.0.0.0/8",
                                 "RELAYD_PASSWORD_FILE": str(password)})
    one.start("--grace", "1")
    assert command("healthcheck", env={**os.environ, **one.environment}).returncode == OK
    subprocess.run(app["command"], check=True, timeout=PATIENCE,
                   env={**os.environ, "MAIL_HOST": "127.0.0.1", "MAIL_PORT": str(one.port)})
    one.wait_event("delivered")
    assert b"Subject: Hello from a container" in fake.taken(1)[0].data
    assert one.finish() == 0
