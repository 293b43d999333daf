"""relayd, with its defaults."""

import json
import subprocess
from pathlib import Path

from comparison.peer import PATIENCE, Peer


class Relayd(Peer):
    name = "relayd"
    binary: Path

    def configure(self):
        self.file = self.directory / "relayd.yaml"
        self.file.touch(mode=0o600)
        self.file.write_text(json.dumps(self.configuration()))

    def configuration(self) -> dict:
        """What its file says; a JSON text is a YAML text."""
        senders = [{"match": "*", "upstream": "sink", "username": "everybody", "password": "secret"}]
        if self.setup.accounts > 1:
            senders = [{"match": f"s{number}@bench.example", "upstream": "sink", "username": f"s{number}",
                        "password": "secret"} for number in range(self.setup.accounts)]
        access = {"access": {"senders": {"*": "hold"}}} if self.setup.held else {}
        return {"hostname": "relay.bench.example", **access,
                "listen": [{"address": f"127.0.0.1:{self.port}"}],
                "queue": {"directory": str(self.directory / "queue")},
                "upstreams": {"sink": self.upstream()}, "senders": senders, "log": {"format": "json"}, **self.changes()}

    def changes(self) -> dict:
        change = self.setup.change
        if change is None:
            return {}
        if change.signs:
            return {"dkim": change.keys.config()}
        return {"tables": {"generic": {"file": str(change.table)}},
                "rewrite": [{"table": "generic", "in": ["sender", "header"]}]}

    def upstream(self) -> dict:
        upstream = {"host": "127.0.0.1", "port": self.setup.upstream, "tls": "starttls",
                    "tls_options": {"ca_file": str(self.setup.authority)}}
        if self.setup.connections:
            upstream["limits"] = {"connections": self.setup.connections, "connections_total": self.setup.connections}
        return upstream

    def launch(self):
        with open(self.directory / "log", "a") as log:
            self._process = subprocess.Popen([self.binary, "run", "-c", self.file], stdin=subprocess.DEVNULL,
                                             stdout=log, stderr=log)

    def ended(self) -> bool:
        return self._process.poll() is not None

    def find(self) -> int:
        return self._process.pid

    def reap(self):
        self._process.wait()

    def retry(self):
        subprocess.run([self.binary, "queue", "retry", "--all", "-c", self.file], check=True, timeout=PATIENCE,
                       stdout=subprocess.DEVNULL)
