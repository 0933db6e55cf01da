"""A new training run, from dataset to kept model: ``train``, a generator of events.

What can be wrong is found here, before anything is written; ``charlstm.training.loop`` does the
work. Nothing is printed.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from charlstm.errors import OptionError
from charlstm.model.locate import CONFIG_FILE, find_model
from charlstm.model.model_file import ModelFile, load_model
from charlstm.text.dataset import Dataset
from charlstm.training.config import Settings
from charlstm.training.device import choose_device, choose_precision, choose_threads
from charlstm.training.directory import check_output, new_run, whole_or_nothing
from charlstm.training.distributed import Group, joined
from charlstm.training.events import Event
from charlstm.training.finetune import Transfer, transferred, with_sizes_of
from charlstm.training.learner import resident
from charlstm.training.loop import Run, ShouldStop
from charlstm.training.pace import repetition
from charlstm.training.recipe import Choice, Machine, Text, choose, val_fraction
from charlstm.training.record import write_config
from charlstm.training.setup import measured, memory_for, new_learner, split


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
    with joined(device) as group, ExitStack() as held:
        run, choice, transfer = _begun(
            dataset, settings, initial, device, group, places, output, started, held
        )
        with memory_for(choice.config):
            yield from run.events(choice.reason, should_stop, transfer=transfer)
        del run


def _begun(
    dataset: Dataset,
    settings: Settings,
    initial: ModelFile | None,
    device: str,
    group: Group,
    places: Sequence[str],
    output: Path | None,
    started: float,
    held: ExitStack,
) -> tuple[Run, Choice, Transfer | None]:
    """A run that is set up in its directory, from where it can be resumed.

    ``started`` is when, on the monotonic clock; ``held`` takes over the lock.
    """
    settings = replace(settings, val_fraction=val_fraction(settings, len(dataset.ids)))
    train_ids, val_ids = split(dataset, settings.val_fraction or 0.0)
    text = resident(train_ids, device)
    choice = choose(
        settings,
        Machine(
            device,
            choose_precision(settings.precision, device),
            choose_threads(settings.threads),
            group.size,
        ),
        Text(len(train_ids), len(dataset.vocabulary), repetition(train_ids)),
        measure=lambda config: measured(config, train_ids, val_ids, group, text, settings.time),
        seconds_spent=lambda: group.agree(time.monotonic() - started),
    )
    learner = new_learner(choice.config, train_ids, group, text)
    transfer = None
    if initial is not None:
        weights, transfer = transferred(initial, dataset.vocabulary, learner.optimizer.weights())
        learner.optimizer.load_weights(weights)
    directory = None
    if group.leads:
        directory = held.enter_context(new_run(output, dataset.fingerprint.name))
    run = Run(dataset, learner, places, group.agree(directory))
    run.books.seconds = time.monotonic() - started
    with whole_or_nothing(directory):
        run.save()
        if directory is not None:
            write_config(directory / CONFIG_FILE, choice.config, dataset, places)
    return run, choice, transfer


def _check_name(place: str) -> None:
    """Raise OptionError for a name that could not be written down in config.toml."""
    try:
        place.encode()
    except UnicodeEncodeError as error:
        raise OptionError(
            f"{place!r}: a file name that is not UTF-8; rename the file, or pipe it: - < FILE"
        ) from error
