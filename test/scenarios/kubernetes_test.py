"""The manifests for Kubernetes: relayd takes the start that they describe, and its end fits into the time they give."""

import re
from pathlib import Path

import pytest
import yaml

from support.relayd import command

MANIFESTS = sorted((Path(__file__).resolve().parents[2] / "packaging/kubernetes").glob("*.yaml"))


def pods(file: Path) -> list[dict]:
    return [one["spec"]["template"]["spec"] for one in yaml.safe_load_all(file.read_text()) if "template" in one["spec"]]


def container(pod: dict) -> dict:
    (found,) = [one for one in pod["containers"] + pod.get("initContainers", []) if one["name"] == "relayd"]
    return found


@pytest.mark.parametrize("file", MANIFESTS, ids=lambda file: file.stem)
def test_relayd_takes_the_start_that_it_describes(file, tmp_path):
    (pod,) = pods(file)
    variables = {"PATH": "/usr/bin:/bin", "RELAYD_USER": "0", "RELAYD_QUEUE_DIRECTORY": str(tmp_path / "queue"),
                 "RELAYD_SERVICE_HOST": "10.0.0.1", "RELAYD_PORT": "tcp://10.0.0.1:2525"}
    for one in container(pod)["env"]:
        value = one["value"]
        if one["name"].endswith("_FILE"):
            secret = tmp_path / one["name"]
            secret.write_text("a-secret-of-the-cluster-canary\n")
            secret.chmod(0o400)
            value = str(secret)
        variables[one["name"]] = value
    ended = command("check", env=variables)
    assert (ended.returncode, ended.stderr) == (0, "")


@pytest.mark.parametrize("file", MANIFESTS, ids=lambda file: file.stem)
def test_it_ends_before_it_is_killed_and_its_volumes_are_mounted(file):
    (pod,) = pods(file)
    relayd = container(pod)
    grace = int(re.fullmatch(r"(\d+)s", relayd["args"][relayd["args"].index("--grace") + 1])[1])
    before = relayd.get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
    assert before + grace < pod["terminationGracePeriodSeconds"]
    mounts = {one["name"]: one["mountPath"] for one in relayd["volumeMounts"]}
    assert mounts["queue"] == "/var/spool/relayd"
    secrets = [one["value"] for one in relayd["env"] if one["name"].endswith("_FILE")]
    assert all(path.startswith(mounts["secret"] + "/") for path in secrets)
