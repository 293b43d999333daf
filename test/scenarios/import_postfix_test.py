"""relayd import-postfix: what it writes passes the check, what it leaves out it says, and mail goes the way it went."""

import os
import re
import stat

import pytest
import yaml

from conftest import ACCOUNTS
from support.provider import Provider
from support.relayd import Client, command
from support.waiting import PATIENCE

ALL, SOME, NO_DATA, CANNOT_CREATE = 0, 1, 65, 73
LOOPBACK = "mydestination =\ninet_interfaces = 127.0.0.1\ncompatibility_level = 3.6\n"
LOGIN = "smtp_sasl_auth_enable = yes\nsmtp_sasl_password_maps = hash:{place}/sasl\nsmtp_sasl_security_options = noanonymous\n"
MASTER = "smtp inet n - y - - smtpd\npickup unix n - y 60 1 pickup\nsmtp unix - - y - - smtp\n"


@pytest.fixture
def postfix(tmp_path):
    """Writes a Postfix's files; `{place}` in them is their folder."""
    def write(main: str, master: str = MASTER, **files: str):
        place = tmp_path / "postfix"
        place.mkdir()
        for name, text in {"main.cf": main, "master.cf": master, **files}.items():
            (place / name).write_text(text.replace("{place}", str(place)))
        return place
    return write


def imported(place, code: int):
    """The report, and the configuration that was written."""
    target = place.parent / "made" / "relayd.yaml"
    ended = command("import-postfix", place, "-o", target)
    assert ended.returncode == code, ended.stdout + ended.stderr
    assert "canary" not in target.read_text()
    assert command("check", "-c", target).returncode == 0
    return ended.stdout, yaml.safe_load(target.read_text())


@pytest.mark.parametrize("host, secret, upstream", [
    ("[smtp.mailgun.org]:587", "postmaster@mg.example.com:a-canary", {"provider": "mailgun"}),
    ("[smtp.eu.mailgun.org]:2525", "postmaster@mg.example.com:a-canary", {"provider": "mailgun", "region": "eu", "port": 2525}),
    ("[smtp.sendgrid.net]:587", "apikey:SG.a-canary", {"provider": "sendgrid"}),
    ("[email-smtp.eu-west-1.amazonaws.com]:587", "AKIA1:a-canary", {"provider": "ses", "region": "eu-west-1"}),
    ("[smtp.gmail.com]:587", "app@example.com:a-canary", {"provider": "gmail"}),
    ("[smtp.office365.com]:587", "app@example.com:a-canary", {"provider": "office365"}),
    ("[smtp.example.net]:submission", "app:a:canary", {"host": "smtp.example.net", "port": 587, "tls": "starttls"}),
])
def test_a_relayhost_with_an_account(postfix, host, secret, upstream):
    place = postfix(LOOPBACK + LOGIN + f"relayhost = {host}\nsmtp_tls_security_level = encrypt\n", sasl=f"{host} {secret}\n")
    report, made = imported(place, ALL)
    [got] = made["upstreams"].values()
    user, password = secret.split(":", 1)
    file = place.parent / "made" / got.pop("password")["file"]
    assert file.read_text() == password and stat.S_IMODE(file.stat().st_mode) == 0o600
    assert got.pop("username") == user
    port = got.get("port")
    assert {"port": port, **got} == {"port": port, **upstream}
    assert re.search(rf"sasl:1: the account '{re.escape(user)}' of the upstream", report)
    assert re.search(r"main\.cf:\d+: relayhost: the upstream", report)


def test_tables_of_addresses_listeners_and_limits(postfix):
    report, made = imported(postfix(
        LOOPBACK + "relayhost = [127.0.0.1]:2525\nmyorigin = example.com\nmynetworks = 127.0.0.0/8,\n  [2001:db8::]/32\n"
        "smtp_generic_maps = hash:{place}/generic\nvirtual_alias_maps = inline:{ { root = ops@example.net } }\n"
        "sender_canonical_maps = texthash:{place}/canonical\nalways_bcc = keep@example.com\n"
        "message_size_limit = 20480000\nmaximal_queue_lifetime = 2d\nsmtp_destination_rate_delay = 2s\n",
        generic="root alerts@example.com\n@localdomain @example.com\n", canonical="ann ann.smith@example.com\n"), ALL)
    assert made["listen"] == [{"address": "127.0.0.1:25", "allow": ["127.0.0.0/8", "2001:db8::/32"]}]
    assert made["aliases"] == {"root": ["ops@example.net"]} and made["bcc"] == [{"match": "*", "to": "keep@example.com"}]
    assert made["rewrite"] == [
        {"match": "root@example.com", "to": "alerts@example.com", "in": ["sender", "recipient", "header"], "when": "sent"},
        {"match": "@localdomain", "to": "@example.com", "in": ["sender", "recipient", "header"], "when": "sent"},
        {"match": "ann@example.com", "to": "ann.smith@example.com", "in": ["sender", "from"], "when": "taken"}]
    assert made["limits"] == {"message_size": 20480000} and made["queue"] == {"lifetime": "172800s"}
    assert made["upstreams"]["127.0.0.1"]["limits"] == {"rate": "1800 messages/h"}
    assert "generic:2: @localdomain becomes @example.com" in report


