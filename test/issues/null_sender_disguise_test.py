"""An account held to its domain sent as anybody: MAIL FROM:<> and another's address in From, past access too."""

import smtplib

import pytest

from support.waiting import PATIENCE

PASSWORD = "app-canary"
THEIRS = b"From: ceo@b.example\r\n"
REST = b"Subject: x\r\n\r\ntext\r\n"


@pytest.fixture
def shared(relay, upstream):
    """Two domains at one upstream, each with its account; `app` may send as the first only."""
    fake = upstream(accounts={"a": "a-canary", "b": "b-canary"})
    senders = [{"match": f"@{name}.example", "upstream": "fake", "username": name, "password": f"{name}-canary"}
               for name in ("a", "b")]

    def start(access=None, account=None, default=False, rejected=()):
        rules = [*senders, {**senders[1], "match": "*"}] if default else senders
        rules = [*rules, *({"match": one, "reject": "550 5.7.9 Gone"} for one in rejected)]
        app = {"name": "app", "password": PASSWORD, "may_send_as": ["@a.example"], **(account or {})}
        return relay({"fake": fake.config()}, rules, listener={"auth": "optional"}, accounts=[app],
                     access={"senders": access or {}})

    return start


def hand_in(relay, message: bytes, account: bool = True) -> int:
    """The code that answers the message from the null sender."""
    with smtplib.SMTP("127.0.0.1", relay.port, timeout=PATIENCE) as client:
        if account:
            client.login("app", PASSWORD)
        try:
            client.sendmail("", ["eve@rcpt.example"], message)
        except smtplib.SMTPDataError as refused:
            return refused.smtp_code
    return 250


@pytest.mark.parametrize("header", [
    THEIRS, b"From: app@a.example, ceo@b.example\r\n", b"From: app@a.example\r\n" + THEIRS,
    b"From: (" + b"x" * 8192 + b") app@a.example\r\n", b"From: app@a.example,\r\n " + b" " * 8192 + b"ceo@b.example\r\n",
    b"From: ceo@b.example <\r\n", b""])
def test_an_account_writes_as_whom_it_may_also_from_the_null_sender(shared, header):
    one = shared(default=True)
    assert hand_in(one, header + REST) == 550
    assert hand_in(one, b"From: app@a.example\r\n" + REST) == 250
    one.wait_event("delivered")
    assert len(one.logged("accepted")) == 1


def test_a_from_behind_which_nothing_comes_is_seen(shared):
    one = shared(account={"may_send_as_header": True}, default=True)
    assert hand_in(one, THEIRS) == 550
    with smtplib.SMTP("127.0.0.1", one.port, timeout=PATIENCE) as client:
        client.login("app", PASSWORD)
        with pytest.raises(smtplib.SMTPDataError) as refused:
            client.sendmail("app@a.example", ["eve@rcpt.example"], THEIRS)
    assert refused.value.smtp_code == 550


def test_access_decides_by_the_address_that_routes_a_message(shared):
    one = shared(access={"ceo@b.example": "reject", "held@b.example": "hold", "gone@b.example": "discard"})
    assert hand_in(one, b"From: info@b.example, ceo@b.example\r\n" + REST, account=False) == 550
    assert hand_in(one, b"From: info@b.example, held@b.example\r\n" + REST, account=False) == 250
    one.wait_event("held")
    assert hand_in(one, b"From: gone@b.example\r\n" + REST, account=False) == 250
    one.wait_event("discarded", to="eve@rcpt.example")
    assert not one.logged("accepted")


def test_a_from_that_cannot_be_held_routes_nothing(shared):
    one = shared(default=True)
    assert hand_in(one, b"From: (" + b"x" * 8192 + b") ceo@b.example\r\n" + REST, account=False) == 550
    assert hand_in(one, b"From: Mail Delivery System\r\n" + REST, account=False) == 250
    one.wait_event("delivered")


def test_an_account_writes_as_nobody_whom_a_reader_may_take_for_another(shared):
    one = shared(default=True)
    for author in ("<app@a.example> ceo@b.example", '"<ceo@b.example>"@a.example', "ceo\uff20b.example@a.example",
                   "=?utf-8?B?Y2VvQGIuZXhhbXBsZQ==?=@a.example", "<app@a.example> =?utf-8?q?ceo=40b=2Eexample?="):
        assert hand_in(one, f"From: {author}\r\n".encode() + REST) == 550, author


UNREADABLE = [b"<ceo@b.example", b"ceo@b.example x", b"=?utf-8?q?ceo=40b=2Eexample?=", b"<a@b.example> ceo@b.example",
              b'"<ceo@b.example>"@a.example', b"Mail Delivery System"]


@pytest.mark.parametrize("rules", [{"access": {"ceo@b.example": "discard"}}, {"rejected": ["ceo@b.example"]}], ids=str)
def test_who_cannot_be_read_passes_no_rule_about_senders(shared, rules):
    one = shared(default=True, **rules)
    for author in UNREADABLE:
        assert hand_in(one, b"From: " + author + b"\r\n" + REST, account=False) == 550, author
    assert hand_in(one, b"From: Ann <info@b.example>\r\n" + REST, account=False) == 250
    assert hand_in(one, REST, account=False) == 250


def test_without_such_a_rule_a_from_need_not_be_read(shared):
    one = shared(access={"@a.example": "accept"}, default=True)
    for author in UNREADABLE:
        assert hand_in(one, b"From: " + author + b"\r\n" + REST, account=False) == 250, author


def test_each_author_is_held_to_the_rules_that_reject(shared):
    one = shared(rejected=["ceo@b.example"])
    for header in (b"From: ceo@b.example\r\n", b"From: info@b.example, ceo@b.example\r\n",
                   b"From: info@b.example\r\nFrom: ceo@b.example\r\n"):
        assert hand_in(one, header + REST, account=False) == 550, header
    assert hand_in(one, b"From: info@b.example, bob@b.example\r\n" + REST, account=False) == 250


def test_what_mail_looks_like_passes(shared):
    one = shared(account={"may_send_as_header": True}, access={"old@b.example": "reject"}, default=True)
    for author in ('"Doe, Ann" <app@a.example> (c@d)', "=?utf-8?q?J=C3=B6rg_=40home?= <app@a.example>",
                   "J\u00f6rg <app@a.example>", "Staff: app@a.example, Ann <ann@a.example>;", "j\u00f6rg@a.example",
                   "ceo@b.example <app@a.example>"):
        assert hand_in(one, f"From: {author}\r\n".encode() + REST) == 250, author
