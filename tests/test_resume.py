"""Resume through the library: from any saved state to the same weights; bad states refused."""

import copy
import json
import math
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from charlstm.errors import (
    CharLSTMError,
    CorpusError,
    ModelFileError,
    OptionError,
    TrainingError,
)
from charlstm.model.model_file import load_model
from charlstm.text.corpus import open_corpus
from charlstm.text.dataset import write_dataset
from charlstm.text.decoding import TextOptions
from charlstm.training import resume_run, train
from charlstm.training.checkpoint import load_checkpoint
from charlstm.training.config import Settings, TrainConfig
from charlstm.training.continuation import continued
from charlstm.training.events import Evaluation, Event, Finished, Recovered, Started, Step, TextRead
from charlstm.training.kernels import choose_kernels
from charlstm.training.length import LEAST_PLANNED
from charlstm.training.loop import Run
from charlstm.training.pace import Pace
from charlstm.training.speed import Speed
from charlstm.training.trainer import Trainer, state_shapes

from .conftest import SMALL_RUN
from .hostile import read_state, state_bytes
from .test_training import data_of

SETTINGS: dict[str, Any] = {**SMALL_RUN, "save_every": 0.0}


def begin(play: Path, run: Path, **changes: Any) -> Iterator[Event]:
    return train(play, output=run, **{**SETTINGS, **changes})


def weights_of(run: Path) -> dict[str, Any]:
    return {name: w.tolist() for name, w in load_model(run / "model.safetensors").weights.items()}


