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
import importlib, os, sys, time

name, function, number, fate, *words = sys.argv[1:]

def ask():
    os.kill(os.getpid(), int(number))

class Loses:
    def __del__(self):
        ask()

def stop(*_, **__):
    if fate == "an error":
        ask()
        raise RuntimeError("what a library makes of an interruption")
    Loses()  # Python drops what is raised there
    time.sleep(60)

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
    environment: dict[str, str], moment: str, number: int, *words: object, fate: str = "an error"
) -> subprocess.CompletedProcess[str]:
    """``charlstm`` with these words, which a signal reaches at that moment.

    Its interruption becomes ``an error``, or it is ``lost``.
    """
    place = map(str, (*MOMENTS[moment], int(number), fate))
    return subprocess.run(
        [sys.executable, "-c", STOPPED_BY, *place, *map(str, words)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize(
    ("number", "fate"),
    [(signal.SIGINT, "an error"), (signal.SIGTERM, "an error"), (signal.SIGINT, "lost")],
)
def test_a_stop_before_the_first_step_is_said(
    environment: dict[str, str], play: Path, tmp_path: Path, moment: str, number: int, fate: str
) -> None:
    """In one line; no run is there, and the program ends by the signal."""
    words = ["train", play, "-o", tmp_path / "run"]
    done = stopped(environment, moment, number, *words, fate=fate)
    assert done.stderr == "stopped before the first step; nothing was written\n"
    assert (done.stdout, done.returncode) == ("", -number)
    assert not list(tmp_path.iterdir())


def test_an_interruption_that_is_lost_to_the_last_stops_the_run(
    environment: dict[str, str], play: Path, tmp_path: Path
) -> None:
    """It was lost as the run was begun, and the run had begun before it came again."""
    code = (
        "import charlstm.cli.stop, charlstm.training.run_directory as directory, os, signal\n"
        "charlstm.cli.stop.AGAIN = 60\n"
        "class Loses:\n"
        "    def __del__(self):\n"
        "        os.kill(os.getpid(), signal.SIGINT)\n"
        "config_toml = directory.config_toml\n"
        "directory.config_toml = lambda *words: Loses() and config_toml(*words)\n"
        "from charlstm.cli.main import main\n"
        f"main(['train', '{play}', '-o', '{tmp_path}/run', '--steps', '9', '--hidden-size', '8'])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == -signal.SIGINT
    assert f"charlstm train --resume {tmp_path}/run" in done.stderr
    assert "Traceback" not in done.stderr


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
    child.read()  # else to close the terminal could be what ends it
    child.close()
    assert child.signalstatus == signal.SIGINT
    assert not list(tmp_path.iterdir())