def test_what_is_left_out_is_named_with_its_line(postfix):
    report, made = imported(postfix(
        "relayhost = [127.0.0.1]:2525\nmydestination =\ninet_interfaces = 127.0.0.1\nheader_checks = regexp:/x\n"
        "bogus line\nrecipient_bcc_maps = mysql:/x.cf\na = $a\nsmtp_generic_maps = inline:{ {@b = no address} }\n",
        MASTER + "submission inet n - y - - smtpd -o smtpd_client_restrictions=permit_sasl_authenticated,reject\n"
        "policy unix - n n - - spawn argv=/x\n"), SOME)
    left = report.split("Left out:")[1]
    for line in ("main.cf:4: header_checks", "main.cf:5: a line that is no", "main.cf:6: recipient_bcc_maps: tables of type mysql",
                 "main.cf:7: a: its value cannot be known", "main.cf:8: smtp_generic_maps: relayd refuses it",
                 "master.cf:4: submission: nobody may relay there without a login", "master.cf:5: policy: the service spawn"):
        assert line in left, line
    assert "recipient_bcc_maps" not in report.split("Left out:")[0]
    assert [one["address"] for one in made["listen"]] == ["127.0.0.1:25"] and "rewrite" not in made


def test_nothing_is_overwritten_and_what_cannot_be_read_is_said(postfix):
    place = postfix("relayhost = [127.0.0.1]:2525\n")
    target = place.parent / "relayd.yaml"
    target.write_text("mine")
    assert command("import-postfix", place, "-o", target).returncode == CANNOT_CREATE and target.read_text() == "mine"
    target.unlink()
    (place / "main.cf").unlink()
    os.mkfifo(place / "main.cf")
    ended = command("import-postfix", place, "-o", target)
    assert ended.returncode == NO_DATA and "no regular file" in ended.stderr
    (place / "main.cf").unlink()
    (place / "main.cf").write_bytes(b"relayhost = a\0b\n")
    assert command("import-postfix", place, "-o", target).returncode == NO_DATA
    assert not target.exists()


SENDERS = ("app@example.com", "ann@shop.example", "carol@news.example")


def test_postfix_and_relayd_send_the_same_as_the_same(relay, upstream, postfix, certificate):
    """Accounts by sender, generic and virtual: real Postfix with the old files, relayd with the imported ones."""
    for_all, for_shop = (upstream() for _ in range(2))
    sasl = f"[127.0.0.1]:{for_all.port} alice:{ACCOUNTS['alice']}\n@shop.example bob:{ACCOUNTS['bob']}\n"
    place = postfix(
        f"relayhost = [127.0.0.1]:{for_all.port}\nmyorigin = example.com\nmydestination =\n"
        "sender_dependent_relayhost_maps = texthash:{place}/by_sender\nsmtp_sasl_auth_enable = yes\n"
        "smtp_sasl_password_maps = texthash:{place}/sasl\nsmtp_sender_dependent_authentication = yes\n"
        "smtp_sasl_security_options = noanonymous\nsmtp_sasl_tls_security_options = noanonymous\n"
        f"smtp_tls_security_level = verify\nsmtp_tls_CAfile = {certificate.authority}\n"
        "smtp_generic_maps = texthash:{place}/generic\nvirtual_alias_maps = texthash:{place}/virtual\n"
        "inet_interfaces = 127.0.0.1\nmynetworks = 127.0.0.0/8\nlocal_header_rewrite_clients = permit_mynetworks\n"
        "smtpd_relay_restrictions = permit_mynetworks, reject\nsmtpd_sender_restrictions =\n", sasl=sasl,
        by_sender=f"@shop.example [127.0.0.1]:{for_shop.port}\n", generic="carol@news.example news@example.com\n",
        virtual="list@example.com x@customer.example, y@customer.example\n")
    place.chmod(0o755), place.parent.chmod(0o755)
    _, made = imported(place, SOME)  # local_header_rewrite_clients
    ours = relay({name: {**one, **({"password": str((place.parent / "made" / one["password"]["file"]).read_text())}
                                   if "password" in one else {})} for name, one in made["upstreams"].items()},
                 [{**rule, **({"password": str((place.parent / "made" / rule["password"]["file"]).read_text())}
                              if "password" in rule else {})} for rule in made["senders"]],
                 rewrite=made["rewrite"], aliases=made["aliases"], origin=made["origin"])
    theirs = Provider(certificate, {"alice": ("unused", "alice@x")})
    theirs.add((place / "main.cf").read_text())
    seen = []
    with theirs:
        for port, tls in ((ours.port, False), (theirs.starttls_port, True)):
            with Client("127.0.0.1", port, timeout=PATIENCE) as client:
                if tls:
                    client.starttls()
                for sender in SENDERS:
                    client.sendmail(sender, ["list@example.com"], f"From: {sender}\r\nTo: list@example.com\r\nSubject: s\r\n"
                                    f"Date: Sun, 22 Nov 2026 12:00:00 +0000\r\nMessage-ID: <{sender}>\r\n\r\nbody\r\n".encode())
            count = len(seen) + 1
            for_all.taken(2 * count), for_shop.taken(count)
            seen.append({(fake.port, one.account, one.sender, tuple(sorted(one.recipients)),
                          re.sub(rb"(?m)^Received:.*\r\n([ \t].*\r\n)*", b"", one.data))
                         for fake, skip in ((for_all, 2 * len(seen)), (for_shop, len(seen)))
                         for one in fake.messages.all(lambda message: message.taken)[skip:]})
    assert {one[1:3] for one in seen[0]} == {("alice", "app@example.com"), ("bob", "ann@shop.example"), ("alice", "news@example.com")}
    assert seen[0] == seen[1]


