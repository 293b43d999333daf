"""OpenSMTPD, as Debian ships it, with a smarthost."""

from pathlib import Path

from comparison.secluded import UNPACKED, Secluded

PROGRAMS = UNPACKED / "opensmtpd/usr"

# It runs under these names or not at all; only its own view of the machine knows them.
USERS = {"opensmtpd": 61001, "opensmtpq": 61002}

# From loopback to anywhere. `label@` names the credential in the table of secrets; smtp+tls demands STARTTLS and
# verifies the certificate by the authority. A client may hand in more than the usual 100 messages on a connection.
CONFIGURATION = """
ca "*" cert "{authority}"
smtp limit max-mails 100000000
{limits}
listen on 127.0.0.1 port {port} hostname relay.bench.example
table secrets file:{directory}/secrets
"""
# Each account is an action of its own, which the sender chooses.
RELAY = """
action "{name}" relay host smtp+tls://{name}@localhost:{upstream} auth <secrets>
match from any {senders} for any action "{name}"
"""
# Of the whole upstream: `host` is its address. Without them 10 for an address.
LIMITS = "mta limit max-conn-per-host {connections}"


class OpenSmtpd(Secluded):
    name = "OpenSMTPD"

    def configure(self):
        setup = self.setup
        names = {f"s{number}": f'mail-from "s{number}@bench.example"' for number in range(setup.accounts)}
        if setup.accounts == 1:
            names = {"everybody": ""}
        limits = LIMITS.format(connections=setup.connections) if setup.connections else ""
        text = CONFIGURATION.format(authority=setup.authority, limits=limits, port=self.port, directory=self.directory)
        text += "".join(RELAY.format(name=name, upstream=setup.upstream, senders=senders)
                        for name, senders in names.items())
        file = self.directory / "smtpd.conf"
        file.write_text(text)
        (self.directory / "secrets").write_text("".join(f"{name} {name}:secret\n" for name in names))
        self.folder("spool/smtpd", mode=0o711)
        self.folder("lib/opensmtpd/empty")
        self.mounts = {"/run": self.folder("run"), "/var/spool": self.folder("spool"),
                       "/var/lib": self.folder("lib"), "/usr/libexec": PROGRAMS / "libexec",
                       "/etc/passwd": self._with_users("/etc/passwd", "{name}:x:{number}:{number}::{home}:/usr/sbin/nologin"),
                       "/etc/group": self._with_users("/etc/group", "{name}:x:{number}:")}
        self.command = [PROGRAMS / "sbin/smtpd", "-F", "-f", file]

    def _with_users(self, original: str, line: str) -> Path:
        copy = self.directory / Path(original).name
        lines = [line.format(name=name, number=number, home="/var/lib/opensmtpd/empty")
                 for name, number in USERS.items()]
        copy.write_text(Path(original).read_text() + "\n".join(lines) + "\n")
        return copy

    def start(self):
        super().start()
        if self.setup.held:
            self._control("pause", "mta")

    def retry(self):
        self._control("schedule", "all")

    def _control(self, *words):
        self.inside(PROGRAMS / "sbin/smtpctl", *words, group=USERS["opensmtpq"])
