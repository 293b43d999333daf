"""The classic tables of main.cf beside the same in YAML: the envelopes and the bytes that arrive are the same."""

import re
import smtplib
import ssl

import pytest

from conftest import ACCOUNTS
from support.provider import Provider
from support.relayd import Client
from support.waiting import PATIENCE

GENERIC = """
root@host.int.example alerts@example.com
@int.example noreply@example.com
"""
CANONICAL = """
ann.smith@corp.example ann@example.com
@corp.example @example.com
"""
VIRTUAL = """
info@old.example ann@example.net
@old.example catchall@example.net
sales@o.example a@x.example, b@y.example, info@old.example
"""
ALIASES = """
root: ops, carl@z.example
ops: dora@z.example
news: ann@n.example, inner, app@int.example
owner-news: boss@x.example
inner: carl@z.example, eve@z.example
owner-inner: keeper@x.example
"""

MAIN_CF = """
myorigin = o.example
mydestination = o.example
append_dot_mydomain = no
mynetworks = 127.0.0.0/8
local_header_rewrite_clients = permit_mynetworks
smtpd_sender_restrictions =
smtpd_relay_restrictions = permit_mynetworks, reject
local_recipient_maps =
mailbox_size_limit = 0
smtp_generic_maps = texthash:{generic}
canonical_maps = texthash:{canonical}
virtual_alias_maps = texthash:{virtual}
alias_maps = texthash:{aliases}
prepend_delivered_header =
"""
MASTER_CF = "local unix - n n - - local\n"

FROM = {"root@host.int.example": '"Root of host" <root@host.int.example>', "app@int.example": "app@int.example (App \\( 1)",
        "ann.smith@corp.example": "Ann <ann.smith@corp.example>", "bob@corp.example": "<bob@corp.example>",
        "ann@elsewhere.example": '"ann@int.example" <ann@elsewhere.example>', "": "Ann <ann.smith@corp.example>"}
TO = {"info@old.example": "info@old.example", "x@old.example": "Team: x@old.example, y@corp.example;",
      "sales@o.example": "sales@o.example,\r\n\tbob@corp.example", "root@o.example": "Root <root@o.example>",
      "news@o.example": "news@o.example", "inner@o.example": "inner@o.example",
      "bob@customer.example": "undisclosed-recipients:;", "bob@corp.example": "=?utf-8?q?bob=40corp.example?= <bob@corp.example>"}
ARRIVALS = {"sales@o.example": 3, "root@o.example": 2, "news@o.example": 4, "inner@o.example": 2}  # else one
LISTS = ("news@o.example", "inner@o.example")
# With the null sender relayd keeps it for a list; Postfix puts the owner in its place.
CASES = [(sender, to) for sender in FROM for to in TO if sender or to not in LISTS]


def message(sender: str, to: str, number: int) -> bytes:
    return (f"From: {FROM[sender]}\r\nTo: {TO[to]}\r\nReply-To: help@int.example\r\nCc: carl@corp.example, dan@z.example\r\n"
            f"Subject: ann@int.example\r\nDate: Sun, 22 Nov 2026 12:00:00 +0000\r\nMessage-ID: <{number}@int.example>\r\n"
            "\r\nann@int.example\r\n").encode()


def bytes_of(data: bytes) -> bytes:
    """Without what each server writes of itself, and without folds: Postfix folds anew what it rewrites."""
    return re.sub(rb"\r\n[ \t]+", b" ", re.sub(rb"(?m)^(Received|Delivered-To):.*\r\n([ \t].*\r\n)*", b"", data))


def arrived(sink) -> dict:
    """By Message-ID: what arrived, as often as it did."""
    found = {}
    for taken in sink.messages.all(lambda one: one.taken):
        id = re.search(rb"(?m)^Message-ID: <(\d+)@", taken.data)[1]
        for recipient in taken.recipients:
            found.setdefault(int(id), set()).add((taken.sender, recipient, bytes_of(taken.data)))
    return found


@pytest.fixture(scope="module")
def postfix(certificate):
    one = Provider(certificate, {"alice": (ACCOUNTS["alice"], "alice@x")})
    files = {name: one.file(name, text) for name, text in (("generic", GENERIC), ("canonical", CANONICAL),
                                                           ("virtual", VIRTUAL))}
    files["aliases"] = one.file("aliases", re.sub(r"(?m)^([\w-]+):", r"\1", ALIASES))
    one.add(MAIN_CF.format(**files), MASTER_CF)
    with one:
        yield one, files
        print(one.log())


def test_what_arrives_is_what_postfix_sends(relay, upstream, postfix, certificate, tmp_path):
    provider, files = postfix
    fake = upstream(accounts={}, certificate=None)
    aliases = tmp_path / "aliases"
    aliases.write_text(ALIASES)
    one = relay({"fake": fake.config()}, origin="o.example", aliases_file=str(aliases),
                aliases={"info@old.example": "ann@example.net", "@old.example": "catchall@example.net",
                         "sales@o.example": ["a@x.example", "b@y.example", "info@old.example"]},
                rewrite=[{"table": "canonical", "when": "taken"}, {"table": "generic", "when": "sent"}],
                tables={name: {"file": str(files[name])} for name in ("generic", "canonical")})
    trust = ssl.create_default_context(cafile=certificate.authority)
    with smtplib.SMTP("127.0.0.1", provider.starttls_port, timeout=PATIENCE) as theirs, \
            Client("127.0.0.1", one.port, timeout=PATIENCE) as ours:
        theirs.starttls(context=trust)
        theirs.login("alice", ACCOUNTS["alice"])
        for number, (sender, to) in enumerate(CASES):
            for client in (theirs, ours):
                client.sendmail(sender, [to], message(sender, to, number))
    one.wait("delivered", sum(ARRIVALS.get(to, 1) for _, to in CASES))
    provider.sink.messages.wait(lambda taken: taken.taken, len(CASES) + len([to for _, to in CASES if to == "news@o.example"]))
    expected = arrived(provider.sink)
    got = arrived(fake)
    for number, case in enumerate(CASES):
        assert got[number] == expected[number], case
