"""relayd status --metrics: what is counted and how it stands, in a text that Prometheus reads."""

import os
import smtplib
import ssl
import subprocess
from datetime import datetime, timedelta, timezone

import pytest

from support import mail, prometheus
from support.relayd import BINARY, command
from support.waiting import PATIENCE, poll

LABELS = {"upstream", "account", "class", "listener", "state", "stage", "reason", "le", "version"}


def metrics(relay) -> dict[str, prometheus.Family]:
    ended = subprocess.run([BINARY, "status", "--metrics", "-c", str(relay.file)], capture_output=True, timeout=PATIENCE)
    assert ended.returncode == 0, ended.stderr
    return prometheus.parse(ended.stdout)


def test_messages_recipients_queue_and_lanes_are_counted(relay, upstream):
    fake = upstream(accounts={})
    fake.answer("rcpt", "550 5.1.1 Unknown", about="gone@")
    fake.answer("rcpt", "450 4.2.0 Later", about="later@")
    one = relay({"fake": fake.config()}, suppress={"on": ["unknown_recipient"]},
                queue={"retry": {"first": "1h", "maximum": "1h"}})
    names = ["ann@rcpt.example", "gone@rcpt.example", "later@rcpt.example"]
    id = one.submit("a@one.example", names, mail.text("a@one.example"))
    one.wait_event("deferred", id=id)
    (message,) = fake.taken(1)
    found = metrics(one)
    recipients = found["relayd_recipients_total"]
    way = {"upstream": "fake", "account": ""}
    assert recipients.value(**way, state="delivered", **{"class": "none"}) == 1
    assert recipients.value(**way, state="failed", **{"class": "rcpt"}) == 1
    assert recipients.value(**way, state="deferred", **{"class": "temp"}) == 1
    assert found["relayd_messages_total"].total() == 1
    assert found["relayd_arrived_messages_total"].value(state="accepted") == 1
    assert found["relayd_arrived_bytes_total"].value() == found["relayd_sent_bytes_total"].value(**way)
    assert found["relayd_arrived_bytes_total"].value() == len(message.data)
    assert found["relayd_attempt_duration_seconds"].value("_count", upstream="fake") == 1
    assert found["relayd_queue_messages"].value(state="waiting") == 1
    assert 0 < found["relayd_queue_oldest_age_seconds"].value() < 600
    assert found["relayd_lane_state"].total(upstream="fake") == 1
    assert found["relayd_suppressed_total"].value(state="remembered") == 1
    assert found["relayd_suppressed_recipients"].value() == 1
    assert found["relayd_build_info"].total() == 1


def test_no_label_names_an_address_or_an_id(relay, upstream):
    fake = upstream()
    one = relay({"fake": fake.config(username="alice", password="alice-canary")})
    id = one.submit("a@one.example", "ann@rcpt.example", mail.text("a@one.example"))
    one.wait_event("delivered", id=id)
    text = command("status", "--metrics", "-c", one.file).stdout
    assert "rcpt.example" not in text and "one.example" not in text and id not in text
    labels = {name for family in prometheus.parse(text.encode()).values() for _, pairs in family.samples
              for name, _ in pairs}
    assert labels <= LABELS, labels
    assert {"upstream", "account", "state", "class"} <= labels


def shake(relay, context: ssl.SSLContext):
    with smtplib.SMTP("127.0.0.1", relay.port, timeout=PATIENCE) as client:
        client.starttls(context=context)


def test_connections_handshakes_and_certificates(relay, upstream, authority, certificate):
    now = datetime.now(timezone.utc)
    ours = authority.issue_for_a_time("127.0.0.1", now - timedelta(days=1), now + timedelta(days=2))
    over = authority.issue_for_a_time("127.0.0.1", now - timedelta(days=2), now - timedelta(days=1))
    client = authority.issue_to_client("relay")
    fake, late = upstream(accounts={}), upstream(accounts={}, certificate=over)
    options = {"ca_file": str(certificate.authority), "client_certificate": str(client.certificate),
               "client_key": str(client.key)}
    one = relay({"fake": fake.config(tls_options=options, limits={"messages_per_connection": 1, "connections": 1}),
                 "late": late.config()},
                senders=[{"match": "late@one.example", "upstream": "late"}, {"match": "*", "upstream": "fake"}],
                listener={"tls": "starttls"},
                tls={"certificates": [{"certificate": str(ours.certificate), "key": str(ours.key)}]})
    for _ in range(2):
        id = one.submit("a@one.example", "ann@rcpt.example", mail.text("a@one.example"))
        one.wait_event("delivered", id=id)
    one.wait_event("deferred", id=one.submit("late@one.example", "ann@rcpt.example", mail.text("late@one.example")))
    trusting = ssl.create_default_context(cafile=str(certificate.authority))
    shake(one, trusting)
    with pytest.raises(ssl.SSLError):
        shake(one, ssl.create_default_context())  # it trusts others
    found = metrics(one)
    connections, handshakes = found["relayd_connections_total"], found["relayd_tls_handshakes_total"]
    assert connections.value(upstream="fake", state="opened", stage="") == 2
    assert connections.total(upstream="fake", state="failed") == 0
    assert connections.value(upstream="late", state="failed", stage="starttls") >= 1
    assert [handshakes.value(upstream="fake", state=state) for state in ("full", "resumed", "failed")] == [1, 1, 0]
    assert handshakes.value(upstream="late", state="failed") >= 1
    intake = found["relayd_intake_tls_handshakes_total"]
    listener = f"127.0.0.1:{one.port}"
    assert [intake.value(listener=listener, state=state) for state in ("full", "failed")] == [1, 1]
    left, day = found["relayd_certificate_left_seconds"], 86400
    assert day < left.value(**{"class": "listener"}, upstream="", listener=listener) < 2 * day
    assert left.value(**{"class": "client"}, upstream="fake", listener="") > day
    assert left.value(**{"class": "server"}, upstream="fake", listener="") > day
    assert -2 * day < left.value(**{"class": "server"}, upstream="late", listener="") < 0


