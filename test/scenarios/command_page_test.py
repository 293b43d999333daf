"""What the command line says of itself: docs/commands.md, `--help`, hints for words that are wrong, and completions."""

import re
import subprocess
from pathlib import Path

import pytest

from support.relayd import BINARY, command

PROJECT = Path(__file__).resolve().parents[2]
PAGE = PROJECT / "docs" / "commands.md"
USAGE = 64


def test_the_page_of_commands_is_what_relayd_says():
    assert command("help", "--markdown").stdout == PAGE.read_text(), "run: relayd help --markdown > docs/commands.md"


def test_every_command_has_an_example_and_its_exit_codes():
    sections = re.split(r"^## relayd (.+)\n", command("help", "--markdown").stdout, flags=re.MULTILINE)[1:]
    said = dict(zip(sections[::2], sections[1::2]))
    leaves = {path: text for path, text in said.items() if not any(other.startswith(f"{path} ") for other in said)}
    assert {"run", "queue list", "suppress import", "version"} <= leaves.keys()
    lacking = [path for path, text in leaves.items()
               if f"\nExample:\n\n    relayd {path}" not in text or not re.search(r"^Exit codes: 0", text, re.MULTILINE)]
    assert not lacking
    assert not [path for path, text in said.items() if path not in leaves and "Exit codes: " in text]


def test_help_of_a_command_ends_with_an_example_and_exit_codes():
    last = command("queue", "list", "--help").stdout.strip().splitlines()[-2:]
    assert last[0].startswith("Example: relayd queue list --")
    assert last[1].startswith("Exit codes: 0 done, 1 ")


@pytest.mark.parametrize("line, complaint", [
    (("queue", "list", "--jsn"), "relayd queue list: there is no option '--jsn' (did you mean '--json'?)\n"
                                 "`relayd queue list --help` shows which there are\n"),
    (("explain", "--sendr=a@b.example"), "relayd explain: there is no option '--sendr' (did you mean '--sender'?)\n"
                                         "`relayd explain --help` shows which there are\n"),
    (("status", "--frobnicate"), "relayd status: there is no option '--frobnicate'\n"
                                 "`relayd status --help` shows which there are\n"),
], ids=["a letter is missing", "a required one", "nothing is near"])
def test_an_unknown_option_is_named_with_the_nearest(line, complaint):
    said = command(*line)
    assert (said.returncode, said.stderr) == (USAGE, complaint)


def test_another_mistake_is_still_said():
    said = command("queue", "list", "--state", "asleep")
    assert said.returncode == USAGE
    assert "asleep" in said.stderr and "no option" not in said.stderr


@pytest.fixture(scope="module")
def scripts(tmp_path_factory):
    folder = tmp_path_factory.mktemp("completions")
    for shell in ("bash", "zsh", "fish"):
        (folder / shell).write_text(command("completion", shell).stdout)
    return folder


def run(*words, **options):
    return subprocess.run(words, capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL, **options)


LINES = [
    ("relayd qu", {"queue"}),
    ("relayd help qu", {"queue"}),
    ("relayd queue ", {"check", "delete", "export", "hold", "list", "release", "retry", "show"}),
    ("relayd queue list --", {"--help", "--config", "--socket", "--url", "--json", "--sender", "--recipient", "--upstream",
                              "--state"}),
    ("relayd queue list --json --state re", {"ready", "reporting"}),
    ("relayd sandbox mailg", {"mailgun"}),
    ("relayd check -c con", {"config.yaml"}),
    ("relayd queue check sp", {"spool"}),
    ("relayd dns exam", set()),
]
IDS = [line for line, _ in LINES]


@pytest.fixture
def here(tmp_path):
    (tmp_path / "config.yaml").touch()
    (tmp_path / "spool.txt").touch()
    (tmp_path / "spool").mkdir()
    return tmp_path


@pytest.mark.parametrize("line, offered", [*LINES, ("relayd init --tls = st", {"starttls"})],
                         ids=[*IDS, "an option and its value in one word"])
def test_bash_completes(scripts, here, line, offered):
    words = line.split(" ")
    script = 'source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _relayd; printf "%s\\n" "${COMPREPLY[@]}"'
    done = run("bash", "--norc", "-uc", script, "bash", scripts / "bash", *words, cwd=here)
    assert done.stderr == ""
    assert set(done.stdout.split()) == offered


def test_what_shells_and_man_read_is_installed(scripts, tmp_path):
    build = Path(BINARY).parents[1]
    for component in ("completions", "manual"):
        done = run("cmake", "--install", build, "--component", component, "--prefix", tmp_path)
        assert done.returncode == 0, done.stderr
    share = tmp_path / "share"
    for shell, pattern in (("bash", "bash-completion/completions/relayd"), ("zsh", "zsh/*/_relayd"),
                           ("fish", "fish/vendor_completions.d/relayd.fish")):
        assert [file.read_text() for file in share.glob(pattern)] == [(scripts / shell).read_text()]
    manual = {path.relative_to(share / "man").as_posix() for path in (share / "man").rglob("*.*")}
    assert manual == {"man8/relayd.8", "man5/relayd.yaml.5", "man8/relayd-sendmail.8"}


def test_zsh_is_told_what_there_is(scripts):
    """What zsh's own functions make of it is theirs: here they print what they are given."""
    own = "_describe() { print -l -- $commands }; _arguments() { print -rl -- $words[1] $CURRENT $@ }; "
    assert run("zsh", "-n", scripts / "zsh").stderr == ""

    def told(*words):
        done = run("zsh", "-fc", f'{own} words=({" ".join(words)}); CURRENT={len(words)}; source {scripts / "zsh"}')
        assert done.stderr == ""
        return done.stdout.splitlines()

    assert [line.split(":")[0] for line in told("relayd", "lane", "''")] == ["list", "pause", "resume"]
    assert [line.split(":")[0] for line in told("relayd", "help", "dkim", "''")] == ["keygen"]
    state = told("relayd", "queue", "list", "--json", "--st")
    assert state[:2] == ["list", "3"]
    assert "--state[Only messages in this state]:TEXT:(waiting ready held failed reporting)" in state


@pytest.mark.parametrize("line, offered", LINES, ids=IDS)
def test_fish_completes(scripts, here, line, offered):
    done = run("fish", "--no-config", "-c", f"source {scripts / 'fish'}; complete -C '{line}'", cwd=here)
    assert done.stderr == ""
    names = {text.split("\t")[0].rstrip("/") for text in done.stdout.splitlines()}
    assert {name for name in names if name not in ("-h", "-c")} == offered
