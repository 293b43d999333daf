"""Canary: the word that is in every password of these tests, so that it may be nowhere else: not in clear, nor in
base64 of whatever is before and behind it."""

import base64
from pathlib import Path

WORD = b"canary"
LOOKED_AT = 64 << 20  # of a file: some are endless
TOLD = ("cmdline", "comm", "status", "stat", "maps", "limits", "mountinfo")  # of a process, for all to read


def _in_base64(before: int) -> bytes:
    """What is the same whatever those octets before it and those behind it are."""
    encoded = base64.b64encode(bytes(before) + WORD).rstrip(b"=")
    return encoded[-(-8 * before // 6):8 * (before + len(WORD)) // 6]


FORMS = (WORD, *(_in_base64(before) for before in range(3)))


def demand_none(where, octets: bytes | str):
    octets = octets.encode(errors="surrogateescape") if isinstance(octets, str) else octets
    for form in FORMS:
        at = octets.find(form)
        assert at < 0, f"a secret in {where}: {octets[max(0, at - 100):at + 40]!r}"


def demand_none_below(folder: Path):
    """In no file of it, and in no name."""
    for path in folder.rglob("*"):
        demand_none("a name", str(path.relative_to(folder)))
        if path.is_file() and not path.is_symlink():
            with open(path, "rb") as file:
                demand_none(path, file.read(LOOKED_AT))


def demand_none_of_process(pid: int):
    for name in TOLD:
        file = Path(f"/proc/{pid}/{name}")
        demand_none(file, file.read_bytes())
