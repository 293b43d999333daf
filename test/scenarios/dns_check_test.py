"""`relayd dns --check` against a DNS server that says what it is told to."""

import json
import time

import pytest

from support.dkim import Keys
from support.dns import REFUSED, SERVFAIL, Dns
from support.relayd import command

OK, WRONG, BAD_USAGE, UNAVAILABLE = 0, 1, 64, 69
SPF, DMARC = "example.com", "_dmarc.example.com"
RSA, ED25519 = "rsa._domainkey.example.com", "ed25519._domainkey.example.com"

CONFIG = """\
hostname: relay.test.example
upstreams:
  ses: {{provider: ses, region: eu-west-1, username: a, password: {{env: HOME}}}}
  mailgun: {{provider: mailgun, username: a@mg.example.com, password: {{env: HOME}}}}
senders:
  - {{match: "@example.com", upstream: [ses, mailgun]}}
dkim: {dkim}
"""


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    return Keys(tmp_path_factory.mktemp("keys"))


@pytest.fixture
def dns(keys):
    """All is right there."""
    texts = {SPF: ["google-site-verification=x", "v=spf1 include:_spf.example.com include:mailgun.org -all"],
             "_spf.example.com": ["v=spf1 include:amazonses.com -all"], "amazonses.com": ["v=spf1 ip4:192.0.2.0/24 -all"],
             "mailgun.org": ["v=spf1 ip4:198.51.100.0/24 ~all"], DMARC: ["v=DMARC1; p=reject"]}
    for line in keys.records.read_text().splitlines():
        name, record = line.split(" ", 1)
        texts[name] = [record]
    with Dns(texts) as server:
        yield server


@pytest.fixture
def check(dns, keys, tmp_path):
    def ask(*words, server=None):
        path = tmp_path / "relayd.yaml"
        path.touch(mode=0o600)
        path.write_text(CONFIG.format(dkim=json.dumps(keys.config())))
        return command("dns", "Example.com", "--check", "--server", dns.address if server is None else server, "-c", path, *words)

    return ask


def lines(told, state: str) -> list[str]:
    return [line for line in told.stdout.splitlines() if line.startswith(state)]


def test_all_is_right(check, dns):
    told = check()
    assert told.returncode == OK, told.stdout + told.stderr
    assert [line.split()[:3] for line in told.stdout.splitlines()] == [
        ["ok", "spf", f"{SPF}:"], ["ok", "dkim", f"{RSA}:"], ["ok", "dkim", f"{ED25519}:"],
        ["ok", "dmarc", f"{DMARC}:"], ["ok", "dmarc", f"{DMARC}:"], ["ok", "dmarc", f"{DMARC}:"]]
    assert "3 of 10 look-ups" in told.stdout and "mail through 'ses' passes DMARC" in told.stdout
    assert {way for way, _ in dns.asked} == {"udp"}


def test_what_is_missing_is_shown_as_it_should_be(check, dns):
    dns.texts = {"mailgun.org": dns.texts["mailgun.org"], SPF: ["v=spf1 mx include:mailgun.org ~all"]}
    told = check()
    assert told.returncode == WRONG
    assert f'publish {SPF}. IN TXT "v=spf1 mx include:mailgun.org include:amazonses.com ~all"' in told.stdout
    assert f'publish {RSA}. IN TXT ( "v=DKIM1; k=rsa; p=' in told.stdout
    assert f'publish {DMARC}. IN TXT "v=DMARC1; p=none; rua=mailto:postmaster@example.com"' in told.stdout
    assert len(lines(told, "wrong")) == 4


@pytest.mark.parametrize("name, records, says", [
    (SPF, ["v=spf1 include:amazonses.com include:mailgun.org ~all", "v=spf1 -all"], "has 2 SPF records"),
    (SPF, ["v=spf1 include:amazonses.com include:nowhere.example include:mailgun.org ~all"], "nowhere.example is named"),
    (SPF, ["v=spf1 include:amazonses.com include:mailgun.org" + " exists:%{i}.x.example" * 9], "11 look-ups"),
    (SPF, ["v=spf1 -include:amazonses.com include:amazonses.com include:mailgun.org -all"], "a term before the include"),
    (SPF, ["v=spf1 include:amazonses.com include:mailgun.org ip4:0.0.0.0/0 -all"], "lets everybody send"),
    (SPF, ["v=spf1\tinclude:amazonses.com include:mailgun.org -all"], "is broken: it must begin with"),
    ("amazonses.com", ["v=spf1 -all"], f"{SPF}: amazonses.com is named, and its record lets nobody send"),
    (RSA, ["v=DKIM1; k=rsa; p="], "revoked"),
    (RSA, ["v=DKIM1; k=rsa; p=AAAA"], "that of another key"),
    (DMARC, ["v=DMARC1; p=refuse"], "'p=refuse' must be"),
])
def test_what_is_wrong_is_said(check, dns, name, records, says):
    dns.texts[name] = records
    told = check()
    assert told.returncode == WRONG
    (line,) = lines(told, "wrong")
    assert says in line and f" {SPF if name == 'amazonses.com' else name}: " in line