# --- nobody gets more than Postfix gave him ---

OPEN = "mydestination =\ninet_interfaces = all\ninet_protocols = ipv4\nrelayhost = [127.0.0.1]:2525\n"


@pytest.mark.parametrize("networks, allowed", [
    ("10.0.0.0/8", ["10.0.0.0/8"]),
    ("{place}/networks", ["10.0.0.0/8"]),
    ("10.0.0.0/8 !10.0.0.1", ["127.0.0.0/8", "::1"]),
], ids=["network", "file with a comment", "exclusion"])
def test_only_those_networks_may_send_that_might_before(postfix, networks, allowed):
    place = postfix(OPEN + f"mynetworks = {networks}\n", networks="# was 0.0.0.0/0 once, added 2019\n 10.0.0.0/8\n")
    _, made = imported(place, SOME)
    assert [one["allow"] for one in made["listen"]] == [allowed]


@pytest.mark.parametrize("restrictions", [
    "mynetworks =",
    "smtpd_relay_restrictions =\nsmtpd_recipient_restrictions = reject_unauth_destination, permit_mynetworks",
    "smtpd_recipient_restrictions = reject_unauth_destination",
    "smtpd_client_restrictions = nobody\nnobody = reject",
    "smtpd_data_restrictions = reject",
])
def test_a_listener_that_let_nobody_send_is_left_out(postfix, restrictions):
    place = postfix(OPEN + "mynetworks = 10.0.0.0/8\n" * ("mynetworks" not in restrictions) + restrictions + "\n")
    _, made = imported(place, SOME)
    assert "listen" not in made


def test_checks_of_one_service_are_left_out_by_name(postfix):
    place = postfix(OPEN + "mynetworks = 10.0.0.0/8\n",
                    MASTER.replace("- smtpd\n", "- smtpd\n  -o smtpd_sender_restrictions=check_sender_access,hash:/x\n", 1))
    report, _ = imported(place, SOME)
    assert "check_sender_access" in report


def test_mail_of_a_sender_whose_way_is_lost_leaves_as_nobody_else(postfix):
    place = postfix(LOOPBACK + "relayhost = [127.0.0.1]:2525\nsender_dependent_relayhost_maps = hash:{place}/relays\n",
                    relays="@a.example [127.0.0.1]:2526\n@b.example [127.0.0.1]:port\n")
    _, made = imported(place, SOME)
    rules = {one["match"]: one for one in made["senders"]}
    assert rules["@a.example"]["upstream"] == "127.0.0.1-2" and rules["*"]["upstream"] == "127.0.0.1"
    assert "reject" in rules["@b.example"] and "upstream" not in rules["@b.example"]


def test_where_a_table_of_senders_cannot_be_read_no_rule_is_for_all(postfix):
    place = postfix(LOOPBACK + "relayhost = [127.0.0.1]:2525\nsender_dependent_relayhost_maps = mysql:/x.cf\n")
    _, made = imported(place, SOME)
    assert ["reject" in one for one in made["senders"]] == [True]


def test_many_refused_rows_are_left_out_at_once(postfix):
    rows = "".join(f"a{i}@example.com not-an-address-{i}@..\n" for i in range(2000))
    place = postfix(LOOPBACK + "relayhost = [127.0.0.1]:2525\nvirtual_alias_maps = hash:{place}/virtual\n", virtual=rows)
    report, _ = imported(place, SOME)
    assert report.count("relayd refuses it") == 2000
