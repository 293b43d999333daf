"""What sandbox upstreams have kept, over HTTP: the list, a message with its parts, its HTML for a frame, and who may."""

import json
from email.message import EmailMessage
from email.mime.application import MIMEApplication
from email.mime.multipart import MIMEMultipart
from email.policy import SMTP
from http.client import HTTPConnection
from urllib.parse import quote

import pytest

from support.waiting import PATIENCE, free_port

TOKEN = "window-canary-0123456789"
PERMITTED = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
SENDER = "app@a.example"
PIXEL = b"\x89PNG\r\n\x1a\n" + bytes(40)
POLICY = "sandbox; default-src 'none'; img-src data:; style-src 'unsafe-inline'; frame-ancestors 'self'"


class Window:
    def __init__(self, address: str):
        host, port = address.rsplit(":", 1)
        self.connection = HTTPConnection(host, int(port), timeout=PATIENCE)

    def ask(self, path: str, body: dict | None = None, headers: dict | None = None, method: str | None = None):
        """Status, headers, octets."""
        self.connection.request(method or ("GET" if body is None else "POST"), path,
                                None if body is None else json.dumps(body), headers or {})
        answer = self.connection.getresponse()
        return answer.status, answer.headers, answer.read()

    def get(self, path: str) -> dict:
        status, _, octets = self.ask(path)
        assert status == 200, (path, octets)
        return json.loads(octets)

    def list(self, query: str = "") -> list[dict]:
        status, headers, octets = self.ask("/api/captured" + query)
        assert (status, headers["Content-Type"]) == (200, "application/x-ndjson"), octets
        return [json.loads(line) for line in octets.splitlines()]


@pytest.fixture
def captured(relay, tmp_path):
    """A relay that keeps all mail in two sandboxes, and its window."""
    def start(**http):
        upstreams = {"kept": {"sandbox": {"directory": str(tmp_path / "kept")}},
                     "the other/one": {"sandbox": {"directory": str(tmp_path / "other")}}}
        rules = [{"match": "@other.example", "upstream": "the other/one"}, {"match": "*", "upstream": "kept"}]
        one = relay(upstreams, rules, http={"address": f"127.0.0.1:{free_port()}", "token": TOKEN, **http})
        return one, Window(one.wait_event("listening", protocol="http")["address"])
    return start


def send(relay, message, sender: str = SENDER, recipients="to@b.example") -> str:
    octets = message if isinstance(message, bytes) else message.as_bytes(policy=SMTP)
    one = relay.submit(sender, recipients, octets)
    relay.wait_event("delivered", id=one)
    return one


def html_message() -> EmailMessage:
    message = EmailMessage(policy=SMTP)
    message["From"], message["To"] = "Grüße <app@a.example>", "to@b.example"
    message["Subject"] = "Ihre Bestellung: 12 Äpfel"
    message.set_content("Zwölf Äpfel\n", charset="iso-8859-1")
    message.add_alternative('<p>Zwölf <img src="cid:logo@a.example"></p>\n', subtype="html", charset="iso-8859-1")
    message.get_payload()[1].add_related(PIXEL, "image", "png", cid="<logo@a.example>")
    message.add_attachment(b"%PDF-1.7", maintype="application", subtype="pdf", filename="Rechnung für Köln.pdf")
    return message


