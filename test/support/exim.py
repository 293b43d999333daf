"""Exim: a real Exim as a mail provider runs it, from a private directory: STARTTLS, AUTH PLAIN, its checks of who
speaks out of turn. What it takes stays in its own spool, where a test reads it, or goes on to `sink`, an in-process
server, so that a test sees the bytes.

Debian lets no second mail server be installed beside Postfix, so that script/bootstrap unpacks it, and makes the user
it must run under.
"""

import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import tempfile
from pathlib import Path

from support.certificates import Certificate
from support.upstream import FakeUpstream
from support.waiting import PATIENCE, poll

BINARY = Path(__file__).resolve().parents[2] / "build" / "peers" / "exim4-daemon-light" / "usr" / "sbin" / "exim4"
USER = "Debian-exim"

CONFIGURATION = """
primary_hostname = exim.test.example
spool_directory = {directory}/spool
log_file_path = {directory}/%slog
log_selector = +pipelining
keep_environment =
exim_path = {binary}
deliver_drop_privilege
{queue_only}
smtp_accept_max = 100
smtp_accept_max_per_host = 50
smtp_accept_queue_per_connection = 0
smtp_accept_max_per_connection = 2000
message_size_limit = 50M
rfc1413_hosts =
host_lookup =
tls_advertise_hosts = *
tls_certificate = {directory}/certificate
tls_privatekey = {directory}/key
auth_advertise_hosts = ${{if def:tls_in_cipher {{*}}{{}}}}
acl_smtp_mail = check_sender
acl_smtp_rcpt = check_recipient
acl_smtp_data = accept

begin acl
check_sender:
  deny message = Authentication required
       !authenticated = *
  accept
check_recipient:
  accept

begin routers
onwards:
  driver = manualroute
  transport = onwards
  route_list = * 127.0.0.1::{sink} byname
  self = send

begin transports
onwards:
  driver = smtp
  hosts_avoid_tls = *
  allow_localhost

begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_set_id = $auth2
  server_prompts = :
  server_condition = ${{if and {{{{eq {{$auth2}}{{{username}}}}}{{eq {{$auth3}}{{{password}}}}}}}}}
"""


class Exim:
    """`sink`: the server that it hands its mail on to."""

    def __init__(self, certificate: Certificate, username: str, password: str, sink: FakeUpstream | None = None):
        assert BINARY.exists(), f"{BINARY} is missing: run script/bootstrap"
        assert os.geteuid() == 0, "Exim starts as root only: run the scenarios as root"
        self._certificate = certificate
        self._sink = sink
        self._credential = {"username": username, "password": password}
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self._directory = Path(tempfile.mkdtemp(prefix="exim-"))
        self._write_files()

    def _write_files(self):
        self._directory.chmod(0o755)
        # Copies: it reads them when it is nobody in particular any more.
        shutil.copy(self._certificate.certificate, self._directory / "certificate")
        shutil.copy(self._certificate.key, self._directory / "key")
        (self._directory / "spool").mkdir()
        for name in ("certificate", "key", "spool", "."):
            shutil.chown(self._directory / name, USER, pwd.getpwnam(USER).pw_gid)
        values = {"directory": self._directory, "binary": BINARY, "queue_only": "" if self._sink else "queue_only",
                  "sink": self._sink.port if self._sink else 0, **self._credential}
        (self._directory / "exim.conf").write_text(CONFIGURATION.format(**values))

    def start(self):
        # It is handed the listening socket, as inetd does, so that it need not be waited for.
        command = [BINARY, "-bw", "-C", self._directory / "exim.conf"]
        with open(self._directory / "start.log", "w") as log:
            self._process = subprocess.Popen(list(map(str, command)), stdin=self._listener, stdout=log, stderr=log)
        return self

    def stop(self):
        self._listener.close()
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(PATIENCE)
        poll(self._end_children)
        shutil.rmtree(self._directory)

    def _end_children(self) -> bool:
        """Those that still hold a connection, or hand a message on. Whether there were none."""
        name, ended = os.fsencode(self._directory), True
        for process in Path("/proc").glob("[0-9]*"):
            try:
                if name in (process / "cmdline").read_bytes():
                    ended = False
                    os.kill(int(process.name), signal.SIGTERM)
            except OSError:  # it has ended since
                pass
        return ended

    def config(self, **more) -> dict:
        """The entry under `upstreams:` that leads here."""
        return {"host": "127.0.0.1", "port": self._listener.getsockname()[1], "tls": "starttls",
                "tls_options": {"ca_file": str(self._certificate.authority)}, **self._credential, **more}

    def received(self) -> list[tuple[str, str]]:
        """What it took: (account, Message-ID)."""
        return re.findall(r" <= .* A=plain:(\S+) .* id=(\S+)", self._read("mainlog"))

    def log(self) -> str:
        return "".join(self._read(name) for name in ("start.log", "mainlog", "rejectlog", "paniclog"))

    def _read(self, name: str) -> str:
        file = self._directory / name
        return file.read_text() if file.exists() else ""

    def __enter__(self):
        return self.start()

    def __exit__(self, failure, *_):
        if failure is not None:
            print(self.log())
        self.stop()
