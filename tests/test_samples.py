"""Samples in training: what is written with each evaluation, and that nothing else changes."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pexpect
import pytest

from charlstm.errors import OptionError
from charlstm.model.model_file import load_model
from charlstm.text.dataset import load_dataset
from charlstm.text.decoding import TextOptions
from charlstm.training import resume_run, train
from charlstm.training.config import Settings, TrainConfig
from charlstm.training.events import Evaluation, Event, Step
from charlstm.training.samples import CHARACTERS, prompt_in, sample_of

from .conftest import SMALL_RUN, Run
from .hostile import read_state
from .test_resume import trainer_of
from .test_streams import EVIL, terminal


def samples(events: list[Event]) -> list[str | None]:
    return [event.sample for event in events if isinstance(event, Evaluation)]


def lines_of(run: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def sampled(play: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Event]]:
    """A small run and its events."""
    run = tmp_path_factory.mktemp("sampled") / "run"
    return run, list(train(play, output=run, **SMALL_RUN))


def test_each_evaluation_has_a_sample(sampled: tuple[Path, list[Event]]) -> None:
    """In the event and in the metrics, and nowhere else."""
    run, events = sampled
    found = samples(events)
    assert len(found) == 5
    assert len(set(found)) > 1
    for text in found:
        assert text is not None
        assert 1 <= len(text) <= CHARACTERS
        assert text.strip("\n") == text
    lines = lines_of(run)
    assert [line["sample"] for line in lines if "val_loss" in line] == found
    assert all(("sample" in line) == ("val_loss" in line) for line in lines)


def test_the_weights_are_the_same_without(
    sampled: tuple[Path, list[Event]], play: Path, tmp_path: Path
) -> None:
    """Model and state, bit for bit; and the card does not tell one from the other."""
    events = list(train(play, output=tmp_path / "run", sample=False, **SMALL_RUN))
    assert set(samples(events)) == {None}
    assert not any("sample" in line for line in lines_of(tmp_path / "run"))
    one, two = (load_model(run / "model.safetensors") for run in (sampled[0], tmp_path / "run"))
    assert {n: w.tobytes() for n, w in one.weights.items()} == {
        n: w.tobytes() for n, w in two.weights.items()
    }
    assert one.training.keys() == two.training.keys()
    assert "sample" not in one.command
    assert one.command == two.command
    states = [read_state(run / "state.safetensors") for run in (sampled[0], tmp_path / "run")]
    tensors = [{n: t.numpy().tobytes() for n, t in state["tensors"].items()} for state in states]
    assert tensors[0] == tensors[1]


def test_a_resumed_run_writes_the_same_samples(
    sampled: tuple[Path, list[Event]], play: Path, tmp_path: Path
) -> None:
    """Its random numbers come from the random seed and the step alone."""
    run = tmp_path / "run"
    for event in train(play, output=run, save_every=0.0, **SMALL_RUN):
        if isinstance(event, Step) and event.step == 10:
            break
    list(resume_run(run))
    whole = lines_of(sampled[0])
    assert [line.get("sample") for line in lines_of(run)] == [line.get("sample") for line in whole]
    other = list(train(play, output=tmp_path / "other", **{**SMALL_RUN, "random_seed": 1}))
    assert samples(other) != samples(sampled[1])


def test_a_sample_begins_with_the_prompt(play: Path, tmp_path: Path) -> None:
    """In lower case for a text in lower case; of several lines with the last; changed by resume."""
    options = {**SMALL_RUN, "lowercase": True, "save_every": 0.0}
    run = tmp_path / "run"
    for event in train(play, output=run, sample_prompt="And\nThe Tide", **options):
        if isinstance(event, Evaluation):
            assert event.sample is not None
            assert event.sample.startswith("the tide")
            break
    after = samples(list(resume_run(run, sample_prompt="auto")))
    assert after
    assert all(text and text.startswith("auto") for text in after)
    assert 'sample_prompt = "auto"\n' in (run / "config.toml").read_text()


@pytest.mark.parametrize(
    ("prompt", "said"),
    [("caf\u00e9", r"sample_prompt has '\u00e9' \(U\+00E9\), which the text does not have"),
     ("x" * 1001, "sample_prompt has 1,001 characters, of 1,000 at most")],
)  # fmt: skip
def test_a_prompt_that_cannot_be_read(play: Path, tmp_path: Path, prompt: str, said: str) -> None:
    """An error before the first step, which leaves nothing behind, also of a resumed run."""
    with pytest.raises(OptionError, match=said):
        list(train(play, output=tmp_path / "run", sample_prompt=prompt, **SMALL_RUN))
    assert not (tmp_path / "run").exists()
    list(train(play, output=tmp_path / "run", **{**SMALL_RUN, "steps": 2}))
    before = (tmp_path / "run/state.safetensors").read_bytes()
    with pytest.raises(OptionError, match=said):
        list(resume_run(tmp_path / "run", steps=4, sample_prompt=prompt))
    assert (tmp_path / "run/state.safetensors").read_bytes() == before


def test_a_prompt_is_read_as_the_text_was(tmp_path: Path) -> None:
    """A capital sigma at the end of a word becomes the small sigma that the text has there."""
    (tmp_path / "text").write_text("\u039f\u03a3 \u039f\u03a3\n")
    dataset = load_dataset([str(tmp_path / "text")], TextOptions(lowercase=True))
    assert prompt_in(dataset, Settings(sample_prompt="\u039f\u03a3")) == "\u03bf\u03c3"


def test_it_is_said_what_to_do_about_a_prompt(charlstm: Run, play: Path, tmp_path: Path) -> None:
    """In the options' words; without samples it does not matter."""
    words = ["train", play, "-o", tmp_path / "run", "--steps", 2, "--sample-prompt", "\u20ac"]
    done = charlstm(*words)
    assert done.returncode == 2
    assert done.stderr.decode().endswith(
        "--sample-prompt has '\u20ac' (U+20AC), which the text does not have; leave them out, or "
        "write no samples: --no-sample\n"
    )
    assert charlstm(*words, "--no-sample").returncode == 0


