"""Who may hand mail in: by address, by login, over TLS or not. A client from elsewhere is one on another loopback
address."""

import contextlib
import errno
import os
import re
import shutil
import smtplib
import socket
import ssl
import subprocess
import xml.etree.ElementTree

import pytest

from support import mail
from support.faults import Faults
from support.relayd import BINARY, Relayd
from support.waiting import PATIENCE

SENDER, RECIPIENT = "app@example.com", "one@rcpt.example"
LOGIN = ("webapp", "webapp-canary")


@pytest.fixture
def listening(relay, upstream, certificate):
    """A relay whose listener is as the test says; the FakeUpstream behind it wants no login."""

    def start(**listener):
        pair = {"certificate": str(certificate.certificate), "key": str(certificate.key)}
        account = {"name": LOGIN[0], "password": LOGIN[1], "may_send_as": ["@example.com"]}
        return relay({"fake": upstream(accounts={}).config()}, listener=listener, tls={"certificates": [pair]},
                     accounts=[account])

    return start


@pytest.fixture
def trust(authority):
    return ssl.create_default_context(cafile=authority.file)


def connect(relay, address: str = "127.0.0.1") -> smtplib.SMTP:
    return smtplib.SMTP("127.0.0.1", relay.port, "client.test.example", PATIENCE, (address, 0))


def send(client, sender=SENDER):
    client.sendmail(sender, [RECIPIENT], mail.text(sender))


def test_an_address_that_is_not_allowed_is_refused(listening):
    relay = listening(allow=["127.0.0.1"])
    with connect(relay) as client:
        send(client)
    with connect(relay, "127.0.0.2") as client, pytest.raises(smtplib.SMTPSenderRefused) as refused:
        send(client)
    assert refused.value.smtp_code == 550
    relay.wait_event("rejected")
    relay.wait_event("delivered")


def test_mail_comes_in_after_starttls_and_a_login(listening, trust):
    relay = listening(tls="starttls", auth="required")
    with connect(relay) as client:
        client.starttls(context=trust)
        client.login(*LOGIN)
        send(client)
    accepted = relay.wait_event("accepted")
    assert (accepted["account"], accepted["tls"][:5]) == (LOGIN[0], "TLSv1")
    relay.wait_event("delivered", id=accepted["id"])


def test_mail_comes_in_over_implicit_tls(listening, trust):
    relay = listening(tls="implicit", auth="required")
    with smtplib.SMTP_SSL("127.0.0.1", relay.port, "client.test.example", timeout=PATIENCE, context=trust) as client:
        client.login(*LOGIN)
        send(client)
    relay.wait_event("delivered")


def test_without_a_login_nothing_is_taken(listening):
    relay = listening(auth="required")
    with connect(relay) as client, pytest.raises(smtplib.SMTPSenderRefused) as refused:
        send(client)
    assert refused.value.smtp_code == 530


def test_a_wrong_password_is_refused_and_not_logged(listening):
    relay = listening(auth="required")
    with connect(relay) as client, pytest.raises(smtplib.SMTPAuthenticationError) as refused:
        client.login(LOGIN[0], "guess-canary")
    assert refused.value.smtp_code == 535


def test_an_account_sends_only_as_it_may(listening):
    relay = listening(auth="required")
    with connect(relay) as client:
        client.login(*LOGIN)
        with pytest.raises(smtplib.SMTPSenderRefused) as refused:
            send(client, "somebody@elsewhere.example")
        assert refused.value.smtp_code // 100 == 5
        send(client)
    relay.wait_event("delivered")


def test_bytes_sent_before_the_handshake_are_not_commands(listening):
    """The classic injection: what came in clear behind STARTTLS must not be answered inside TLS."""
    relay = listening(tls="starttls", auth="optional")
    with connect(relay) as client:
        client.ehlo()
        client.send(b"STARTTLS\r\nNOOP\r\nMAIL FROM:<injected@example.com>\r\n")
        assert client.getreply()[0] == 554
        with pytest.raises(smtplib.SMTPServerDisconnected):
            client.getreply()


