"""relayd oauth login: a person signs in by a code or by a browser, at a token server over HTTPS."""

import json
import re
import subprocess
import threading
import urllib.error
import urllib.parse
import urllib.request

import pytest

from support import mail
from support.relayd import BINARY, Relayd, command
from support.token_server import TokenServer
from support.tokens import KnownTokens
from support.waiting import PATIENCE

USER = "ann@sender.example"
PENDING = {"error": "authorization_pending"}
GRANT = {"token_type": "Bearer", "access_token": "token-canary-a", "refresh_token": "refresh-1", "expires_in": 3600}


@pytest.fixture
def signing_in(tmp_path, upstream, certificate):
    """A configuration whose one account waits for a person: (relay that is not started, token server). Its upstream takes
    the token of GRANT for `owner`."""
    tokens = KnownTokens("microsoft")
    server = TokenServer(certificate, tokens)

    def start(owner: str = USER, **oauth2):
        tokens.take(GRANT["access_token"], owner)
        settings = server.config(grant="refresh_token", user=USER, **oauth2)
        fake = upstream(accounts={}, tokens=tokens, mechanisms="XOAUTH2")
        relay = Relayd(tmp_path, {"main": fake.config(oauth2=settings)},
                       [{"match": "*", "upstream": "main"}])
        relay.queue.mkdir(mode=0o700)
        relay.upstream = fake
        return relay, server

    yield start
    server.close()


def stored(relay) -> list[dict]:
    return [json.loads(file.read_text()) for file in (relay.queue / "tokens").glob("*.json")]


