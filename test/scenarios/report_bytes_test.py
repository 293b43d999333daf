"""Reports to senders as other programs read them: Python's email package, and a mail reader."""

import email
import email.policy
import os
import re
import select
import subprocess
from pathlib import Path

import pytest

from support.relayd import BINARY
from support.waiting import PATIENCE

SAMPLES = Path(BINARY).resolve().parents[1] / "test" / "report_samples"
STATUS = {"message/delivery-status", "message/global-delivery-status"}
RETURNED = {"text/rfc822-headers", "message/rfc822", "message/global-headers", "message/global"}
COUNT = 300


@pytest.fixture(scope="module")
def samples(tmp_path_factory):
    folder = tmp_path_factory.mktemp("reports")
    subprocess.run([SAMPLES, folder, str(COUNT), "1"], check=True, timeout=PATIENCE)
    found = sorted(folder.iterdir())
    assert len(found) == COUNT
    return found


def expected(file: Path) -> tuple[int, bool]:
    """How many recipients it tells of, and whether it may hold UTF-8."""
    _, recipients, form = file.stem.split("-")
    return int(recipients), form == "utf8"


def parsed(file: Path):
    return email.message_from_bytes(file.read_bytes(), policy=email.policy.default)


def groups(part) -> list:
    """Those of a delivery-status part: the message's, then one for each recipient."""
    if part.get_content_type() == "message/delivery-status":
        return part.get_payload()
    text = part.as_bytes().replace(b"\r\n", b"\n").split(b"\n\n", 1)[1]  # without the fields of the part
    return [email.message_from_bytes(one) for one in text.strip(b"\n").split(b"\n\n")]


def test_lines_end_in_cr_lf_are_short_and_of_seven_bits(samples):
    for file in samples:
        raw = file.read_bytes()
        assert raw.endswith(b"\r\n"), file
        assert raw.count(b"\r") == raw.count(b"\n") == raw.count(b"\r\n"), file
        assert max(map(len, raw.split(b"\r\n"))) <= 998, file
        assert b"\0" not in raw and b"\x1b" not in raw, file
        assert expected(file)[1] or raw.isascii(), file
        raw.decode()


def test_the_header_has_each_field_once_and_no_defect(samples):
    fields = ["From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "MIME-Version", "Content-Type"]
    for file in samples:
        message = parsed(file)
        assert not message.defects, file
        for name in message.keys():
            assert len(message.get_all(name)) == 1, (file, name)
        if not expected(file)[1]:  # this parser knows no UTF-8 in addresses
            assert not [defect for value in message.values() for defect in value.defects], file
        assert not set(fields) - set(message.keys()), file
        assert set(message.keys()) - set(fields) <= {"In-Reply-To", "References", "Content-Transfer-Encoding"}, file
        assert re.match(r"(Undelivered|Delayed|Handed on|Delivered|Taken): ", message["Subject"]), file
        assert message["Auto-Submitted"] == "auto-replied"


def test_a_report_is_three_parts_with_a_group_for_each_recipient(samples):
    for file in samples:
        message = parsed(file)
        assert message.get_content_type() == "multipart/report", file
        parts = message.get_payload()
        assert len(parts) == 3, file
        text, status, returned = parts
        assert text.get_content_type() == "text/plain" and not text.defects, file
        assert text.get_content().startswith("This is the mail relay mail.example.com."), file
        assert status.get_content_type() in STATUS, file
        assert message.get_param("report-type") == status.get_content_subtype(), file
        assert returned.get_content_type() in RETURNED, file
        whole, *recipients = groups(status)
        assert len(recipients) == expected(file)[0], file
        assert whole["Reporting-MTA"] == "dns; mail.example.com", file
        for one in recipients:
            assert not one.defects, file
            assert one["Action"] in ("failed", "delayed", "relayed", "delivered", "expanded"), file
            assert re.fullmatch(r"[245]\.\d{1,3}\.\d{1,3}", one["Status"]), file
            assert {name: count for name, count in
                    ((name, len(one.get_all(name))) for name in one.keys()) if count > 1} == {}, file


def shown_by_neomutt(file: Path, folder: Path) -> str:
    """The message as the reader shows it: its own pipe writes the decoded text, and it quits."""
    mailbox, text = folder / "mbox", folder / "shown"
    mailbox.write_bytes(b"From x Thu Jan  1 00:00:00 1970\n" + file.read_bytes().replace(b"\r\n", b"\n") + b"\n")
    options = [f"set {one}" for one in ("pipe_decode", "wait_key=no", "quit=yes", "read_inc=0", f"folder={folder}",
                                        "header_cache=''", "charset=utf-8", "mark_old=no")]
    options.append(f'push "<pipe-message>cat >{text}<enter><exit>"')
    words = ["neomutt", "-n", "-F", "/dev/null", "-R", "-f", str(mailbox)]
    for option in options:
        words += ["-e", option]
    child, terminal = os.forkpty()
    if child == 0:
        os.execvpe(words[0], words, {"PATH": os.environ["PATH"], "HOME": str(folder), "TERM": "vt100"})
    screen = b""
    while True:
        assert select.select([terminal], [], [], PATIENCE)[0], screen
        try:
            output = os.read(terminal, 4096)
        except OSError:  # it has gone
            break
        if not output:
            break
        screen += output
    os.close(terminal)
    assert os.waitpid(child, 0)[1] == 0, screen
    return text.read_text()


def test_a_mail_reader_shows_all_three_parts(tmp_path, samples):
    file = next(one for one in samples if expected(one) == (2, False))
    shown = shown_by_neomutt(file, tmp_path)
    assert "This is the mail relay mail.example.com." in shown
    assert "Reporting-MTA: dns; mail.example.com" in shown
    assert shown.count("Final-Recipient: ") >= 2
