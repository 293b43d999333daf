"""Every link of a page to another, to a heading or to a file of the project leads somewhere."""

import re
import subprocess
from functools import cache
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]


def pages() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard", "*.md"], cwd=PROJECT, check=True,
                            stdout=subprocess.PIPE, text=True).stdout.split()
    return [PROJECT / name for name in listed if (PROJECT / name).exists()]


def prose(page: Path):
    """Number and text of each line outside blocks of code."""
    is_code = False
    for number, line in enumerate(page.read_text().splitlines(), 1):
        if line.startswith("```"):
            is_code = not is_code
        elif not is_code:
            yield number, line


@cache
def anchors(page: Path) -> set[str]:
    headings = [match[1] for _, line in prose(page) if (match := re.match(r"#+ (.*)", line))]
    words = [re.sub(r"[^\w\- ]", "", re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()) for heading in headings]
    return {heading.replace(" ", "-") for heading in words}


def test_links_lead_somewhere():
    lost = []
    for page in pages():
        for number, line in prose(page):
            for link in re.findall(r"\]\(([^)\s]+)\)", line):
                path, _, anchor = link.partition("#")
                target = (page.parent / path).resolve() if path else page
                if re.match(r"[a-z]+:", link):
                    continue
                if not target.exists() or (anchor and target.suffix == ".md" and anchor not in anchors(target)):
                    lost.append(f"{page.relative_to(PROJECT)}:{number}: {link}")
    assert not lost, "\n".join(lost)


def test_the_first_page_is_a_short_one():
    assert len((PROJECT / "README.md").read_text().splitlines()) <= 150