def browse(relay):
    """The command, and the address that it wants opened."""
    process = subprocess.Popen([BINARY, "oauth", "login", "main", "-c", relay.file], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    watchdog = threading.Timer(PATIENCE, process.kill)
    watchdog.start()
    for line in process.stdout:
        if line.startswith("https://"):
            return process, urllib.parse.parse_qs(urllib.parse.urlsplit(line.strip()).query), watchdog
    raise AssertionError("no address was shown")


def ended(process, watchdog, typed: str | None = None) -> tuple[int, str]:
    out, _ = process.communicate(typed, timeout=PATIENCE)
    watchdog.cancel()
    return process.returncode, out


def test_a_code_is_typed_elsewhere_and_asked_for_until_the_person_is_through(signing_in):
    relay, server = signing_in(provider="microsoft", tenant="example.com")
    server.answer(200, {"device_code": "device-canary", "user_code": "ABC-DEF", "interval": 1,
                        "verification_uri": "https://login.example/device"})
    server.answer(400, PENDING)
    server.answer(200, GRANT)
    login = command("oauth", "login", "main", "-c", relay.file)
    assert login.returncode == 0, login.stderr
    assert "Open https://login.example/device and type ABC-DEF" in login.stdout
    token, = stored(relay)
    assert (token["refresh_token"], token["user"], token["client_id"]) == ("refresh-1", USER, "relayd")
    file, = (relay.queue / "tokens").glob("*.json")
    assert file.stat().st_mode & 0o777 == 0o600
    assert [request.form.get("device_code") for request in server.requests.all()] == [None, *["device-canary"] * 2]


@pytest.mark.parametrize("error", ["authorization_declined", "expired_token"])
def test_a_person_who_declines_leaves_nothing_behind(signing_in, error):
    relay, server = signing_in(provider="microsoft", tenant="example.com")
    server.answer(200, {"device_code": "device-canary", "user_code": "ABC-DEF", "interval": 1,
                        "verification_uri": "https://login.example/device"})
    server.answer(400, {"error": error})
    login = command("oauth", "login", "main", "-c", relay.file)
    assert login.returncode == 77 and error in login.stderr
    assert not stored(relay)


def test_a_browser_comes_back_with_the_code(signing_in):
    relay, server = signing_in()
    server.answer(200, GRANT)
    process, query, watchdog = browse(relay)
    back = query["redirect_uri"][0]
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+", back)
    with pytest.raises(urllib.error.HTTPError, match="404"):
        urllib.request.urlopen(f"{back}/favicon.ico", timeout=PATIENCE)
    page = urllib.request.urlopen(f"{back}/?state={query['state'][0]}&code=code-canary", timeout=PATIENCE)
    assert b"You may close this window" in page.read()
    code, out = ended(process, watchdog)
    assert code == 0, out
    request, = server.requests.all()
    assert request.form["code"] == "code-canary" and request.form["redirect_uri"] == back
    assert len(request.form["code_verifier"]) >= 43
    assert stored(relay)[0]["refresh_token"] == "refresh-1"


def test_the_address_of_the_last_page_can_be_pasted(signing_in):
    relay, server = signing_in()
    server.answer(200, GRANT)
    process, query, watchdog = browse(relay)
    code, out = ended(process, watchdog,
                      f"{query['redirect_uri'][0]}/?state={query['state'][0]}&code=code-canary\n")
    assert code == 0 and stored(relay), out


def test_a_stranger_at_the_listener_ends_nothing(signing_in):
    relay, server = signing_in()
    server.answer(200, GRANT)
    process, query, watchdog = browse(relay)
    back = query["redirect_uri"][0]
    with pytest.raises(urllib.error.HTTPError, match="400"):
        urllib.request.urlopen(f"{back}/?state=evil&code=1", timeout=PATIENCE)
    process.stdin.write("\n")
    process.stdin.flush()
    code, out = ended(process, watchdog, f"{back}/?state={query['state'][0]}&code=code-canary\n")
    assert code == 0 and stored(relay), out


@pytest.mark.parametrize("answer", ["state=other&code=1", "state={state}&error=access_denied"])
def test_another_state_or_an_error_ends_it(signing_in, answer):
    relay, server = signing_in()
    process, query, watchdog = browse(relay)
    code, out = ended(process, watchdog,
                      f"{query['redirect_uri'][0]}/?{answer.format(state=query['state'][0])}\n")
    assert code == 77, out
    assert not stored(relay) and not server.requests.all()


def test_a_sign_in_of_another_mailbox_is_not_kept(signing_in):
    relay, server = signing_in(owner="bob@sender.example", provider="microsoft", tenant="example.com")
    server.answer(200, {"device_code": "device-canary", "user_code": "ABC-DEF", "interval": 1,
                        "verification_uri": "https://login.example/device"})
    server.answer(200, GRANT)
    login = command("oauth", "login", "main", "-c", relay.file)
    assert login.returncode == 77 and not stored(relay)
    assert "nothing is kept, as the login fails" in login.stderr and "535 5.7.3" in login.stderr
    assert f"`user` is not: it is {USER}, and another one has signed in" in login.stderr
    assert "canary" not in login.stdout + login.stderr


def test_a_sign_in_is_kept_where_the_way_to_the_server_fails(signing_in):
    relay, server = signing_in(provider="microsoft", tenant="example.com")
    relay.upstream.answer("greeting", "421 4.3.2 Later")
    server.answer(200, {"device_code": "device-canary", "user_code": "ABC-DEF", "interval": 1,
                        "verification_uri": "https://login.example/device"})
    server.answer(200, GRANT)
    login = command("oauth", "login", "main", "-c", relay.file)
    assert login.returncode == 0 and stored(relay)
    assert "not tried, as the way there fails" in login.stderr


def test_a_running_relay_takes_what_waits_at_once(signing_in):
    relay, server = signing_in(provider="microsoft", tenant="example.com")
    relay.start()
    try:
        relay.submit(USER, "reader@rcpt.example", mail.message(USER, "waits"))
        assert relay.wait("lane_paused")[0]["class"] == "auth"
        server.answer(200, {"device_code": "device-canary", "user_code": "ABC-DEF", "interval": 1,
                            "verification_uri": "https://login.example/device"})
        server.answer(200, GRANT)
        assert command("oauth", "login", "main", "-c", relay.file).returncode == 0
        relay.wait("delivered")
        status = command("oauth", "status", "-c", relay.file)
        assert ", the token ends in " in status.stdout
    finally:
        relay.stop()


def test_status_names_the_accounts_and_no_secret(signing_in):
    relay, _ = signing_in(secret_expires="2099-01-01")
    status = command("oauth", "status", "-c", relay.file)
    assert status.returncode == 0, status.stderr
    assert f"main: refresh_token of generic for {USER}, the client secret ends in" in status.stdout
