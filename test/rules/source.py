"""The source tree as the rules see it: which files there are, what they include, their text without comments."""

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
LIB = PROJECT / "lib"
CODE = {".hpp", ".cpp"}
SKIPPED = re.compile(r"^(build.*|\.git|node_modules|__pycache__|\.pytest_cache)$")

INCLUDE = re.compile(r'^\s*#\s*include\s*(["<])([^">]+)[">]', re.MULTILINE)
NOISE = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"', re.DOTALL)


@dataclass(frozen=True)
class Include:
    line: int
    target: str
    quoted: bool


def files(*roots: str, suffixes=CODE) -> list[Path]:
    """Files under the given folders of the project (all of it when none is given), sorted."""
    found = []
    stack = [PROJECT / root for root in roots] or [PROJECT]
    while stack:
        path = stack.pop()
        if path.is_dir():
            stack += [entry for entry in path.iterdir() if not SKIPPED.match(entry.name)]
        elif path.is_file() and (suffixes is None or path.suffix in suffixes):
            found.append(path)
    return sorted(found)


def name(path: Path) -> str:
    return path.relative_to(PROJECT).as_posix()


def room_name(path: Path) -> str:
    """The path under lib/, without its suffix: "accept/rules", "shared/net/tls_stream"."""
    return path.relative_to(LIB).with_suffix("").as_posix()


@cache
def text(path: Path) -> str:
    return path.read_text(errors="replace")


def line_of(whole: str, offset: int) -> int:
    return whole.count("\n", 0, offset) + 1


@cache
def includes(path: Path) -> list[Include]:
    return [Include(line_of(text(path), match.start(2)), match[2], match[1] == '"')
            for match in INCLUDE.finditer(text(path))]


@cache
def code(path: Path) -> str:
    """The text with comments and string literals blanked out; line numbers stay what they were."""
    return NOISE.sub(lambda match: re.sub(r"[^\n]", " ", match[0]), text(path))


def matches(path: Path, pattern: str) -> list[str]:
    """`FILE:LINE: the line` for each match of the pattern in the code."""
    lines = text(path).splitlines()
    numbers = sorted({line_of(code(path), match.start()) for match in re.finditer(pattern, code(path))})
    return [f"{name(path)}:{number}: {lines[number - 1].strip()}" for number in numbers]


def demand_none(found: list[str], advice: str):
    """Fails with every place found and with what to do about it."""
    assert not found, "\n" + "\n".join(found) + f"\n{advice}"
