"""What every file keeps to: its length, the coroutine shapes GCC 12 gets right, no word of the machine it was
written on, tests that do not wait by the clock."""

import re

from source import CODE, code, demand_none, files, line_of, matches, name, text

LONGEST = 500
TABLES = {  # tables may be longer
    "lib/settle/rows.cpp",
}


def argument_of(whole: str, opening: int) -> str:
    """The text from an opening parenthesis to its closing one."""
    depth = 0
    for at in range(opening, len(whole)):
        depth += {"(": 1, ")": -1}.get(whole[at], 0)
        if depth == 0:
            return whole[opening:at]
    return whole[opening:]


def awaiting(path, before: str) -> list[str]:
    """Where a parenthesis after the pattern holds a co_await of its own (not one inside a lambda's body)."""
    found = []
    for match in re.finditer(before + r"\s*\(", code(path)):
        inside = argument_of(code(path), match.end() - 1)
        if "co_await" in inside.split("{")[0]:
            found.append(f"{name(path)}:{line_of(code(path), match.start())}: {match[0].strip()}… co_await")
    return found


def test_files_are_short():
    found = [f"{name(path)}: {text(path).count(chr(10))} lines"
             for path in files("lib", "relayd", "test", "bench", "script", suffixes=CODE | {".py", ".sh", ""})
             if text(path).count("\n") > LONGEST and name(path) not in TABLES]
    demand_none(found, f"Split the file by what it does; {LONGEST} lines is the limit.")


def test_nothing_is_detached():
    found = [place for path in files("lib", "relayd") for place in matches(path, r"\bdetached\b")]
    demand_none(found, "Spawn children through async::Scope, which counts, cancels and waits for them.")


def test_co_await_stands_where_gcc_12_compiles_it():
    found = []
    for path in files("lib", "relayd", "test"):
        found += awaiting(path, r"\b(?:if|while|switch)(?:\s+constexpr)?")
        found += awaiting(path, r"\b(?!if|for|while|switch|return|co_return|co_await|catch)\w+")
        found += matches(path, r"\?[^;{}]*\bco_await\b")
        found += matches(path, r"\bauto\s*&{0,2}\s*\[[^\]]*\]\s*=\s*co_await\b")
        found += matches(path, r"(?<![\w\])])\[[^\]\n]+\]\s*\([^)]*\)\s*(?:mutable\s*)?->\s*(?:\w+::)*Task\b[^{;]*\{[^}]*\bco_")
    demand_none(sorted(set(found)), "Await into a named local first; make a capturing lambda a function.")


def test_no_file_names_the_machine_it_was_written_on():
    everywhere, outside_tests = r"/(?:work|home|root)/", r"/tmp/"
    found = []
    for path in files(suffixes=None):
        tests = name(path).startswith(("test/", "bench/"))
        pattern = everywhere if tests else f"{everywhere}|{outside_tests}"
        found += [f"{name(path)}:{number}: {line.strip()[:120]}" for number, line in
                  enumerate(text(path).splitlines(), 1) if re.search(pattern, line)]
    demand_none(found, "Write a path relative to the project, or one of an installed system.")


def test_tests_wait_for_events_and_are_all_run():
    cpp = r"\bsleep_for\b|\busleep\s*\(|\bDISABLED_|\bGTEST_SKIP\b"
    python = r"\btime\.sleep\s*\(|pytest\.mark\.(skip|xfail)|pytest\.skip\s*\("
    found = [place for path in files("test") for place in matches(path, cpp)]
    found += [place for path in files("test", suffixes={".py"}) for place in matches(path, python)
              if not name(path).startswith("test/rules/")]
    demand_none(found, "Wait for what is to happen, with a deadline; mend a test or delete it.")
