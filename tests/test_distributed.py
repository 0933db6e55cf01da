"""Two processes under torchrun train the one model that one process trains."""

import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from charlstm.model.model_file import load_model
from charlstm.training.checkpoint import load_checkpoint
from tests import warm
from tests.conftest import Run

OPTIONS = (
    "--steps", 24, "--eval-every", 8, "--hidden-size", 24, "--embedding-size", 8,
    "--batch-size", 6, "--seq-length", 16, "--dropout", 0.3, "--weight-dropout", 0.2,
    "--precision", "fp32", "--threads", 1, "--learning-rate", 0.002,
)  # fmt: skip


def torchrun(
    environment: dict[str, str], processes: int, *words: object
) -> subprocess.CompletedProcess[bytes]:
    """``charlstm`` in so many processes, as a user starts them."""
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    return subprocess.run(
        [*launcher, "--nproc-per-node", str(processes), "-m", "charlstm", *map(str, words)],
        capture_output=True,
        timeout=180,
        check=False,
        env=environment,
        stdin=subprocess.DEVNULL,
    )


def ranks(
    environment: dict[str, str], processes: int, *words: object
) -> subprocess.CompletedProcess[bytes]:
    """``charlstm`` in so many processes, with the variables that torchrun gives to each."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        meeting = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free.getsockname()[1])}
    meeting["WORLD_SIZE"] = str(processes)
    started = [
        warm.start(*words, env={**environment, **meeting, "RANK": rank, "LOCAL_RANK": rank})
        for rank in map(str, range(processes))
    ]
    out, said = zip(*(process.communicate(timeout=180) for process in started), strict=True)
    status = next((p.returncode for p in started if p.returncode), 0)
    return subprocess.CompletedProcess(words, status, b"".join(out), b"".join(said))


def weights(run: Path) -> dict[str, Any]:
    return load_model(run / "model.safetensors").weights


def assert_same(one: Path, other: Path) -> None:
    for name, weight in weights(one).items():
        np.testing.assert_allclose(weights(other)[name], weight, atol=2e-5, err_msg=name)
    lines = [
        [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
        for run in (one, other)
    ]
    for key in ("step", "loss", "val_loss", "learning_rate"):
        found = [[line.get(key) or 0 for line in run] for run in lines]
        np.testing.assert_allclose(found[0], found[1], atol=1e-5, err_msg=key)
    tensors = [load_checkpoint(run / "state.safetensors").tensors for run in (one, other)]
    for name in ("hidden.0", "cell.0"):
        np.testing.assert_allclose(tensors[0][name], tensors[1][name], atol=1e-4, rtol=1e-3)


@pytest.fixture(scope="module")
def alone(play: Path, charlstm: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run of one process."""
    run = tmp_path_factory.mktemp("alone") / "run"
    done = charlstm("train", play, "-o", run, *OPTIONS)
    assert done.returncode == 0, done.stderr.decode()
    return run


@pytest.mark.parametrize(("launch", "processes"), [(torchrun, 2), (ranks, 3)])
def test_processes_give_the_result_of_one(
    play: Path,
    alone: Path,
    environment: dict[str, str],
    tmp_path: Path,
    launch: Callable[..., subprocess.CompletedProcess[bytes]],
    processes: int,
) -> None:
    """Weights and losses, dropout and all; one run directory, one path on stdout, one voice."""
    run = tmp_path / "run"
    done = launch(environment, processes, "train", play, "-o", run, *OPTIONS)
    assert done.returncode == 0, done.stderr.decode()
    assert done.stdout.decode().split() == [str(run / "model.safetensors")]
    assert done.stderr.count(b"plan: ") == 1
    assert_same(alone, run)


def test_time_is_agreed_on(play: Path, environment: dict[str, str], tmp_path: Path) -> None:
    """Each process measures and the first decides; one that did otherwise would wait for ever."""
    done = ranks(environment, 2, "train", play, "-o", tmp_path / "run", "--time", "2s")
    assert done.returncode == 0, done.stderr.decode()


