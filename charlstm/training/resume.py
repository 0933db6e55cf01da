"""A stopped run that goes on: ``resume_run``, a generator of events."""

import os
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from charlstm.errors import CorpusError, OptionError, TrainingError
from charlstm.files import MODEL_FILE, STATE_FILE
from charlstm.model.locate import CONFIG_FILE, METRICS_FILE, find_run
from charlstm.model.model_file import load_model
from charlstm.text.dataset import Dataset, load_dataset
from charlstm.text.passages import merged, sampled_passages
from charlstm.text.sources import Sources
from charlstm.training.base import passages_before
from charlstm.training.batches import TrainingData
from charlstm.training.checkpoint import Checkpoint, load_checkpoint, reading_state
from charlstm.training.config import BUDGETS, REPORT_OPTIONS, Settings, TrainConfig
from charlstm.training.continuation import Continued, continued
from charlstm.training.distributed import joined, launched
from charlstm.training.events import Event, ShouldStop, TextRead
from charlstm.training.lock import locked
from charlstm.training.losses import KeptModel
from charlstm.training.output import clear
from charlstm.training.run_directory import RunDirectory, absolute, check_files
from charlstm.training.samples import prompt_in
from charlstm.training.speed import Speed, measured
from charlstm.training.start import given_options, names_for_run
from charlstm.training.tensorboard_file import check_tensorboard
from charlstm.training.threads import most_threads
from charlstm.training.torch_import import require_torch

# What may be asked for anew; everything else was settled when the run began.
CHANGEABLE = (
    "time",
    "epochs",
    "steps",
    "patience",
    "save_every",
    "device",
    "precision",
    "threads",
    *REPORT_OPTIONS,
)


def resume_run(
    directory: str | os.PathLike[str],
    *,
    sources: Sources = (),
    should_stop: ShouldStop = lambda: False,
    **settings: Any,
) -> Iterator[Event]:
    """Go on with a stopped run as if it had not been stopped; yield what happens, print nothing.

        for event in resume_run("runs/play", time="10m"):
            ...

    ``settings`` may change what CHANGEABLE lists; a time, or a number of epochs or steps, is that
    of the whole run. The text is read from where it was, or from ``sources``. ``should_stop`` is
    asked after each step.

    Raises OptionError for what cannot be changed. The generator raises CorpusError where the text
    is not that of the run, and TrainingError where there is no state to go on from, where no step
    is left to do, or where another training is at work.
    """
    started = time.monotonic()
    given = given_options(settings)
    for name in given:
        if name not in CHANGEABLE:
            raise OptionError("cannot change when a run is resumed", name, "settled")
    checked = Settings(**given)
    # "auto" asks for what the run has, as far as this machine has it.
    auto = [name for name in ("device", "precision") if getattr(checked, name) == "auto"]
    given = {name: getattr(checked, name) for name in given if name not in auto}
    return _resume(directory, given, names_for_run(sources), started, should_stop)


def _resume(
    named: str | os.PathLike[str],
    given: dict[str, Any],
    sources: list[str],
    started: float,
    should_stop: ShouldStop,
) -> Iterator[Event]:
    """``resume_run``, with the settings that were ``given``, checked."""
    directory = find_run(named)
    own_files = [directory / name for name in (STATE_FILE, METRICS_FILE, MODEL_FILE)]
    check_files(own_files, TrainingError, follow=False)
    with ExitStack() as held:
        if launched().rank == 0 and (directory / STATE_FILE).exists():  # for all processes
            held.enter_context(locked(directory))
            clear(directory)
        checkpoint = _loaded(directory)
        recorded, planned = checkpoint.config, checkpoint.pace.last
        dataset = _same_text(directory, checkpoint, sources)
        yield TextRead(dataset.fingerprint.name, len(dataset.ids), dataset.notes)
        require_torch()
        _check_state(directory, checkpoint)
        config = _on_this_machine(checkpoint, given)
        check_tensorboard(config)
        prompt_in(dataset, config)
        from charlstm.training.device import prepare_data
        from charlstm.training.loop import Run
        from charlstm.training.trainer import Trainer

        with joined(config.device) as group:
            data = prepare_data(dataset, config.val_fraction, device=config.device, group=group)
            # The recipe makes no such step; one of a million characters would fill the memory.
            if config.characters_per_step > max(len(data.train_ids), config.batch_size):
                with reading_state(directory / STATE_FILE):
                    raise ValueError("a step longer than the text")
            began = started - checkpoint.history.seconds
            checkpoint = replace(checkpoint, config=config)
            config, pace, speed = _continued(checkpoint, given, data, began)
            checkpoint = replace(checkpoint, config=config, pace=pace)
            _check_unfinished(checkpoint, directory)
            trainer = Trainer(config, data)
            origin = checkpoint.sources, checkpoint.sources_given
            if sources:
                origin = absolute(sources), sources
            run = Run(trainer, RunDirectory(directory, dataset, *origin), began)
            run.speed = speed
            if group.leads:
                own = sampled_passages(data.train_ids, dataset.vocabulary)
                run.directory.passages = merged(passages_before(directory, config), own)
            with reading_state(directory / STATE_FILE):
                run.load(checkpoint)
            reason = _reason(checkpoint, planned, run.kept)
            # Asked in all processes, since all take part in saving.
            if config != recorded or group.agree(not (directory / CONFIG_FILE).exists()):
                run.save(new=False)
            asked = given.get("precision", recorded.precision)
            notes = _changes(asked, config, checkpoint.environment, run.environment)
            yield from run.train(reason, should_stop, notes)
            del trainer, run  # before the group is left


