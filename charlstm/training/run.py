"""A training run from dataset to kept model: ``train`` and ``resume``, generators of events.

What can be wrong is found here, before anything is written; ``charlstm.training.loop`` does the
work. Nothing is printed.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from torch import Tensor

from charlstm.checkpoint import Model, load_model
from charlstm.config import TextOptions
from charlstm.dataset import Dataset, load_dataset
from charlstm.errors import CorpusError, OptionError, TrainingError
from charlstm.runs import (
    CONFIG_FILE,
    STATE_FILE,
    check_output,
    check_recorded,
    check_run,
    find_model,
    make_run_directory,
)
from charlstm.training.config import Settings, TrainConfig
from charlstm.training.device import choose_device, choose_precision, choose_threads
from charlstm.training.evaluate import evaluate, walk_length
from charlstm.training.events import Event
from charlstm.training.group import Group, joined
from charlstm.training.lanes import Lanes
from charlstm.training.learner import Learner, resident
from charlstm.training.loop import Run, ShouldStop
from charlstm.training.recipe import DEFAULT_SECONDS, Choice, Machine, Speed, choose, val_fraction
from charlstm.training.record import write_config
from charlstm.training.state import config_in, damaged, load_state
from charlstm.training.transfer import Transfer, transferred, with_sizes_of
from charlstm.vocab import Ids

LEAST_CHARACTERS = 32
MEASURE_SHARE = 0.02  # of the time goes into measuring how many steps it holds,
MEASURE_SECONDS = 3.0  # but no more than this
MEASURE_CHARACTERS = 1 << 15
UNSOUND = (ValueError, LookupError, TypeError, AttributeError, OverflowError)


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

    Started by ``torchrun``, every process trains its share of each batch, and the first alone
    writes. Raises OptionError, CorpusError and TrainingError; nothing is written before all is
    checked.
    """
    started = time.monotonic() - seconds_spent
    for place in (*places, settings.init_from or ""):
        _check_name(place)
    if output is not None:
        check_output(output)
    initial = None
    if settings.init_from is not None:
        path = find_model(settings.init_from)
        initial = load_model(path)
        settings = with_sizes_of(initial, replace(settings, init_from=str(path.absolute())))
    device = choose_device(settings.device)
    with joined(device) as group:
        run, choice, transfer = _begun(
            dataset, settings, initial, device, group, places, output, started
        )
        yield from run.events(choice.reason, should_stop, transfer)
        del run


def resume(
    directory: Path, *, places: Sequence[str] = (), should_stop: ShouldStop = lambda: False
) -> Iterator[Event]:
    """Go on with a stopped run as if it had not been.

    The text is read from where it was, or from ``places``. Raises CorpusError where it is
    another than before, and TrainingError where there is no state to go on from or no step
    left to do.
    """
    check_run(directory)
    path = directory / STATE_FILE
    state = load_state(path)
    try:
        config = config_in(state)
        kept, text = str(state["fingerprint"]["sha256"]), TextOptions(**state["text"])
        recorded, given = list(state["places"]), list(state["places_given"])
        done = int(state["learner"]["steps_done"])
    except (*UNSOUND, OptionError, RuntimeError) as error:
        raise damaged(path, error) from error
    if done >= config.steps:
        raise _complete(directory, f"all {config.steps:,} steps of it")
    device = choose_device(config.device)
    try:
        if not places:
            check_recorded(recorded)
        dataset = load_dataset(places or recorded, text)
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
    with joined(device) as group:
        train_ids = _split(dataset, config.val_fraction)[0]
        # The recipe keeps to it, and a step of a million characters would fill the memory.
        if config.batch_size * config.seq_length > max(len(train_ids), config.batch_size):
            raise damaged(path, ValueError("a step longer than the text"))
        learner = _learner(config, train_ids, group, resident(train_ids, device))
        run = Run(dataset, learner, given, directory)
        try:
            run.load_state_dict(state)
        except (*UNSOUND, RuntimeError) as error:
            raise damaged(path, error) from error
        if run.out_of_patience:
            raise _complete(directory, "which ended early, out of patience")
        yield from run.events("resumed", should_stop)
        del learner, run


def _begun(
    dataset: Dataset,
    settings: Settings,
    initial: Model | None,
    device: str,
    group: Group,
    places: Sequence[str],
    output: Path | None,
    started: float,
) -> tuple[Run, Choice, Transfer | None]:
    """A run that is set up in its directory; ``started`` is when, on the monotonic clock."""
    settings = replace(settings, val_fraction=val_fraction(settings, len(dataset.ids)))
    train_ids, val_ids = _split(dataset, settings.val_fraction or 0.0)
    text = resident(train_ids, device)
    choice = choose(
        settings,
        Machine(
            device,
            choose_precision(settings.precision, device),
            choose_threads(settings.threads),
            group.size,
        ),
        train_characters=len(train_ids),
        vocab_size=len(dataset.vocabulary),
        measure=lambda config: _measure(
            _learner(config, train_ids, group, text), val_ids, settings.time
        ),
        seconds_spent=lambda: group.agree(time.monotonic() - started),
    )
    learner = _learner(choice.config, train_ids, group, text)
    transfer = None
    if initial is not None:
        weights, transfer = transferred(initial, dataset.vocabulary, learner.weights())
        learner.load_weights(weights)
    directory = None
    if group.leads:
        directory = make_run_directory(output, dataset.fingerprint.name)
        write_config(directory / CONFIG_FILE, choice.config, dataset.text, places)
    run = Run(dataset, learner, places, group.agree(directory))
    run.books.seconds = time.monotonic() - started
    return run, choice, transfer


def _complete(directory: Path, how: str) -> TrainingError:
    return TrainingError(
        f"{directory}: this run is complete, {how}; "
        f"use its model with charlstm generate -m {directory}"
    )


def _learner(config: TrainConfig, train_ids: Ids, group: Group, text: Tensor | None) -> Learner:
    lanes = Lanes(train_ids, config.batch_size, config.seq_length, config.random_seed)
    return Learner(config, lanes, group, text)


def _check_name(place: str) -> None:
    """Raise OptionError for a name that could not be written down in config.toml."""
    try:
        place.encode()
    except UnicodeEncodeError as error:
        raise OptionError(
            f"{place!r}: a file name that is not UTF-8; rename the file, or pipe it: - < FILE"
        ) from error


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


def _measure(learner: Learner, val_ids: Ids, budget: float | None) -> Speed:
    """How fast this machine goes, found with a learner that is thrown away."""
    group = learner.group

    def timed(steps: int) -> float:
        """Seconds of one step, as the leader's clock has it."""
        before = time.monotonic()
        for _ in range(steps):
            learner.step()
        learner.take_losses()  # waits for the device
        elapsed: float = group.agree(time.monotonic() - before)
        return elapsed / steps

    timed(2)  # sets things up
    step = timed(2)
    run = min(budget or DEFAULT_SECONDS, learner.config.steps * step)  # seconds, at most
    step = timed(max(2, int(min(MEASURE_SECONDS, MEASURE_SHARE * run) / step)))
    sample = val_ids[:MEASURE_CHARACTERS]
    evaluation = 0.0
    if len(sample) > 1:
        before = time.monotonic()
        evaluate(learner.averaged, sample, device=learner.device, bf16=learner.bf16)
        elapsed = time.monotonic() - before
        evaluation = elapsed * walk_length(len(val_ids)) / walk_length(len(sample))
    return Speed(step=step, evaluation=group.agree(evaluation))
