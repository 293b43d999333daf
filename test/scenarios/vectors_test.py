"""Octets where commands are due that no mail program says, or says wrongly: one answer for each line and no second
command in it, nothing read as SMTP that is not, and a session afterwards that is as before, or over."""

import base64
import contextlib
import re
import select
import socket
import ssl
import threading

import pytest

from support.post_office import LOGIN, MOST_GROWTH, peak
from support.raw_client import CLEAR, CLOSED, IMPLICIT, STARTTLS
from support.waiting import PATIENCE

BEGIN = b"MAIL FROM:<eve@example.com>"


# --- lines that are no command (RFC 5321 2.3.8, 4.1.1) ---

LINES = {
    b"EHLO a\nMAIL FROM:<eve@example.com>": "500 5.5.2", b"NOOP\rQUIT": "500 5.5.2", b"NOOP\0": "500 5.5.2",
    b"NOOP\tx": "500 5.5.2", b"NOOP\x7f": "500 5.5.2", b"\x1b[31m": "500 5.5.2", b"\nQUIT": "500 5.5.2",
    b"": "500 5.5.2", b" ": "500 5.5.2", b" NOOP": "500 5.5.1", b"NOOPX": "500 5.5.1", b"EXPN all": "500 5.5.1",
    b"XCLIENT ADDR=192.0.2.1": "500 5.5.1", b"ETRN x": "500 5.5.1", b"TURN": "500 5.5.1", b"\xff\xfe": "500 5.5.1",
    b"noop   ": "250 2.0.0", b"NoOp what ever": "250 2.0.0", b"RSET  ": "250 2.0.0", b"RSET x": "501 5.5.4",
    b"QUIT x": "501 5.5.4", b"DATA": "503 5.5.1", b"DATA x": "501 5.5.4", b"HELP": "214 2.0.0",
    b"HELP MAIL": "214 2.0.0", b"VRFY": "501 5.5.4", b"VRFY ann": "252 2.0.0", b"VRFY <ann@example.com>": "252 2.0.0",
    b"VRFY gr\xc3\xbc\xc3\x9fe": "553 5.6.7", b"VRFY gr\xc3\xbc\xc3\x9fe SMTPUTF8": "252 2.0.0",
    b"VRFY \xe2\x80\xae\xe2\x80\xa8 SMTPUTF8": "252 2.0.0", b"EHLO": "501 5.5.4", b"HELO": "501 5.5.4",
    b"EHLO \xe2\x80\xae) (x": "250", b"HELO [IPv6:::1]": "250", b"ehlo a b c": "250", b"EHLO " + b"x" * 505: "250",
    b"NOOP " + b"x" * 505: "250 2.0.0", b"NOOP " + b"x" * 506: "500 5.5.2", b"x" * 511: "500 5.5.2",
    b"NOOP " + b"x" * (1 << 16): "500 5.5.6", b"x" * (1 << 20): "500 5.5.6", b"\0" * (1 << 16): "500 5.5.6",
    b"NOOP " + b"\r" * 13_000: "500 5.5.6", b"MAIL FROM:<> " + b"x" * 2034: "500 5.5.2",
    b"MAIL FROM:<> " + b"x" * 2033: "555 5.5.4", b"AUTH PLAIN " + b"A" * 12_276: "500 5.5.6", b"AUTH": "501 5.5.4",
    b"AUTH PLAIN a b": "501 5.5.4", b"AUTH NTLM": "504 5.5.4", b"AUTH PLAIN\xc3\xbc": "501 5.5.4",
    b"STARTTLS": "502 5.5.1", b"STARTTLS x": "501 5.5.4",
}


@pytest.mark.parametrize("line", LINES, ids=lambda line: repr(line[:24]))
def test_one_line_has_one_answer(post_office, line):
    for kind in (CLEAR, IMPLICIT):
        with post_office.client(kind) as client:
            client.demand(line + b"\r\n", LINES[line])


def test_quit_ends_a_session_in_any_state_and_what_follows_is_not_heard(post_office):
    said, replies = b"", []
    for line, reply in ((b"EHLO a\r\n", "250"), (BEGIN + b"\r\n", "250 2.1.0"), (b"RCPT TO:<u@c>\r\n", "250 2.1.5")):
        with post_office.client(hello="") as client:
            client.demand(said + b"quit \r\nNOOP\r\n", ", ".join([*replies, "221 2.0.0", CLOSED]))
        said += line
        replies.append(reply)


# --- what is no SMTP at all ---

def client_hello() -> bytes:
    out = ssl.MemoryBIO()
    with contextlib.suppress(ssl.SSLWantReadError):
        ssl.create_default_context().wrap_bio(ssl.MemoryBIO(), out, server_hostname="localhost").do_handshake()
    return out.read()


