"""A second SIGTERM while a client was in DATA destroyed what others still waited for: exit code 139."""

import signal
import socket

from support.waiting import PATIENCE


def test_a_second_sigterm_cuts_what_is_under_way_and_ends_well(to_upstream):
    relay, _ = to_upstream()
    with socket.create_connection(("127.0.0.1", relay.port), timeout=PATIENCE) as client:
        replies = client.makefile("rb")
        client.sendall(b"EHLO a.example\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nDATA\r\n")
        while not replies.readline().startswith(b"354"):
            pass
        client.sendall(b"Subject: unfinished\r\n")
        relay.signal(signal.SIGTERM)
        while True:  # a new connection is refused once the first signal has been seen
            try:
                socket.create_connection(("127.0.0.1", relay.port), timeout=PATIENCE).close()
            except ConnectionError:
                break
        relay.signal(signal.SIGTERM)
        assert relay.ended() == 0
    assert relay.logged("stopped") and not relay.logged("accepted")
