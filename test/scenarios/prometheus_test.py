"""What relayd ships for Prometheus: its tools find nothing wrong with the metrics of a real relay, and the alert rules and
the dashboard ask for nothing that a relay does not show."""

import json
import re
import subprocess
from pathlib import Path

import pytest

from conftest import ACCOUNTS
from support import mail, prometheus
from support.receiver import Receiver
from support.relayd import BINARY, command
from support.token_server import TokenServer
from support.tokens import KnownTokens
from support.waiting import PATIENCE, free_port, poll

MONITORING = Path(__file__).resolve().parents[2] / "docs" / "monitoring"
README = MONITORING.parents[1] / "README.md"
OURS = re.compile(r"\brelayd_[a-z_]+\b")
SENDER = "a@one.example"


def promtool(*arguments: str, text: bytes = b"", folder: Path = MONITORING):
    """Ends well, and says nothing that is to be changed."""
    ended = subprocess.run([prometheus.TOOL, *arguments], input=text, capture_output=True, timeout=PATIENCE, cwd=folder)
    assert ended.returncode == 0 and not ended.stderr, (ended.stdout + ended.stderr).decode()


def metrics(relay) -> bytes:
    ended = subprocess.run([BINARY, "status", "--metrics", "-c", str(relay.file)], capture_output=True, timeout=PATIENCE)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


@pytest.fixture
def receiver(certificate):
    one = Receiver(certificate, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    yield one
    one.close()


@pytest.fixture
def busy(relay, upstream, certificate, receiver):
    """A relay that shows all it can: with tokens, a secret that ends, limits, webhooks and a watch; mail went, waits and
    failed, and an account is refused."""
    tokens = KnownTokens("gmail")
    server = TokenServer(certificate, tokens)
    office = upstream(accounts={}, tokens=tokens, mechanisms="PLAIN LOGIN XOAUTH2")
    plain, refusing = upstream(), upstream()
    plain.answer("rcpt", "550 5.1.1 Unknown", about="gone@")
    plain.answer("rcpt", "450 4.2.0 Later", about="later@")
    alice = {"username": "alice", "password": ACCOUNTS["alice"]}
    limits = {"rate": ["5000 messages/h", "500/s"], "quota": ["1000/24h"]}
    one = relay({"plain": plain.config(limits=limits, **alice), "refusing": refusing.config(username="bob", password="wrong-canary"),
                 "office": office.config(oauth2=server.config(secret_expires="2099-01-01")),
                 "nobody": {"host": "127.0.0.1", "port": free_port(), "tls": "none"}},
                senders=[{"match": "refused@one.example", "upstream": "refusing"},
                         {"match": "office@one.example", "upstream": "office"},
                         {"match": "nobody@one.example", "upstream": "nobody"}, {"match": "*", "upstream": "plain"}],
                listener={"tls": "starttls"},
                tls={"certificates": [{"certificate": str(certificate.certificate), "key": str(certificate.key)}]},
                webhooks=[receiver.config("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")], watch={},
                bounce={"from": "mailer-daemon@one.example"}, suppress={"on": ["unknown_recipient"]})
    names = ["ann@rcpt.example", "gone@rcpt.example", "later@rcpt.example"]
    one.wait_event("deferred", id=one.submit(SENDER, names, mail.text(SENDER)))
    one.wait_event("delivered", id=one.submit("office@one.example", names[0], mail.text("office@one.example")))
    for sender in ("refused@one.example", "nobody@one.example"):
        one.wait_event("deferred", id=one.submit(sender, names[0], mail.text(sender)))
    poll(lambda: b"relayd_account_ok{" in metrics(one) and b"\nrelayd_reports_total{" in metrics(one))
    receiver.wait_event("message.delivered")
    yield one
    server.close()


def test_nothing_is_to_be_changed_in_the_metrics_of_an_idle_relay(relay, upstream):
    text = metrics(relay({"fake": upstream(accounts={}).config()}))
    prometheus.parse(text)
    promtool("check", "metrics", text=text)


def test_nothing_is_to_be_changed_in_the_metrics_of_a_busy_relay(busy):
    text = metrics(busy)
    found = prometheus.parse(text)
    promtool("check", "metrics", text=text)
    assert found["relayd_lane_trouble"].value(upstream="refusing", account="bob", **{"class": "auth"}) == 1
    assert found["relayd_account_ok"].value(upstream="refusing", account="bob") == 0
    kinds = {dict(labels)["class"] for _, labels in found["relayd_credential_left_seconds"].samples}
    assert kinds == {"access_token", "client_secret"}
    assert found["relayd_queue_messages_bytes"].value(state="waiting") > 0
    assert found["relayd_webhook_receivers"].value(state="well") == 1


def test_the_alert_rules_fire_when_they_should():
    promtool("check", "rules", "alerts.yml")
    promtool("test", "rules", "alerts_test.yml")


def test_what_alerts_dashboard_and_readme_name_is_there(busy):
    families = prometheus.parse(metrics(busy))
    shown = set(families)
    for family in families.values():
        shown |= {family.name + suffix for suffix in ("_bucket", "_count", "_sum") if family.kind == "histogram"}
    dashboard = json.loads((MONITORING / "dashboard.json").read_text())
    asked = [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", [])]
    drawn = set(OURS.findall(" ".join(asked)))
    alerts = set(OURS.findall((MONITORING / "alerts.yml").read_text()))
    assert drawn and drawn <= shown, drawn - shown
    assert alerts and alerts <= shown, alerts - shown
    described = {name for line in README.read_text().splitlines() if line.startswith("| `relayd_")
                 for name in OURS.findall(line)}
    assert described == set(families), described ^ set(families)
    unseen = set(families) - {re.sub("_(bucket|count|sum)$", "", name) for name in drawn} - \
        {"relayd_configuration_loaded_time_seconds"}  # which is its age, told otherwise
    assert not unseen, f"no panel shows {unseen}"


def test_the_expressions_of_the_dashboard_are_sound(tmp_path):
    dashboard = json.loads((MONITORING / "dashboard.json").read_text())
    asked = [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", [])]
    rules = [{"record": f"panel:{number}", "expr": expression.replace("$__rate_interval", "5m")}
             for number, expression in enumerate(asked)]
    (tmp_path / "rules.json").write_text(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}))  # also YAML
    promtool("check", "rules", "rules.json", folder=tmp_path)
    ids = [panel["id"] for panel in dashboard["panels"]]
    assert len(set(ids)) == len(ids)