def test_a_test_key_is_told_and_not_wrong(check, dns):
    dns.texts[RSA] = [dns.texts[RSA][0].replace("k=rsa;", "k=rsa; t=y;")]
    told = check()
    assert told.returncode == OK
    assert "'t=y'" in lines(told, "note")[0]


def test_strings_are_joined_without_a_blank(check, dns):
    record = dns.texts[RSA][0]
    dns.texts[RSA] = [[record[:100], record[100:101], "", record[101:]]]
    dns.texts[SPF] = [["v=spf1 include:amazon", "ses.com include:mailgun.org -all"]]
    assert check().returncode == OK


def test_what_is_too_long_for_udp_is_asked_for_over_tcp(check, dns):
    dns.texts[SPF] = [*dns.texts[SPF], *(f"verification={i}-" + "x" * 200 for i in range(20))]
    assert check().returncode == OK
    assert ("tcp", SPF) in dns.asked


@pytest.mark.parametrize("unfollowed", (False, True))
def test_a_cname_leads_to_the_key_of_a_provider(check, dns, unfollowed):
    dns.texts["key.provider.example"] = dns.texts.pop(RSA)
    dns.aliases = {RSA: "one.provider.example", "one.provider.example": "key.provider.example"}
    dns.unfollowed = set(dns.aliases) if unfollowed else set()
    told = check()
    assert told.returncode == OK, told.stdout


def test_cnames_in_a_circle_end(check, dns):
    dns.texts.pop(RSA)
    dns.aliases = {RSA: "one.provider.example", "one.provider.example": RSA}
    dns.unfollowed = set(dns.aliases)
    told = check()
    assert told.returncode == UNAVAILABLE and "from CNAME to CNAME" in lines(told, "unknown")[0]


def test_the_records_of_another_name_do_not_count(check, dns):
    dns.owners[RSA] = "evil.example"
    told = check()
    assert told.returncode == UNAVAILABLE
    (line,) = lines(told, "unknown")
    assert f"cannot look up {RSA}: the DNS server answers for another name" in line


def test_a_name_is_the_same_in_capital_letters(check, dns):
    dns.owners[RSA] = RSA.upper()
    assert check().returncode == OK


def test_a_question_is_no_answer(check, dns):
    dns.echoes = True
    told = check()
    assert told.returncode == UNAVAILABLE
    assert "what the DNS server sends is no answer" in told.stdout and not lines(told, "ok")


@pytest.mark.parametrize("code, says", [(SERVFAIL, "SERVFAIL"), (REFUSED, "REFUSED")])
def test_a_server_that_cannot_tell_leaves_it_unknown(check, dns, code, says):
    dns.codes["amazonses.com"] = code
    told = check()
    assert told.returncode == UNAVAILABLE
    (line,) = lines(told, "unknown")
    assert "cannot look up amazonses.com: " in line and says in line
    dns.texts[DMARC] = []
    assert check().returncode == WRONG  # one thing that is known to be wrong is enough


def test_a_server_that_does_not_answer_is_not_waited_for_long(check, dns):
    dns.codes = dict.fromkeys([SPF, RSA, ED25519, DMARC, "_dmarc.com"])
    began = time.monotonic()
    told = check()
    assert time.monotonic() - began < 15
    assert told.returncode == UNAVAILABLE
    assert len([line for line in lines(told, "unknown") if "no DNS server answers" in line]) == 4


def test_nobody_listens(check):
    told = check(server="127.0.0.1:1")
    assert told.returncode == UNAVAILABLE and "no DNS server tells" in told.stdout


@pytest.mark.parametrize("server", ["ns.example.com", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:70000", "127.0.0.1:0", "", "1.2.3", "10.0.0.0/8"])
def test_a_server_is_an_address(check, server):
    told = check(server=server)
    assert told.returncode == BAD_USAGE and told.stdout == ""


def test_what_dns_says_moves_no_cursor(check, dns):
    dns.texts[DMARC] = [b"v=DMARC1; p=\x1b[2J\r\nok spf\x00\xff; x=\"\\"]
    dns.texts[SPF] = [b"v=spf1 \x1b]0;x\x07 ~all"]
    for words in ((), ("--json",)):
        told = check(*words)
        assert told.returncode == WRONG
        assert not [c for c in told.stdout if ord(c) < 32 and c != "\n"]
        assert "\nok spf" not in told.stdout


def test_scripts_get_a_line_of_json_for_each_finding(check, dns):
    dns.texts[DMARC] = []
    told = check("--json")
    assert told.returncode == WRONG
    findings = [json.loads(line) for line in told.stdout.splitlines()]
    (wrong,) = [one for one in findings if one["state"] == "wrong"]
    assert wrong["record"] == "dmarc" and wrong["name"] == DMARC
    assert wrong["needed"] == "v=DMARC1; p=none; rua=mailto:postmaster@example.com"
    assert {one["state"] for one in findings} <= {"ok", "note", "wrong", "unknown"}