def test_a_message_is_listed_shown_and_saved(captured):
    relay, window = captured()
    message = html_message()
    one = send(relay, message)
    row, end = window.list()
    assert row == {"id": one, "upstream": "kept", "sender": SENDER, "recipients": ["to@b.example"],
                   "recipients_count": 1, "from": "Grüße <app@a.example>", "subject": "Ihre Bestellung: 12 Äpfel",
                   "size": row["size"], "time": row["time"]}
    assert end == {"end": True, "count": 1, "more": False}

    shown = window.get(f"/api/captured/kept/{one}")
    assert shown["envelope"]["sender"] == SENDER and shown["envelope"]["recipients"] == ["to@b.example"]
    assert shown["subject"] == row["subject"] and "=?utf-8?" in shown["header"]
    types = {part["type"]: part for part in shown["parts"]}
    assert list(types) == ["text/plain", "text/html", "image/png", "application/pdf"]
    assert types["text/plain"]["charset"] == "iso-8859-1"
    assert types["application/pdf"]["name"] == "Rechnung für Köln.pdf" and types["application/pdf"]["size"] == 8

    address = f"/api/captured/kept/{one}/part/{types['application/pdf']['part']}"
    status, headers, octets = window.ask(address)
    assert (status, octets, headers["Content-Type"]) == (200, b"%PDF-1.7", "application/octet-stream")
    assert headers["Content-Disposition"] == ('attachment; filename="Rechnung_f__r_K__ln.pdf"; '
                                              "filename*=UTF-8''Rechnung%20f%C3%BCr%20K%C3%B6ln.pdf")
    text = window.ask(f"/api/captured/kept/{one}/part/{shown['text']}")[2]
    assert text.decode("iso-8859-1") == "Zwölf Äpfel\r\n", "octets in the charset of the mail"

    status, headers, source = window.ask(f"/api/captured/kept/{one}/source")
    assert headers["Content-Disposition"].startswith(f'attachment; filename="{one}.eml"')
    assert len(source) == row["size"] and source.endswith(message.as_bytes(policy=SMTP)[-500:])


def test_html_is_shown_in_a_frame_that_can_do_nothing(captured):
    relay, window = captured()
    one = send(relay, html_message())
    html = window.get(f"/api/captured/kept/{one}")["html"]
    status, headers, octets = window.ask(html["address"])
    assert (status, headers["Content-Type"]) == (200, "text/html; charset=iso-8859-1")
    assert headers.get_all("Content-Security-Policy") == [POLICY]
    assert headers.get_all("X-Frame-Options") == ["SAMEORIGIN"]
    assert headers["X-Content-Type-Options"] == "nosniff" and headers["Referrer-Policy"] == "no-referrer"
    assert b'<img src="data:image/png;base64,iVBORw0K' in octets and "Zwölf".encode("iso-8859-1") in octets
    for wrong in ("/captured/", "/captured/" + "0" * 32, html["address"][:-1], html["address"] + "0", "/captured/..",
                  html["address"] + "/x"):
        status, headers, _ = window.ask(wrong)
        assert status == 404 and headers["X-Frame-Options"] == "DENY", wrong


def test_only_the_newest_tickets_hold(captured):
    relay, window = captured()
    one = send(relay, html_message())
    addresses = [window.get(f"/api/captured/kept/{one}")["html"]["address"] for _ in range(33)]
    assert len(set(addresses)) == 33 and len(addresses[0]) == len("/captured/") + 32
    assert [window.ask(address)[0] for address in addresses[:2] + addresses[-1:]] == [404, 200, 200]


HOSTILE_NAMES = {"../../x": "x", "a.html": "a.html", "con": "_con", "n" * 4096 + ".txt": "n" * 146 + ".txt",
                 "exe\u202etxt": "exe_txt", 'a;b"c': "a;b_c", "..": "part-1"}


def test_a_hostile_file_name_is_made_harmless(captured):
    relay, window = captured()
    for hostile, cleaned in HOSTILE_NAMES.items():
        message = EmailMessage(policy=SMTP)
        message["From"] = SENDER
        message.set_content(b"x", maintype="application", subtype="x", filename=hostile)
        one = send(relay, message)
        assert window.get(f"/api/captured/kept/{one}")["parts"][0]["name"] == cleaned
        disposition = window.ask(f"/api/captured/kept/{one}/part/1")[1]["Content-Disposition"]
        plain = disposition.removeprefix('attachment; filename="').split('"')[0]
        assert all(letter.isalnum() or letter in "._-" for letter in plain), disposition
        assert disposition.endswith(f"filename*=UTF-8''{quote(cleaned, safe='')}")


def test_a_line_end_in_a_file_name_ends_no_header(captured):
    relay, window = captured()
    coded = b"Content-Disposition: attachment; filename*=utf-8''a%0D%0ASet-Cookie:%20b.txt\r\n\r\nx\r\n"
    one = send(relay, b"From: app@a.example\r\n" + coded)
    status, headers, octets = window.ask(f"/api/captured/kept/{one}/part/1")
    assert (status, octets, headers["Set-Cookie"]) == (200, b"x\r\n", None)
    assert "a__Set-Cookie_%20b.txt" in headers["Content-Disposition"]


