"""The mail systems that are compared, each a private instance in a directory of its own."""

import contextlib
import grp
import json
import os
import pwd
import select
import signal
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from comparison.processes import tree
from support.waiting import free_port

PATIENCE = 60  # seconds


@dataclass
class Setup:
    """What an instance is for. Upstreams demand STARTTLS and AUTH."""

    upstream: int  # port on loopback
    authority: Path  # what signed its certificate
    accounts: int = 1  # one: everybody's; more: the senders s0@bench.example, s1@… have one each
    connections: int = 0  # to the upstream, in all; 0: as the system comes
    held: bool = False  # nothing is to leave


class Peer:
    """A running instance. Subclasses say how it is set up, started and made to try again."""

    name: str
    pid: int
    start_seconds: float

    def __init__(self, directory: Path, setup: Setup):
        self.directory, self.setup, self.port = directory, setup, free_port()
        directory.mkdir(mode=0o755)
        self.configure()

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()

    def start(self):
        """Starts it, waits until it greets a client, and notes how many seconds that took."""
        begun = time.monotonic()
        self.launch()
        while not self._greets():
            assert time.monotonic() < begun + PATIENCE, f"{self.name} does not start: see {self.directory}"
            time.sleep(0.001)
        self.start_seconds = time.monotonic() - begun
        self.pid = self.find()

    def _greets(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE) as client:
                greeted = client.recv(512).startswith(b"220 ")
                client.sendall(b"QUIT\r\n")
                client.recv(512)
                return greeted
        except OSError:
            return False

    def stop(self):
        handles = self._handles()
        for handle in handles[:1]:
            self._send(handle, signal.SIGTERM)
        self._await(handles)

    def kill(self):
        """kill -9 for the whole tree, parents first so that nothing is started again."""
        handles = self._handles()
        for handle in handles:
            self._send(handle, signal.SIGKILL)
        self._await(handles)

    def _handles(self) -> list[int]:
        """The whole tree; what ends meanwhile is left out."""
        handles = []
        for pid in tree(self.pid):
            with contextlib.suppress(ProcessLookupError):
                handles.append(os.pidfd_open(pid))
        return handles

    @staticmethod
    def _send(handle: int, number: int):
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(handle, number)

    def _await(self, handles: list[int]):
        for handle in handles:
            ended, _, _ = select.select([handle], [], [], PATIENCE)
            os.close(handle)
            assert ended, f"{self.name} does not end"
        self.reap()

    def reap(self):
        pass


class Relayd(Peer):
    name = "relayd"
    binary: Path

    def configure(self):
        upstream = {"host": "127.0.0.1", "port": self.setup.upstream, "tls": "starttls",
                    "tls_options": {"ca_file": str(self.setup.authority)}}
        if self.setup.connections:
            upstream["limits"] = {"connections": self.setup.connections, "connections_total": self.setup.connections}
        senders = [{"match": "*", "upstream": "sink", "username": "everybody", "password": "secret"}]
        if self.setup.accounts > 1:
            senders = [{"match": f"s{number}@bench.example", "upstream": "sink", "username": f"s{number}",
                        "password": "secret"} for number in range(self.setup.accounts)]
        self.file = self.directory / "relayd.yaml"
        self.file.touch(mode=0o600)
        self.file.write_text(json.dumps({
            "hostname": "relay.bench.example",
            "listen": [{"address": f"127.0.0.1:{self.port}"}],
            "queue": {"directory": str(self.directory / "queue")},
            "upstreams": {"sink": upstream}, "senders": senders, "log": {"format": "json"}}))

    def launch(self):
        with open(self.directory / "log", "a") as log:
            self._process = subprocess.Popen([self.binary, "run", "-c", self.file], stdin=subprocess.DEVNULL,
                                             stdout=log, stderr=log)

    def find(self) -> int:
        return self._process.pid

    def reap(self):
        self._process.wait()

    def retry(self):
        subprocess.run([self.binary, "queue", "retry", "--all", "-c", self.file], check=True, timeout=PATIENCE,
                       stdout=subprocess.DEVNULL)


