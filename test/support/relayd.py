"""The relayd under test: a configuration, the process, and its log as events to wait for."""

import json
import os
import signal
import smtplib
import subprocess
import threading
from pathlib import Path

from support import canary
from support.waiting import PATIENCE, Record, free_port

BINARY = os.environ["RELAYD"]  # the path of the binary; ctest sets it
RETRY_AT_ONCE = {"first": "200ms", "factor": 1, "maximum": "200ms", "jitter": 0}


def command(*arguments, timeout: float = PATIENCE, **options) -> subprocess.CompletedProcess:
    """Runs one relayd command to its end; it must tell no secret."""
    ended = subprocess.run([BINARY, *map(str, arguments)], capture_output=True, text=True, timeout=timeout,
                           stdin=subprocess.DEVNULL, **options)
    canary.demand_none(f"what {arguments} wrote", ended.stdout + ended.stderr)
    return ended


class Relayd:
    """One relay on a loopback port. `listener` and `queue` add to those sections; others are given by keyword."""

    def __init__(self, directory: Path, upstreams: dict, senders: list, listener: dict | None = None,
                 queue: dict | None = None, **sections):
        self.port = free_port()
        self.file = directory / "relayd.yaml"
        self.queue = directory / "queue"
        self.config = {
            "hostname": "relay.test.example",
            "listen": [{"address": f"127.0.0.1:{self.port}", **(listener or {})}],
            "queue": {"directory": str(self.queue), "reserve": "1MiB", "retry": RETRY_AT_ONCE,
                      **(queue or {})},
            "upstreams": upstreams,
            "senders": senders,
            "log": {"format": "json"},
            "user": str(os.getuid()),  # root stays root: upstreams' certificates lie in folders of root's
        }
        self.config.update(sections)
        self.events = Record("log of relayd")
        self.wrapper: list[str] = []  # a command that runs it, such as prlimit
        self.environment: dict[str, str] = {}  # in addition to ours
        self.pass_descriptors: tuple[int, ...] = ()
        self._process = None
        self.write()

    def write(self):
        """Writes the configuration; a JSON text is a YAML text."""
        self.file.touch(mode=0o600)
        self.file.write_text(json.dumps(self.config, indent=2) + "\n")

    def start(self, *arguments: str):
        self.launch(*arguments)
        self.wait("listening")
        self.wait("queue_opened")
        return self

    def command_line(self, *arguments: str) -> list[str]:
        return ["run", "-c", str(self.file), *arguments]

    def launch(self, *arguments: str):
        """Starts it and waits for nothing."""
        self.events = Record("log of relayd")
        self._process = subprocess.Popen([*self.wrapper, BINARY, *self.command_line(*arguments)],
                                         env={**os.environ, **self.environment}, stdin=subprocess.DEVNULL,
                                         stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                                         pass_fds=self.pass_descriptors)
        self._reader = threading.Thread(target=self._read, args=(self._process.stderr, self.events))
        self._reader.start()

    @staticmethod
    def _read(stream, events):
        with stream:
            for line in stream:
                try:
                    events.add(json.loads(line))
                except ValueError:
                    events.add({"event": "not JSON", "line": line})
        events.close()

    def reload(self):
        """Has it read the configuration again."""
        already = len(self.logged("reloaded"))
        self.signal(signal.SIGHUP)
        self.wait("reloaded", already + 1)

    @property
    def launched(self) -> bool:
        return self._process is not None

    @property
    def pid(self) -> int:
        return self._process.pid

    def signal(self, number: int):
        self._process.send_signal(number)

    def ended(self, timeout: float = PATIENCE) -> int:
        """Waits for the end of the process; its exit code. Every line it logged must have been JSON.

        A kill may cut the last line: the kernel writes more than a page to a pipe in parts.
        """
        code = self._process.wait(timeout)
        self._reader.join(timeout)
        strays = [event["line"] for event in self.events.all(lambda event: event["event"] == "not JSON")]
        if code == -signal.SIGKILL and strays and not strays[-1].endswith("\n"):
            strays.pop()
        assert not strays, "relayd wrote what is no event:\n" + "\n".join(strays)
        canary.demand_none("the log", json.dumps(self.events.all(), ensure_ascii=False))
        return code

    def stop(self) -> int:
        self.signal(signal.SIGTERM)
        return self.ended()

    def kill(self):
        """kill -9: nothing is drained, nothing is flushed."""
        self.signal(signal.SIGKILL)
        self.ended()

    def finish(self) -> int:
        """Stops it if it still runs; how the last run ended. It must have told no secret, to nobody."""
        running = self._process.poll() is None
        if running:
            canary.demand_none_of_process(self.pid)
        code = self.stop() if running else self.ended()
        for folder in self._folders():
            canary.demand_none_below(folder)
        return code

    def _folders(self) -> list[Path]:
        """Where it writes."""
        sandboxes = [one["sandbox"]["directory"] for one in self.config["upstreams"].values() if "sandbox" in one]
        drop = self.config["queue"].get("drop", f"{self.queue}-drop")
        return [self.queue, Path(drop), *map(Path, sandboxes)]

    # --- its log ---

    def wait(self, event: str, count: int = 1, timeout: float = PATIENCE, **fields) -> list[dict]:
        """The first `count` events of that name with those fields."""
        return self.events.wait(lambda line: _is(line, event, fields), count, timeout)

    def wait_event(self, event: str, timeout: float = PATIENCE, **fields) -> dict:
        return self.wait(event, 1, timeout, **fields)[0]

    def logged(self, event: str, **fields) -> list[dict]:
        return self.events.all(lambda line: _is(line, event, fields))

    # --- mail ---

    def submit(self, sender: str, recipients, message: bytes) -> str:
        """Hands a message over by SMTP; the id that the reply gave it, once the log has it too."""
        recipients = [recipients] if isinstance(recipients, str) else recipients
        with Client("127.0.0.1", self.port, timeout=PATIENCE) as client:
            refused = client.sendmail(sender, recipients, message)
        assert not refused, refused
        return self.wait_event("accepted", id=client.reply.split()[-1])["id"]


class Client(smtplib.SMTP):
    """Remembers what was said to the content."""

    reply = ""

    def data(self, message):
        code, text = super().data(message)
        self.reply = text.decode()
        return code, text


def _is(line: dict, event: str, fields: dict) -> bool:
    return line["event"] == event and all(line.get(key) == value for key, value in fields.items())
