"""Signatures of ours as others see them: dkimpy and opendkim verify what rewrite signs; keys and records by command."""

import base64
import re
import subprocess
from pathlib import Path

import pytest

from support.dkim import Keys
from support.relayd import BINARY, command

SIGN = Path(BINARY).resolve().parents[1] / "test" / "dkim_sign"
BAD_USAGE, CANNOT_CREATE, BAD_CONFIG = 64, 73, 78

HEADER = (b"Received: from x by y;\r\n\tFri, 20 Nov 2026 06:54:06 +0000\r\nFrom: \"A  B\"  <ann@news.example.com>\r\n"
          b"To: b@x.example,\r\n\tc@x.example  \r\nSubject: =?utf-8?q?a_b?=\r\n =?utf-8?q?c?=\r\n"
          b"Date: Fri, 20 Nov 2026 06:54:06 +0000\r\nMessage-ID: <1@example.com>\r\nMIME-Version: 1.0\r\n"
          b"Content-Type: text/plain; charset=utf-8\r\nX-Empty: \r\n")

BODIES = [b"", b"\r\n", b"\r\n\r\n\r\n", b" \t\r\n", b"a\r\n", b"a\r\n\r\n", b"a \r\n", b"a\r\n \r\n\r\n",
          b" C \r\nD \t E\r\n\r\n\r\n", b"a\t b  \r\n \r\n", b"\r\na\r\n", b" \r\na\r\n", b" a\r\n", b".\r\n", b"..\r\n",
          b"\xc3\xa9 \r\n", b"\xff\xfe\x80\r\n", b"a\x0bb\r\n", b"x" * 65535 + b" \t\r\ny\r\n",
          b"\r\n" * 70000 + b"z\r\n" + b"\r\n" * 70000, b"".join(b"%d %s\r\n" % (i, b"w " * (i % 9)) for i in range(500))]

HEADERS = [
    HEADER,
    b"From: ann@example.com\r\n",
    b"FROM: Ann (x) <ann@example.com>, bob@other.example\r\nSubject:\r\n x\r\n",
    b"From: ann@example.com\r\nSubject: \xc3\xa9\xc3\xa9  \xe2\x82\xac \r\nTo: x@y\r\nTo: z@y\r\nCc:\r\n",
    b"Resent-From: a@b\r\nResent-To: c@d\r\nReceived: x\r\nResent-From: e@f\r\nFrom: ann@example.com\r\n"
    b"List-Unsubscribe: <https://example.com/u>\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\nList-Id: <l.x>\r\n",
    b"From: ann@example.com\r\nReferences: " + b"\r\n ".join(b"<%d@example.com>" % i for i in range(200)) + b"\r\n",
    b"From: ann@example.com\r\nSubject: " + b"y" * 900 + b"\r\nContent-Type: text/plain\r\nReply-To: r@example.com\r\n",
]

MESSAGES = [HEADER + b"\r\n" + body for body in BODIES] + [header + b"\r\nHello.\r\n" for header in HEADERS] + [
    HEADERS[1]]  # no empty line, no body
BLANKS_BEFORE_COLONS = b"from: ann@example.com\r\nA: X\r\nSubject : Y\t\r\n\tZ  \r\n\r\nHello\r\n"  # dkimpy refuses it


def run(*words, **options) -> bytes:
    return subprocess.run(list(map(str, words)), check=True, capture_output=True, timeout=120, **options).stdout


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    """Keys of both types for example.com: the arguments of dkim_sign, and who verifies."""
    made = Keys(tmp_path_factory.mktemp("keys"))
    return [word for kind, file in made.files.items() for word in ("example.com", kind, file)], made


def sign(words, message: bytes) -> bytes:
    signed = run(SIGN, *words, input=message)
    assert signed.endswith(message)
    return signed


def test_dkimpy_verifies_each_signature_of_every_message(keys):
    words, made = keys
    signed = [sign(words, message) for message in MESSAGES]
    assert made.verify(signed) == ["True True"] * len(MESSAGES)


