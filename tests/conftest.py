"""What the tests share: real processes, a small trained model, texts."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hypothesis
import pytest

from . import warm
from .examples import NAMES, PLAY

Run = Callable[..., subprocess.CompletedProcess[bytes]]

# A job behind a shell, or under nohup, is started with these ignored, and so its children would be.
for number, handler in (
    (signal.SIGINT, signal.default_int_handler),
    (signal.SIGQUIT, signal.SIG_DFL),
    (signal.SIGHUP, signal.SIG_DFL),
):
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, handler)

VERSE = """\
The tide came in and took the lower stair,
And someone on the quay put out a hand
To feel whatever weather might be there,
And drew it back with nothing in it, and

The lamps were lit, the nets were hung to dry,
The gulls went in to wherever gulls go in;
And nobody was there to ask me why
I stood so long, or where I might have been.
"""


def pytest_configure() -> None:
    """Let hypothesis make the same inputs each time, however slow the machine is."""
    hypothesis.settings.register_profile("tests", derandomize=True, deadline=None)
    hypothesis.settings.load_profile("tests")


# A training that takes a second, with dropout, evaluations and more than one epoch.
SMALL_RUN: dict[str, Any] = {
    "steps": 30,
    "eval_every": 7,
    "hidden_size": 12,
    "embedding_size": 4,
    "dropout": 0.3,
    "device": "cpu",
    "threads": 1,
}


# A developer's own settings are nothing to the tests. A run begins from nothing, unless its base is
# what a test is about: a network as large as the bundled one would take many times as long.
SETTINGS = tempfile.TemporaryDirectory()
os.environ["XDG_CONFIG_HOME"] = SETTINGS.name
Path(SETTINGS.name, "charlstm").mkdir()
Path(SETTINGS.name, "charlstm/config.toml").write_text('[train]\ninit_from = "none"\n')


@pytest.fixture(scope="session")
def environment() -> dict[str, str]:
    """The environment of a user who has set nothing."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("CHARLSTM_")}
    # On a GPU the bits of a result are not promised.
    return {**kept, "OMP_NUM_THREADS": "1", "COLUMNS": "80", "CHARLSTM_TRAIN_DEVICE": "cpu"}


# What an interpreter or a library reads but once, as it starts.
READ_AT_START = ("PYTHON", "LC_", "LANG", "OMP_", "MKL_", "OPENBLAS_")


@pytest.fixture(scope="session")
def charlstm(environment: dict[str, str]) -> Run:
    """Run ``charlstm`` in a process of its own, as a user does.

    ``train`` is given a process that has torch already, but where ``new`` or what else is asked
    for needs one that begins with nothing.
    """

    def run(
        *words: object, new: bool = False, **options: Any
    ) -> subprocess.CompletedProcess[bytes]:
        asked = options.pop("env", {})
        env, arguments = {**environment, **asked}, [*map(str, words)]
        plain = options.keys() <= {"cwd"} and not any(v.startswith(READ_AT_START) for v in asked)
        if plain and not new and arguments[:1] == ["train"]:
            process = warm.start(*arguments, env=env, **options)
            out, said = process.communicate(timeout=120)
            return subprocess.CompletedProcess(process.args, process.returncode, out, said)
        if "input" not in options:
            options.setdefault("stdin", subprocess.DEVNULL)
        command = [sys.executable, "-m", "charlstm", *arguments]
        return subprocess.run(
            command, env=env, capture_output=True, timeout=120, check=False, **options
        )

    return run


@pytest.fixture(scope="session")
def play(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A text of some verses, long enough to train on at once."""
    path = tmp_path_factory.mktemp("texts") / "verse.txt"
    path.write_text(VERSE * 8)
    return path


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory, charlstm: Run, play: Path) -> Path:
    """The run directory of a small model trained on ``play`` by the real command."""
    directory = tmp_path_factory.mktemp("trained") / "run"
    done = charlstm(
        "train", play, "-o", directory, "--steps", 60, "--hidden-size", 24, "--embedding-size", 8,
        new=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr.decode()
    return directory


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory, charlstm: Run) -> Path:
    """A directory with a play, a model of it as the newest run, and ``charlstm`` on the path."""
    desk = tmp_path_factory.mktemp("desk")
    shutil.copy(PLAY, desk / "play.txt")
    (desk / "names.txt").write_text(NAMES * 20)
    words = ["--steps", 150, "--hidden-size", 32, "--embedding-size", 8, "-o", "runs/play"]
    done = charlstm("train", "play.txt", *words, "-q", cwd=desk)
    assert done.returncode == 0, done.stderr
    (desk / "bin").mkdir()
    program = desk / "bin" / "charlstm"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m charlstm "$@"\n')
    program.chmod(0o755)
    return desk


@pytest.fixture(scope="session")
def shared_corpora() -> Path:
    """Real texts that lie beside a developer's checkout; skips where they do not."""
    path = Path(__file__).parents[2] / "shared" / "corpora"
    if not path.is_dir():
        pytest.skip("no shared corpora beside this checkout")
    return path
