"""Standard input that is a terminal: what is said of it, and that one Ctrl-D is enough."""

import os
import re
from pathlib import Path

import pexpect
import pytest

from charlstm.model.model_file import save_model

from .conftest import Run
from .test_streams import terminal
from .writing import make_model

SAID = "reading from the keyboard; end with Ctrl-D at the beginning of a line"
COMMANDS = [
    "vocab -",
    "train - -o {new}/run --steps 2 --hidden-size 4",
    "dataset - -o {new}/data",
    "novelty {play}",
    "novelty - {play}",
    "generate -m {new}/model --seed-file - -n 5",
    "generate -m {new}/model - -n 5",
    "generate -m {new}/model --each-line",
    "generate -m {new}/model --each-line --seed-file - --json",
    "visualize -m {new}/model -",
    "predict -m {new}/model -",
    "score -m {new}/model",
    "score -m {new}/model --lines -",
    "generate -m {new}/model --novel 60 --corpus - -n 5",
]


@pytest.mark.parametrize("command", COMMANDS)
def test_one_end_of_input_is_enough(
    environment: dict[str, str], play: Path, tmp_path: Path, command: str
) -> None:
    """After some lines, at the beginning of the next; what to do was said before."""
    save_model(make_model("\nab"), tmp_path / "model")
    child = terminal(command.format(new=tmp_path, play=play), environment)
    child.expect_exact(SAID)
    for _ in range(20):
        child.sendline("abba")
        child.expect_exact("abba")
    child.sendeof()
    child.expect(pexpect.EOF, timeout=30)
    child.close()
    assert child.exitstatus == 0


def test_a_line_that_is_left_open_ends_with_two(
    environment: dict[str, str], tmp_path: Path
) -> None:
    """The first hands the line over, as in any program; a third is not asked for."""
    save_model(make_model("\nab"), tmp_path / "model")
    for command in ("vocab -", f"generate -m {tmp_path}/model --each-line"):
        child = terminal(command, environment)
        child.expect_exact(SAID)
        child.send("abba")
        child.sendeof()
        child.sendeof()
        child.expect(pexpect.EOF, timeout=30)
        child.close()
        assert child.exitstatus == 0


@pytest.mark.parametrize("command", COMMANDS)
def test_nothing_is_said_of_a_pipe(charlstm: Run, play: Path, tmp_path: Path, command: str) -> None:
    """Nor of a file, and nothing with -q of a keyboard."""
    save_model(make_model("\nab"), tmp_path / "model")
    words = command.format(new=tmp_path, play=play).split()
    assert b"keyboard" not in charlstm(*words, input=b"abba\n" * 20).stderr
    reader, keyboard = os.openpty()
    os.write(reader, b"abba\n" * 20 + b"\x04")
    done = charlstm(
        *re.sub("/(run|data)", r"/\g<1>2", " ".join(words)).split(), "-q", stdin=keyboard
    )
    assert (done.returncode, done.stderr) == (0, b"")