def test_dkimpy_sees_what_was_changed(keys):
    words, made = keys
    signed = sign(words, HEADER + b"\r\nHello there.\r\n")
    changed = [signed.replace(b"Hello", b"Hallo"), signed.replace(b"c@x.example", b"d@x.example"),
               signed.replace(b"From: ", b"Reply-To: eve@x.example\r\nFrom: ", 1),
               signed.replace(b"To: b@", b"Subject: another\r\nTo: b@", 1), b"From: eve@x.example\r\n" + signed]
    answers = made.verify(changed)
    assert len(answers) == len(changed) and not [answer for answer in answers if "True" in answer]


def test_opendkim_verifies_them_too(keys):
    words, made = keys
    messages = [*MESSAGES[:-1], BLANKS_BEFORE_COLONS]
    assert made.opendkim([sign(words, message) for message in messages]) == ["True True"] * len(messages)
    broken = sign(words, HEADER + b"\r\nHello\r\n").replace(b"c@x.example", b"d@x.example")
    assert made.opendkim([broken]) == ["False False"]


def test_mail_of_others_is_left_alone(keys):
    words, _ = keys
    for author in (b"From: eve@other.example\r\n", b"", b"From: x\r\n", b"From: a@example.com\r\nFrom: b@example.com\r\n"):
        message = author + b"Subject: x\r\n\r\nHello\r\n"
        assert run(SIGN, *words, input=message) == message


def test_keygen_makes_a_key_for_its_owner_alone_and_overwrites_none(tmp_path):
    file = tmp_path / "key.pem"
    words = ("dkim", "keygen", "--domain", "Example.com", "--selector", "S1", "-o", file)
    made = command(*words)
    assert made.returncode == 0, made.stderr
    assert file.stat().st_mode & 0o7777 == 0o600
    text = file.read_text()
    assert text not in made.stdout and text.splitlines()[1] not in made.stdout + made.stderr
    again = command(*words)
    assert again.returncode == CANNOT_CREATE and str(file) in again.stderr
    assert file.read_text() == text
    link = tmp_path / "link.pem"
    link.symlink_to(tmp_path / "elsewhere")
    assert command(*words[:-1], link).returncode == CANNOT_CREATE
    assert not (tmp_path / "elsewhere").exists()
    assert command(*words[:-1], "/nowhere/key.pem").returncode == CANNOT_CREATE


def test_the_record_is_that_of_the_key_in_both_forms(tmp_path):
    file = tmp_path / "key.pem"
    told = command("dkim", "keygen", "--domain", "example.com", "--selector", "s1", "-o", file).stdout
    public = base64.b64encode(run("openssl", "pkey", "-in", file, "-pubout", "-outform", "DER")).decode()
    record = f"v=DKIM1; k=rsa; p={public}"
    assert len(record) == 410
    assert f"\ns1._domainkey.example.com\n{record}\n" in told
    line = next(line for line in told.splitlines() if line.startswith("s1._domainkey.example.com. IN TXT ( "))
    strings = re.findall(r'"([^"]*)"', line)
    assert "".join(strings) == record and [len(string) for string in strings] == [255, 155]
    assert f'    key: "{file}"\n' in told


@pytest.mark.parametrize("wrong", [
    ("--domain", "exa mple.com", "--selector", "s1"), ("--domain", "example.com", "--selector", "a b"),
    ("--domain", "example.com"), ("--domain", "example.com", "--selector", "s1", "--type", "dsa")])
def test_keygen_refuses_what_no_record_can_have(wrong, tmp_path):
    assert command("dkim", "keygen", *wrong, cwd=tmp_path).returncode == BAD_USAGE
    assert list(tmp_path.iterdir()) == []


CONFIG = """\
hostname: relay.test.example
upstreams:
  ses: {{provider: ses, region: eu-west-1, username: a, password: {{env: HOME}}}}
  mailgun: {{provider: mailgun, username: a@mg.example.com, password: {{env: HOME}}}}
  own: {{host: smtp.example.net}}
  ses-2: {{provider: ses, region: us-east-1, username: b, password: {{env: HOME}}}}
senders:
  - {{match: "@example.com", upstream: [ses, own, ses-2]}}
  - {{match: news@example.com, upstream: mailgun}}
  - {{match: "@example.org", upstream: mailgun}}
dkim:
  - {{domain: example.com, selector: s1, key: {key}}}
"""


