"""A stopped run taken up again: ``resume``, a generator of events.

Whether a state is sound is found in ``checkpoint``; ``loop`` does the work.
"""

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from charlstm.errors import CorpusError, OptionError, TrainingError
from charlstm.files import MODEL_FILE, STATE_FILE
from charlstm.model.locate import CONFIG_FILE, check_recorded, check_run
from charlstm.model.model_file import load_model
from charlstm.text.corpus import TextOptions
from charlstm.text.dataset import Dataset, load_dataset
from charlstm.training.checkpoint import UNSOUND, config_in, damaged, load_state
from charlstm.training.config import Settings, TrainConfig
from charlstm.training.device import choose_device, differences, is_there
from charlstm.training.directory import clear, locked
from charlstm.training.distributed import Group, joined, launched
from charlstm.training.events import Event
from charlstm.training.learner import resident
from charlstm.training.loop import Run, ShouldStop
from charlstm.training.pace import lengthened
from charlstm.training.record import write_config
from charlstm.training.setup import measured, memory_for, new_learner, split

# What may be asked for anew; all else was settled when the run began.
CHANGEABLE = ("time", "epochs", "steps", "patience", "save_every", "device", "precision", "threads")
AS_BEFORE = Settings()
MOST_THREADS = 4  # a core; a state may be from a larger machine, or a stranger's


def resume(
    directory: Path,
    asked: Settings = AS_BEFORE,
    *,
    places: Sequence[str] = (),
    should_stop: ShouldStop = lambda: False,
) -> Iterator[Event]:
    """Go on with a stopped run as if it had not been.

    ``asked`` may change what CHANGEABLE lists; a time, or a number of epochs or steps, is that of
    the whole run. The text is read from where it was, or from ``places``.

    Raises OptionError for what cannot be changed, CorpusError where the text is another than
    before, and TrainingError where there is no state to go on from, no step left to do, or
    another training at work.
    """
    started = time.monotonic()
    for name in (field.name for field in fields(asked)):
        if name not in CHANGEABLE and getattr(asked, name) is not None:
            raise OptionError(f"{name.replace('_', ' ')} cannot change when a run is resumed")
    check_run(directory)
    path = directory / STATE_FILE
    with ExitStack() as held:
        if launched().rank == 0 and path.exists():  # the leader's lock is that of all
            held.enter_context(locked(directory))
            clear(directory)
        _check_state(directory)
        state = load_state(path)
        try:
            recorded = config_in(state)
        except UNSOUND as error:
            raise damaged(path, error) from error
        config = _on_this_machine(recorded, asked)
        dataset = _same_text(directory, state, config, places)
        with joined(config.device) as group:
            run = _run(path, state, config, asked, dataset, places, group, started)
            done, steps = run.learner.steps_done, run.config.steps
            if done >= steps:
                raise _complete(directory, f"all {steps:,} steps of it")
            if run.out_of_patience:
                raise _complete(directory, "which ended early, out of patience")
            # Before the state, or a run that is made longer would look finished for a moment.
            if group.leads and (run.config != recorded or not (directory / CONFIG_FILE).exists()):
                write_config(directory / CONFIG_FILE, run.config, dataset, run.places)
            if run.config != recorded:
                run.save()
            reason = f"resumed at step {done:,} of {recorded.steps:,}"
            if steps != recorded.steps:
                reason += f", now to step {steps:,}"
            if run.kept is not None and run.kept.step > done:
                reason += f"; the model of step {run.kept.step:,} stays until there is a better one"
            changes = differences(state["environment"], run.environment)
            with memory_for(run.config):
                yield from run.events(reason, should_stop, changes=changes)
            del run


def _check_state(directory: Path) -> None:
    """Raise TrainingError where there is a model and no state; ModelFileError if it is damaged."""
    model = directory / MODEL_FILE
    if model.exists() and not (directory / STATE_FILE).exists():
        load_model(model)
        raise TrainingError(
            f"{directory}: no {STATE_FILE} to go on from; charlstm models --prune removes it when "
            f"a run is finished; its model is sound: use it with charlstm generate -m "
            f"{directory}, or begin a new run with it: charlstm train CORPUS --init-from "
            f"{directory}"
        )


def _on_this_machine(config: TrainConfig, asked: Settings) -> TrainConfig:
    """The configuration with what was asked for, on a device that is there."""
    device = config.device
    if asked.device != "auto" or not is_there(device):
        device = choose_device(asked.device)
    return replace(
        config,
        device=device,
        precision=config.precision if asked.precision == "auto" else asked.precision,
        threads=asked.threads or min(config.threads, MOST_THREADS * (os.cpu_count() or 1)),
        patience=config.patience if asked.patience is None else asked.patience,
        save_every=config.save_every if asked.save_every is None else asked.save_every,
    )


def _same_text(
    directory: Path, state: dict[str, Any], config: TrainConfig, places: Sequence[str]
) -> Dataset:
    """The text that the run began with, read as it was then."""
    kept, text = state["fingerprint"]["sha256"], TextOptions(**state["text"])
    if not places and "-" in state["places"]:
        raise CorpusError(
            f"{directory}: this run read its text from a pipe; give it again: "
            f"charlstm train - --resume {directory} < TEXT"
        )
    try:
        if not places:
            check_recorded(state["places"])
        dataset = load_dataset(places or state["places"], text)
    except CorpusError as error:
        raise CorpusError(
            f"{error}; or say where the text is now: charlstm train CORPUS --resume {directory}"
        ) from error
    if dataset.fingerprint.sha256 != kept:
        raise CorpusError(
            f"{dataset.fingerprint.name}: not the text this run began with (SHA-256 "
            f"{dataset.fingerprint.sha256[:12]}, not {kept[:12]}); give that text, or start anew"
        )
    if dataset.text != text or len(dataset.vocabulary) != config.model.vocab_size:
        raise CorpusError(
            f"{dataset.fingerprint.name}: read with other options than this run began with; "
            f"give the text itself, or a dataset made with the same"
        )
    return dataset


def _run(
    path: Path,
    state: dict[str, Any],
    config: TrainConfig,
    asked: Settings,
    dataset: Dataset,
    places: Sequence[str],
    group: Group,
    started: float,
) -> Run:
    """The run as its state has it, with the length that was asked for."""
    train_ids, val_ids = split(dataset, config.val_fraction)
    # The recipe keeps to it, and a step of a million characters would fill the memory.
    if config.batch_size * config.seq_length > max(len(train_ids), config.batch_size):
        raise damaged(path, ValueError("a step longer than the text"))
    text = resident(train_ids, config.device)
    done, spent = state["learner"]["steps_done"], state["books"]["seconds"]
    if asked.time or asked.epochs or asked.steps:
        config = lengthened(
            config,
            asked,
            train_characters=len(train_ids),
            done=done,
            seconds_spent=lambda: group.agree(spent + time.monotonic() - started),
            measure=lambda config: measured(
                config, train_ids, val_ids, group, text, (asked.time or spent) - spent
            ),
        )
    learner = new_learner(config, train_ids, group, text)
    run = Run(dataset, learner, list(places) or state["places_given"], path.parent)
    try:
        run.load_state_dict(state)
    except UNSOUND as error:
        raise damaged(path, error) from error
    if config.steps != state["config"]["steps"]:
        run.books.lengthened_at.append(done)
    return run


def _complete(directory: Path, how: str) -> TrainingError:
    return TrainingError(
        f"{directory}: this run is complete, {how}; use its model with charlstm generate -m "
        f"{directory}, or train it longer: --resume {directory} --epochs E"
    )