def _loaded(directory: Path) -> Checkpoint:
    """The saved state; TrainingError where there is none that can be used."""
    model, path = directory / MODEL_FILE, directory / STATE_FILE
    if model.exists() and not path.exists():
        load_model(model)  # raises ModelFileError if it is damaged
        fault = f"{directory}: no {STATE_FILE} to go on from; its model is sound"
        raise TrainingError(fault, "run without state", directory=directory)
    return load_checkpoint(path)


def _check_state(directory: Path, checkpoint: Checkpoint) -> None:
    """Raise TrainingError unless a run of its configuration can have saved the state."""
    from charlstm.training.trainer import check_state

    with reading_state(directory / STATE_FILE):
        check_state(checkpoint.tensors, checkpoint.progress, checkpoint.config)


def _on_this_machine(checkpoint: Checkpoint, given: dict[str, Any]) -> TrainConfig:
    """The configuration with what was asked for, on a device that this machine has.

    On another machine than before the precision is one that its hardware has.
    """
    from charlstm.training.device import choose_device, choose_precision, hardware, is_available

    config = checkpoint.config
    changes = {name: value for name, value in given.items() if name not in BUDGETS}
    if "device" in given or not is_available(config.device):
        changes["device"] = choose_device(given.get("device", "auto"))
    device = changes.get("device", config.device)
    if "precision" not in given and not hardware(device).items() <= checkpoint.environment.items():
        changes["precision"] = choose_precision(config.precision, device, recorded=True)
    most = most_threads()
    limits = {"threads": min(config.threads, most)}
    if config.most_threads is not None:
        limits["most_threads"] = min(config.most_threads, most)
    return replace(config, **{**limits, **changes})


def _reason(checkpoint: Checkpoint, planned: int, kept: KeptModel | None) -> str:
    """Where a run goes on that was ``planned`` to have so many steps, in words."""
    done, last = checkpoint.steps_done, checkpoint.pace.last
    reason = f"resumed at step {done:,} of {planned:,}"
    if last != planned:
        reason += f", now to step {last:,}"
    if kept is not None and kept.step > done:
        reason += f"; the model of step {kept.step:,} stays until there is a better one"
    return reason


def _changes(
    precision: str, config: TrainConfig, before: dict[str, str], now: dict[str, str]
) -> list[str]:
    """What is not as ``before``, or not in the ``precision`` that was asked for."""
    from charlstm.training.device import differences, precision_notes

    notes = precision_notes(precision, config.precision, config.device)
    changes = ", ".join(differences(before, now))
    if changes:
        notes.append(f"not as before: {changes}; so the same result, bit for bit, is not promised")
    return notes


def _same_text(directory: Path, checkpoint: Checkpoint, sources: list[str]) -> Dataset:
    """The text that the run began with, read as it was then."""
    if not sources and "-" in checkpoint.sources:
        fault = f"{directory}: this run read its text from a pipe"
        raise CorpusError(fault, "text from a pipe", directory=directory)
    try:
        if not sources:
            check_files(map(Path, checkpoint.sources), CorpusError, follow=True)
        dataset = load_dataset(sources or checkpoint.sources, checkpoint.text)
    except CorpusError as error:
        raise CorpusError(str(error), "text of a run", directory=directory) from error
    name, found = dataset.fingerprint.name, dataset.fingerprint.sha256
    expected = checkpoint.fingerprint.sha256
    if found != expected:
        raise CorpusError(
            f"{name}: not the text this run began with (SHA-256 {found[:12]}, not "
            f"{expected[:12]}); give that text, or start anew"
        )
    characters = checkpoint.config.network.vocab_size
    if dataset.text != checkpoint.text or len(dataset.vocabulary) != characters:
        raise CorpusError(
            f"{name}: read with other options than this run began with; give the text itself, or "
            f"a dataset made with the same options"
        )
    return dataset


def _continued(
    checkpoint: Checkpoint, given: dict[str, Any], data: TrainingData, began: float
) -> Continued:
    """How the run goes on, with the length and the threads that were ``given``."""

    def measure(config: TrainConfig, seconds: float) -> Speed:
        most = config.most_threads
        config = replace(config, threads=most or config.threads)
        return measured(config, data, seconds, choose_threads=most is not None)

    return continued(
        checkpoint,
        Settings(**{name: given[name] for name in (*BUDGETS, "threads") if name in given}),
        len(data.train_ids),
        measure=measure,
        seconds_spent=lambda: data.group.agree(time.monotonic() - began),
    )


def _check_unfinished(checkpoint: Checkpoint, directory: Path) -> None:
    """Raise TrainingError for a run that has nothing left to do."""
    if checkpoint.finished:
        steps = checkpoint.pace.last
        early = checkpoint.steps_done < steps
        how = "which ended early, out of patience" if early else f"step {steps:,} was its last"
        fault = f"{directory}: this run is complete, {how}"
        raise TrainingError(fault, "run complete", directory=directory)
