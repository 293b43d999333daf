"""SIGHUP did not give the listeners their new certificates."""

import signal
import smtplib
import ssl

from support.waiting import PATIENCE


def served(port: int, authority) -> bytes:
    trust = ssl.create_default_context(cafile=str(authority.file))
    trust.check_hostname = False
    with smtplib.SMTP("127.0.0.1", port, timeout=PATIENCE) as client:
        client.starttls(context=trust)
        return client.sock.getpeercert(binary_form=True)


def test_a_reload_serves_the_new_certificate(relay, upstream, authority, tmp_path):
    files = {"certificate": str(tmp_path / "server.pem"), "key": str(tmp_path / "server.key")}

    (tmp_path / "server.key").touch(mode=0o600)

    def put(pair):
        for name, source in (("certificate", pair.certificate), ("key", pair.key)):
            with open(files[name], "wb") as target, open(source, "rb") as given:
                target.write(given.read())

    put(authority.issue("first.test.example", "127.0.0.1"))
    one = relay({"fake": upstream(accounts={}).config()}, listener={"tls": "starttls"}, tls={"certificates": [files]})
    first = served(one.port, authority)
    put(authority.issue("second.test.example", "127.0.0.1"))
    one.signal(signal.SIGHUP)
    one.wait_event("reloaded")
    assert served(one.port, authority) != first
