"""The manual that script/manual makes of the pages: mandoc finds no fault, and nothing of a page is lost on the way."""

import re
import subprocess
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
PAGES = [("relayd", "8", "commands.md"), ("relayd.yaml", "5", "keys.md"), ("relayd-sendmail", "8", "sendmail.md")]


def manual(name: str, section: str, page: str) -> str:
    with (PROJECT / "docs" / page).open() as source:
        return subprocess.run([PROJECT / "script" / "manual", name, section, "a mail relay", "1.2.3", "2026-01-02", "other(8)",
                               "more(5)"], stdin=source, capture_output=True, text=True, check=True, timeout=60).stdout


def shown(text: str) -> str:
    return subprocess.run(["mandoc", "-Tascii", "-Owidth=1000"], input=text, capture_output=True, text=True, check=True,
                          timeout=60).stdout


@pytest.mark.parametrize("name, section, page", PAGES, ids=[page for *_, page in PAGES])
def test_mandoc_finds_no_fault(tmp_path, name, section, page):
    file = tmp_path / f"{name}.{section}"
    file.write_text(manual(name, section, page))
    linted = subprocess.run(["mandoc", "-Tlint", file], capture_output=True, text=True, timeout=60)
    assert (linted.returncode, linted.stdout + linted.stderr) == (0, "")


@pytest.mark.parametrize("name, section, page", PAGES, ids=[page for *_, page in PAGES])
def test_the_manual_says_all_that_the_page_says(name, section, page):
    text = (PROJECT / "docs" / page).read_text()
    text = re.sub(r"^# .*|^More: .*", "", text, flags=re.MULTILINE)
    text = re.sub(r"\]\([^)]*\)|^```\w*|[`#\\]", "", text, flags=re.MULTILINE)
    plain = re.sub(".\b", "", shown(manual(name, section, page)))

    def words(whole: str) -> set[str]:
        return set(re.findall(r"[\w.:/@-]*\w", whole.lower()))

    assert not words(text) - words(plain)
    assert plain.splitlines()[0].startswith(f"{name.upper()}({section})")
    assert "other(8), more(5)" in plain
    assert "2026-01-02" in plain and "relayd 1.2.3" in plain


def test_each_command_is_a_section():
    page = (PROJECT / "docs" / "commands.md").read_text()
    assert re.findall(r"^\.SH (relayd .*)$", manual(*PAGES[0]), re.MULTILINE) == re.findall(r"^## (relayd .*)$", page, re.MULTILINE)
