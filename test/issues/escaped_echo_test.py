"""`relayd queue show` and `delete` wrote an unknown id to the terminal as it was, `relayd check` a path likewise."""

import pytest

from support.relayd import command

BELL = "\x1b]0;title\x07"


@pytest.mark.parametrize("word", ["show", "delete", "retry"])
def test_an_unknown_id_cannot_speak_to_the_terminal(to_upstream, word):
    relay, _ = to_upstream()
    ended = command("queue", word, BELL, "-c", relay.file)
    assert ended.returncode == 1
    assert "no such message" in ended.stderr and "\\x1B]0;title\\x07" in ended.stderr
    assert "\x1b" not in ended.stdout + ended.stderr


def test_neither_can_the_name_of_a_file(tmp_path):
    file = tmp_path / f"relayd{BELL.replace('/', '')}.yaml"
    ended = command("check", "-c", file)
    assert ended.returncode == 78
    assert "\x1b" not in ended.stdout + ended.stderr
    file.write_text("no_such_key: 1\n")
    assert "\x1b" not in command("check", "-c", file).stderr
