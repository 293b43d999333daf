"""What relayd ships for Prometheus: its tools find nothing wrong with the metrics of a real relay, and the alert rules and
the dashboard ask for nothing that a relay does not show."""

import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

from conftest import ACCOUNTS
from support import mail, openmetrics, prometheus
from support.prometheus_server import Prometheus, promtool
from support.receiver import Receiver
from support.token_server import TokenServer
from support.tokens import KnownTokens
from support.waiting import PATIENCE, free_port, poll

MONITORING = Path(__file__).resolve().parents[2] / "docs" / "monitoring"
PAGE = MONITORING.parent / "window.md"
OURS = re.compile(r"\brelayd_[a-z_]+\b")
SENDER = "a@one.example"
TYPES = {"text/plain": "text/plain; version=0.0.4; charset=utf-8",
         "application/openmetrics-text": "application/openmetrics-text; version=1.0.0; charset=utf-8"}


def metrics(relay, accept: str = "text/plain") -> bytes:
    """As /metrics has them now."""
    address = relay.wait_event("listening", protocol="http")["address"]
    with urlopen(Request(f"http://{address}/metrics", headers={"Accept": accept}), timeout=PATIENCE) as answer:
        assert answer.headers["Content-Type"] == TYPES[accept]
        return answer.read()


def expressions() -> list[str]:
    """Those of the dashboard, for a job `relayd`."""
    dashboard = json.loads((MONITORING / "dashboard.json").read_text())
    return [target["expr"].replace("$__rate_interval", "1m").replace("$job", "relayd").replace("$instance", ".*")
            for panel in dashboard["panels"] for target in panel.get("targets", [])]


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
                http={"address": f"127.0.0.1:{free_port()}"},
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
    text = metrics(relay({"fake": upstream(accounts={}).config()}, http={"address": f"127.0.0.1:{free_port()}"}))
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
    promtool("check", "rules", "alerts.yml", folder=MONITORING)
    promtool("test", "rules", "alerts_test.yml", folder=MONITORING)


def test_what_alerts_dashboard_and_readme_name_is_there(busy):
    families = prometheus.parse(metrics(busy))
    shown = set(families)
    for family in families.values():
        shown |= {family.name + suffix for suffix in ("_bucket", "_count", "_sum") if family.kind == "histogram"}
    drawn = set(OURS.findall(" ".join(expressions())))
    alerts = set(OURS.findall((MONITORING / "alerts.yml").read_text()))
    assert drawn and drawn <= shown, drawn - shown
    assert alerts and alerts <= shown, alerts - shown
    described = {name for line in PAGE.read_text().splitlines() if line.startswith("| `relayd_")
                 for name in OURS.findall(line)}
    assert described == set(families), described ^ set(families)
    unseen = set(families) - {re.sub("_(bucket|count|sum)$", "", name) for name in drawn} - \
        {"relayd_configuration_loaded_time_seconds"}  # which is its age, told otherwise
    assert not unseen, f"no panel shows {unseen}"


def test_both_formats_tell_the_same(busy):
    def same() -> bool:  # mail is tried again meanwhile, and may have added something between the two
        text = prometheus.parse(metrics(busy))
        other = openmetrics.parse(metrics(busy, "application/openmetrics-text"))
        assert set(other) == {name.removesuffix("_total") for name in text}
        for name, family in text.items():
            one = other[name.removesuffix("_total")]
            assert (one.kind, one.help) == (family.kind, family.help)
        assert other["relayd_messages"].value("_total", upstream="plain", account="alice", state="delivered",
                                              **{"class": "none"}) >= 1
        return all({without_fraction(key) for key in other[name.removesuffix("_total")].samples} == set(family.samples)
                   for name, family in text.items())

    poll(same)


def without_fraction(key):
    """The key of a sample, with its bound as the text has it."""
    name, labels = key
    return name, frozenset((label, re.sub(r"\.0$", "", value) if label == "le" else value) for label, value in labels)


@pytest.fixture
def text_only(busy):
    """The address of a server that asks for the text and hands it on: what a Prometheus without OpenMetrics gets."""
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            body = metrics(busy)
            self.close_connection = True
            self.send_response(200)
            self.send_header("Content-Type", TYPES["text/plain"])
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_real_prometheus_scrapes_both_and_every_panel_has_something_to_show(busy, text_only, tmp_path):
    address = busy.wait_event("listening", protocol="http")["address"]
    server = Prometheus(tmp_path / "prometheus", {"relayd": address, "text": text_only}, MONITORING / "alerts.yml")

    def names(job: str) -> set[tuple[str, str]]:
        return {(one["metric"]["__name__"], one["value"][1]) for one in
                server.query(f'count by (__name__) ({{job="{job}", __name__=~"relayd_.*"}})')}

    def every_panel_shows_something() -> bool:
        empty = [expression for expression in expressions() if not server.query(expression)]
        print("nothing to show yet:", *empty, sep="\n")  # where the patience ends
        return not empty

    try:
        poll(lambda: names("relayd") and names("relayd") == names("text"))
        assert [target["lastError"] for target in server.targets().values()] == ["", ""]
        poll(every_panel_shows_something)
        described, = server.ask("targets/metadata", match_target='{job="relayd"}', metric="relayd_queue_time_seconds")
        assert (described["type"], described["unit"]) == ("histogram", "seconds")
        poll(lambda: {alert["metric"]["alertname"] for alert in server.query('ALERTS{job="relayd"}')} >=
             {"RelaydLoginRefused", "RelaydAccountFailing"})
    finally:
        server.close()
