"""The mail programs and libraries that compose a message of their own from addresses, a subject and a text."""

from support.submission import SCRIPTS, Submission, run


def mutt(job: Submission, program: str = "mutt", mechanism: str = "scram-sha-256"):
    """Left to itself it logs in by SCRAM-SHA-256-PLUS, and then has no channel binding."""
    scheme = "smtps" if job.tls == "implicit" else "smtp"
    login = f"{job.login[0]}@" if job.login else ""
    settings = job.folder / "muttrc"
    lines = ["unset copy", "set charset=utf-8", "set send_charset=utf-8", "set allow_8bit", "set use_8bitmime",
             f'set smtp_url="{scheme}://{login}127.0.0.1:{job.port}"', f'set from="{job.sender}"',
             f'set envelope_from_address="{job.sender}"', "set use_envelope_from", "set hostname=client.test.example",
             f"set ssl_starttls={'yes' if job.tls == 'starttls' else 'no'}",
             f"set ssl_force_tls={'no' if job.tls == 'none' else 'yes'}"]
    if job.login:
        lines += [f'set smtp_pass="{job.login[1]}"', f"set smtp_authenticators={mechanism}"]
    if job.authority:
        lines.append(f'set ssl_ca_certificates_file="{job.authority}"')
    settings.write_text("\n".join(lines) + "\n")
    run(program, "-n", "-F", settings, "-s", job.subject, "--", *job.recipients, input=job.body.encode(),
        cwd=job.folder)


def neomutt(job: Submission):
    mutt(job, "neomutt", "plain")


def s_nail(job: Submission):
    scheme = "smtps" if job.tls == "implicit" else "smtp"
    login = ":".join(job.login) + "@" if job.login else ""
    settings = [f"mta={scheme}://{login}127.0.0.1:{job.port}", "v15-compat=yes", "ttycharset=utf-8",
                "mime-encoding=8bit", f"smtp-auth={'plain' if job.login else 'none'}",
                f"from={job.sender}", "hostname=client.test.example"]
    if job.tls == "starttls":
        settings.append("smtp-use-starttls")
    if job.authority:
        settings += [f"tls-ca-file={job.authority}", "tls-ca-no-defaults", "tls-verify=strict"]
    options = [word for setting in settings for word in ("-S", setting)]
    run("s-nail", "-:/", *options, "-s", job.subject, "-r", job.sender, *job.recipients,
        input=job.body.encode())


def phpmailer(job: Submission):
    run("php", "-d", "memory_limit=-1", SCRIPTS / "phpmailer.php", job.in_json())


def symfony(job: Submission):
    run("php", "-d", "memory_limit=-1", SCRIPTS / "symfony.php", job.in_json())


def ruby_mail(job: Submission):
    trust = {"SSL_CERT_FILE": str(job.authority)} if job.authority else {}
    run("ruby", SCRIPTS / "mail.rb", job.in_json(), environment=trust)


def git(job: Submission):
    patch = job.folder / "one.patch"
    patch.write_text(f"From: {job.sender}\nSubject: {job.subject}\n\n{job.body}")
    encryption = {"none": [], "starttls": ["--smtp-encryption=tls"], "implicit": ["--smtp-encryption=ssl"]}[job.tls]
    trust = [f"--smtp-ssl-cert-path={job.authority}"] if job.authority else []
    login = [f"--smtp-user={job.login[0]}", f"--smtp-pass={job.login[1]}", "--smtp-auth=PLAIN"] if job.login else []
    run("git", "send-email", "--smtp-server=127.0.0.1", f"--smtp-server-port={job.port}",
        "--smtp-domain=client.test.example", *encryption, *trust, *login, "--confirm=never", "--quiet", "--no-validate",
        "--suppress-cc=all", "--8bit-encoding=UTF-8", f"--from={job.sender}", f"--envelope-sender={job.sender}",
        *[f"--to={recipient}" for recipient in job.recipients], patch, cwd=job.folder,
        environment={"EMAIL": job.sender})


COMPOSERS = {"mutt": mutt, "neomutt": neomutt, "s-nail": s_nail, "phpmailer": phpmailer, "symfony-mailer": symfony,
             "ruby-mail": ruby_mail, "git-send-email": git}
