"""The image, built and run by a real engine: `pytest test/packages/image_test.py`. It is no part of the suite, as it
compiles relayd in a new Debian, and needs dockerd (Debian's package docker.io) and root.
"""

import contextlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from support.machine import SOURCES, run  # noqa: E402
from support.waiting import PATIENCE, poll  # noqa: E402

PROJECT = Path(__file__).resolve().parents[2]
BUILDING = 3600
MOST = 19_000_000  # octets; the libraries are two thirds of it
RELAYD = 65532
CONFIG = """\
hostname: mail.example.com
listen: [{address: "127.0.0.1:2525"}]
upstreams:
  captured: {sandbox: {directory: /var/spool/relayd/captured}}
senders:
  - {match: "*", upstream: captured}
"""
MESSAGE = "Subject: hello\n\nbody\n"
CONFINED = ["--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--network", "none"]


class Engine:
    """A dockerd of its own, whose containers have no network but loopback."""

    def __init__(self, folder: Path):
        self._environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": str(folder), "DOCKER_BUILDKIT": "1",
                             "DOCKER_HOST": f"unix://{folder}/sock"}
        self._log = open(folder / "log", "w")
        options = {"data-root": "data", "exec-root": "exec", "pidfile": "pid"}
        self._process = subprocess.Popen(
            ["dockerd", *(f"--{name}={folder}/{file}" for name, file in options.items()), f"--host=unix://{folder}/sock",
             "--bridge=none", "--iptables=false", "--ip-forward=false"], env=self._environment,
            stdin=subprocess.DEVNULL, stdout=self._log, stderr=subprocess.STDOUT)
        poll(lambda: self("version").returncode == 0)

    def __call__(self, *words, **options) -> subprocess.CompletedProcess:
        return run(["/usr/bin/docker", *words], **{"env": self._environment, **options})

    def ok(self, *words, **options) -> str:
        ended = self(*words, **options)
        assert ended.returncode == 0, f"{words}: {ended.stdout[-5000:]}{ended.stderr[-5000:]}"
        return ended.stdout.strip()

    def close(self):
        self._process.terminate()
        self._process.wait(PATIENCE)
        self._log.close()


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    with contextlib.closing(Engine(tmp_path_factory.mktemp("engine"))) as one:
        yield one


@pytest.fixture(scope="module")
def image(engine, tmp_path_factory):
    """Built of what is committed, on a Debian 12 that is made here."""
    folder = tmp_path_factory.mktemp("source")
    base = folder / "base.tar"
    made = run(["mmdebstrap", "--quiet", "--variant=minbase", "bookworm", base, SOURCES], timeout=BUILDING)
    assert made.returncode == 0, made.stderr
    engine.ok("import", base, "relayd-base", timeout=300)
    assert run(["git", "clone", "-q", PROJECT, folder / "source"], timeout=120).returncode == 0
    engine.ok("build", "--network=host", "--build-arg", "BASE=relayd-base", "-t", "relayd", folder / "source",
              timeout=BUILDING)
    return "relayd"


@pytest.fixture
def start(engine, image, tmp_path):
    """Starts a container; its name."""
    names = []

    def run_one(*options: str, arguments: tuple = ()) -> str:
        names.append(engine.ok("run", "-d", *CONFINED, *options, image, *arguments))
        return names[-1]

    yield run_one
    for name in names:
        engine("rm", "-f", "-v", name)


@pytest.fixture
def config(tmp_path):
    tmp_path.chmod(0o755)
    file = tmp_path / "relayd.yaml"
    file.write_text(CONFIG)
    file.chmod(0o644)
    return ["-v", f"{file}:/etc/relayd/relayd.yaml:ro"]


def health(engine, name) -> str:
    return engine.ok("inspect", "-f", "{{.State.Health.Status}}", name)


def test_it_is_small_and_says_what_is_in_it(engine, image, tmp_path):
    assert int(engine.ok("inspect", "-f", "{{.Size}}", image)) <= MOST
    labels = json.loads(engine.ok("inspect", "-f", "{{json .Config.Labels}}", image))
    assert labels["org.opencontainers.image.licenses"] == "MIT"
    name = engine.ok("create", image)
    engine.ok("cp", f"{name}:/usr/share/doc", tmp_path)
    engine.ok("rm", "-v", name)
    documents = tmp_path / "doc"
    parts = {one["name"]: one for one in json.loads((documents / "relayd/sbom.spdx.json").read_text())["packages"]}
    assert parts["relayd"]["versionInfo"] == labels["org.opencontainers.image.version"]
    assert {"libc6", "android-libboringssl", "ca-certificates"} <= set(parts)
    for part in parts:
        assert (documents / part / "copyright").stat().st_size > 0


@pytest.mark.parametrize("user", [RELAYD, 12345])
def test_any_user_takes_and_delivers_mail_on_a_read_only_root(engine, start, config, tmp_path, user):
    spool = tmp_path / "spool"
    spool.mkdir(mode=0o700)
    shutil.chown(spool, user, user)
    name = start(*config, "-u", f"{user}:{user}", "-v", f"{spool}:/var/spool/relayd", "--health-interval", "1s")
    poll(lambda: health(engine, name) == "healthy")
    engine.ok("exec", "-i", name, "/usr/bin/relayd", "sendmail", "-i", "-f", "ann@example.com", "bob@example.org",
              input=MESSAGE, stdin=None)
    poll(lambda: list((spool / "captured").glob("*.eml")))
    engine.ok("stop", name)
    assert engine.ok("inspect", "-f", "{{.State.ExitCode}}", name) == "0"
    log = engine("logs", name)
    assert '"event":"stopped"' in log.stdout + log.stderr


def test_without_a_word_it_says_which_three_variables_it_wants(engine, image):
    ended = engine("run", "--rm", *CONFINED, image)
    assert ended.returncode == 78
    assert all(name in ended.stderr for name in ("RELAYD_PROVIDER", "RELAYD_USERNAME", "RELAYD_PASSWORD_FILE"))


@pytest.mark.parametrize("owner, code", [(RELAYD, 0), (0, 78)])
def test_a_secret_is_read_where_its_owner_is_relayds_user(engine, image, tmp_path, owner, code):
    secret = tmp_path / "password"
    secret.write_text("secret\n")
    secret.chmod(0o400)
    shutil.chown(secret, owner, owner)
    ended = engine("run", "--rm", *CONFINED, "-v", f"{secret}:/run/secrets/password:ro", "-e", "RELAYD_PROVIDER=sendgrid",
                   "-e", "RELAYD_USERNAME=apikey", "-e", "RELAYD_PASSWORD_FILE=/run/secrets/password",
                   "-e", "RELAYD_HOSTNAME=mail.example.com", "-e", "RELAYD_ALLOW=127.0.0.1", image, "check")
    assert ended.returncode == code, ended.stderr
    assert code == 0 or "/run/secrets/password" in ended.stderr