MAIN_CF = """
compatibility_level = 3.6
queue_directory = {directory}/queue
data_directory = {directory}/data
maillog_file = {directory}/mail.log
maillog_file_prefixes = {directory}
myhostname = relay.bench.example
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
mydestination =
alias_maps =
relayhost = [127.0.0.1]:{upstream}
smtp_tls_security_level = encrypt
smtp_tls_CAfile = {authority}
smtp_sasl_auth_enable = yes
smtp_sasl_password_maps = texthash:{directory}/passwords
smtp_sasl_security_options = noanonymous
"""

HELD = "smtpd_recipient_restrictions = check_recipient_access static:hold, permit_mynetworks, reject\n"

SENDER_DEPENDENT = "smtp_sender_dependent_authentication = yes\n"

# Everything that the manual names for more throughput to one destination; durability stays as it is.
TUNING = """
in_flow_delay = 0s
default_process_limit = 200
default_destination_concurrency_limit = 100
initial_destination_concurrency = 100
smtp_connection_cache_destinations = [127.0.0.1]:{upstream}
smtp_tls_connection_reuse = yes
smtp_tls_session_cache_database = btree:{directory}/data/smtp_scache
smtpd_peername_lookup = no
smtpd_client_connection_count_limit = 0
qmgr_message_active_limit = 100000
qmgr_message_recipient_limit = 100000
"""

MASTER_CF = """
127.0.0.1:{port} inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - {connections} smtp
error unix - - n - - error
retry unix - - n - - error
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
tlsproxy unix - - n - 0 tlsproxy
showq unix n - n - - showq
postlog unix-dgram n - n - 1 postlogd
"""

QUEUES = ("active", "bounce", "corrupt", "defer", "deferred", "flush", "hold", "incoming", "private", "saved", "trace")


class Postfix(Peer):
    name = "Postfix"
    tuning = ""

    def configure(self):
        (self.directory / "etc").mkdir()
        self._make_queue()
        setup = self.setup
        values = {"directory": self.directory, "upstream": setup.upstream, "authority": setup.authority,
                  "port": self.port, "connections": setup.connections or "-"}
        main = MAIN_CF + self.tuning + HELD * setup.held + SENDER_DEPENDENT * (setup.accounts > 1)
        if setup.connections:
            main += f"smtp_destination_concurrency_limit = {setup.connections}\n"
        (self.directory / "etc/main.cf").write_text(main.format(**values))
        (self.directory / "etc/master.cf").write_text(MASTER_CF.format(**values))
        passwords = [f"[127.0.0.1]:{setup.upstream} everybody:secret\n"]
        if setup.accounts > 1:
            passwords = [f"s{number}@bench.example s{number}:secret\n" for number in range(setup.accounts)]
        (self.directory / "passwords").write_text("".join(passwords))

    def _make_queue(self):
        postfix, postdrop = pwd.getpwnam("postfix").pw_uid, grp.getgrnam("postdrop").gr_gid
        for name in ("queue", "queue/pid", "data"):
            (self.directory / name).mkdir()
        for name in (*QUEUES, "public", "maildrop"):
            folder = self.directory / "queue" / name
            folder.mkdir(mode=0o700)
            os.chown(folder, postfix, postdrop if name in ("public", "maildrop") else -1)
        os.chown(self.directory / "data", postfix, -1)

    def launch(self):
        with open(self.directory / "start.log", "a") as log:
            subprocess.run(["/usr/lib/postfix/sbin/master", "-w", "-c", self.directory / "etc"], check=True,
                           timeout=PATIENCE, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def find(self) -> int:
        return int((self.directory / "queue/pid/master.pid").read_text())

    def retry(self):
        subprocess.run(["postqueue", "-c", self.directory / "etc", "-f"], check=True, timeout=PATIENCE)


class TunedPostfix(Postfix):
    name = "Postfix, tuned"
    tuning = TUNING


PEERS = {"relayd": Relayd, "postfix": Postfix, "postfix-tuned": TunedPostfix}
