"""The mail programs and libraries that send through a sendmail program, each sending one message of its own making."""

import subprocess
from pathlib import Path

from support.sendmail import Sendmail
from support.waiting import PATIENCE

SENDER = "app@example.com"
RECIPIENT = "bob@rcpt.example"
HIDDEN = "eve@rcpt.example"
BODY = "Good morning,\n.\n..\nGr\u00fc\u00dfe\n"

PHP_MAIL = f"""
mail('{RECIPIENT}', 'from php', $argv[1], "From: {SENDER}\\r\\nBcc: {HIDDEN}\\r\\nMIME-Version: 1.0", '-f{SENDER}')
  or exit(1);
"""
PHPMAILER = f"""
require '/usr/share/php/libphp-phpmailer/autoload.php';
$mail = new PHPMailer\\PHPMailer\\PHPMailer(true);
$mail->isSendmail();
$mail->Sendmail = $argv[2];
$mail->CharSet = 'utf-8';
$mail->Encoding = '8bit';
$mail->setFrom('{SENDER}', 'The application');
$mail->addAddress('{RECIPIENT}');
$mail->addBCC('{HIDDEN}');
$mail->Subject = 'from PHPMailer';
$mail->Body = $argv[1];
$mail->send();
"""
SYMFONY = f"""
require '/usr/share/php/Symfony/Component/Mailer/autoload.php';
$transport = new Symfony\\Component\\Mailer\\Transport\\SendmailTransport($argv[2]);
$email = (new Symfony\\Component\\Mime\\Email())
  ->from('{SENDER}')->to('{RECIPIENT}')->bcc('{HIDDEN}')->subject('from Symfony')->text($argv[1]);
$transport->send($email);
"""
NODEMAILER = f"""
const transport = require('nodemailer').createTransport(
    {{ sendmail: true, newline: 'unix', path: process.argv[2] }});
transport.sendMail({{ from: '{SENDER}', to: '{RECIPIENT}', bcc: '{HIDDEN}', subject: 'from Nodemailer',
                     text: process.argv[1] }})
    .catch((failure) => {{ console.error(failure.message); process.exitCode = 1; }});
"""
RUBY = f"""
require 'mail'
Mail.defaults {{ delivery_method :sendmail, location: ARGV[1] }}
Mail.deliver {{ charset = 'UTF-8'; from '{SENDER}'; to '{RECIPIENT}'; bcc '{HIDDEN}'
  subject 'from ruby'; body ARGV[0] }}
"""
PATCH = f"""From 0000000000000000000000000000000000000001 Mon Sep 17 00:00:00 2001
From: The application <{SENDER}>
Date: Fri, 20 Nov 2026 08:00:00 +0000
Subject: [PATCH] from git

{BODY}---
"""


def php_mail(sendmail: Sendmail):
    _run(sendmail, "php", "-d", f"sendmail_path={sendmail.program} -t -i", "-r", PHP_MAIL, "--", BODY)


def phpmailer(sendmail: Sendmail):
    _run(sendmail, "php", "-r", PHPMAILER, "--", BODY, sendmail.program)


def symfony_smtp(sendmail: Sendmail):
    _run(sendmail, "php", "-r", SYMFONY, "--", BODY, f"{sendmail.program} -bs")


def symfony(sendmail: Sendmail):
    _run(sendmail, "php", "-r", SYMFONY, "--", BODY, f"{sendmail.program} -t -i")


def nodemailer(sendmail: Sendmail):
    sendmail.environment["NODE_PATH"] = "/usr/share/nodejs"
    _run(sendmail, "node", "-e", NODEMAILER, BODY, sendmail.program)


def ruby(sendmail: Sendmail):
    _run(sendmail, "ruby", "-e", RUBY, BODY, sendmail.program)


def git(sendmail: Sendmail):
    patch = sendmail.folder / "one.patch"
    patch.write_text(PATCH)
    _run(sendmail, "git", "send-email", f"--smtp-server={sendmail.program}", "--confirm=never", "--quiet",
         "--suppress-cc=all", "--8bit-encoding=UTF-8", f"--from={SENDER}", f"--envelope-sender={SENDER}",
         f"--to={RECIPIENT}", f"--bcc={HIDDEN}", patch, cwd=sendmail.folder)


def s_nail(sendmail: Sendmail):
    _run(sendmail, "s-nail", "-:/", "-S", f"mta=file://{sendmail.program}", "-S", "ttycharset=utf-8",
         "-s", "from s-nail", "-r", SENDER, "-b", HIDDEN, RECIPIENT, input=BODY.encode())


def bsd_mailx(sendmail: Sendmail):
    settings = sendmail.folder / "mailrc"
    settings.write_text(f"set sendmail={sendmail.program}\n")
    sendmail.environment["MAILRC"] = str(settings)
    _run(sendmail, "bsd-mailx", "-n", "-s", "from mailx", "-r", SENDER, "-b", HIDDEN, RECIPIENT,
         input=BODY.replace("\n.\n", "\n").encode())  # a lone dot ends its own input


def mutt(sendmail: Sendmail):
    settings = sendmail.folder / "muttrc"
    settings.write_text(f'set sendmail="{sendmail.program} -oem -oi"\nset from={SENDER}\nset use_envelope_from\n'
                        "unset copy\nset charset=utf-8\nset write_bcc=no\n")
    _run(sendmail, "mutt", "-n", "-F", settings, "-s", "from mutt", "-b", HIDDEN, "--", RECIPIENT,
         input=BODY.encode())


CALLERS = {"php mail": php_mail, "PHPMailer": phpmailer, "Symfony": symfony, "Symfony -bs": symfony_smtp,
           "Nodemailer": nodemailer, "ruby": ruby, "git": git, "s-nail": s_nail, "bsd-mailx": bsd_mailx, "mutt": mutt}


def _run(sendmail: Sendmail, *command, cwd: Path | None = None, input: bytes = b""):
    ended = subprocess.run(list(map(str, command)), input=input, capture_output=True, timeout=PATIENCE, cwd=cwd,
                           env={**sendmail.environment, "LANG": "C.UTF-8", "EMAIL": SENDER})
    assert ended.returncode == 0, f"{command[0]} ended with {ended.returncode}:\n{ended.stdout!r}\n{ended.stderr!r}"
