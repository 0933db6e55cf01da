"""A training that is stopped before its first step: it ends at once, and the next one tidies up."""

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
    "while a run is begun": ("charlstm.training.loop", "Run"),
    "while its directory is made": ("charlstm.files", "sync_directory"),
}
STOPPED_BY = """
import importlib, os, sys, time

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

from charlstm.__main__ import main
sys.argv = ["charlstm", *words]
sys.exit(main())
"""
SMALL = ["--hidden-size", "8", "-q"]
SHORT = [*SMALL, "--steps", "2"]


def stopped(
    environment: dict[str, str], moment: str, number: int, *words: object, cwd: Path
) -> subprocess.CompletedProcess[bytes]:
    """``charlstm`` with these words, which a signal reaches at that moment."""
    place = map(str, (*MOMENTS[moment], int(number)))
    return subprocess.run(
        [sys.executable, "-c", STOPPED_BY, *place, *map(str, words)],
        env=environment,
        cwd=cwd,
        capture_output=True,
        check=False,
        timeout=120,
    )


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stop_before_the_first_step_ends_the_program(
    environment: dict[str, str], charlstm: Run, play: Path, tmp_path: Path, moment: str, number: int
) -> None:
    """By the signal; the next run has the directory, and nothing else is left."""
    done = stopped(environment, moment, number, "train", play, *SMALL, cwd=tmp_path)
    assert (done.stdout, done.stderr, done.returncode) == (b"", b"", -number)
    again = charlstm("train", play, *SHORT, cwd=tmp_path)
    assert again.stdout == b"runs/verse/model.safetensors\n"
    assert [path.name for path in (tmp_path / "runs").iterdir()] == ["verse"]
    assert sorted(path.name for path in (tmp_path / "runs/verse").iterdir()) == [
        ".lock",
        "config.toml",
        "metrics.jsonl",
        "model.safetensors",
        "state.safetensors",
    ]


@pytest.mark.parametrize("moment", ["while torch is imported", "while the text is read"])
def test_a_stop_before_a_run_goes_on_leaves_it_as_it_was(
    environment: dict[str, str], charlstm: Run, play: Path, tmp_path: Path, moment: str
) -> None:
    """All files are the same, and it can be resumed."""
    run = tmp_path / "run"
    assert charlstm("train", play, "-o", run, *SHORT).returncode == 0
    before = {path.name: path.read_bytes() for path in run.iterdir()}
    words = ["train", "--resume", run, "--steps", 4]
    done = stopped(environment, moment, signal.SIGINT, *words, cwd=tmp_path)
    assert done.returncode == -signal.SIGINT
    assert {path.name: path.read_bytes() for path in run.iterdir()} == before
    assert charlstm(*words).returncode == 0


def test_ctrl_c_while_a_text_is_typed(environment: dict[str, str], tmp_path: Path) -> None:
    """On a terminal the signal ends the command, and nothing is there."""
    child = terminal(f"train - -o {tmp_path}/run", environment)
    child.expect("reading from the keyboard")
    child.sendintr()
    child.read()  # else to close the terminal could be what ends it
    child.close()
    assert child.signalstatus == signal.SIGINT
    assert not list(tmp_path.iterdir())
