"""More than relayd takes, and many at once: it says so, and neither memory nor disk is filled meanwhile."""

import re
import smtplib
import threading
from pathlib import Path

from support import mail
from support.waiting import PATIENCE

SENDER, RECIPIENT = "app@example.com", "one@rcpt.example"
MIB = 1 << 20
LINE = b"x" * 76 + b"\r\n"


def peak(pid: int) -> int:
    """The most memory that was resident since its start."""
    return int(re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())[1]) << 10


def begin(relay) -> smtplib.SMTP:
    client = smtplib.SMTP("127.0.0.1", relay.port, "client.test.example", PATIENCE)
    client.ehlo()
    client.mail(SENDER)
    client.rcpt(RECIPIENT)
    client.putcmd("data")
    assert client.getreply()[0] == 354
    return client


class TooMuch(threading.Thread):
    """Sends so many octets without having said SIZE, and waits for the others before it ends its message."""

    def __init__(self, relay, octets: int, together: threading.Barrier):
        super().__init__()
        self._relay, self._octets, self._together = relay, octets, together
        self.reply = None

    def run(self):
        with begin(self._relay) as client:
            client.sock.sendall(b"Subject: large\r\n\r\n")
            for _ in range(self._octets // MIB):
                client.sock.sendall(LINE * (MIB // len(LINE)))
            self._together.wait(PATIENCE)
            client.sock.sendall(b".\r\n")
            self.reply = client.getreply()


def test_many_that_send_too_much_at_once_fill_nothing(relay, upstream):
    clients, octets = 20, 8 * MIB
    one = relay({"fake": upstream(accounts={}).config()}, limits={"message_size": "1MiB"})
    before = peak(one.pid)
    together = threading.Barrier(clients, action=lambda: kept.append(sum(
        path.stat().st_size for path in one.queue.rglob("*") if path.is_file())))
    kept = []
    threads = [TooMuch(one, octets, together) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [thread.reply[0] for thread in threads] == [552] * clients
    assert all(thread.reply[1].startswith(b"5.3.4 ") for thread in threads)
    growth = peak(one.pid) - before
    print(f"{clients} clients with {octets // MIB} MiB each: {growth / MIB:.1f} MiB more resident, "
          f"{kept[0] / MIB:.1f} MiB in the queue's files")
    assert growth < 64 * MIB
    assert kept[0] < clients * 2 * MIB
    one.submit(SENDER, RECIPIENT, mail.text(SENDER))
    one.wait_event("delivered")
    assert not list((one.queue / "large").iterdir())


def test_a_header_has_so_many_fields(relay, upstream):
    fake = upstream(accounts={})
    one = relay({"fake": fake.config()}, limits={"header_fields": 100})
    with smtplib.SMTP("127.0.0.1", one.port, "client.test.example", PATIENCE) as client:
        client.sendmail(SENDER, [RECIPIENT], mail.message(SENDER, "many", more="X: y\r\n" * 95))
        client.mail(SENDER)
        client.rcpt(RECIPIENT)
        refused = client.data(mail.message(SENDER, "more", more="X: y\r\n" * 96))
        assert (refused[0], refused[1][:5]) == (552, b"5.3.4")
        client.sendmail(SENDER, [RECIPIENT], mail.text(SENDER))
    assert [mail.subject(message.data) for message in fake.taken(2)] == ["many", "text"]


def test_two_hundred_thousand_fields_are_only_long(relay, upstream):
    """A header that the operator allows: no work is done twice for it."""
    fake = upstream(accounts={})
    one = relay({"fake": fake.config()}, limits={"header_fields": 300_000, "header_size": "10MiB"})
    sent = mail.message(SENDER, "endless", more="X-Field: some text\r\n" * 200_000)
    one.submit(SENDER, RECIPIENT, sent)
    mail.demand_same(mail.without_field(fake.taken(1)[0].data, b"Received"), sent)
