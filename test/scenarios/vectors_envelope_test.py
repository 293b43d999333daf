"""Paths and parameters of MAIL and RCPT (RFC 5321 4.1.2, 4.5.3.1) that have fooled other servers: kept to the octet, or
refused alone, with the transaction as it was."""

import pytest

from support.raw_client import TRANSACTION_OPEN

BEGIN = b"MAIL FROM:<eve@example.com>"
DOMAIN = b".".join([b"d" * 63] * 4)  # 255 octets
TAKEN = {  # a recipient, and what the next server gets
    b"<@a,@b:u@c>": b"u@c", b"<@[192.0.2.1]:v@c>": b"v@c", b"<postmaster>": b"postmaster@test.example",
    b"<PostMaster>": b"PostMaster@test.example", b" <w@c>  ": b"w@c",
    b"<x@c> NOTIFY=never orcpt=rfc822;a+2Bb@c": b"x@c",
    **{b"<" + kept + b">": kept for kept in (
        b"u%d@c", b"d!u@c", b'"u@d"@c', b"u@[127.0.0.1]", b"u@[IPv6:::1]", b"U.v+W@C.Example", b'"a b"@c', b'""@c',
        b'"\\"\\\\"@c', b"\"'; rm -rf ~; '\"@c", b"u{x}|`y`$HOME@c", b"'or'1'='1@c", b"l" * 64 + b"@" + DOMAIN)},
}
NO_PATHS = {
    b"u@c": "501", b"": "501", b"<u@c": "501", b"u@c>": "501", b"<<u@c>>": "501", b"<u@c>x": "501", b"<u@c.>": "501",
    b"<a@b c@d>": "501", b"<a@b@c>": "501", b"<@a,@b>": "501", b"<@a:>": "501", b"<@c>": "501", b"<u@>": "501",
    b"< u@c>": "501", b"<u@-c>": "501", b"<u@c..d>": "501", b"<-oX@y>": "501", b"<;id;>": "501", b"<;id;@c>": "501",
    b"<$(id)@c>": "501", b'<"u>@c>': "501", b'<"u"x@c>': "501", b"<u@c,v@c>": "501", b"<u@c>\n<v@c>": "500",
    b'<"a\rb"@c>': "500", b'<"a\r\nb"@c>': "501 5.5.4, 500", b"<a\0b@c>": "500", b"<a\tb@c>": "500",
    b"<l" + b"l" * 64 + b"@c>": "501", b"<u@" + DOMAIN + b"d>": "501", b"<u@gr\xc3\xbc\xc3\x9fe.example>": "553 5.6.7",
    b"<\xff@c>": "553 5.6.7", b"<u@c> X": "555", b"<u@c> =": "555", b"<u@c> X=1": "555", b"<u@c> <v@c>": "555",
    b"<u@c> SIZE=1\rX": "500",
}
BAD_UTF8 = [
    b"\xc0\xaf", b"\xe0\x80\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xff", b"\xc3", b"\x80", b"\xe2\x80\xa8",
    b"\xe2\x80\xae", b"\xe2\x80\x8f", b"\xe2\x81\xa6", b"\xef\xbb\xbf", b"\xc2\x85", b"\xd8\x9c",
]
MAIL_PARAMETERS = {
    "SIZE=-1": "501", "SIZE=": "501", "SIZE": "501", "SIZE=1x": "501", "SIZE=" + "1" * 21: "501",
    "SIZE=1 SIZE=1": "501", "SIZE=1 size=2": "501", "SIZE=" + "9" * 20: "552 5.3.4",
    "SIZE=18446744073709551617": "552 5.3.4", "SIZE=+1": "501", "BODY=9BIT": "504", "BODY=BINARYMIME": "504",
    "BODY": "504", "BODY=7BIT BODY=8BITMIME": "501", "SMTPUTF8=1": "501", "RET=ALL": "501", "RET": "501",
    "ENVID=": "501", "ENVID=a+0Ab": "501", "ENVID=a+E9": "501", "ENVID=" + "x" * 101: "501",
    "AUTH=": "501", "AUTH=+0A": "501",
    "AUTH=a+0D+0Ab@c": "501", "AUTH=<": "501", "BY=120;R": "555", "HOLDFOR=60": "555",
    "HOLDUNTIL=2027-01-01T00:00:00Z": "555", "NOTIFY=NEVER": "555", "MT-PRIORITY=9": "555", "XFORWARD=1": "555",
}
RCPT_PARAMETERS = {
    "NOTIFY=NEVER,FAILURE": "501", "NOTIFY=": "501", "NOTIFY=FAILURE,FAILURE": "501",
    "NOTIFY=NEVER NOTIFY=NEVER": "501", "NOTIFY=ALWAYS": "501", "ORCPT=rfc822;a+0A": "501",
    "ORCPT=rfc822;a+0D+0A.+0D+0A": "501", "ORCPT=rfc822;+00": "501", "ORCPT=rfc822;+C3+A9@b": "501",
    "ORCPT=rfc822;a=b": "501", "ORCPT=rfc822;a+4": "501", "ORCPT=rfc822;+7f": "501", "ORCPT=rfc822": "501", "ORCPT=;a": "501",
    "ORCPT=rfc822;" + "x" * 500: "501", "SIZE=1": "555", "RET=FULL": "555", "RRVS=2027-01-01T00:00:00Z": "555",
}


def test_recipients_are_kept_to_the_octet(post_office):
    sender = post_office.sender()
    with post_office.at_data(sender, rcpt=[b"RCPT TO:" + path for path in TAKEN]) as client:
        client.say(b"Subject: kept\r\n\r\n.\r\n")
        client.expect("250 2.0.0")
    assert [one.encode() for one in post_office.arrived(sender).recipients] == list(TAKEN.values())


@pytest.mark.parametrize("path", NO_PATHS, ids=repr)
def test_what_is_no_path_changes_nothing(post_office, path):
    with post_office.client() as client:
        client.demand(b"MAIL FROM:" + path + b"\r\n", NO_PATHS[path])
    with post_office.client() as client:
        client.say(BEGIN + b"\r\n")
        client.expect("250 2.1.0")
        client.demand(b"RCPT TO:" + path + b"\r\n", NO_PATHS[path], TRANSACTION_OPEN)


@pytest.mark.parametrize("octets", BAD_UTF8, ids=repr)
def test_bad_unicode_is_refused_though_utf8_is_announced(post_office, octets):
    path = b"<u" + octets + b"@c>"
    with post_office.client() as client:
        client.demand(b"MAIL FROM:" + path + b" SMTPUTF8\r\n", "553 5.6.7")
    with post_office.client() as client:
        client.say(BEGIN + b" SMTPUTF8\r\n")
        client.expect("250 2.1.0")
        client.demand(b"RCPT TO:" + path + b"\r\n", "553 5.6.7", TRANSACTION_OPEN)


@pytest.mark.parametrize("parameters", [*MAIL_PARAMETERS, *RCPT_PARAMETERS], ids=lambda text: text[:40])
def test_a_parameter_that_is_wrong_is_not_guessed_at(post_office, parameters):
    with post_office.client() as client:
        if parameters in MAIL_PARAMETERS:
            client.demand(BEGIN + f" {parameters}\r\n".encode(), MAIL_PARAMETERS[parameters])
            return
        client.say(BEGIN + b"\r\n")
        client.expect("250 2.1.0")
        client.demand(f"RCPT TO:<u@c> {parameters}\r\n".encode(), RCPT_PARAMETERS[parameters], TRANSACTION_OPEN)
