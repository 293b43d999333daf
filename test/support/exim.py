"""Exim: a real Exim as a mail provider runs it, from a private directory: STARTTLS, AUTH PLAIN, its checks of who
speaks out of turn. What it takes stays in its own spool, where a test reads it.

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
from support.waiting import PATIENCE

BINARY = Path(__file__).resolve().parents[2] / "build" / "peers" / "exim4-daemon-light" / "usr" / "sbin" / "exim4"
USER = "Debian-exim"

CONFIGURATION = """
primary_hostname = exim.test.example
spool_directory = {directory}/spool
log_file_path = {directory}/%slog
log_selector = +pipelining
keep_environment =
queue_only
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

begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_set_id = $auth2
  server_prompts = :
  server_condition = ${{if and {{{{eq {{$auth2}}{{{username}}}}}{{eq {{$auth3}}{{{password}}}}}}}}}
"""

class Exim:
    def __init__(self, certificate: Certificate, username: str, password: str):
        assert BINARY.exists(), f"{BINARY} is missing: run script/bootstrap"
        assert os.geteuid() == 0, "Exim starts as root only: run the scenarios as root"
        self._certificate = certificate
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
        (self._directory / "exim.conf").write_text(CONFIGURATION.format(directory=self._directory, **self._credential))

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
        shutil.rmtree(self._directory)

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
