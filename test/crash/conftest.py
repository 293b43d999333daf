"""The same relays and upstreams as the scenarios have, and how long the tests that can be long are to be."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from scenarios.conftest import authority, certificate, relay, to_upstream, upstream  # noqa: E402, F401


def pytest_addoption(parser):
    parser.addoption("--long", action="store_true", help="every point instead of a choice, and full sizes")
    parser.addoption("--points", type=int, default=5, help="how often power_cut_test.py cuts the power")