@pytest.fixture
def file(tmp_path):
    def write(key):
        path = tmp_path / "relayd.yaml"
        path.touch(mode=0o600)
        path.write_text(CONFIG.format(key=key))
        return path

    return write


def test_dns_shows_the_records_of_a_domain(keys, file):
    told = command("dns", "Example.com", "-c", file(keys[0][5]))
    assert told.returncode == 0, told.stderr
    record = keys[1].records.read_text().splitlines()[1].split(" ", 1)[1]
    lines = told.stdout.splitlines()
    assert f's1._domainkey.example.com. IN TXT "{record}"' in lines
    assert 'example.com. IN TXT "v=spf1 include:amazonses.com include:mailgun.org ~all"' in lines
    assert [line for line in lines if line.startswith("; SPF: ") and "'own' (smtp.example.net)" in line]
    assert '_dmarc.example.com. IN TXT "v=DMARC1; p=none; rua=mailto:postmaster@example.com"' in lines
    other = command("dns", "example.org", "-c", file(keys[0][5])).stdout
    assert "_domainkey" not in other and 'example.org. IN TXT "v=spf1 include:mailgun.org ~all"' in other


def made_by_openssl(folder, *words) -> Path:
    file = folder / "made.pem"
    run("openssl", words[0], "-out", file, *words[1:])
    file.chmod(0o600)
    return file


@pytest.mark.parametrize("words", [
    ("genrsa", "-traditional", "2048"), ("genrsa", "4096"), ("genpkey", "-algorithm", "ed25519")], ids="-".join)
def test_keys_that_others_made_are_taken(words, file, tmp_path):
    told = command("dns", "example.com", "-c", file(made_by_openssl(tmp_path, *words)))
    assert told.returncode == 0, told.stderr
    public = run("openssl", "pkey", "-in", tmp_path / "made.pem", "-pubout", "-outform", "DER")
    octets = public[-32:] if "ed25519" in words else public
    strings = re.findall(r'"([^"]*)"', re.search(r"^s1\._domainkey.*$", told.stdout, re.M)[0])
    assert "".join(strings).endswith("p=" + base64.b64encode(octets).decode())


@pytest.mark.parametrize("words, reason", [
    (("genrsa", "1024"), "1024 bits is too short"),
    (("genrsa", "4160"), "longer than verifiers"),
    (("genpkey", "-algorithm", "ed448"), "no key of RSA or Ed25519"),
    (("ecparam", "-genkey", "-name", "prime256v1"), "EC key"),
    (("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"), "RSA and Ed25519 alone"),
    (("genrsa", "-aes128", "-passout", "pass:secret", "2048"), "passphrase"),
    (("genrsa", "-traditional", "-aes128", "-passout", "pass:secret", "2048"), "passphrase"),
], ids=["short", "long", "ed448", "ec", "ec in PKCS#8", "encrypted", "encrypted PKCS#1"])
def test_a_key_that_cannot_sign_is_refused_with_its_reason(words, reason, file, tmp_path):
    path = file(made_by_openssl(tmp_path, *words))
    told = command("dns", "example.com", "-c", path)
    assert told.returncode == BAD_CONFIG
    assert told.stderr.startswith(f"{path}:12:") and reason in told.stderr and str(tmp_path / "made.pem") in told.stderr


def test_a_key_that_others_may_read_is_refused(keys, file, tmp_path):
    key = tmp_path / "open.pem"
    key.write_bytes(Path(keys[0][2]).read_bytes())
    for mode in (0o644, 0o640):
        key.chmod(mode)
        checked = command("check", "-c", file(key))
        assert checked.returncode == BAD_CONFIG
        assert f"others may read {key} (mode {mode:04o}): chmod 600" in checked.stderr
