"""Debian's Prometheus and its promtool, as script/bootstrap has unpacked them."""

import json
import subprocess
from pathlib import Path
from urllib.error import URLError
from urllib.parse import urlencode
from urllib.request import urlopen

from support.waiting import PATIENCE, free_port, poll

PROGRAMS = Path(__file__).resolve().parents[2] / "build" / "peers" / "prometheus" / "usr" / "bin"


def promtool(*arguments: str, text: bytes = b"", folder: Path | None = None):
    """Ends well, and says nothing that is to be changed."""
    ended = subprocess.run([PROGRAMS / "promtool", *arguments], input=text, capture_output=True, timeout=4 * PATIENCE,
                           cwd=folder)
    assert ended.returncode == 0 and not ended.stderr, (ended.stdout + ended.stderr).decode()


class Prometheus:
    """One that scrapes these targets, {job: "127.0.0.1:9125"}, each second, and keeps to these rules."""

    def __init__(self, directory: Path, targets: dict[str, str], rules: Path):
        directory.mkdir()
        config = {"global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
                  "rule_files": [str(rules)],
                  "scrape_configs": [{"job_name": job, "static_configs": [{"targets": [target]}]}
                                     for job, target in targets.items()]}
        (directory / "prometheus.yml").write_text(json.dumps(config))  # also YAML
        self.address = f"127.0.0.1:{free_port()}"
        self._log = open(directory / "log", "wb")
        self._process = subprocess.Popen(
            [PROGRAMS / "prometheus", f"--config.file={directory / 'prometheus.yml'}",
             f"--storage.tsdb.path={directory / 'data'}", f"--web.listen-address={self.address}"],
            stdin=subprocess.DEVNULL, stdout=self._log, stderr=self._log)
        poll(self._answers)

    def _answers(self) -> bool:
        assert self._process.poll() is None, Path(self._log.name).read_text()
        try:
            return bool(self.ask("targets")["activeTargets"])
        except URLError:
            return False

    def ask(self, what: str, **parameters: str):
        with urlopen(f"http://{self.address}/api/v1/{what}?{urlencode(parameters)}", timeout=PATIENCE) as answer:
            return json.load(answer)["data"]

    def query(self, expression: str) -> list[dict]:
        """Each has `metric`, its labels, and `value`."""
        return self.ask("query", query=expression)["result"]

    def targets(self) -> dict[str, dict]:
        """By job."""
        return {target["labels"]["job"]: target for target in self.ask("targets")["activeTargets"]}

    def close(self):
        self._process.terminate()
        self._process.wait(PATIENCE)
        self._log.close()