def test_a_launch_that_cannot_be_is_refused(play: Path, charlstm: Run, tmp_path: Path) -> None:
    """In one line: several processes that could not meet, a size that is no number."""
    for variables, message in (
        ({"WORLD_SIZE": "2"}, b"MASTER_ADDR and MASTER_PORT are not set"),
        ({"WORLD_SIZE": "two"}, b"WORLD_SIZE is 'two' in the environment"),
    ):
        done = charlstm("train", play, "-o", tmp_path / "run", "--steps", 1, env=variables)
        assert done.returncode == 2
        assert message in done.stderr
        assert done.stderr.count(b"\n") == 1
    alone = charlstm("train", play, "-o", tmp_path / "run", "--steps", 1, env={"RANK": "1"})
    assert alone.returncode == 0
    assert alone.stdout.decode().split() == [str(tmp_path / "run/model.safetensors")]


def test_a_signal_stops_all_and_nothing_is_lost(
    play: Path, alone: Path, environment: dict[str, str], charlstm: Run, tmp_path: Path
) -> None:
    """The launcher passes it on; the state is saved, and one process can go on with it."""
    run = tmp_path / "run"
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    words = ["train", play, "-o", run, "--steps", 100_000, "--eval-every", 50_000, *OPTIONS[4:]]
    process = subprocess.Popen(
        [*launcher, "--nproc-per-node", "2", "-m", "charlstm", *map(str, words)],
        env=environment,
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    for _ in range(600):
        if (run / "metrics.jsonl").exists():
            break
        time.sleep(0.1)
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=60)
    assert b"go on with: charlstm train --resume" in errors
    state = load_checkpoint(run / "state.safetensors")
    assert state.steps_done >= 500
    assert state.tensors["hidden.0"].shape == (1, 6, 24)


def test_a_run_of_one_goes_on_in_two(
    play: Path, alone: Path, environment: dict[str, str], charlstm: Run, tmp_path: Path
) -> None:
    """The state knows nothing of how many processes there were."""
    run = tmp_path / "run"
    code = (
        "import os, sys\n"
        "from charlstm.training.run_directory import RunDirectory\n"
        "write = RunDirectory.write\n"
        "def and_die(self, checkpoint=None):\n"
        "    write(self, checkpoint)\n"
        "    if self.saved_step == 13: os._exit(9)\n"
        "RunDirectory.write = and_die\n"
        "from charlstm.cli.main import main\n"
        "main(sys.argv[1:])\n"
    )
    words = ["train", str(play), "-o", str(run), "--save-every", "0s", *map(str, OPTIONS)]
    died = subprocess.run([sys.executable, "-c", code, *words], env=environment, check=False)
    assert died.returncode == 9
    done = ranks(environment, 2, "train", "--resume", run)
    assert done.returncode == 0, done.stderr.decode()
    assert done.stderr.count(b"not as before: processes 1 -> 2;") == 1
    assert_same(alone, run)


def test_what_is_wrong_is_said(play: Path, environment: dict[str, str], tmp_path: Path) -> None:
    """A batch that cannot be shared, standard input that only one could read."""
    for words, message in (
        ((play, "--batch-size", 5), b"batch-size is 5, which 2 processes cannot share"),
        (("-",), b"standard input cannot be read by several processes"),
    ):
        done = ranks(environment, 2, "train", *words, "-o", tmp_path / "run", "--steps", 2)
        assert done.returncode != 0
        assert message in done.stderr
        assert not (tmp_path / "run").exists()


def test_two_processes_begin_from_a_base_as_one_does(
    environment: dict[str, str], charlstm: Run, play: Path, trained: Path, tmp_path: Path
) -> None:
    """Rates and lengths that depend on how well it reads the text are the same in all."""
    words = ("train", play, "--init-from", trained, "--batch-size", 6, "--epochs", 2)
    words += ("--eval-every", 5, "--precision", "fp32", "--threads", 1)
    alone, both = tmp_path / "alone", tmp_path / "both"
    done = charlstm(*words, "-o", alone)
    assert done.returncode == 0, done.stderr
    done = ranks(environment, 2, *words, "-o", both)
    assert done.returncode == 0, done.stderr.decode()
    assert_same(alone, both)
    passages = [load_model(run / "model.safetensors").passages for run in (alone, both)]
    assert passages[0].tolist() == passages[1].tolist()
