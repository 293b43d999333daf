"""relayd status --metrics: what is counted and how it stands, in a text that Prometheus reads."""

import subprocess

import pytest

from support import mail, prometheus
from support.relayd import BINARY, command
from support.waiting import PATIENCE

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