@pytest.fixture(scope="module")
def whole(play: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that nobody stopped."""
    run = tmp_path_factory.mktemp("whole") / "run"
    assert isinstance(list(begin(play, run))[-1], Finished)
    return run


@pytest.fixture(scope="module")
def vanished(play: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that vanished after 20 steps, as if by a power cut, its state saved at every step."""
    run = tmp_path_factory.mktemp("vanished") / "run"
    for event in begin(play, run):
        if isinstance(event, Step) and event.step == 20:
            break
    return run


@pytest.fixture
def cut(vanished: Path, tmp_path: Path) -> Path:
    """A copy of the run that vanished."""
    return shutil.copytree(vanished, tmp_path / "run")


def begun(events: Iterator[Event]) -> Event:
    """What comes after TextRead."""
    assert isinstance(next(events), TextRead)
    return next(events)


def test_events_come_in_order(whole: Path, play: Path, tmp_path: Path) -> None:
    """TextRead, Started, one event a step, Finished."""
    read, first, *steps, last = begin(play, tmp_path / "run")
    assert read == TextRead("verse", play.stat().st_size, ())
    assert isinstance(first, Started)
    assert isinstance(last, Finished)
    assert [event.step for event in steps if isinstance(event, Step | Evaluation)] == [
        *range(1, 31)
    ]
    assert weights_of(tmp_path / "run") == weights_of(whole)


def test_a_run_that_vanished_goes_on_from_its_last_state(whole: Path, cut: Path) -> None:
    """Same weights, same metrics, though lines were written after the state was."""
    state = read_state(cut / "state.safetensors")
    assert state["progress"]["steps_done"] == 19
    with (cut / "metrics.jsonl").open("a") as file:
        file.write('{"step": 29, "loss": 1.0}\n{"step": 30, "lo')
    assert isinstance(list(resume_run(cut))[-1], Finished)
    assert weights_of(cut) == weights_of(whole)
    lines = [
        [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
        for run in (whole, cut)
    ]
    for key in ("step", "loss", "val_loss"):
        assert [line.get(key) for line in lines[0]] == [line.get(key) for line in lines[1]]


def test_a_run_goes_on_only_with_its_own_text(cut: Path, play: Path, tmp_path: Path) -> None:
    """Another text is refused; the same one in another file is as good."""
    other = tmp_path / "other.txt"
    other.write_text(play.read_text() + "x")
    with pytest.raises(CorpusError, match="not the text this run began with"):
        list(resume_run(cut, sources=[str(other)]))
    other.write_text(play.read_text())
    assert isinstance(list(resume_run(cut, sources=[str(other)]))[-1], Finished)


def test_a_model_that_was_removed_is_made_again(cut: Path) -> None:
    """What the run says it kept is there."""
    (cut / "model.safetensors").unlink()
    finished = list(resume_run(cut))[-1]
    assert isinstance(finished, Finished)
    assert load_model(finished.model).training["steps"] == finished.best_step


def trainer_of(events: Iterator[Event]) -> Trainer:
    """The trainer inside a run that is going on."""
    run: Run = events.gi_frame.f_locals["run"]  # type: ignore[attr-defined]
    return run.trainer


def test_weights_that_broke_are_rolled_back(play: Path, tmp_path: Path) -> None:
    """The run says so, goes on at a lower rate from sound weights, and ends with a model."""
    events = begin(play, tmp_path / "run")
    seen: list[Event] = []
    for event in events:
        seen.append(event)
        if isinstance(event, Evaluation) and event.step == 7:
            with torch.no_grad():
                trainer_of(events).network.output.bias[0] = torch.nan
    recovered = [event for event in seen if isinstance(event, Recovered) and event.rolled_back]
    assert len(recovered) == 1
    assert recovered[0].skipped >= 1
    assert isinstance(seen[-1], Finished)
    assert seen[-1].val_loss is not None
    assert seen[-1].best_step > 7
    steps = [event.step for event in seen if isinstance(event, Step | Evaluation)]
    assert steps == [*range(1, 31)]


def test_a_rate_beyond_all_bounds_ends_in_an_error(play: Path, tmp_path: Path) -> None:
    """Not before it was lowered a few times; the model kept before stays."""
    events = begin(play, tmp_path / "run", steps=100)
    next(event for event in events if isinstance(event, Evaluation))
    kept = (tmp_path / "run/model.safetensors").read_bytes()

    def break_weights_for_ever() -> None:
        for _ in events:
            with torch.no_grad():
                trainer_of(events).network.output.bias[0] = torch.nan

    with pytest.raises(TrainingError, match="although the rate was halved 8 times"):
        break_weights_for_ever()
    assert (tmp_path / "run/model.safetensors").read_bytes() == kept


def test_a_step_that_was_skipped_is_said(play: Path, tmp_path: Path) -> None:
    """Once in a while is no reason to roll back."""
    events = begin(play, tmp_path / "run", steps=200, eval_every=200)
    recovered, poisoned = [], False
    for event in events:
        if isinstance(event, Step) and event.step >= 100 and not poisoned:
            trainer = trainer_of(events)
            poisoned = not trainer.batches.starts(event.step)
            trainer.carried[0][0][:] = torch.inf
        if isinstance(event, Recovered):
            recovered.append(event)
    assert [(m.skipped, m.rolled_back) for m in recovered] == [(1, False)]


def test_patience_ends_a_run(play: Path, tmp_path: Path) -> None:
    """After as many evaluations without a better one; it is then complete."""
    changes = {"steps": 400, "eval_every": 4, "patience": 2, "learning_rate": 1.0}
    *events, last = begin(play, tmp_path / "run", **changes)
    assert isinstance(last, Finished)
    assert last.out_of_patience
    assert not last.stopped
    evaluations = [event for event in events if isinstance(event, Evaluation)]
    assert [event.best for event in evaluations[-3:]] == [True, False, False]
    assert last.best_step == evaluations[-3].step
    assert last.step < 400
    with pytest.raises(TrainingError, match="out of patience"):
        list(resume_run(tmp_path / "run"))


def test_a_dataset_of_other_characters_is_refused(cut: Path, play: Path, tmp_path: Path) -> None:
    """Its text has the same fingerprint, but its ids mean something else."""
    write_dataset(open_corpus([str(play)], TextOptions(min_count=10)), tmp_path / "data")
    with pytest.raises(CorpusError, match="read with other options"):
        list(resume_run(cut, sources=[str(tmp_path / "data")]))


@pytest.mark.parametrize(
    ("more", "steps"), [({"steps": 45}, 45), ({"epochs": 12.0}, 57), ({"steps": 25}, 25)]
)
def test_a_run_can_be_given_another_length(cut: Path, more: dict[str, Any], steps: int) -> None:
    """The length is that of the whole run; the card says at which step it was given."""
    _, started, *_, finished = resume_run(cut, **more)
    assert isinstance(started, Started)
    assert isinstance(finished, Finished)
    assert started.config.steps == steps
    assert finished.step == steps
    lines = [json.loads(line) for line in (cut / "metrics.jsonl").read_text().splitlines()]
    found = [line["step"] for line in lines]
    assert found == [*range(1, steps + 1)]
    read = steps * started.config.characters_per_step / started.train_characters
    assert lines[-1]["epoch"] == round(read, 4)
    assert (
        f'pace = "{load_checkpoint(cut / "state.safetensors").pace}"\n'
        in (cut / "config.toml").read_text()
    )
    summary = load_model(cut / "model.safetensors").training
    assert summary["planned_steps"] == steps
    assert summary["pace"] == f"0:0:30,19:{19 / steps:.6g}:{steps}"


def test_a_complete_run_can_be_given_more_time(play: Path, tmp_path: Path) -> None:
    """It goes on for what is left of the time; the best model of before stays until beaten."""
    run = tmp_path / "run"
    list(begin(play, run))
    with pytest.raises(TrainingError, match="this run is complete, step 30 was its last"):
        list(resume_run(run))
    with pytest.raises(OptionError, match="has taken"):
        list(resume_run(run, time=0.01))
    with pytest.raises(OptionError, match="has done 30"):
        list(resume_run(run, steps=30))
    before = read_state(run / "state.safetensors")["history"]
    finished = list(resume_run(run, time=before["seconds"] + 2))[-1]
    assert isinstance(finished, Finished)
    assert finished.step > 30
    assert finished.seconds > before["seconds"]
    assert finished.val_loss is not None
    assert finished.val_loss <= before["best_loss"]


def killed_after(steps: int, play: Path, run: Path) -> Path:
    """A run with a time that vanished after so many steps, its state saved at every step."""
    for event in begin(play, run, steps=None, time=60.0):
        if isinstance(event, Started if steps == 0 else Step) and event.step == steps:
            break
    return run


@pytest.mark.parametrize("done", [0, 1, 5])
def test_a_run_that_was_killed_at_once_goes_on_as_long_as_a_new_one(
    done: int, play: Path, tmp_path: Path
) -> None:
    """The speed of its first steps says nothing, so it is measured anew."""
    run = killed_after(done, play, tmp_path / "run")
    checkpoint = load_checkpoint(run / "state.safetensors")
    seconds, step = 100.0, 1.0
    config, pace, speed = continued(
        checkpoint,
        Settings(time=seconds),
        2412,
        measure=lambda config, seconds: Speed(step, 0.1),
        seconds_spent=lambda: 2.0,
    )
    assert speed == Speed(step, 0.1)
    assert config.time == seconds
    assert config.steps == pace.last == pytest.approx(done + (seconds - 2.0) / step, rel=0.05)
    assert pace.after(pace.last) == 1


def test_a_run_that_was_killed_at_once_does_more_than_a_step(play: Path, tmp_path: Path) -> None:
    """With another time, too."""
    run = killed_after(0, play, tmp_path / "run")
    started = begun(resume_run(run, time=2000.0))
    assert isinstance(started, Started)
    assert started.step == 0
    assert started.steps >= LEAST_PLANNED


def test_a_run_goes_on_with_the_threads_that_are_faster_now(play: Path, tmp_path: Path) -> None:
    """Its pace says so; and with those that are asked for, where they are."""
    checkpoint = load_checkpoint(killed_after(5, play, tmp_path / "run") / "state.safetensors")
    free = replace(checkpoint, config=replace(checkpoint.config, most_threads=2))
    for asked, threads in ((Settings(time=70.0), 2), (Settings(threads=1), None)):
        config, pace, _ = continued(
            free,
            asked,
            2412,
            measure=lambda config, seconds: Speed(
                1.0, 0.1, None if config.most_threads is None else 2
            ),
            seconds_spent=lambda: 2.0,
        )
        assert pace.at(5).threads == threads
        assert config.most_threads == (2 if threads else None)
        assert Pace.parse(str(pace)) == pace


def test_a_run_with_time_to_spare_is_measured_on_the_threads_that_it_has(
    play: Path, tmp_path: Path
) -> None:
    """They may be others than it began with; it goes on with them, at its own pace."""
    checkpoint = load_checkpoint(killed_after(5, play, tmp_path / "run") / "state.safetensors")
    config = replace(checkpoint.config, threads=1, most_threads=4)
    config = replace(config, most_steps=config.steps)
    pace = Pace.constant(config.steps).changed(3, last=config.steps, threads=4)
    tried = []

    def measure(config: TrainConfig, seconds: float) -> Speed:
        tried.append((config.threads, config.most_threads))
        return Speed(0.01, 0.1)

    found = continued(
        replace(checkpoint, config=config, pace=pace),
        Settings(),
        2412,
        measure=measure,
        seconds_spent=lambda: 2.0,
    )
    assert tried == [(4, None)]
    assert found == (config, pace, Speed(0.01, 0.1))


def test_a_longer_run_is_the_same_however_often_it_is_stopped(cut: Path, tmp_path: Path) -> None:
    """The new length counts from the moment it is given, also where the run dies at once."""
    other = tmp_path / "other"
    shutil.copytree(cut, other)
    list(resume_run(cut, steps=45))
    for event in resume_run(other, steps=45):
        if isinstance(event, Step):
            break
    assert isinstance(list(resume_run(other))[-1], Finished)
    assert weights_of(other) == weights_of(cut)


def test_what_was_settled_cannot_change(cut: Path) -> None:
    """Sizes, rates and the like are those that the run began with."""
    with pytest.raises(OptionError, match="hidden_size cannot change"):
        list(resume_run(cut, hidden_size=5))


def test_another_environment_is_allowed_and_said(cut: Path) -> None:
    """Threads, precision, torch and processor: the run goes on, and promises no bits."""
    state = read_state(cut / "state.safetensors")
    state["environment"].update(torch="1.0", processor="abacus")
    (cut / "state.safetensors").write_bytes(state_bytes(state))
    other = "fp32" if state["config"]["precision"] == "bf16" else "bf16"
    before = state["environment"]["kernels"]
    now = str(choose_kernels("cpu", other))
    _, started, *_, finished = resume_run(cut, threads=2, precision=other)
    assert isinstance(started, Started)
    changes = (
        f"torch 1.0 -> {torch.__version__}",
        "another processor",
        f"precision {state['config']['precision']} -> {other}",
        *([f"kernels {before} -> {now}"] if now != before else []),
        "threads 1 -> 2",
    )
    assert started.notes[-1].startswith(f"not as before: {', '.join(changes)}; ")
    assert isinstance(finished, Finished)


def test_the_same_environment_is_not_remarked_on(cut: Path) -> None:
    """Nothing is said where nothing changed."""
    started = begun(resume_run(cut))
    assert isinstance(started, Started)
    assert started.notes == ()


def test_a_device_that_is_gone_is_replaced(cut: Path) -> None:
    """A run of a GPU goes on where there is none."""
    state = read_state(cut / "state.safetensors")
    gone = "cuda" if not torch.cuda.is_available() else "mps"
    state["config"]["device"] = state["environment"]["device"] = gone
    (cut / "state.safetensors").write_bytes(state_bytes(state))
    _, started, *_, finished = resume_run(cut)
    assert isinstance(started, Started)
    assert f"device {gone} -> {started.config.device}" in started.notes[0]
    assert isinstance(finished, Finished)


def without_bf16(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this machine be one whose processor has no bf16."""
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx2": True}, raising=False)


def in_bf16(run: Path) -> None:
    """Let the state of a run be that of a machine with bf16."""
    state = read_state(run / "state.safetensors")
    state["config"]["precision"] = state["environment"]["precision"] = "bf16"
    state["environment"]["processor"] = "x86_64 avx2 avx512_bf16"
    (run / "state.safetensors").write_bytes(state_bytes(state))


@pytest.mark.parametrize(
    ("asked", "used", "note"),
    [
        ({}, "fp32", "fp32 instead of bf16, which torch would only emulate here"),
        ({"precision": "auto"}, "fp32", "fp32 instead of bf16"),
        ({"precision": "bf16"}, "bf16", "torch knows of no hardware for bf16 here; "),
        ({"precision": "fp32"}, "fp32", "not as before: "),
    ],
)
def test_a_run_in_bf16_goes_on_in_what_the_machine_has(
    monkeypatch: pytest.MonkeyPatch, cut: Path, asked: dict[str, str], used: str, note: str
) -> None:
    """On a processor without bf16 it would be many times as slow; what is asked for is kept."""
    in_bf16(cut)
    without_bf16(monkeypatch)
    started = begun(resume_run(cut, **asked))
    assert isinstance(started, Started)
    assert started.config.precision == used
    assert started.notes[0].startswith(note)
    assert any("bit for bit" in line for line in started.notes)


def test_bf16_that_was_emulated_from_the_beginning_is_kept(
    monkeypatch: pytest.MonkeyPatch, play: Path, tmp_path: Path
) -> None:
    """On the same machine a resumed run makes the same model."""
    without_bf16(monkeypatch)
    events = begin(play, tmp_path / "run", precision="bf16")
    assert isinstance(next(events), TextRead)
    first = next(events)
    events.close()
    for started in (first, begun(resume_run(tmp_path / "run"))):
        assert isinstance(started, Started)
        assert started.config.precision == "bf16"
        assert started.notes == (
            "torch knows of no hardware for bf16 here; emulated, it is many times as slow as fp32",
        )


def test_the_command_of_a_card_repeats_a_run_in_what_the_machine_has(
    monkeypatch: pytest.MonkeyPatch, play: Path, tmp_path: Path
) -> None:
    """A card with a pace may be from another machine, and names the precision of that one."""
    without_bf16(monkeypatch)
    asked = {**SETTINGS, "steps": None, "pace": "0:0:30,10:0.5:20", "precision": "bf16"}
    events = train(play, output=tmp_path / "run", **asked)
    assert isinstance(next(events), TextRead)
    started = next(events)
    assert isinstance(started, Started)
    assert started.config.precision == "fp32"
    assert started.notes[0].startswith("fp32 instead of bf16, ")


def test_a_text_from_a_pipe_must_be_given_again(cut: Path, play: Path) -> None:
    """Whoever resumes is not left waiting at a terminal."""
    state = read_state(cut / "state.safetensors")
    state["sources"] = state["sources_given"] = ["-"]
    (cut / "state.safetensors").write_bytes(state_bytes(state))
    with pytest.raises(CorpusError, match="read its text from a pipe"):
        list(resume_run(cut))
    assert isinstance(list(resume_run(cut, sources=[str(play)]))[-1], Finished)


def test_a_run_has_a_state_from_its_first_moment(play: Path, tmp_path: Path, whole: Path) -> None:
    """One that dies before its first step can be resumed."""
    events = begin(play, tmp_path / "run")
    assert isinstance(next(events), TextRead)
    assert isinstance(next(events), Started)
    events.close()
    assert isinstance(list(resume_run(tmp_path / "run"))[-1], Finished)
    assert weights_of(tmp_path / "run") == weights_of(whole)


@pytest.mark.parametrize("end", ["", "\n", '{"step": 20', '{"step": 3}', "[" * 9999, "\0" * 99999])
def test_metrics_that_a_crash_cut_short(cut: Path, whole: Path, end: str) -> None:
    """Whatever stands at the end, the run writes its lines where they belong."""
    with (cut / "metrics.jsonl").open("a") as file:
        file.write(end)
    list(resume_run(cut))
    lines = [(run / "metrics.jsonl").read_text().splitlines() for run in (cut, whole)]
    steps = [[json.loads(line)["step"] for line in found] for found in lines]
    assert steps[0] == steps[1]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("steps_done", -5),
        ("steps_done", math.inf),
        ("steps_done", "5"),
        ("rate_scale", math.nan),
        ("rolled_back_at", -1),
        ("rolled_back_at", 31),
    ],
)
def test_a_progress_that_none_saved_is_refused(cut: Path, name: str, value: Any) -> None:
    """Before the first step, in one line."""
    state = read_state(cut / "state.safetensors")
    state["progress"][name] = value
    (cut / "state.safetensors").write_bytes(state_bytes(state))
    with pytest.raises(CharLSTMError, match=r"state\.safetensors"):
        list(resume_run(cut))


CHANGES: list[tuple[str, Any]] = [
    ("fingerprint", {}),
    ("config", {}),
    ("text", {"x": 1}),
    ("sources", 7),
    ("progress", {}),
    ("history", {"x": 1}),
]


@pytest.mark.parametrize(("key", "value"), CHANGES, ids=[key for key, _ in CHANGES])
def test_a_state_with_a_part_that_is_none_is_refused(cut: Path, key: str, value: Any) -> None:
    """In one line, before anything is changed."""
    state = read_state(cut / "state.safetensors")
    (cut / "state.safetensors").write_bytes(state_bytes({**state, key: value}))
    with pytest.raises(CharLSTMError, match=r"state\.safetensors"):
        list(resume_run(cut))


@pytest.mark.parametrize(
    "change", [{"hidden_size": 1 << 15}, {"num_layers": 1 << 9}, {"vocab_size": 10**9}]
)
def test_a_state_that_promises_other_sizes_is_refused(cut: Path, change: dict[str, int]) -> None:
    """Before memory is asked for."""
    state = read_state(cut / "state.safetensors")
    changed = copy.deepcopy(state)
    changed["config"]["network"].update(change)
    (cut / "state.safetensors").write_bytes(state_bytes(changed))
    with pytest.raises(CharLSTMError, match=r"layers|is float32 of shape|other options"):
        list(resume_run(cut))


@pytest.mark.parametrize("keep", [0, 10, 1000, 5000])
def test_a_state_cut_short_is_refused(cut: Path, keep: int) -> None:
    """The model beside it can still be used."""
    data = (cut / "state.safetensors").read_bytes()
    (cut / "state.safetensors").write_bytes(data[:keep])
    with pytest.raises(TrainingError, match="not a valid training state"):
        list(resume_run(cut))
    try:
        load_model(cut / "model.safetensors")
    except ModelFileError:
        pytest.fail("the model was harmed")


def test_no_pickle_is_executed(cut: Path, tmp_path: Path) -> None:
    """A state that would run a command when unpickled is refused unread."""

    class Trap:
        def __reduce__(self) -> tuple[Any, ...]:
            return (Path.touch, (tmp_path / "sprung",))

    torch.save({"format": 1, "trap": Trap()}, cut / "state.safetensors")
    with pytest.raises(TrainingError, match="a zip archive"):
        list(resume_run(cut))
    assert not (tmp_path / "sprung").exists()


def rewrite(path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Change a state and save it with the SHA-256 of what it holds then."""
    state = read_state(path)
    change(state)
    path.write_bytes(state_bytes(state))


def put(*keys: Any) -> Callable[[dict[str, Any]], None]:
    """A change of a state: the last of ``keys`` goes where the others lead."""
    *way, last, value = keys

    def change(state: dict[str, Any]) -> None:
        for key in way:
            state = state[key]
        state[last] = value

    return change


DEEP: list[Any] = []
for _ in range(400):
    DEEP = [DEEP]
MALFORMED: list[tuple[Any, ...]] = [
    ("format", None),
    ("format", DEEP),
    ("config", "steps", None),
    ("config", "steps", DEEP),
    ("config", "device", "auto"),
    ("config", "precision", "fp16"),
    ("config", "seq_length", 1 << 20),
    ("config", "init_from", "\ud800"),
    ("sources", []),
    ("sources", ["a\0b"]),
    ("sources", ["\ud800"]),
    ("sources", [7]),
    ("sources_given", DEEP),
    ("text", "glob", None),
    ("fingerprint", "name", "\ud800"),
    ("history", "seconds", math.nan),
    ("history", "seconds", "nan"),
    ("history", "rollbacks", -1),
    ("history", "best_loss", math.nan),
    ("history", "best_loss", "nan"),
    ("history", "train_loss", "0x1"),
    ("history", "train_loss", DEEP),
    ("progress", "steps_done", 31),
    ("tensors_sha256", None),
    ("tensors", "losses", torch.zeros(2)),
    ("tensors", "losses", torch.full((3,), torch.nan)),
    ("tensors", "losses", torch.full((3,), 1e30)),
    ("tensors", "rng", torch.zeros(3)),
    ("tensors", "hidden.0", torch.zeros(1)),
    ("tensors", "hidden.0", torch.zeros(1, 8, 12, dtype=torch.bfloat16)),
    ("tensors", "cell.7", torch.zeros(1, 8, 12)),
    ("tensors", "model.output.bias", torch.zeros(30)),
    ("tensors", "averaged.output.bias", torch.zeros(31, dtype=torch.float64)),
    ("tensors", "sound.output.bias", torch.full((31,), torch.nan)),
    ("tensors", "step", torch.tensor(-1.0)),
    ("tensors", "step", torch.tensor(1e30)),
    ("tensors", "step", torch.tensor(3)),
    ("tensors", "exp_avg.output.bias", torch.zeros(31, dtype=torch.float64)),
    ("tensors", "max_exp_avg_sq.output.bias", torch.zeros(31)),
]


@pytest.mark.parametrize(
    "keys", MALFORMED, ids=[f"{i}-{'-'.join(map(str, k[:-1]))}" for i, k in enumerate(MALFORMED)]
)
def test_a_state_with_a_part_of_another_kind_is_refused(cut: Path, keys: tuple[Any, ...]) -> None:
    """Before anything is begun: in no part may a wrong type, shape or number come later."""
    before = (cut / "metrics.jsonl").read_bytes()
    rewrite(cut / "state.safetensors", put(*keys))
    with pytest.raises(TrainingError, match=r"state\.safetensors") as caught:
        list(resume_run(cut))
    assert len(str(caught.value)) < 500
    assert (cut / "metrics.jsonl").read_bytes() == before


@pytest.mark.parametrize("part", ["losses", "step", "cell.1", "exp_avg.output.bias"])
def test_a_state_without_a_tensor_is_refused(cut: Path, part: str) -> None:
    """It is named."""
    rewrite(cut / "state.safetensors", lambda state: state["tensors"].pop(part))
    with pytest.raises(TrainingError, match=part):
        list(resume_run(cut))


def test_a_state_with_a_changed_bit_is_refused(cut: Path) -> None:
    """It would go on to another model."""
    path = cut / "state.safetensors"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(TrainingError, match="not those that were saved"):
        list(resume_run(cut))


def test_what_is_saved_is_what_the_configuration_promises(cut: Path) -> None:
    """Names, types and shapes, those of a trainer that has not begun and of one that has."""
    checkpoint = load_checkpoint(cut / "state.safetensors")
    trainer = Trainer(checkpoint.config, data_of(np.zeros(500, np.uint8)))
    for tensors in (checkpoint.tensors, trainer.state()):
        shapes = {name: tensor.shape for name, tensor in tensors.items()}
        assert shapes == state_shapes(checkpoint.config)


def test_a_text_without_end_that_a_state_names_is_not_read(cut: Path) -> None:
    """A state of unknown origin may name a device."""
    rewrite(cut / "state.safetensors", put("sources", ["/dev/zero"]))
    with pytest.raises(CorpusError, match="/dev/zero: cannot be used: is a pipe"):
        list(resume_run(cut))


@pytest.mark.parametrize("name", ["state.safetensors", "metrics.jsonl", "model.safetensors"])
def test_a_run_with_a_link_in_it_is_not_resumed(cut: Path, tmp_path: Path, name: str) -> None:
    """What it leads to stays as it is."""
    kept = (cut / name).read_bytes()
    (cut / name).rename(tmp_path / "elsewhere")
    (cut / name).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(TrainingError, match="is a symbolic link"):
        list(resume_run(cut))
    assert (tmp_path / "elsewhere").read_bytes() == kept
