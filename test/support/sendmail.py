"""relayd as the sendmail program of a machine, and what the programs that call it wrote into it."""

import os
import subprocess
from pathlib import Path

from support import mail
from support.relayd import BINARY
from support.waiting import PATIENCE

# Keeps the words and all that each call had on standard input, and hands them to the real one. SMTP goes on line by
# line, a message once it is whole.
RECORDER = """#!/bin/sh
printf '%s\\n' "$@" >"$RECORD/words"
case " $* " in
*" -bs "*)
  tee "$RECORD/message" | "$REAL" "$@"
  exit
  ;;
esac
cat >"$RECORD/message"
exec "$REAL" "$@" <"$RECORD/message"
"""


class Sendmail:
    """The programs sendmail, mailq and newaliases in a folder of their own, for a relay's configuration file."""

    def __init__(self, folder: Path, config: Path):
        self.folder = folder
        self.program = folder / "sendmail"  # what programs are told to call
        self.record = folder / "record"
        self.record.mkdir(parents=True)
        real = folder / "real"
        real.mkdir()
        for name in ("sendmail", "mailq", "newaliases"):
            (real / name).symlink_to(BINARY)
        self.real = real / "sendmail"
        self.program.write_text(RECORDER)
        self.program.chmod(0o755)
        self.environment = {**os.environ, "RELAYD_CONFIG": str(config), "RECORD": str(self.record),
                            "REAL": str(self.real), "HOME": str(folder), "PATH": f"{real}:{os.environ['PATH']}"}

    def run(self, *words, message: bytes = b"", program: str = "sendmail", **options) -> subprocess.CompletedProcess:
        return subprocess.run([self.real.with_name(program), *map(str, words)], input=message, capture_output=True,
                              timeout=PATIENCE, env=self.environment, **options)

    def converse(self, *lines: str) -> tuple[list[bytes], int]:
        """Says each line when the reply to the one before has come. The codes of the replies, and the exit code."""
        program = subprocess.Popen([self.real, "-bs"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                   env=self.environment)

        def reply() -> bytes:
            while (line := program.stdout.readline())[3:4] == b"-":
                pass
            return line[:3]

        codes = [reply()]
        for line in lines:
            program.stdin.write(line.encode() + b"\r\n")
            program.stdin.flush()
            codes.append(reply())
        program.communicate(timeout=PATIENCE)
        return codes, program.returncode

    def words(self) -> list[str]:
        return (self.record / "words").read_text().splitlines()

    def message(self) -> bytes:
        return (self.record / "message").read_bytes()


def canonical(message: bytes) -> bytes:
    """With CR LF at the end of every line."""
    lines = message.replace(b"\r\n", b"\n").split(b"\n")
    return b"\r\n".join(lines) if not lines[-1] else b"\r\n".join([*lines, b""])


def without_bcc(message: bytes) -> bytes:
    header, empty_line, body = message.partition(b"\r\n\r\n")
    fields = mail.FIELD.findall(header + b"\r\n")
    kept = b"".join(field for field in fields if not field.lower().startswith(b"bcc:"))
    return kept.removesuffix(b"\r\n") + empty_line + body


def demand_arrived(arrived: bytes, written: bytes, from_header: bool):
    """What a program wrote has arrived, with nothing but the fields that were missing, and without Bcc for -t."""
    wanted = canonical(written)
    arrived = mail.without_field(arrived, b"Received")
    for name in ("Date", "Message-ID"):
        if name.lower() not in mail.field_names(wanted):
            arrived = mail.without_field(arrived, name.encode())
    mail.demand_same(arrived, without_bcc(wanted) if from_header else wanted)