@pytest.mark.parametrize("factor", [np.nan, np.inf])
def test_weights_that_are_too_large_write_nothing(play: Path, trained: Path, factor: float) -> None:
    """And nothing is warned of."""
    model = load_model(trained / "model.safetensors")
    weights = {name: (weight * factor).astype("f") for name, weight in model.weights.items()}
    config = TrainConfig(
        steps=3, eval_every=1, network=model.config, seq_length=8, batch_size=2, val_fraction=0.1,
        learning_rate=0.01, weight_dropout=0.0, threads=1,
    )  # fmt: skip
    dataset = load_dataset([str(play)], TextOptions())
    assert sample_of(weights, dataset, config, 1) is None
    assert sample_of(model.weights, dataset, config, 1) is not None


def test_a_run_whose_weights_break_goes_on(play: Path, tmp_path: Path) -> None:
    """The evaluation of weights that are not finite has a sample of those of before, or none."""
    events, seen = train(play, output=tmp_path / "run", **SMALL_RUN), []
    for event in events:
        seen.append(event)
        if isinstance(event, Evaluation) and event.step == 7:
            trainer = trainer_of(events)
            for weight in trainer.optimizer.averaged.parameters():
                weight.data.fill_(np.nan)
    assert len(samples(seen)) == 5


def test_samples_in_a_log(charlstm: Run, play: Path, tmp_path: Path) -> None:
    """An indented line below each evaluation's."""
    words = ["--steps", 8, "--eval-every", 4, "--hidden-size", 12, "-o", tmp_path / "run"]
    text = charlstm("train", play, *words).stderr.decode()
    assert "\x1b" not in text
    shown = re.findall(r"^step .*\n    (.*)\n", text, re.MULTILINE)
    written = [line["sample"] for line in lines_of(tmp_path / "run") if "sample" in line]
    assert [line.replace("\u21b5", "\n") for line in shown] == written
    quiet = charlstm("train", play, *words[:-1], tmp_path / "quiet", "-q")
    assert quiet.stderr == b""


@pytest.mark.parametrize("variables", [{}, {"NO_COLOR": "1"}])
def test_samples_on_a_terminal(
    environment: dict[str, str], tmp_path: Path, variables: dict[str, str]
) -> None:
    """Dimmed where colours are wanted; control characters are shown, not obeyed."""
    (tmp_path / "t.txt").write_text((EVIL + "ab cd ") * 60, encoding="utf-8")
    line = f"train {tmp_path}/t.txt -o {tmp_path}/run --steps 4 --eval-every 2 --hidden-size 8"
    shown = terminal(line, {**environment, **variables}).read()
    assert ("    \u2502 \x1b[2m" in shown) == (not variables)
    assert not {"\x9b", "\u202e", "\x07"} & set(shown)
    assert "\x1b]" not in shown
    assert max(map(len, re.sub(r"\x1b\[[0-9]*m", "", shown).split("\r\n"))) < 400


def test_lines_of_a_sample_on_a_terminal(environment: dict[str, str]) -> None:
    """Each begins beside a bar, which no message has; the rest of a long line is indented."""
    text = "The tide came in,\nand took the boats that lay along the quay.\n\nGo!"
    code = f"from charlstm.cli import console; console.quote({text!r}); console.say('step 2')"
    process = pexpect.spawn(
        sys.executable, ["-c", code],
        env={**environment, "NO_COLOR": "1", "COLUMNS": "32"}, encoding="utf-8",
    )  # fmt: skip
    assert process.read().replace("\r\n", "\n") == (
        "    \u2502 The tide came in,\n"
        "    \u2502 and took the boats that\n"
        "    \u2502   lay along the quay.\n"
        "    \u2502 \n"
        "    \u2502 Go!\n"
        "step 2\n"
    )


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="no /proc")
def test_numpy_leaves_the_cores_to_torch(environment: dict[str, str]) -> None:
    """It starts no threads of its own, and what torch reads is as it was."""
    code = """
import os, re
os.environ["OPENBLAS_NUM_THREADS"] = "8"
from charlstm.cli.loading import leave_threads_to_torch
leave_threads_to_torch()
print(re.search(r"Threads:\\s+(\\d+)", open("/proc/self/status").read())[1])
print(os.environ["OPENBLAS_NUM_THREADS"], "MKL_NUM_THREADS" in os.environ)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, check=True, timeout=60
    )
    assert done.stdout.split() == [b"1", b"8", b"False"]
