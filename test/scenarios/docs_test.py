"""The configurations that the pages show are ones that relayd takes."""

import re
from pathlib import Path

import pytest

from support.relayd import command

PROJECT = Path(__file__).resolve().parents[2]
NO_WAY = 67  # `explain` of a sender whom the rules of a page refuse

# What a page leaves out that shows a part of a configuration.
UPSTREAM = '{host: mx.example, username: app, password: {file: secret}}'
REST = {
    "upstreams": f"upstreams: {{relay: {UPSTREAM}, ses: {UPSTREAM}, mailgun: {UPSTREAM}}}",
    "senders": 'senders: [{match: "*", upstream: %s}]',
    "tables": "tables: {blocked: {file: /etc/relayd/blocked}, archived: {file: /etc/relayd/archived}}",
}
FILES = {"senders.csv": "match,upstream\n@b.example,ses\n", "generic": "a@b.example c@d.example\n",
         "patterns": "/^(.*)@b$/ $1@b.example\n", "tenants.csv": "@b.example,ses\n", "accounts": ""}


def blocks():
    for page in (PROJECT / "README.md", *sorted((PROJECT / "docs").glob("*.md"))):
        text = page.read_text()
        for block in re.finditer(r"^```yaml\n(.*?)^```", text, re.DOTALL | re.MULTILINE):
            line = text[:block.start()].count("\n") + 2
            yield pytest.param(block[1], id=f"{page.name}:{line}")


def completed(block: str) -> str:
    keys = re.findall(r"^(\w+):", block, re.MULTILINE)
    own = re.search(r"^upstreams:\n  (\w+):", block, re.MULTILINE)
    names = set(re.findall(r"^  (\w+): \{file: ", block, re.MULTILINE))
    rest = {key: text for key, text in REST.items()
            if key not in keys and not (key == "senders" and "senders_table" in keys) and not (key == "tables" and names)}
    if "senders" in rest:
        rest["senders"] %= own[1] if own else "relay"
    return block + "\n".join(rest.values()) + "\n"


@pytest.mark.parametrize("block", blocks())
def test_a_configuration_of_a_page_is_taken(block, tmp_path):
    text = completed(block)
    # Files that it names by their place on a machine are here.
    for path in sorted(set(re.findall(r"/etc/(?:postfix|relayd)/[\w.]+", text))):
        text = text.replace(path, str(tmp_path / Path(path).name))
        (tmp_path / Path(path).name).touch()
    for name, content in FILES.items():
        (tmp_path / name).write_text(content)
    file = tmp_path / "relayd.yaml"
    file.write_text(text)
    taken = command("explain", "-c", file, "--sender", "a@b.example")
    assert taken.returncode in (0, NO_WAY), f"{taken.stderr}\n{text}"