@pytest.mark.parametrize("end", [b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r", b"\r.\r\n", b"\r\n.\r", b"\n.\r", b"\r.\n"], ids=repr)
def test_only_crlf_dot_crlf_ends_a_message(relay, upstream, end):
    """SMTP smuggling: whatever else looks like an end stays inside one message, for the next hop too."""
    fake = upstream(accounts={})
    one = relay({"fake": fake.config()})
    with connect(one) as client:
        client.ehlo()
        client.mail(SENDER)
        client.rcpt(RECIPIENT)
        client.putcmd("DATA")
        assert client.getreply()[0] == 354
        client.send(b"Subject: x\r\n\r\nx" + end + b"MAIL FROM:<evil@example.com>\r\nRCPT TO:<victim@rcpt.example>\r\n"
                    b"DATA\r\nSubject: y\r\n\r\nevil\r\n.\r\n")
        assert client.getreply()[0] == 250
    one.wait_event("delivered")
    messages = fake.taken(1)
    assert [(message.sender, message.recipients) for message in messages] == [(SENDER, (RECIPIENT,))]
    assert b"evil" in messages[0].data
    assert not re.search(rb"(?<!\r)\n|\r(?!\n)", messages[0].data)


# --- sockets ---


def test_a_unix_socket_knows_its_clients_by_their_user(relay, upstream, tmp_path):
    path = tmp_path / "smtp.sock"
    one = relay({"fake": upstream(accounts={}).config()},
                listener={"address": f"unix:{path}", "allow": [f"uid:{os.getuid()}"]})
    other = relay({"fake": upstream(accounts={}).config()},
                  listener={"address": f"unix:{path}2", "allow": [f"uid:{os.getuid() + 1}"]})
    with UnixClient(path) as client:
        send(client)
    assert one.wait_event("accepted")["client"] == f"uid:{os.getuid()}"
    with UnixClient(f"{path}2") as client, pytest.raises(smtplib.SMTPSenderRefused) as refused:
        send(client)
    assert refused.value.smtp_code == 550
    other.wait_event("rejected")


class UnixClient(smtplib.SMTP):
    def __init__(self, path):
        self._path = str(path)
        super().__init__("localhost", 25, "client.test.example", PATIENCE)

    def _get_socket(self, host, port, timeout):
        connected = socket.socket(socket.AF_UNIX)
        connected.settimeout(timeout)
        connected.connect(self._path)
        return connected


@pytest.mark.parametrize("name", ["submission", "4"])
def test_sockets_of_the_service_manager_are_taken_by_name_or_number(tmp_path, upstream, name):
    """As systemd hands them over: descriptors from 3, LISTEN_PID that of the program itself."""
    with socket.create_server(("127.0.0.1", 0)) as unused, socket.create_server(("127.0.0.1", 0)) as wanted:
        one = Relayd(tmp_path, {"fake": upstream(accounts={}).config()}, [{"match": "*", "upstream": "fake"}],
                     listener={"address": f"fd:{name}", "allow": ["127.0.0.1"]})
        script = ('exec 3<&%d 4<&%d; export LISTEN_PID=$$ LISTEN_FDS=2 LISTEN_FDNAMES=other:submission; exec "$@"'
                  % (unused.fileno(), wanted.fileno()))
        one.wrapper = ["bash", "-c", script, "bash"]
        unused.set_inheritable(True)
        wanted.set_inheritable(True)
        one.pass_descriptors = (unused.fileno(), wanted.fileno())
        one.start("--grace", "1")
        assert one.logged("listening")[0]["address"] == f"fd:{name}"
        with smtplib.SMTP(*wanted.getsockname(), "client.test.example", PATIENCE) as client:
            send(client)
        one.wait_event("delivered")
        assert one.stop() == 0


def test_a_socket_that_nobody_handed_over_stops_the_start(tmp_path, upstream):
    one = Relayd(tmp_path, {"fake": upstream(accounts={}).config()}, [{"match": "*", "upstream": "fake"}],
                 listener={"address": "fd:submission", "allow": ["127.0.0.1"]})
    one.launch()
    assert one.ended() == 71
    assert "LISTEN_FDS" in one.wait_event("stopped")["reason"]


def test_out_of_descriptors_a_client_is_told_so(tmp_path, upstream):
    one = Relayd(tmp_path, {"fake": upstream(accounts={}).config()}, [{"match": "*", "upstream": "fake"}])
    faults = Faults(one, tmp_path / "faults")
    one.start("--grace", "1")
    faults.fail("accept", errno.EMFILE, times=3)
    for _ in range(3):
        with socket.create_connection(("127.0.0.1", one.port), PATIENCE) as client:
            assert client.recv(100).startswith(b"421 4.3.2 ")
    with connect(one) as client:
        send(client)
    one.wait_event("delivered")
    assert faults.counted < 20  # it does not spin
    assert one.stop() == 0


# --- accounts ---


def test_an_account_may_keep_a_hash_instead_of_its_password(relay, upstream, certificate, trust):
    hashed = subprocess.run([BINARY, "hash-password"], input=LOGIN[1] + "\n", capture_output=True, text=True,
                            timeout=PATIENCE, check=True).stdout.strip()
    assert hashed.startswith("SCRAM-SHA-256$") and LOGIN[1] not in hashed
    pair = {"certificate": str(certificate.certificate), "key": str(certificate.key)}
    one = relay({"fake": upstream(accounts={}).config()}, listener={"tls": "starttls", "auth": "required"},
                tls={"certificates": [pair]}, accounts=[{"name": LOGIN[0], "scram_sha_256": hashed}])
    with connect(one) as client:
        client.starttls(context=trust)
        client.login(*LOGIN)  # PLAIN
        send(client)
    with connect(one) as client:
        client.starttls(context=trust)
        with pytest.raises(smtplib.SMTPAuthenticationError):
            client.login(LOGIN[0], "guess-canary")
    one.wait_event("delivered")


def test_an_account_may_be_held_to_its_header(relay, upstream):
    account = {"name": LOGIN[0], "password": LOGIN[1], "may_send_as": ["@example.com"], "may_send_as_header": True}
    one = relay({"fake": upstream(accounts={}).config()}, listener={"auth": "required"}, accounts=[account])
    with connect(one) as client:
        client.login(*LOGIN)
        with pytest.raises(smtplib.SMTPDataError) as refused:
            client.sendmail(SENDER, [RECIPIENT], mail.text("boss@elsewhere.example"))
        assert refused.value.smtp_code == 550
        send(client)
    one.wait_event("delivered")


# --- TLS ---


def served(relay, trust, name: str) -> tuple[str, ...]:
    with connect(relay) as client:
        client.ehlo()
        client.docmd("STARTTLS")
        with trust.wrap_socket(client.sock, server_hostname=name) as secure:
            return tuple(value for _, value in secure.getpeercert()["subjectAltName"])


def test_the_certificate_is_chosen_by_name(relay, upstream, authority):
    issued = [authority.issue("first.example"), authority.issue("*.many.example"), authority.issue("one.many.example")]
    pairs = [{"certificate": str(pair.certificate), "key": str(pair.key)} for pair in issued]
    one = relay({"fake": upstream(accounts={}).config()}, listener={"tls": "starttls"}, tls={"certificates": pairs})
    trust = ssl.create_default_context(cafile=authority.file)
    assert served(one, trust, "two.many.example") == ("*.many.example",)
    assert served(one, trust, "one.many.example") == ("one.many.example",)  # exact before wildcard
    trust.check_hostname = False
    assert served(one, trust, "stranger.example") == ("first.example",)


def test_a_renewed_certificate_is_noticed_and_a_wrong_pair_is_not_used(relay, upstream, authority, tmp_path):
    files = {"certificate": str(tmp_path / "server.pem"), "key": str(tmp_path / "server.key")}
    first, second = authority.issue("first.renewed.example"), authority.issue("second.renewed.example")
    shutil.copy(first.certificate, files["certificate"])
    shutil.copy(first.key, files["key"])
    one = relay({"fake": upstream(accounts={}).config()}, listener={"tls": "starttls"}, tls={"certificates": [files]})
    trust = ssl.create_default_context(cafile=authority.file)
    trust.check_hostname = False
    shutil.copy(second.certificate, files["certificate"])
    assert "server.key" in one.wait_event("reload_failed")["reason"]
    assert served(one, trust, "first.renewed.example") == ("first.renewed.example",)
    shutil.copy(second.key, files["key"])
    one.wait_event("reloaded")
    assert served(one, trust, "first.renewed.example") == ("second.renewed.example",)


def test_sslscan_finds_modern_tls_and_nothing_else(listening):
    relay = listening(tls="starttls", auth="optional")
    scan = subprocess.run(["sslscan", "--starttls-smtp", "--no-colour", "--xml=-", f"127.0.0.1:{relay.port}"],
                          capture_output=True, timeout=4 * PATIENCE, check=True).stdout
    test = xml.etree.ElementTree.fromstring(scan).find("ssltest")
    enabled = {(one.get("type"), one.get("version")) for one in test.iter("protocol") if one.get("enabled") == "1"}
    assert enabled == {("tls", "1.2"), ("tls", "1.3")}
    assert all(one.get("supported") == "0" or one.get("secure") == "1" for one in test.iter("renegotiation"))
    assert all(one.get("supported") == "0" for one in test.iter("compression"))
    assert all(one.get("vulnerable") == "0" for one in test.iter("heartbleed"))
    ciphers = [one.get("cipher") for one in test.iter("cipher")]
    assert ciphers and all("GCM" in one or "CHACHA20" in one for one in ciphers), ciphers
    assert all(one.startswith(("TLS_", "ECDHE-")) for one in ciphers), ciphers


def test_when_tls_has_ended_nothing_more_is_read(listening, trust):
    """Clear octets behind the end of TLS must not end a message (the class of CVE-2026-45185)."""
    relay = listening(tls="starttls")
    with connect(relay) as client:
        client.starttls(context=trust)
        client.ehlo()
        client.mail(SENDER)
        client.rcpt(RECIPIENT)
        client.putcmd("DATA")
        assert client.getreply()[0] == 354
        client.sock.sendall(b"Subject: x\r\n\r\nhalf")
        clear = socket.socket(fileno=os.dup(client.sock.fileno()))
        try:
            client.sock.unwrap()
        except OSError:
            pass  # the relay closed without an answer
        with clear, contextlib.suppress(OSError):
            clear.sendall(b"\r\n.\r\nMAIL FROM:<eve@example.com>\r\n")
            while clear.recv(1000):
                pass
    with connect(relay) as client:
        send(client)
    relay.wait_event("delivered")
    assert len(relay.logged("accepted")) == 1