BROKEN = {
    "no boundary": (b"Content-Type: multipart/mixed\r\n\r\n--x\r\n\r\nhi\r\n", 1),
    "no end": (b"Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n\r\nhi\r\n--x\r\nContent-Type: text/html\r\n\r\nhi", 2),
    "no header": (b"\r\nhi\r\n", 1),
    "bad base64": (b"Content-Type: text/html\r\nContent-Transfer-Encoding: base64\r\n\r\n*&^%PGI+!!\r\n", 1),
    "raw octets": (b"Subject: \xff\xfe\r\nContent-Type: text/html; charset=\"x\x80;y\"\r\n\r\n\xff\x81\x80\r\n", 1),
    "deep": (b"".join(b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (i, i) for i in range(300)), 1),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_broken_mail_is_shown_as_far_as_it_goes(captured, kind):
    relay, window = captured()
    octets, parts = BROKEN[kind]
    one = send(relay, octets)
    assert window.list()[0]["id"] == one
    shown = window.get(f"/api/captured/kept/{one}")
    assert len(shown["parts"]) == parts
    for part in shown["parts"]:
        assert window.ask(f"/api/captured/kept/{one}/part/{part['part']}")[0] == 200
    if "html" in shown:
        status, headers, _ = window.ask(shown["html"]["address"])
        assert (status, headers.get_all("Content-Security-Policy")) == (200, [POLICY])
        assert headers["Content-Type"].startswith("text/html; charset=")


def test_a_search_and_a_long_list(captured):
    relay, window = captured()
    ids = []
    for i in range(5):
        sender = "app@other.example" if i == 3 else SENDER
        ids.append(send(relay, f"Subject: number {i}\r\n\r\nx\r\n".encode(), sender, f"to{i}@b.example"))
    assert [row["id"] for row in window.list()[:-1]] == ids[::-1], "the newest first, of both sandboxes"
    assert [row["id"] for row in window.list("?query=NUMBER+2")[:-1]] == [ids[2]]
    assert [row["id"] for row in window.list("?query=to4%40b")[:-1]] == [ids[4]]
    assert [row["id"] for row in window.list("?upstream=the+other/one")[:-1]] == [ids[3]]
    shown = window.get(f"/api/captured/{quote('the other/one', safe='')}/{ids[3]}")
    assert shown["subject"] == "number 3"
    seen, after = [], ""
    while after is not None:
        *rows, end = window.list(f"?limit=2&after={quote(after, safe='')}")
        seen += [row["id"] for row in rows]
        after = end.get("after")
    assert seen == ids[::-1]


def test_nothing_else_than_a_kept_message_is_read(captured, tmp_path):
    relay, window = captured()
    one = send(relay, b"Subject: x\r\n\r\nx\r\n")
    secret = tmp_path / "secret"
    secret.write_text("canary")
    (tmp_path / "kept" / "1j0m1q185e7.eml").symlink_to(secret)
    (tmp_path / "kept" / "1j0m1q185e7.json").write_text("{}")
    assert [row["id"] for row in window.list()[:-1]] == [one]
    ways = ["1j0m1q185e7", "..", "%2e%2e", "..%2f..%2fsecret", "%2e%2e%2fsecret", f"{one}.eml", f"{one}%00", f"{one}-1",
            f"..%2fkept%2f{one}", f"{one.upper()}"]
    for way in ways:
        for path in (f"/api/captured/kept/{way}", f"/api/captured/kept/{way}/source", f"/api/captured/kept/{way}/part/1"):
            assert window.ask(path)[0] == 404, path
    for path in (f"/api/captured/none/{one}", f"/api/captured/{quote(str(tmp_path), safe='')}%2fkept/{one}",
                 f"/api/captured/..%2fkept/{one}", f"/api/captured/kept/{one}/part/0", f"/api/captured/kept/{one}/part/2",
                 f"/api/captured/kept/{one}/part/99999999999999999999", f"/api/captured/kept/{one}/part/-1",
                 f"/api/captured/kept/{one}/", "/api/captured/", "/api/captured/kept"):
        assert window.ask(path)[0] == 404, path
    for path in ("/api/captured?nothing=1", "/api/captured?limit=x", f"/api/captured/kept/{one}?x=1",
                 f"/api/captured/kept/{one}/source?path=/etc/passwd"):
        assert window.ask(path)[0] == 400, path


def test_a_removal_leaves_what_the_sandbox_has_not_made(captured, tmp_path):
    relay, window = captured()
    for i in range(3):
        send(relay, b"Subject: x\r\n\r\nx\r\n")
    send(relay, b"Subject: x\r\n\r\nx\r\n", "app@other.example")
    (tmp_path / "kept" / "notes.json").write_text("{}")
    for headers, status in (({}, 401), ({"Content-Type": "application/json"}, 401), (PERMITTED, 200)):
        assert window.ask("/api/captured/clear", {"upstream": "kept"}, headers)[0] == status
    assert [row["upstream"] for row in window.list()[:-1]] == ["the other/one"]
    assert [path.name for path in (tmp_path / "kept").iterdir()] == ["notes.json"]
    status, _, octets = window.ask("/api/captured/clear", {}, PERMITTED)
    assert (status, json.loads(octets)) == (200, {"removed": 1, "errors": []})
    assert window.list() == [{"end": True, "count": 0, "more": False}]
    for body in ({"directory": "/"}, {"upstream": 5}, []):
        assert window.ask("/api/captured/clear", body, PERMITTED)[0] == 400, body
    assert window.ask("/api/captured/clear", headers=PERMITTED)[0] == 405


def test_a_clear_takes_what_it_was_asked_for_alone(relay, tmp_path):
    shared = {"sandbox": {"directory": str(tmp_path / "kept")}}
    one = relay({"kept": shared, "twin": shared}, [{"match": "@twin.example", "upstream": "twin"}, {"match": "*", "upstream": "kept"}],
                http={"address": f"127.0.0.1:{free_port()}", "token": TOKEN})
    window = Window(one.wait_event("listening", protocol="http")["address"])
    send(one, html_message())
    for upstream, status, why in (("twin", 400, "in one directory"), ("kpet", 404, "there is no sandbox 'kpet'")):
        answered, _, octets = window.ask("/api/captured/clear", {"upstream": upstream}, PERMITTED)
        assert answered == status and why in json.loads(octets)["error"]
    assert len(list((tmp_path / "kept").glob("*.eml"))) == 1
    assert json.loads(window.ask("/api/captured/clear", {}, PERMITTED)[2]) == {"removed": 1, "errors": []}


def test_other_machines_need_the_token_but_for_a_ticket(captured):
    relay, window = captured(address=f"0.0.0.0:{free_port()}")
    one = send(relay, html_message())
    paths = ["/api/captured", f"/api/captured/kept/{one}", f"/api/captured/kept/{one}/source",
             f"/api/captured/kept/{one}/part/1"]
    for path in paths:
        assert window.ask(path)[0] == 401, path
        assert window.ask(path, headers={"Authorization": f"Bearer {TOKEN}"})[0] == 200, path
    shown = json.loads(window.ask(paths[1], headers={"Authorization": f"Bearer {TOKEN}"})[2])
    assert window.ask(shown["html"]["address"])[0] == 200
    assert window.ask(shown["html"]["address"], headers={"Host": "evil.example"})[0] == 421


def test_the_status_names_the_sandboxes(captured):
    relay, window = captured()
    assert window.get("/api/status")["sandboxes"] == ["kept", "the other/one"]


def test_a_large_message_is_read_within_bounds(captured):
    relay, window = captured()
    message = MIMEMultipart()
    message["Subject"] = "large"
    message.attach(MIMEApplication(bytes(10 << 20), Name="zeroes.bin"))
    one = send(relay, message)
    shown = window.get(f"/api/captured/kept/{one}")
    assert shown["parts"][0]["size"] == 10 << 20 and len(window.ask(f"/api/captured/kept/{one}/part/1")[2]) == 10 << 20
    assert len(window.ask(f"/api/captured/kept/{one}/source")[2]) == shown["size"]
