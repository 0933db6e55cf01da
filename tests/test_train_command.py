"""``charlstm train`` as its users run it: real processes, real files, real signals."""

import json
import os
import shlex
import signal
import subprocess
import sys
import time
import tomllib
from pathlib import Path
from typing import Any

import pytest
from safetensors.numpy import load_file

from charlstm.checks import seconds
from charlstm.errors import OptionError

from . import warm
from .conftest import VERSE, Run

SMALL = ["--hidden-size", "24", "--embedding-size", "8"]


def metrics(run: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


def same_weights(one: Path, two: Path) -> bool:
    a, b = (load_file(run / "model.safetensors") for run in (one, two))
    return a.keys() == b.keys() and all((a[name] == b[name]).all() for name in a)


def test_stdout_is_the_models_path_and_nothing_else(
    charlstm: Run, play: Path, tmp_path: Path
) -> None:
    """``m=$(charlstm train text)`` works; the run is named after the text."""
    done = charlstm("train", play, "--steps", 5, *SMALL, cwd=tmp_path)
    assert done.returncode == 0
    assert done.stdout == b"runs/verse/model.safetensors\n"
    assert (tmp_path / "runs/verse/model.safetensors").is_file()
    again = charlstm("train", play, "--steps", 5, *SMALL, "-q", cwd=tmp_path)
    assert again.stdout == b"runs/verse-2/model.safetensors\n"
    assert again.stderr == b""


def test_off_a_terminal_progress_is_plain_lines(
    trained: Path, charlstm: Run, play: Path, tmp_path: Path
) -> None:
    """One line an evaluation, which fits a terminal; no carriage returns, no colours."""
    done = charlstm("train", play, "-o", tmp_path / "run", "--steps", 8, "--eval-every", 4, *SMALL)
    lines = done.stderr.decode().splitlines()
    assert b"\r" not in done.stderr
    assert b"\x1b" not in done.stderr
    evaluations = [line for line in lines if line.startswith("step ")]
    assert len(evaluations) == 2
    assert all("nats" in line and len(line) < 72 for line in evaluations)
    assert "characters/s" in lines[-2]
    assert "nats (" in lines[-2]
    assert " bits)" in lines[-2]
    assert any("charlstm generate -m" in line for line in lines)


def test_the_run_directory_is_complete(trained: Path) -> None:
    """Model, state, metrics and settings, under the names that the manual gives."""
    names = {path.name for path in trained.iterdir()}
    assert names == {
        "model.safetensors",
        "state.safetensors",
        "metrics.jsonl",
        "config.toml",
        ".lock",
    }
    rows = metrics(trained)
    assert [row["step"] for row in rows] == list(range(1, 61))
    keys = {"step", "epoch", "loss", "learning_rate", "characters_per_second", "seconds"}
    assert all(keys <= row.keys() for row in rows)
    evaluated = [row for row in rows if "val_loss" in row]
    assert evaluated[-1]["step"] == 60
    assert evaluated[-1]["val_loss"] < evaluated[0]["val_loss"]


def test_settings_of_a_run_make_the_same_run_again(
    trained: Path, charlstm: Run, tmp_path: Path
) -> None:
    """``--config`` with what a run kept, and the command on the card, give the same weights."""
    config = trained / "config.toml"
    assert tomllib.loads(config.read_text())["train"]["hidden_size"] == 24
    again = charlstm("train", "--config", config, "-o", tmp_path / "a")
    assert again.returncode == 0, again.stderr
    assert same_weights(trained, tmp_path / "a")
    card = json.loads(charlstm("inspect", "-m", trained, "--json").stdout)
    words = shlex.split(card["command"])[1:]
    assert charlstm(*words, "-o", tmp_path / "b").returncode == 0
    assert same_weights(trained, tmp_path / "b")


def test_the_order_of_settings(charlstm: Run, play: Path, tmp_path: Path) -> None:
    """Command line above environment above file above default."""
    (tmp_path / "c.toml").write_text(
        "[train]\nhidden_size = 9\nembedding_size = 5\nnum_layers = 1\nsteps = 2\n"
    )
    environment = {"CHARLSTM_TRAIN_EMBEDDING_SIZE": "6", "CHARLSTM_TRAIN_NUM_LAYERS": "3"}
    words = ["--config", tmp_path / "c.toml", "--num-layers", 2, "-o", tmp_path / "run"]
    assert charlstm("train", play, *words, env=environment).returncode == 0
    model = json.loads(charlstm("inspect", "-m", tmp_path / "run", "--json").stdout)["model"]
    assert (model["hidden_size"], model["embedding_size"], model["num_layers"]) == (9, 6, 2)


def test_a_budget_given_anew_replaces_that_of_the_file(
    trained: Path, charlstm: Run, tmp_path: Path
) -> None:
    """A run's settings always hold its steps; they can be used for longer or shorter."""
    words = ["--config", trained / "config.toml", "--epochs", 1, "-o", tmp_path / "run"]
    assert charlstm("train", *words).returncode == 0
    assert metrics(tmp_path / "run")[-1]["epoch"] == pytest.approx(1, abs=0.1)  # whole steps


def test_the_best_model_is_kept_not_the_last(charlstm: Run, tmp_path: Path) -> None:
    """On a text that the model soon knows by heart, an earlier step's loss is the kept one."""
    text = tmp_path / "t.txt"
    text.write_text("".join(chr(97 + (i * i * 7 + i // 3) % 26) for i in range(600)))
    done = charlstm(
        "train", text, "-o", tmp_path / "run", "--steps", 300, "--dropout", 0, "--hidden-size", 48
    )
    assert done.returncode == 0
    losses = {
        row["step"]: row["val_loss"] for row in metrics(tmp_path / "run") if "val_loss" in row
    }
    kept = json.loads(charlstm("inspect", "-m", tmp_path / "run", "--json").stdout)["training"]
    best = min(losses, key=lambda step: losses[step])
    assert best < 300
    assert (kept["steps"], kept["val_loss"]) == (best, losses[best])


def test_a_pipe_of_several_files_is_a_corpus(charlstm: Run, play: Path, tmp_path: Path) -> None:
    """``cat a.txt b.txt | charlstm train -``."""
    text = play.read_bytes()
    done = charlstm("train", "-", "--steps", 3, *SMALL, input=text * 2, cwd=tmp_path)
    assert done.stdout == b"runs/stdin/model.safetensors\n"
    card = json.loads(charlstm("inspect", "--json", cwd=tmp_path).stdout)
    assert card["corpus"]["characters"] == 2 * len(text)


def test_files_and_directories_are_one_corpus(charlstm: Run, play: Path, tmp_path: Path) -> None:
    """A directory's texts and a file together."""
    (tmp_path / "d").mkdir()
    for name in ("b.txt", "a.txt"):
        (tmp_path / "d" / name).write_bytes(play.read_bytes())
    done = charlstm("train", tmp_path / "d", play, "--steps", 2, *SMALL, cwd=tmp_path)
    assert done.stdout == b"runs/d+1/model.safetensors\n"


def test_a_dataset_trains_as_its_text_does(charlstm: Run, play: Path, tmp_path: Path) -> None:
    """Encoded once, it gives the same weights."""
    assert charlstm("dataset", play, "-o", tmp_path / "data").returncode == 0
    for name, place in (("a", play), ("b", tmp_path / "data")):
        assert charlstm("train", place, "-o", tmp_path / name, "--steps", 4, *SMALL).returncode == 0
    assert same_weights(tmp_path / "a", tmp_path / "b")


def test_two_hundred_characters_train(charlstm: Run, tmp_path: Path) -> None:
    """Window and batch shrink, and that is said."""
    (tmp_path / "t.txt").write_text(("Rain on the roof and rain on the river. " * 5)[:200])
    done = charlstm("train", tmp_path / "t.txt", "-o", tmp_path / "run", "--steps", 20)
    assert done.returncode == 0, done.stderr
    assert b"to fit so short a text" in done.stderr
    written = charlstm("generate", "-m", tmp_path / "run", "-n", 20, "--random-seed", 1)
    assert len(written.stdout) == 20


def test_thousands_of_characters_train_and_generate(charlstm: Run, tmp_path: Path) -> None:
    """A vocabulary of 4,447, beyond the BMP too, in two bytes an id."""
    alphabet = [chr(c) for c in range(0x4E00, 0x4E00 + 4000)] + [
        chr(c) for c in range(0x1F300, 0x1F300 + 446)
    ]
    text = "\n".join("".join(alphabet[i::7]) for i in range(7)) * 2
    (tmp_path / "t.txt").write_text(text, encoding="utf-8")
    words = ["-o", tmp_path / "run", "--steps", 3, *SMALL]
    assert charlstm("train", tmp_path / "t.txt", *words).returncode == 0
    card = json.loads(charlstm("inspect", "-m", tmp_path / "run", "--json").stdout)
    assert card["model"]["vocab_size"] == 4447
    done = charlstm("generate", "-m", tmp_path / "run", "-n", 30, "--seed", alphabet[4300])
    assert len(done.stdout.decode()) == 31


def test_nothing_held_back_is_legal(charlstm: Run, play: Path, tmp_path: Path) -> None:
    """With ``--val-fraction 0`` the last model is kept, and no validation loss is claimed."""
    words = ["-o", tmp_path / "run", "--steps", 6, "--val-fraction", 0, *SMALL]
    assert charlstm("train", play, *words).returncode == 0
    card = json.loads(charlstm("inspect", "-m", tmp_path / "run", "--json").stdout)
    assert card["training"]["val_loss"] is None
    assert card["training"]["steps"] == 6


LONG = ["--steps", 1000, "--eval-every", 50, "--dropout", 0.2, *SMALL]


@pytest.fixture(scope="module")
def whole(charlstm: Run, play: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that nobody stopped."""
    run = tmp_path_factory.mktemp("whole") / "run"
    assert charlstm("train", play, *LONG, "-o", run).returncode == 0
    return run


def stopped(
    environment: dict[str, str], play: Path, run: Path, number: int
) -> tuple[int | None, str, str]:
    """The status and the messages of a run that a signal stopped after step 50."""
    process = warm.start("train", play, *LONG, "-o", run, env=environment)
    assert process.stderr is not None
    assert any(line.startswith(b"step 50/") for line in process.stderr), "the run ended at once"
    process.send_signal(number)
    out, said = process.communicate(timeout=60)
    return process.returncode, out.decode(), said.decode()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_stopped_run_goes_on_as_if_it_had_not_been(
    number: signal.Signals,
    charlstm: Run,
    environment: dict[str, str],
    play: Path,
    whole: Path,
    tmp_path: Path,
) -> None:
    """Ctrl-C keeps a model and says how to go on; the resumed run ends in the same weights."""
    status, out, said = stopped(environment, play, tmp_path / "cut", number)
    assert status == -number
    assert out == f"{tmp_path}/cut/model.safetensors\n"
    assert f"charlstm train --resume {tmp_path}/cut" in said
    written = charlstm("generate", "-m", tmp_path / "cut", "-n", 5)
    assert written.returncode == 0

    resumed = charlstm("train", "--resume", tmp_path / "cut")
    assert resumed.returncode == 0, resumed.stderr
    assert same_weights(whole, tmp_path / "cut")
    rows = [metrics(run) for run in (whole, tmp_path / "cut")]
    for key in ("step", "loss", "val_loss", "learning_rate"):
        assert [r.get(key) for r in rows[0]] == [r.get(key) for r in rows[1]]


def test_a_run_stopped_before_its_first_evaluation_keeps_a_model(
    environment: dict[str, str], charlstm: Run, play: Path, tmp_path: Path
) -> None:
    """What there is, is kept."""
    words = ["train", play, "--steps", 100000, "--eval-every", 100000, *SMALL]
    process = warm.start(*words, "-o", tmp_path / "run", env=environment)
    metrics_file = tmp_path / "run/metrics.jsonl"
    deadline = time.monotonic() + 60
    while not metrics_file.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGINT
    assert charlstm("generate", "-m", tmp_path / "run", "-n", 5).returncode == 0


def test_a_run_resumes_only_where_there_is_one_to_go_on_with(
    charlstm: Run, play: Path, tmp_path: Path
) -> None:
    """A run that is complete, none at all, and options it was not begun with are refused."""
    words = ["train", play, "--steps", 5, *SMALL, "-o", tmp_path / "run"]
    assert charlstm(*words).returncode == 0
    done = charlstm("train", "--resume", tmp_path / "run")
    assert (done.returncode, b"complete" in done.stderr) == (1, True)
    done = charlstm("train", "--resume", tmp_path / "run", "--hidden-size", 5)
    assert (done.returncode, b"--hidden-size" in done.stderr) == (2, True)
    done = charlstm("train", "--resume", tmp_path / "absent")
    assert (done.returncode, b"no such run" in done.stderr) == (1, True)


def test_a_loss_that_explodes_ends_the_run_and_says_so(
    charlstm: Run, play: Path, tmp_path: Path
) -> None:
    """With the rate that did it."""
    done = charlstm(
        "train", play, "--steps", 60, *SMALL, "--learning-rate", 1e30, "-o", tmp_path / "run"
    )
    assert done.returncode == 1
    assert b"--learning-rate" in done.stderr
    assert b"Traceback" not in done.stderr


def test_the_environment_does_not_change_a_resumed_run(
    charlstm: Run, environment: dict[str, str], play: Path, tmp_path: Path
) -> None:
    """Not even where it makes no sense."""
    assert stopped(environment, play, tmp_path / "run", signal.SIGINT)[0] == -signal.SIGINT
    strange = {"CHARLSTM_TRAIN_HIDDEN_SIZE": "0", "CHARLSTM_TRAIN_STEPS": "1"}
    done = charlstm("train", "--resume", tmp_path / "run", env=strange)
    assert done.returncode == 0, done.stderr
    assert metrics(tmp_path / "run")[-1]["step"] == 1000


@pytest.mark.parametrize(
    ("words", "environment_says", "steps"),
    [(["--steps", "3"], {"CHARLSTM_TRAIN_TIME": "10m"}, 3), ([], {"CHARLSTM_TRAIN_STEPS": "4"}, 4)],
)
def test_the_strongest_source_of_a_budget_wins(
    charlstm: Run,
    play: Path,
    tmp_path: Path,
    words: list[str],
    environment_says: dict[str, str],
    steps: int,
) -> None:
    """The command line outranks the environment."""
    run = tmp_path / "run"
    done = charlstm("train", play, *words, *SMALL, "-o", run, env=environment_says)
    assert done.returncode == 0, done.stderr
    assert metrics(run)[-1]["step"] == steps


@pytest.mark.parametrize("closed", ["2>&-", ">&-", "2>&- >&-", "<&-"])
def test_a_closed_stream_does_not_end_a_training(
    environment: dict[str, str], play: Path, tmp_path: Path, closed: str
) -> None:
    """Whichever of the three it is."""
    words = f"train {play} --steps 3 --hidden-size 8 -o {tmp_path}/run"
    line = f'"{sys.executable}" -m charlstm {words} {closed}'
    done = subprocess.run(["bash", "-c", line], env=environment, check=False, timeout=60)
    assert done.returncode == 0
    assert (tmp_path / "run/model.safetensors").is_file()


@pytest.mark.parametrize(
    ("stdout", "status", "fault"),
    [(None, 0, "Broken pipe"), ("/dev/full", 1, "No space left on device")],
)
def test_where_the_model_is_is_said_where_stdout_cannot(
    environment: dict[str, str],
    play: Path,
    tmp_path: Path,
    stdout: str | None,
    status: int,
    fault: str,
) -> None:
    """With --quiet, too; a reader that has gone is no failure of the training."""
    if stdout is not None and not Path(stdout).exists():
        pytest.skip(f"no {stdout}")
    if stdout is None:
        reader, writer = os.pipe()
        os.close(reader)
    else:
        writer = os.open(stdout, os.O_WRONLY)
    words = ["train", play, "--steps", 3, *SMALL, "-q", "-o", tmp_path / "run"]
    done = subprocess.run(
        [sys.executable, "-m", "charlstm", *map(str, words)],
        env=environment,
        stdout=writer,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        timeout=60,
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (
        status,
        f"the model is {tmp_path}/run/model.safetensors; its path could not be written to "
        f"standard output: {fault}\n",
    )
    assert (tmp_path / "run/model.safetensors").is_file()


@pytest.mark.parametrize("name", ["-odd.txt", "with space.txt", "\u20ac'$x.txt"])
def test_the_command_on_the_card_survives_a_shell(
    charlstm: Run, play: Path, tmp_path: Path, name: str
) -> None:
    """Names that begin with a hyphen or hold quotes come through as they are."""
    (tmp_path / name).write_bytes(play.read_bytes())
    done = charlstm("train", "--steps", 2, *SMALL, "-o", "run", "--", name, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    card = json.loads(charlstm("inspect", "-m", "run", "--json", cwd=tmp_path).stdout)
    words = shlex.split(card["command"])[1:]
    assert charlstm(*words, "-o", "again", cwd=tmp_path).returncode == 0
    assert same_weights(tmp_path / "run", tmp_path / "again")


@pytest.mark.parametrize(
    ("written", "expected"),
    [("90", 90), ("1.5", 1.5), ("2m", 120), ("1h30m", 5400), ("1h2m3s", 3723), (" 5s ", 5)],
)
def test_a_time_is_hours_minutes_and_seconds(written: str, expected: float) -> None:
    """A bare number is seconds."""
    assert seconds(written) == expected


@pytest.mark.parametrize("written", ["", "s", "1h30", "5d", "-3s", "1.2.3", "1e3"])
def test_a_time_that_is_none_is_refused(written: str) -> None:
    """What would have to be guessed among them."""
    with pytest.raises(OptionError, match="write it like"):
        seconds(written)


@pytest.mark.parametrize("resumed", [False, True])
def test_it_is_said_that_torch_is_loaded_before_it_is(
    environment: dict[str, str], trained: Path, play: Path, tmp_path: Path, resumed: bool
) -> None:
    """To import it may take many seconds; -q says nothing."""
    (tmp_path / "torch.py").write_text("raise SystemExit('torch is imported')\n")
    env = {**environment, "PYTHONPATH": f"{tmp_path}:{Path(__file__).parents[1]}"}
    words = ["--resume", trained, "--steps", 99] if resumed else [play, "-o", tmp_path / "run"]
    begins = f"verse: {len(VERSE * 8):,} characters read"
    for quiet, said in ((["-q"], ""), ([], f"{begins}; loading torch\n")):
        done = subprocess.run(
            [sys.executable, "-m", "charlstm", "train", *map(str, words), *quiet],
            env=env,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.stderr == f"{said}torch is imported\n"
