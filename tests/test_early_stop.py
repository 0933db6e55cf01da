"""A training that is stopped before its first step: it says so, and leaves nothing behind."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import Run
from .test_streams import terminal

# Where a signal comes: an import, or a function of a module that the training calls.
MOMENTS = {
    "while torch is imported": ("torch", None),
    "while the text is read": ("charlstm.text.dataset", "encode_corpus"),
    "while the speed is measured": ("charlstm.training.start", "measured"),
    "while a run is begun": ("charlstm.training.run_directory", "config_toml"),
}
STOPPED_BY = """
import importlib, os, sys

name, function, number, *words = sys.argv[1:]

def stop(*_, **__):
    os.kill(os.getpid(), int(number))
    raise RuntimeError("what a library makes of an interruption")

class Finder:
    def find_spec(self, found, *_):
        if found == name:
            stop()

if function == "None":
    sys.meta_path.insert(0, Finder())
else:
    setattr(importlib.import_module(name), function, stop)

from charlstm.cli.main import main
sys.exit(main(words))
"""


def stopped(
    environment: dict[str, str], moment: str, number: int, *words: object
) -> subprocess.CompletedProcess[str]:
    """``charlstm`` with these words, which a signal reaches at that moment."""
    place = map(str, (*MOMENTS[moment], int(number)))
    return subprocess.run(
        [sys.executable, "-c", STOPPED_BY, *place, *map(str, words)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stop_before_the_first_step_is_said(
    environment: dict[str, str], play: Path, tmp_path: Path, moment: str, number: int
) -> None:
    """In one line; no run is there, and the program ends by the signal."""
    words = ["train", play, "-o", tmp_path / "run"]
    done = stopped(environment, moment, number, *words)
    assert done.stderr == "stopped before the first step; nothing was written\n"
    assert (done.stdout, done.returncode) == ("", -number)
    assert not list(tmp_path.iterdir())


def test_a_stop_before_a_run_goes_on_says_how_to_try_again(
    environment: dict[str, str], charlstm: Run, play: Path, tmp_path: Path
) -> None:
    """The run is as it was."""
    run = tmp_path / "run"
    assert charlstm("train", play, "-o", run, "--steps", 2, "--hidden-size", 8).returncode == 0
    before = {path.name: path.read_bytes() for path in run.iterdir()}
    words = ["train", "--resume", run, "--steps", 4]
    done = stopped(environment, "while torch is imported", signal.SIGINT, *words)
    assert done.stderr == (
        f"stopped before a step was done; go on with: charlstm train --resume {run}\n"
    )
    assert done.returncode == -signal.SIGINT
    assert {path.name: path.read_bytes() for path in run.iterdir()} == before


def test_a_quiet_training_is_stopped_in_silence(
    environment: dict[str, str], play: Path, tmp_path: Path
) -> None:
    """As later, too."""
    words = ["train", play, "-o", tmp_path / "run", "-q"]
    done = stopped(environment, "while torch is imported", signal.SIGINT, *words)
    assert (done.stdout, done.stderr, done.returncode) == ("", "", -signal.SIGINT)


def test_ctrl_c_while_a_text_is_typed(environment: dict[str, str], tmp_path: Path) -> None:
    """On a terminal, on a line of its own."""
    child = terminal(f"train - -o {tmp_path}/run", environment)
    child.expect("reading from the keyboard")
    child.sendintr()
    child.expect(r"\r\nstopped before the first step; nothing was written\r\n")
    child.close()
    assert child.signalstatus == signal.SIGINT
    assert not list(tmp_path.iterdir())
