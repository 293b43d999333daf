"""relayd sandbox --directory followed a link that lay where its next file was to be."""

import smtplib
import ssl

from support.sandbox import Sandbox
from support.waiting import PATIENCE


def test_a_link_in_the_directory_is_not_written_through(tmp_path):
    folder, victim = tmp_path / "kept", tmp_path / "victim"
    folder.mkdir()
    victim.write_text("precious")
    (folder / "000001.part").symlink_to(victim)
    sandbox = Sandbox("sendgrid", "--directory", str(folder))
    try:
        entry = sandbox.upstream
        with smtplib.SMTP("127.0.0.1", entry["port"], timeout=PATIENCE) as client:
            client.starttls(context=ssl.create_default_context(cafile=sandbox.ca_file))
            client.login(entry["username"], entry["password"])
            client.sendmail("app@example.com", ["one@rcpt.example"], "Subject: x\r\n\r\ntext\r\n")
        line, = sandbox.lines.wait(lambda text: text.startswith("account="), 1)
    finally:
        assert sandbox.finish() == 0
    assert "lost=" in line and victim.read_text() == "precious"
