"""A training run from dataset to kept model: ``train`` and ``resume``, generators of events.

What can be wrong is found here, before anything is written; ``charlstm.training.loop`` does the
work. Nothing is printed.
"""

import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from charlstm.config import ModelConfig, TextOptions
from charlstm.dataset import Dataset, load_dataset
from charlstm.errors import CorpusError, TrainingError
from charlstm.runs import CONFIG_FILE, STATE_FILE, make_run_directory
from charlstm.training.config import Settings, TrainConfig
from charlstm.training.device import choose_device, choose_precision, choose_threads
from charlstm.training.evaluate import evaluate
from charlstm.training.events import Event
from charlstm.training.lanes import Lanes
from charlstm.training.learner import Learner
from charlstm.training.loop import Run, ShouldStop
from charlstm.training.recipe import DEFAULT_SECONDS, Speed, choose
from charlstm.training.record import write_config
from charlstm.training.state import load_state
from charlstm.vocab import Ids

LEAST_CHARACTERS = 32
MEASURE_SHARE = 0.02  # of the time there is goes into measuring how many steps it holds
MEASURE_CHARACTERS = 1 << 15


def train(
    dataset: Dataset,
    settings: Settings,
    *,
    places: Sequence[str],
    output: Path | None = None,
    seconds_spent: float = 0.0,
    should_stop: ShouldStop = lambda: False,
) -> Iterator[Event]:
    """Train a model on ``dataset`` in a new run directory; yield what happens.

    ``places`` is where the dataset came from, for the record. ``seconds_spent`` counts into
    the time that the run takes. ``should_stop`` is asked after each step: the run then saves
    its state and ends early, to be resumed.

    Raises OptionError, CorpusError and TrainingError; nothing is written before all is checked.
    """
    started = time.monotonic() - seconds_spent
    device = choose_device(settings.device)
    train_ids, val_ids = _split(dataset, settings.val_fraction)
    choice = choose(
        settings,
        train_characters=len(train_ids),
        vocab_size=len(dataset.vocabulary),
        device=device,
        precision=choose_precision(settings.precision, device),
        threads=choose_threads(settings.threads),
        measure=lambda config: _measure(
            config, train_ids, val_ids, MEASURE_SHARE * (settings.time or DEFAULT_SECONDS)
        ),
        seconds_spent=time.monotonic() - started,
    )
    run = Run(dataset, choice.config, places, make_run_directory(output, dataset.fingerprint.name))
    write_config(run.directory / CONFIG_FILE, choice.config, dataset.text, places)
    run.seconds_before = time.monotonic() - started
    yield from run.events(choice.reason, should_stop)


def resume(
    directory: Path, *, places: Sequence[str] = (), should_stop: ShouldStop = lambda: False
) -> Iterator[Event]:
    """Go on with a stopped run as if it had not been.

    The text is read from where it was, or from ``places``. Raises CorpusError where it is
    another than before, and TrainingError where there is no state to go on from or no step
    left to do.
    """
    state = load_state(directory / STATE_FILE)
    kept = state["fingerprint"]["sha256"]
    try:
        dataset = load_dataset(places or state["places"], TextOptions(**state["text"]))
    except CorpusError as error:
        raise CorpusError(
            f"{error}; or say where the text is now: charlstm train CORPUS --resume {directory}"
        ) from error
    if dataset.fingerprint.sha256 != kept:
        raise CorpusError(
            f"{dataset.fingerprint.name}: not the text this run began with (SHA-256 "
            f"{dataset.fingerprint.sha256[:12]}, not {kept[:12]}); give that text, or start anew"
        )
    values = dict(state["config"])
    config = TrainConfig(model=ModelConfig(**values.pop("model")), **values)
    choose_device(config.device)
    if state["learner"]["steps_done"] >= config.steps:
        raise TrainingError(
            f"{directory}: this run is complete, all {config.steps:,} steps of it; "
            f"use its model with charlstm generate -m {directory}"
        )
    run = Run(dataset, config, state["places_given"], directory)
    run.load_state_dict(state)
    yield from run.events("resumed", should_stop)


def _split(dataset: Dataset, val_fraction: float) -> tuple[Ids, Ids]:
    """Training and validation ids, or CorpusError where a text is too short to have both."""
    if len(dataset.ids) < LEAST_CHARACTERS:
        raise CorpusError(
            f"{dataset.fingerprint.name}: the text has {len(dataset.ids)} characters; training "
            f"needs {LEAST_CHARACTERS} or more"
        )
    train_ids, val_ids = dataset.split(val_fraction)
    if val_fraction and len(val_ids) < 2:
        raise CorpusError(
            f"{dataset.fingerprint.name}: a validation part of {val_fraction:g} is "
            f"{len(val_ids)} of {len(dataset.ids)} characters, too few; raise --val-fraction, "
            f"or say --val-fraction 0"
        )
    return train_ids, val_ids


def _measure(config: TrainConfig, train_ids: Ids, val_ids: Ids, seconds: float) -> Speed:
    """How fast this machine goes, found with a model that is thrown away."""
    lanes = Lanes(train_ids, config.batch_size, config.seq_length, config.random_seed)
    learner = Learner(config, lanes)
    for _ in range(2):  # the first steps set things up
        learner.step()
    times: list[float] = []
    while sum(times) < seconds:
        before = time.monotonic()
        float(learner.step())  # waits for the device
        times.append(time.monotonic() - before)
    sample = val_ids[:MEASURE_CHARACTERS]
    evaluation = 0.0
    if len(sample):
        before = time.monotonic()
        evaluate(learner.model, sample, device=learner.device, bf16=learner.bf16)
        evaluation = (time.monotonic() - before) * len(val_ids) / len(sample)
    return Speed(step=float(np.mean(times)), evaluation=evaluation)
