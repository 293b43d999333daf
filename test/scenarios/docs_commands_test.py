"""The commands that the pages show are ones that relayd has, with these options."""

import re
from pathlib import Path

from support.relayd import command

PROJECT = Path(__file__).resolve().parents[2]
PAGES = [PROJECT / "README.md", PROJECT / "CONTRIBUTING.md", PROJECT / "SECURITY.md", PROJECT / "config.example.yaml",
         *sorted((PROJECT / "docs").rglob("*.md"))]
OWN_OPTIONS = {"sendmail", "mailq", "newaliases"}  # options of sendmail(1), which its own tests run


def sections(text: str) -> dict[str, str]:
    """What `--help-all` says of each command: its name alone on a line, and the lines behind it."""
    parts = re.split(r"^([a-z][a-z-]*)\n", text.partition("\nSubcommands:\n")[2], flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2]))


def all_commands() -> dict[str, str]:
    found = sections(command("--help-all").stdout)
    for group in [name for name, text in found.items() if "Subcommands:" in text]:
        found |= {f"{group} {name}": text for name, text in sections(command(group, "--help-all").stdout).items()}
    return found


def options(text: str) -> dict[str, set[str]]:
    """The options that a help text names, each with the values that it can have, where they are few."""
    found = {"--help": set(), "--help-all": set()}
    for line in re.findall(r"^\s+(-.*)$", text, re.MULTILINE):
        values = re.search(r":\{([^}]*)\}", line)
        for name in re.findall(r"^(-\w)?,?(--[a-z][a-z0-9-]*)?", line)[0]:
            found[name] = set(values[1].split(",")) if values else set()
    return found


def typed(page: Path):
    """Number and text of each line of a page that is to be typed, or that a unit has systemd run."""
    fence = None
    for number, line in enumerate(page.read_text().splitlines(), 1):
        if line.startswith("```"):
            fence = line[3:] if fence is None else None
        elif line.startswith("$ ") or (fence is None and line.startswith("    ")) or fence == "sh" or (
                fence and line.startswith("Exec")):
            yield number, line.strip().removeprefix("$ ")


def spans(page: Path):
    """Number and text of each span of code in a page's prose; one may go on in the next line."""
    text = re.sub(r"^```.*?^```", lambda block: "\n" * block[0].count("\n"), page.read_text(), flags=re.DOTALL | re.MULTILINE)
    for span in re.finditer(r"`([^`]+)`", text):
        yield text[:span.start()].count("\n") + 1, " ".join(span[1].split())


def commands_of(page: Path):
    """Where, and the words behind `relayd`, of each call of it."""
    for number, text in (*typed(page), *spans(page)):
        for part in re.split(r"&&|;|\s#\s|\s[<>|]\s", text):
            called = re.match(r"(?:sudo |[A-Z_]+=\S+ |Exec\w+=)*(?:/[\w/]+/)?relayd (.*)", part.strip())
            if called and re.match(r"-|[a-z]", called[1]):
                yield f"{page.relative_to(PROJECT)}:{number}", called[1]


def alternatives(words: list[str]) -> list[list[str]]:
    """`queue list|show` is `queue list` and `queue show`."""
    ways = [[]]
    for word in words:
        ways = [[*way, choice] for way in ways for choice in word.split("|")]
    return ways


def fault(words: list[str], known: dict[str, str]) -> str | None:
    named = []
    while words and " ".join([*named, words[0]]) in known:
        named.append(words.pop(0))
    if not named:
        return None if words and words[0] in ("--version", "--help", "--help-all") else "no such command"
    name = " ".join(named)
    if "Subcommands:" in known[name] and words and re.fullmatch(r"[a-z-]+", words[0]) and words[0] != "--help-all":
        return f"`{name}` has no `{words[0]}`"
    if named[0] in OWN_OPTIONS:
        return None
    has = options("\n".join(text for other, text in known.items() if other.startswith(name))
                  if "Subcommands:" in known[name] else known[name])
    for word, value in zip(words, [*words[1:], ""]):
        if word.startswith("-") and word not in has:
            return f"`{name}` has no option {word}"
        if has.get(word) and value and value.islower() and value not in has[word]:
            return f"{word} of `{name}` cannot be {value}"
    return None


def test_a_command_of_a_page_is_one_that_relayd_has():
    known = all_commands()
    seen, faults = 0, []
    for page in PAGES:
        for place, text in commands_of(page):
            plain = re.sub(r"[\[\]()…]", " ", text.replace("\\|", "|"))
            for words in alternatives(plain.split()):
                seen += 1
                if wrong := fault(words, known):
                    faults.append(f"{place}: relayd {text}: {wrong}")
    assert seen > 100  # as many are there; a reader that finds none proves nothing
    assert not faults, "\n".join(dict.fromkeys(faults))


def test_a_script_of_a_page_is_there_with_its_options():
    lost = []
    for page in PAGES:
        for number, text in (*typed(page), *spans(page)):
            for name, rest in re.findall(r"^(script/\w+)([^#|]*)", text):
                file = PROJECT / name
                lost += [f"{page.relative_to(PROJECT)}:{number}: {name} {option}" for option in [*re.findall(r"--[a-z-]+", rest), ""]
                         if not file.exists() or option not in file.read_text()]
    assert not lost, "\n".join(lost)