SMUGGLED = b"EHLO a\r\nMAIL FROM:<eve@example.com>\r\nRCPT TO:<b@rcpt.example>\r\nDATA\r\n"
STRANGERS = {
    "GET": b"GET / HTTP/1.1\r\nHost: localhost:25\r\n\r\n", "POST": b"POST / HTTP/1.1\r\nContent-Length: 99\r\n\r\n",
    "CONNECT": b"CONNECT a:25 HTTP/1.1\r\n\r\n", "Host": b"Host: localhost:25\r\n",
    "PROXY 1": b"PROXY TCP4 192.0.2.1 192.0.2.2 1 25\r\n", "PROXY 2": b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c" + bytes(12),
    "TLS": client_hello(), "TLS 1.0 record": b"\x16\x03\x01", "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
}


@pytest.mark.parametrize("what", STRANGERS)
def test_another_protocol_ends_the_session_at_once(post_office, what):
    with post_office.client(hello="") as client:
        client.demand(STRANGERS[what] + SMUGGLED, "421 4.7.0, closed")


def test_clear_octets_on_a_tls_port_are_no_commands(post_office):
    for octets in (SMUGGLED, b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x00\x00", bytes(1000), b""):
        with socket.create_connection(("127.0.0.1", post_office.relays["normalise"].ports[IMPLICIT]), PATIENCE) as one:
            one.sendall(octets)
            one.shutdown(socket.SHUT_WR)
            with contextlib.suppress(ConnectionResetError):
                assert re.fullmatch(rb"(\x15\x03.*)?", one.recv(1000), re.DOTALL)  # nothing, or an alert


BDAT = ("18446744073709551616", "-1", "0x10", "5 LAST LAST", "", "5", "5 LAST", "0", "1")


@pytest.mark.parametrize("count", BDAT)
@pytest.mark.parametrize("opening", [b"", b"MAIL FROM:<eve@example.com>\r\n"], ids=["first", "in a transaction"])
def test_bdat_is_not_offered_and_its_octets_are_no_commands(post_office, count, opening):
    with post_office.client() as client:
        client.say(opening)
        client.expect(*["250 2.1.0"] * bool(opening))
        client.demand(f"BDAT {count}\r\n".encode() + SMUGGLED, "502 5.5.1, 421 4.7.0, closed")


# --- commands in the wrong place (RFC 2920 3.1) ---

@pytest.mark.parametrize("opening", [b"", b"MAIL FROM:<eve@example.com>\r\n",
                                     b"MAIL FROM:<eve@example.com>\r\nRCPT TO:<b@rcpt.example>\r\n"],
                         ids=["no transaction", "no recipient", "one recipient"])
def test_content_that_did_not_wait_for_the_reply_to_data_is_neither_content_nor_commands(post_office, opening):
    with post_office.client() as client:
        client.say(opening)
        client.expect(*["250 2.1."] * opening.count(b"\r\n"))
        client.demand(b"DATA\r\nRSET\r\nMAIL FROM:<eve@example.com>\r\nRCPT TO:<b@rcpt.example>\r\n.\r\n",
               "554 5.5.0, closed")


@pytest.mark.parametrize("behind", [b"EHLO x\r\n", b"NOOP\r\n", b"MAIL FROM:<eve@b>\r\n", b"N"], ids=repr)
def test_nothing_said_behind_starttls_is_heard_inside_tls(post_office, behind):
    """However it is cut into segments: an injected command is never answered, neither in clear nor inside TLS."""
    octets = b"STARTTLS\r\n" + behind
    for split in range(1, len(octets) + 1):  # the whole in one piece, too
        with post_office.client_before_tls() as client:
            client.say(*filter(None, (octets[:split], octets[split:])))
            reply = client.reply()
            assert reply[:9] in ("554 5.5.0", "220 2.0.0"), reply
            if reply.startswith("554"):
                client.expect_end()
                continue
            assert split >= len(b"STARTTLS\r\n"), "the octets had come in time to be seen"
            client.socket.shutdown(socket.SHUT_WR)
            assert re.fullmatch(rb"(\x15\x03.*)?", client.rest(), re.DOTALL)


def test_when_tls_has_ended_nothing_more_is_read(post_office):
    """A close_notify in the middle of a message, then its end in clear (the class of CVE-2026-45185)."""
    for kind in (STARTTLS, IMPLICIT):
        sender = post_office.sender()
        with post_office.client(kind) as client:
            client.say(f"MAIL FROM:<{sender}>\r\nRCPT TO:<b@rcpt.example>\r\nDATA\r\n".encode())
            client.expect("250 2.1.0", "250 2.1.5", "354")
            client.say(b"Subject: x\r\n\r\nhalf")
            with client.without_tls() as clear, contextlib.suppress(OSError):
                clear.sendall(b"\r\n.\r\nMAIL FROM:<eve@example.com>\r\n")
                while octets := clear.recv(1000):
                    assert octets[:1] == b"\x15" or octets[:1] == b"\x17", octets  # records of TLS
        post_office.refused(sender)


# --- AUTH (RFC 4954 4) ---

def encode(text: str) -> bytes:
    return base64.b64encode(text.encode())


RIGHT = encode("\0" + "\0".join(LOGIN))
AUTH = {
    b"AUTH PLAIN " + RIGHT + b"\r\nAUTH PLAIN " + RIGHT: "235 2.7.0, 503 5.5.1",
    b"AUTH PLAIN\r\n" + RIGHT: "334, 235 2.7.0", b"auth plain\r\n*": "334, 501 5.7.0",
    b"AUTH LOGIN\r\n*": "334, 501 5.7.0", b"AUTH PLAIN\r\n" + b"A" * 12_287: "334, 500 5.5.6",
    b"AUTH PLAIN " + RIGHT + b"\r\nSTARTTLS": "235 2.7.0, 502 5.5.1",
    b"HELO a\r\nAUTH PLAIN " + RIGHT: "250, 503 5.5.1", b"AUTH GSSAPI": "504 5.5.4", b"AUTH EXTERNAL =": "504 5.5.4",
    b"AUTH ANONYMOUS": "504 5.5.4", b"AUTH DIGEST-MD5": "504 5.5.4", b"AUTH SCRAM-SHA-256\r\n*": "334, 501 5.7.0",
    b"AUTH =": "504 5.5.4", b"AUTH SCRAM-SHA-256-PLUS": "504 5.5.4",
}


@pytest.mark.parametrize("lines", AUTH, ids=lambda lines: repr(lines[:40]))
def test_auth_goes_by_its_rules(post_office, lines):
    with post_office.client() as client:
        client.demand(lines + b"\r\n", AUTH[lines])


# --- too much ---

# As many as are answered: what stands unread behind the end would take the last replies with it (a TCP reset).

def test_nobody_errs_or_idles_for_ever(post_office):
    with post_office.client() as client:
        client.demand(b"NONSENSE\r\n" * 20, ", ".join(["500 5.5.1"] * 20 + ["421 4.7.0", CLOSED]))
    with post_office.client() as client:
        client.demand(b"NOOP\r\n" * 119, ", ".join(["250 2.0.0"] * 119 + ["421 4.7.0", CLOSED]))
    with post_office.client() as client:
        client.say(b"NOOP\r\n" * 1_000_000)
        assert client.rest().count(b"250 2.0.0 ") <= 120


def test_recipients_beyond_the_limit_are_put_off_and_then_sent_away(post_office):
    """RFC 5321 4.5.3.1.10: 452; a thousand of them are still no error."""
    with post_office.client() as client:
        client.say(BEGIN + b"\r\n")
        client.expect("250 2.1.0")
        client.demand(b"RCPT TO:<u@c>\r\n" * 2020,
                      ", ".join(["250 2.1.5"] * 1000 + ["452 4.5.3"] * 1020 + ["421 4.7.0", CLOSED]))


def test_who_never_reads_its_replies_is_not_served_on(relay, upstream):
    """RFC 2920 3.2: both windows full at once; little memory meanwhile, and every reply once the client reads."""
    each = 10_000
    one = relay({"sink": upstream(accounts={}).config()}, limits={"recipients": each})
    before = peak(one.pid)
    envelope = BEGIN + b"\r\n" + each * b"RCPT TO:<u@c>\r\n" + b"RSET\r\n"
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect(("127.0.0.1", one.port))
        client.sendall(b"EHLO a\r\n")
        client.setblocking(False)
        sent = 0
        while select.select([], [client], [], 1)[1]:  # nothing goes for a second: nobody reads
            sent += client.send(envelope[sent % len(envelope):])
        assert peak(one.pid) - before < MOST_GROWTH
        client.settimeout(PATIENCE)
        rest = envelope[sent % len(envelope):] + b"QUIT\r\n"
        sender = threading.Thread(target=client.sendall, args=(rest,))
        sender.start()
        replies = b"".join(iter(lambda: client.recv(1 << 20), b""))
        sender.join()
    assert replies.count(b"250 2.1.5 ") == each * (sent // len(envelope) + 1)
    assert replies.endswith(b"221 2.0.0 Bye\r\n")
