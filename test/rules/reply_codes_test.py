"""Every reply to a client has an enhanced status code of its own class (RFC 2034 4), but for those that must have none:
the greeting, the answers to EHLO and HELO, and 3xx."""

import re

from source import CODE, demand_none, files, line_of, name, text

ROOTS = ("lib/accept", "lib/relay", "lib/shared/net", "lib/shared/smtp", "relayd")
BARE = ("220", "250", "334", "354")
BRACED = re.compile(r"[({](\d{3}),\s*(?:\{([^{}]*)\}|([a-z_]+)),")  # {550, {5, 7, 1}, or (550, bad_argument,
LITERAL = re.compile(r'"([245]\d\d) (\S+) [^"]*\\r\\n"')
CONSTANT = re.compile(r"EnhancedCode ([a-z_]+)\{(\d)")


def wrong(path) -> list[str]:
    classes = dict(CONSTANT.findall(text(path)))
    found = []
    for match in BRACED.finditer(text(path)):
        code, braced, constant = match.groups()
        # A name that is no constant is a parameter, whose value stands with the caller.
        status_class = classes.get(constant, code[0]) if constant else braced.split(",")[0]
        if not (status_class == code[0] or (status_class == "" and code in BARE)):
            found.append(f"{name(path)}:{line_of(text(path), match.start())}: {match[0]}")
    for match in LITERAL.finditer(text(path)):
        if not re.fullmatch(match[1][0] + r"\.\d+\.\d+", match[2]):
            found.append(f"{name(path)}:{line_of(text(path), match.start())}: {match[0]}")
    return found


def test_replies_have_an_enhanced_code_of_their_class():
    found = [place for path in files(*ROOTS, suffixes=CODE) for place in wrong(path)]
    demand_none(found, "Give the reply an enhanced status code; its class is the first digit of the reply.")


def test_the_rule_sees_replies():
    seen = [match for path in files(*ROOTS, suffixes=CODE) for match in BRACED.findall(text(path))]
    assert len(seen) > 50, f"{len(seen)} replies: is this how they are written?"