def test_the_disk_and_its_syncs(relay, upstream):
    fake = upstream(accounts={})
    one = relay({"fake": fake.config()})
    before = metrics(one)
    one.wait_event("delivered", id=one.submit("a@one.example", "ann@rcpt.example", mail.text("a@one.example")))
    found = metrics(one)
    syncs = found["relayd_queue_sync_duration_seconds"]
    for log in ("messages", "state"):
        assert syncs.value("_count", **{"class": log}) > \
            before["relayd_queue_sync_duration_seconds"].value("_count", **{"class": log})
        assert syncs.value("_sum", **{"class": log}) > 0

    def is_what_the_files_take() -> bool:  # one is made ahead, in a moment of its own
        files = [file.stat().st_size for folder in ("journal", "state") for file in (one.queue / folder).iterdir()]
        return metrics(one)["relayd_queue_files_bytes"].value() == pytest.approx(sum(files), rel=0.02)

    poll(is_what_the_files_take)
    disk = os.statvfs(one.queue)
    assert found["relayd_queue_disk_free_bytes"].value() == pytest.approx(disk.f_bavail * disk.f_frsize, rel=0.2)


def test_reloads_are_counted_by_their_end(relay, upstream):
    one = relay({"fake": upstream(accounts={}).config()})
    assert metrics(one)["relayd_reloads_total"].total() == 0
    command("reload", "-c", one.file)
    good = one.file.read_text()
    loaded = metrics(one)["relayd_configuration_loaded_time_seconds"].value()
    one.file.write_text("nonsense: 1\n" + good)
    one.wait("reload_failed")
    one.file.write_text(good)
    found = metrics(one)
    reloads = found["relayd_reloads_total"]
    assert reloads.value(state="taken") >= 1 and reloads.value(state="refused") >= 1
    assert found["relayd_configuration_loaded_time_seconds"].value() >= loaded
    assert 0 <= found["relayd_configuration_age_seconds"].value() < 600


def test_what_the_rates_of_a_lane_leave(relay, upstream):
    fake = upstream(accounts={})
    one = relay({"fake": fake.config(limits={"rate": ["1 messages/s", "20 messages/h"]})})
    one.wait_event("delivered", id=one.submit("a@one.example", "ann@rcpt.example", mail.text("a@one.example")))
    found = metrics(one)
    way = {"upstream": "fake", "account": ""}
    assert found["relayd_lane_rate_per_second"].value(**way, **{"class": "messages"}) == pytest.approx(1)
    assert found["relayd_lane_rate_left"].value(**way) in (0, 19)


def test_a_family_without_samples_is_sound(relay, upstream):
    found = metrics(relay({"fake": upstream(accounts={}).config()}))
    assert found["relayd_messages_total"].samples == {} and found["relayd_arrived_bytes_total"].value() == 0


BAD = [
    b"relayd_x 1\n", b"# HELP relayd_x x\nrelayd_x 1\n", b"# HELP relayd_x x\n# TYPE relayd_x gauge\nrelayd_x 1",
    b"# HELP relayd_x x\n# TYPE relayd_x gauge\nrelayd_x  1\n", b"# HELP relayd_x x\n# TYPE relayd_x counter\n",
    b"# HELP relayd_x x\n# TYPE relayd_x gauge\nrelayd_x 1\nrelayd_x 1\n",
    b'# HELP relayd_x x\n# TYPE relayd_x gauge\nrelayd_x{a="\\q"} 1\n',
    b'# HELP relayd_x x\n# TYPE relayd_x gauge\nrelayd_x{a="1",} 1\n',
    b'# HELP relayd_x x\n# TYPE relayd_x gauge\nrelayd_x{a="1",a="2"} 1\n',
    b"# HELP relayd_x x\n# TYPE relayd_x gauge\nrelayd_x 1\n# HELP relayd_x x\n",
    b'# HELP relayd_x x\n# TYPE relayd_x histogram\nrelayd_x_bucket{le="1"} 2\nrelayd_x_bucket{le="+Inf"} 1\n'
    b"relayd_x_sum 1\nrelayd_x_count 1\n",
]


@pytest.mark.parametrize("text", BAD)
def test_the_reader_is_strict(text):
    with pytest.raises(prometheus.Malformed):
        prometheus.parse(text)
