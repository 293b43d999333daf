"""The mail programs and libraries people send with that hand a message over as it is, octet for octet."""

import asyncio
import smtplib
import ssl

import aiosmtplib

from support.submission import SCRIPTS, ClientFailed, Submission, run
from support.waiting import PATIENCE

HELO = "client.test.example"


def swaks(job: Submission):
    # It always puts an end of line of its own before the final dot.
    message = job.file.read_bytes().removesuffix(b"\r\n")
    tls = {"none": [], "starttls": ["--tls"], "implicit": ["--tls-on-connect"]}[job.tls]
    trust = ["--tls-verify", "--tls-ca-path", job.authority] if tls else []
    login = ["--auth", "PLAIN", "--auth-user", job.login[0], "--auth-password", job.login[1]] if job.login else []
    run("swaks", "--server", "127.0.0.1", "--port", job.port, "--helo", HELO, "--from", job.sender,
        "--to", ",".join(job.recipients), "--data", "-", "--suppress-data", *tls, *trust, *login, input=message)


def msmtp(job: Submission):
    tls = {"none": ["--tls=off"], "starttls": ["--tls=on", "--tls-starttls=on"],
           "implicit": ["--tls=on", "--tls-starttls=off"]}[job.tls]
    trust = [f"--tls-trust-file={job.authority}"] if job.authority else []
    login = [f"--user={job.login[0]}", f"--passwordeval=echo {job.login[1]}"] if job.login else []
    with open(job.file, "rb") as message:
        run("msmtp", "--file=/dev/null", "--host=127.0.0.1", f"--port={job.port}", *tls, *trust,
            "--auth=on" if login else "--auth=off", *login, f"--domain={HELO}", f"--from={job.sender}", "--",
            *job.recipients, stdin=message)


def curl(job: Submission):
    scheme = "smtps" if job.tls == "implicit" else "smtp"
    tls = [] if job.tls == "none" else ["--ssl-reqd", "--cacert", job.authority]
    login = ["--user", ":".join(job.login)] if job.login else []
    rcpt = [word for recipient in job.recipients for word in ("--mail-rcpt", recipient)]
    run("curl", "--silent", "--show-error", f"{scheme}://127.0.0.1:{job.port}/{HELO}", *tls, *login,
        "--mail-from", job.sender, *rcpt, "--upload-file", job.file)


def nodemailer(job: Submission):
    run("node", SCRIPTS / "nodemailer.js", job.in_json(), environment={"NODE_PATH": "/usr/share/nodejs"})


def net_smtp_perl(job: Submission):
    run("perl", SCRIPTS / "net_smtp.pl", job.in_json())


def net_smtp_ruby(job: Submission):
    run("ruby", SCRIPTS / "net_smtp.rb", job.in_json())


def python(job: Submission):
    trust = ssl.create_default_context(cafile=job.authority) if job.authority else None
    options = {"host": "127.0.0.1", "port": job.port, "local_hostname": HELO, "timeout": PATIENCE}
    try:
        with smtplib.SMTP_SSL(**options, context=trust) if job.tls == "implicit" else smtplib.SMTP(**options) as client:
            if job.tls == "starttls":
                client.starttls(context=trust)
            if job.login:
                client.login(*job.login)
            client.sendmail(job.sender, job.recipients, job.file.read_bytes(), extensions_for(job))
    except smtplib.SMTPException as failure:
        raise ClientFailed(str(failure)) from failure


def python_asyncio(job: Submission):
    trust = ssl.create_default_context(cafile=job.authority) if job.authority else None
    name, password = job.login or (None, None)
    sending = aiosmtplib.send(job.file.read_bytes(), sender=job.sender, recipients=job.recipients,
                              hostname="127.0.0.1", port=job.port, local_hostname=HELO, timeout=PATIENCE,
                              use_tls=job.tls == "implicit", start_tls=job.tls == "starttls", tls_context=trust,
                              username=name, password=password, mail_options=extensions_for(job))
    try:
        asyncio.run(sending)
    except aiosmtplib.SMTPException as failure:
        raise ClientFailed(str(failure)) from failure


def extensions_for(job: Submission) -> list[str]:
    """The parameters of MAIL that a careful program gives."""
    addresses = "".join([job.sender, *job.recipients])
    return ["BODY=8BITMIME"] + ([] if addresses.isascii() else ["SMTPUTF8"])


CLIENTS = {"swaks": swaks, "msmtp": msmtp, "curl": curl, "nodemailer": nodemailer, "smtplib": python,
           "aiosmtplib": python_asyncio, "perl-net-smtp": net_smtp_perl, "ruby-net-smtp": net_smtp_ruby}
