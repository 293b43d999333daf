"""Postfix: as Debian ships it with a relayhost, and tuned as its manual says."""

import grp
import os
import pwd
import subprocess

from comparison.peer import PATIENCE, Peer

MAIN_CF = """
# An instance of its own, which answers on loopback.
compatibility_level = 3.6
queue_directory = {directory}/queue
data_directory = {directory}/data
maillog_file = {directory}/mail.log
maillog_file_prefixes = {directory}
myhostname = relay.bench.example
inet_protocols = ipv4
# Loopback may relay; nothing is delivered here, all goes to the smarthost.
mynetworks = 127.0.0.0/8
mydestination =
alias_maps =
relayhost = [127.0.0.1]:{upstream}
# No clear text: STARTTLS, then AUTH. This level does not verify the certificate; relayd always does.
smtp_tls_security_level = encrypt
smtp_tls_CAfile = {authority}
smtp_sasl_auth_enable = yes
smtp_sasl_password_maps = texthash:{directory}/passwords
smtp_sasl_security_options = noanonymous
"""

HELD = "smtpd_recipient_restrictions = check_recipient_access static:hold, permit_mynetworks, reject\n"

SENDER_DEPENDENT = "smtp_sender_dependent_authentication = yes\n"

# What the manual (TUNING_README, CONNECTION_CACHE_README, TLS_README, postconf(5)) names for more throughput to one
# destination; durability stays as it is.
TUNING = """
# Clients are not held up while the queue manager lags behind.
in_flow_delay = 0s
# So many processes of a service; and so many deliveries to the relayhost at a time, from the first on: 20 and 5 by default.
default_process_limit = 200
default_destination_concurrency_limit = 100
initial_destination_concurrency = 100
# Connections to the relayhost are kept also while little goes there, and with TLS too, by tlsproxy(8).
smtp_connection_cache_destinations = [127.0.0.1]:{upstream}
smtp_tls_connection_reuse = yes
# A new connection resumes the TLS session of an earlier one.
smtp_tls_session_cache_database = btree:{directory}/data/smtp_scache
# No name is looked up for a client, and one client may have as many connections as it likes.
smtpd_peername_lookup = no
smtpd_client_connection_count_limit = 0
# The queue manager holds so many messages in memory; 20,000 by default.
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

MILTER = """
smtpd_milters = unix:{directory}/opendkim.sock
milter_default_action = tempfail
"""

OPENDKIM = """
Socket local:{directory}/opendkim.sock
UMask 000
Mode s
Domain {domain}
Selector {selector}
KeyFile {key}
Canonicalization relaxed/relaxed
Syslog no
"""

QUEUES = ("active", "bounce", "corrupt", "defer", "deferred", "flush", "hold", "incoming", "private", "saved", "trace")


class Postfix(Peer):
    """Addresses are rewritten by smtp_generic_maps, and signed by opendkim, a milter."""

    name = "Postfix"
    tuning = ""
    milter: subprocess.Popen | None = None

    def configure(self):
        (self.directory / "etc").mkdir()
        self._make_queue()
        setup = self.setup
        values = {"directory": self.directory, "upstream": setup.upstream, "authority": setup.authority,
                  "port": self.port, "connections": setup.connections or "-"}
        main = MAIN_CF + self.tuning + HELD * setup.held + SENDER_DEPENDENT * (setup.accounts > 1)
        if setup.change:
            main += self._change()
        if setup.connections:
            main += f"smtp_destination_concurrency_limit = {setup.connections}\n"
        (self.directory / "etc/main.cf").write_text(main.format(**values))
        (self.directory / "etc/master.cf").write_text(MASTER_CF.format(**values))
        passwords = [f"[127.0.0.1]:{setup.upstream} everybody:secret\n"]
        if setup.accounts > 1:
            passwords = [f"s{number}@bench.example s{number}:secret\n" for number in range(setup.accounts)]
        (self.directory / "passwords").write_text("".join(passwords))

    def _change(self) -> str:
        change = self.setup.change
        if not change.signs:
            table = self.directory / "generic"
            table.write_bytes(change.table.read_bytes())
            (self.directory / "etc/main.cf").touch()
            subprocess.run(["postmap", "-c", self.directory / "etc", f"hash:{table}"], check=True, timeout=PATIENCE)
            return f"smtp_generic_maps = hash:{table}\n"
        (key,) = change.keys.config()
        (self.directory / "opendkim.conf").write_text(OPENDKIM.format(directory=self.directory, **key))
        return MILTER

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
            if self.setup.change and self.setup.change.signs:
                self.milter = subprocess.Popen(["/usr/sbin/opendkim", "-f", "-x", self.directory / "opendkim.conf"],
                                               stdin=subprocess.DEVNULL, stdout=log, stderr=log)
            subprocess.run(["/usr/lib/postfix/sbin/master", "-w", "-c", self.directory / "etc"], check=True,
                           timeout=PATIENCE, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def find(self) -> int:
        return int((self.directory / "queue/pid/master.pid").read_text())

    def roots(self) -> list[int]:
        return [self.pid, *([self.milter.pid] if self.milter else [])]

    def reap(self):
        if self.milter:
            self.milter.terminate()
            self.milter.wait(PATIENCE)

    def retry(self):
        subprocess.run(["postqueue", "-c", self.directory / "etc", "-f"], check=True, timeout=PATIENCE)


class TunedPostfix(Postfix):
    name = "Postfix, tuned"
    tuning = TUNING
