"""The same relays and upstreams as the scenarios have."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from scenarios.conftest import authority, certificate, post_office, relay, to_upstream, upstream  # noqa: E402, F401
