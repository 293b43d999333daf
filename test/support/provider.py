"""Provider: a real Postfix with Dovecot's SASL, run from a private directory, as a mail provider runs them.

It takes mail by STARTTLS on one port and by TLS from the first byte on another, from logged-in accounts only, and
refuses an account that sends as somebody else. What it takes goes on to `sink`, an in-process server, so that a test
sees the bytes; the Received field that Postfix puts on top names the account.
"""

import os
import pwd
import grp
import re
import select
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

from support.certificates import Certificate
from support.upstream import FakeUpstream
from support.waiting import PATIENCE, free_port

MAIN_CF = """
compatibility_level = 3.6
queue_directory = {directory}/queue
data_directory = {directory}/data
maillog_file = {directory}/mail.log
maillog_file_prefixes = {directory}
myhostname = provider.test.example
inet_protocols = ipv4
mydestination =
alias_maps =
local_header_rewrite_clients =
relayhost = [127.0.0.1]:{sink}
smtp_dns_support_level = disabled
smtp_destination_recipient_limit = 1000
smtpd_peername_lookup = no
smtpd_recipient_limit = 1000
message_size_limit = 52428800
smtpd_tls_cert_file = {certificate}
smtpd_tls_key_file = {key}
smtpd_tls_auth_only = yes
smtpd_sasl_auth_enable = yes
smtpd_sasl_type = dovecot
smtpd_sasl_path = private/auth
smtpd_sasl_authenticated_header = yes
smtpd_sender_login_maps = inline:{{ {owners} }}
smtpd_sender_restrictions = reject_sender_login_mismatch
smtpd_relay_restrictions = permit_sasl_authenticated, reject
"""

MASTER_CF = """
127.0.0.1:{starttls} inet n - n - - smtpd -o smtpd_tls_security_level=encrypt
127.0.0.1:{implicit} inet n - n - - smtpd -o smtpd_tls_wrappermode=yes
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
error unix - - n - - error
retry unix - - n - - error
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""

DOVECOT_CONF = """
base_dir = {directory}/dovecot
log_path = {directory}/dovecot.log
protocols =
ssl = no
disable_plaintext_auth = no
auth_mechanisms = plain login cram-md5 scram-sha-1 scram-sha-256
auth_failure_delay = 0
passdb {{
  driver = passwd-file
  args = scheme=PLAIN {directory}/users
}}
service auth {{
  unix_listener {directory}/queue/private/auth {{
    mode = 0600
    user = postfix
  }}
}}
"""

QUEUES = ("active", "bounce", "corrupt", "defer", "deferred", "flush", "hold", "incoming", "private", "saved", "trace")


class Provider:
    """`accounts` maps each login to (password, the address it may send as); `settings` are more lines of main.cf."""

    def __init__(self, certificate: Certificate, accounts: dict[str, tuple[str, str]], settings: str = ""):
        assert os.geteuid() == 0, "Postfix and Dovecot start as root only: run the scenarios as root"
        self.certificate = certificate
        self.starttls_port = free_port()
        self.implicit_port = free_port()
        self.sink = FakeUpstream()
        self._directory = Path(tempfile.mkdtemp(prefix="provider-"))
        self._make_directories()
        values = {
            "directory": self._directory, "sink": self.sink.port,
            "certificate": certificate.certificate, "key": certificate.key,
            "starttls": self.starttls_port, "implicit": self.implicit_port,
            "owners": ", ".join(f"{{ {address} = {login} }}" for login, (_, address) in accounts.items()),
        }
        self._write("postfix/main.cf", MAIN_CF.format(**values) + settings)
        self._write("postfix/master.cf", MASTER_CF.format(**values))
        self._write("dovecot.conf", DOVECOT_CONF.format(**values))
        self._write("users", "".join(f"{login}:{password}\n" for login, (password, _) in accounts.items()))

    def file(self, name: str, text: str) -> Path:
        """A file that its servers can read, such as a table."""
        self._write(name, text)
        return self._directory / name

    def add(self, main: str, master: str = ""):
        """More lines of main.cf and of master.cf, before the start."""
        for name, text in (("main.cf", main), ("master.cf", master)):
            with open(self._directory / "postfix" / name, "a") as file:
                file.write(text)

    def start(self):
        # Both return when their servers listen.
        self._run("dovecot", "-c", str(self._directory / "dovecot.conf"))
        self._run("/usr/lib/postfix/sbin/master", "-w", "-c", str(self._directory / "postfix"))
        return self

    def stop(self):
        for pid_file in ("queue/pid/master.pid", "dovecot/master.pid"):
            self._end(self._directory / pid_file)
        self.sink.close()
        shutil.rmtree(self._directory)

    def config(self, style: str, **more) -> dict:
        """The entry under `upstreams:` that leads here; style is "starttls" or "implicit"."""
        port = self.starttls_port if style == "starttls" else self.implicit_port
        return {"host": "127.0.0.1", "port": port, "tls": style,
                "tls_options": {"ca_file": str(self.certificate.authority)}, **more}

    def received(self, count: int) -> list:
        return self.sink.taken(count)

    def log(self) -> str:
        return "".join((self._directory / name).read_text() for name in ("start.log", "mail.log", "dovecot.log")
                       if (self._directory / name).exists())

    def __enter__(self):
        return self.start()

    def __exit__(self, failure, *_):
        if failure is not None:
            print(self.log())
        self.stop()

    def _make_directories(self):
        self._directory.chmod(0o755)
        postfix, postdrop = pwd.getpwnam("postfix").pw_uid, grp.getgrnam("postdrop").gr_gid
        for name in ("postfix", "queue", "queue/pid", "data", "dovecot"):
            (self._directory / name).mkdir()
        for name in (*QUEUES, "public", "maildrop"):
            folder = self._directory / "queue" / name
            folder.mkdir(mode=0o700)
            os.chown(folder, postfix, postdrop if name in ("public", "maildrop") else -1)
        os.chown(self._directory / "data", postfix, -1)

    def _write(self, name: str, text: str):
        (self._directory / name).write_text(text.lstrip())

    def _run(self, *command: str):
        # Into a file: the daemon that stays behind would keep a pipe open.
        with open(self._directory / "start.log", "a") as log:
            started = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, timeout=PATIENCE)
        if started.returncode != 0:
            complaint = self.log()
            self.stop()
            raise AssertionError(f"{command} ended with {started.returncode}:\n{complaint}")

    @staticmethod
    def _end(pid_file: Path):
        if not pid_file.exists():
            return
        try:
            process = os.pidfd_open(int(pid_file.read_text()))
        except ProcessLookupError:
            return
        signal.pidfd_send_signal(process, signal.SIGTERM)
        ended, _, _ = select.select([process], [], [], PATIENCE)
        os.close(process)
        assert ended, f"{pid_file} did not end"


def account_of(data: bytes) -> str | None:
    """Who sent a message, by the Received field of Postfix."""
    found = re.search(rb"\(Authenticated sender: ([^)]*)\)", data)
    return found and found[1].decode()
