"""The mail programs and libraries people send with, each handing one file of CR LF lines to a relay on loopback."""

import os
import smtplib
import subprocess
from pathlib import Path

from support.waiting import PATIENCE

NODEMAILER = Path(__file__).with_name("nodemailer.js")


def swaks(port: int, sender: str, recipients: list[str], file: Path):
    # It always puts an end of line of its own before the final dot.
    message = file.read_bytes().removesuffix(b"\r\n")
    _run("swaks", "--server", "127.0.0.1", "--port", port, "--helo", "client.test.example", "--from", sender,
         "--to", ",".join(recipients), "--data", "-", "--suppress-data", input=message)


def msmtp(port: int, sender: str, recipients: list[str], file: Path):
    with open(file, "rb") as message:
        _run("msmtp", "--file=/dev/null", "--host=127.0.0.1", f"--port={port}", "--tls=off", "--auth=off",
             "--domain=client.test.example", f"--from={sender}", "--", *recipients, stdin=message)


def nodemailer(port: int, sender: str, recipients: list[str], file: Path):
    _run("node", NODEMAILER, port, file, sender, *recipients, env={**os.environ, "NODE_PATH": "/usr/share/nodejs"})


def python(port: int, sender: str, recipients: list[str], file: Path):
    with smtplib.SMTP("127.0.0.1", port, local_hostname="client.test.example", timeout=PATIENCE) as client:
        refused = client.sendmail(sender, recipients, file.read_bytes(), mail_options=["BODY=8BITMIME"])
    assert not refused, refused


def curl(port: int, sender: str, recipients: list[str], file: Path):
    rcpt = [word for recipient in recipients for word in ("--mail-rcpt", recipient)]
    _run("curl", "--silent", "--show-error", f"smtp://127.0.0.1:{port}/client.test.example", "--mail-from", sender,
         *rcpt, "--upload-file", file)


CLIENTS = {"swaks": swaks, "msmtp": msmtp, "nodemailer": nodemailer, "python": python, "curl": curl}


def _run(*command, **options):
    ended = subprocess.run(list(map(str, command)), capture_output=True, timeout=PATIENCE, **options)
    assert ended.returncode == 0, f"{command[0]} ended with {ended.returncode}:\n{ended.stdout!r}\n{ended.stderr!r}"
