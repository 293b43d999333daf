"""A real Dovecot, run from a private directory: as a submission server (Dovecot), or as a mail store (DovecotStore)."""

import mailbox
import os
import pwd
import select
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

from support.certificates import Certificate
from support.upstream import FakeUpstream
from support.waiting import PATIENCE, free_port

CONFIGURATION = """
base_dir = {directory}/run
state_dir = {directory}/state
log_path = {directory}/dovecot.log
protocols = submission
hostname = dovecot.test.example
ssl = required
ssl_cert = <{certificate}
ssl_key = <{key}
mail_location = maildir:{directory}/mail
passdb {{
  driver = static
  args = password={password}
}}
userdb {{
  driver = static
  args = uid=nobody gid=nogroup home={directory}/mail
}}
submission_relay_host = 127.0.0.1
submission_relay_port = {sink}
service submission-login {{
  inet_listener submission {{
    address = 127.0.0.1
    port = {port}
  }}
}}
"""


STORE = """
base_dir = {directory}/run
state_dir = {directory}/state
log_path = {directory}/dovecot.log
protocols = lmtp
hostname = dovecot.test.example
ssl = no
mail_location = maildir:{directory}/mail/%n
mail_plugins = quota
quota_full_tempfail = yes
passdb {{
  driver = passwd-file
  args = {directory}/users
}}
userdb {{
  driver = passwd-file
  args = {directory}/users
}}
plugin {{
  quota = count:User
  quota_vsizes = yes
}}
service lmtp {{
  executable = {executable}
  inet_listener lmtp {{
    address = 127.0.0.1
    port = {port}
  }}
  unix_listener {directory}/lmtp {{
    mode = 0666
  }}
}}
"""
LMTP = Path(__file__).resolve().parents[2] / "build/peers/dovecot-lmtpd/usr/lib/dovecot/lmtp"


class Daemon:
    """A Dovecot below a directory of its own, which `configure` fills in."""

    def __init__(self):
        assert os.geteuid() == 0, "Dovecot starts as root only: run the scenarios as root"
        self._port = free_port()
        self._directory = Path(tempfile.mkdtemp(prefix="dovecot-"))
        self._directory.chmod(0o755)
        for name in ("run", "state", "mail"):
            (self._directory / name).mkdir()
        shutil.chown(self._directory / "mail", "nobody", "nogroup")
        self._configuration = self._directory / "dovecot.conf"

    def start(self):
        # It returns when its servers listen. Into a file: the daemon that stays behind would keep a pipe open.
        with open(self._directory / "start.log", "w") as log:
            subprocess.run(["dovecot", "-c", self._configuration], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                           timeout=PATIENCE, check=True)
        return self

    def stop(self):
        process = os.pidfd_open(int((self._directory / "run" / "master.pid").read_text()))
        signal.pidfd_send_signal(process, signal.SIGTERM)
        ended, _, _ = select.select([process], [], [], PATIENCE)
        os.close(process)
        shutil.rmtree(self._directory)
        assert ended, "Dovecot did not end"

    def log(self) -> str:
        return "".join((self._directory / name).read_text() for name in ("start.log", "dovecot.log")
                       if (self._directory / name).exists())

    def __enter__(self):
        return self.start()

    def __exit__(self, failure, *_):
        if failure is not None:
            print(self.log())
        self.stop()


class Dovecot(Daemon):
    """The submission service. It hands each message on, while its client waits, to `sink`, an in-process server.
    `username` is whatever it is asked for; `settings` are more lines of its configuration.

    Version 2.3 offers PIPELINING and cannot stand a MAIL behind a final dot: it has handed the message on, then panics
    and ends without a reply.
    """

    def __init__(self, certificate: Certificate, username: str, password: str, settings: str = ""):
        super().__init__()
        self._certificate = certificate
        self._credential = {"username": username, "password": password}
        self.sink = FakeUpstream()
        self._configuration.write_text(settings + CONFIGURATION.format(
            directory=self._directory, certificate=certificate.certificate, key=certificate.key, password=password,
            sink=self.sink.port, port=self._port))

    def stop(self):
        self.sink.close()
        super().stop()

    def config(self, **more) -> dict:
        """The entry under `upstreams:` that leads here."""
        return {"host": "127.0.0.1", "port": self._port, "tls": "starttls",
                "tls_options": {"ca_file": str(self._certificate.authority)}, **self._credential, **more}

    def panics(self) -> int:
        return self.log().count("Panic:")


class DovecotStore(Daemon):
    """Mailboxes of the `users`, names with the octets that fit; a full one is refused for now (4xx)."""

    def __init__(self, users: dict[str, int]):
        super().__init__()
        owner = pwd.getpwnam("nobody")
        (self._directory / "users").write_text("".join(
            f"{user}:{{plain}}x:{owner.pw_uid}:{owner.pw_gid}::{self._directory}/mail::userdb_quota_rule=*:bytes={room}\n"
            for user, room in users.items()))
        self._configuration.write_text(STORE.format(directory=self._directory, port=self._port, executable=LMTP))

    def config(self, unix: bool) -> dict:
        """The entry under `upstreams:` that leads here."""
        where = {"host": f"unix:{self._directory}/lmtp"} if unix else \
            {"host": "127.0.0.1", "port": self._port, "tls": "none"}
        return {**where, "protocol": "lmtp"}

    def mailbox(self, name: str) -> list:
        """What is in it."""
        folder = self._directory / "mail" / name
        return list(mailbox.Maildir(folder, create=False)) if folder.exists() else []
