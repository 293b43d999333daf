"""Messages to send, and what a relay may do to them: one Received field on top and nothing else."""

import base64
import random
import re

HEADER = ("From: {sender}\r\nTo: someone@rcpt.example\r\nSubject: {subject}\r\n"
          "Date: Fri, 20 Nov 2026 08:00:00 +0000\r\nMessage-ID: <{subject}@client.test.example>\r\n")
FIELD = re.compile(rb"[!-9;-~]+:[^\r\n]*\r\n(?:[ \t][^\r\n]*\r\n)*")


def message(sender: str, subject: str, body: bytes = b"Hello.\r\n", more: str = "") -> bytes:
    return (HEADER.format(sender=sender, subject=subject) + more + "\r\n").encode() + body


def text(sender: str, subject: str = "text") -> bytes:
    return message(sender, subject, b"Good morning,\r\n\r\nall is well.\r\n")


def eight_bit(sender: str, subject: str = "eight-bit") -> bytes:
    more = "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n"
    body = "Grüße aus Köln, 你好\r\n".encode() + bytes(range(0xA0, 0x100)) + b"\r\n"
    return message(sender, subject, body, more)


def dots(sender: str, subject: str = "dots") -> bytes:
    return message(sender, subject, b".\r\n..\r\n.x\r\n...\r\nfrom here\r\n.\r\n. \r\n\r\n.end\r\n")


def attachment(sender: str, subject: str = "attachment", size: int = 10 << 20) -> bytes:
    more = "MIME-Version: 1.0\r\nContent-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n"
    encoded = base64.encodebytes(random.Random(size).randbytes(size))
    return message(sender, subject, encoded.replace(b"\n", b"\r\n"), more)


KINDS = {"text": text, "eight-bit": eight_bit, "dots": dots, "attachment": attachment}


def stuffed(message: bytes) -> bytes:
    """As it goes over the wire behind DATA, with the final dot (RFC 5321 4.5.2)."""
    return (b"\r\n" + message).replace(b"\r\n.", b"\r\n..")[2:] + b".\r\n"


def unstuffed(octets: bytes) -> bytes:
    return (b"\r\n" + octets.removesuffix(b".\r\n")).replace(b"\r\n.", b"\r\n")[2:]


def without_field(data: bytes, name: bytes) -> bytes:
    """The message without its first header field, which must have that name."""
    first = FIELD.match(data)
    assert first and first[0].lower().startswith(name.lower() + b":"), f"no {name.decode()} on top of {data[:300]!r}"
    return data[first.end():]


def field_names(data: bytes) -> list[str]:
    header = data.partition(b"\r\n\r\n")[0] + b"\r\n"
    return [field[0].partition(b":")[0].decode().lower() for field in FIELD.finditer(header)]


def demand_same(arrived: bytes, sent: bytes):
    """Compares without printing megabytes."""
    if arrived == sent:
        return
    at = next((i for i, (a, b) in enumerate(zip(arrived, sent)) if a != b), min(len(arrived), len(sent)))
    around = slice(max(0, at - 60), at + 60)
    raise AssertionError(f"octet {at} differs ({len(arrived)} arrived, {len(sent)} sent):\n"
                         f"arrived {arrived[around]!r}\nsent    {sent[around]!r}")


def subject(data: bytes) -> str:
    return re.search(rb"^Subject: (.*?)\r\n", data, re.M)[1].decode()
