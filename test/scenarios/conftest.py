"""What every scenario may ask for: a private authority, upstreams that do as they are told, relays, a real provider."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from support.certificates import Authority  # noqa: E402
from support.post_office import PostOffice  # noqa: E402
from support.provider import Provider  # noqa: E402
from support.relayd import Relayd  # noqa: E402
from support.upstream import FakeUpstream  # noqa: E402

ACCOUNTS = {"alice": "alice-canary", "bob": "bob-canary", "carol": "carol-canary"}


def pytest_addoption(parser):
    parser.addoption("--rounds", type=int, default=30, help="how often crash_test.py kills the relay")


@pytest.fixture(scope="session")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("certificates") / "authority")


@pytest.fixture(scope="session")
def certificate(authority):
    return authority.issue("127.0.0.1", "upstream.test.example")


@pytest.fixture
def upstream(certificate):
    """Makes a FakeUpstream; by default STARTTLS, a good certificate and the three accounts."""
    made = []

    def make(**options) -> FakeUpstream:
        made.append(FakeUpstream(**{"certificate": certificate, "accounts": ACCOUNTS, **options}))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def relay(tmp_path):
    """Starts a relay in front of the given upstreams; at the end it must stop well and have told no secret."""
    started = []

    def start(upstreams: dict, senders: list | None = None, **sections) -> Relayd:
        senders = senders or [{"match": "*", "upstream": next(iter(upstreams))}]
        folder = tmp_path / f"relay{len(started)}"
        folder.mkdir()
        started.append(Relayd(folder, upstreams, senders, **sections))
        return started[-1].start("--grace", "1")

    yield start
    for one in started:
        code = one.finish()
        assert code == 0, f"relayd ended with {code}"


@pytest.fixture
def to_upstream(relay, upstream):
    """A relay in front of one FakeUpstream, logged in as alice: (relay, upstream)."""

    def start(more: dict | None = None, queue: dict | None = None, **options):
        fake = upstream(**options)
        credential = {"username": "alice", "password": ACCOUNTS["alice"]} if fake.accounts else {}
        return relay({"fake": fake.config(**{**credential, **(more or {})})}, queue=queue), fake

    return start


@pytest.fixture(scope="session")
def provider(certificate):
    """A real Postfix with Dovecot, on which each account sends as itself only."""
    accounts = {name: (password, f"{name}@{name}.example") for name, password in ACCOUNTS.items()}
    with Provider(certificate, accounts) as one:
        yield one


@pytest.fixture(scope="module")
def post_office(tmp_path_factory, certificate):
    """Relays with every kind of listener and one sink; at the end it demands what must hold whatever was said."""
    office = PostOffice(tmp_path_factory.mktemp("post_office"), certificate)
    yield office
    office.close()
