"""A new training run, from corpus to trained model: ``train``, a generator of events.

Torch is imported once the corpus is read, so that an error in the settings is reported at once.
"""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

from charlstm.errors import OptionError, TrainingError
from charlstm.model.lstm import Array
from charlstm.model.model_file import ModelFile
from charlstm.options import fields_of
from charlstm.text.dataset import Dataset, load_dataset
from charlstm.text.decoding import TextOptions
from charlstm.text.sources import Sources, source_names
from charlstm.text.vocabulary import Ids, Vocabulary
from charlstm.training.base import Base, Beginning, assessed, base_to_assess, passages_read
from charlstm.training.batches import TrainingData, parts
from charlstm.training.config import AUTO, Settings, TrainConfig
from charlstm.training.distributed import joined, launched
from charlstm.training.events import Event, ShouldStop, TextRead
from charlstm.training.length import repetition
from charlstm.training.output import check_output, new_run
from charlstm.training.recipe import VERY_LARGE, Text, choose, val_fraction
from charlstm.training.run_directory import RunDirectory, absolute
from charlstm.training.samples import prompt_in
from charlstm.training.speed import Speed, measured, on_threads
from charlstm.training.tensorboard_file import check_tensorboard
from charlstm.training.torch_import import require_torch

Choice = tuple[TrainConfig, str, Speed | None]  # a configuration, why it is so, and its speed


def train(
    sources: Sources,
    *,
    output: str | os.PathLike[str] | None = None,
    seconds_spent: float = 0.0,
    should_stop: ShouldStop = lambda: False,
    **options: Any,
) -> Iterator[Event]:
    """Train a model on a corpus, in a new run directory; yield what happens, print nothing.

        from charlstm.training import train
        from charlstm.training.events import Evaluation, Finished

        for event in train("play.txt", time="1m", hidden_size=256, lowercase=True):
            match event:
                case Evaluation():
                    print(event.step, event.val_loss)
                case Finished():
                    print(event.model)  # runs/play/model.safetensors, for charlstm.load

    ``sources`` are names of files and directories, or one such name; "-" is standard input, and a
    dataset made by ``charlstm.text.dataset`` is also a source. ``output`` is the run directory,
    by default ``runs/`` and the name of the corpus. ``options`` are those of ``Settings`` and of
    ``TextOptions``; what is not given, or None, is chosen to suit the text, the machine and the
    time.

    ``seconds_spent`` counts into the time that the run takes. ``should_stop`` is asked after each
    step; if it answers True, the run saves its state and ends early, and can be resumed.

    Started by ``torchrun``, every process trains its share of each batch, and the first alone
    writes files. Raises OptionError for settings that no run can have; the generator raises
    CorpusError and TrainingError. Nothing is written before everything is checked.
    """
    started = time.monotonic() - seconds_spent
    given = given_options(options)
    of_text = fields_of(TextOptions, given)
    settings = Settings(**{name: given[name] for name in given if name not in of_text})
    names = names_for_run(sources)
    if not names:
        raise OptionError("no corpus is given", code="no corpus")
    _check_utf8(settings.init_from)
    directory = None if output is None else Path(output)
    if directory is not None:
        check_output(directory)
    return _train(names, TextOptions(**of_text), settings, directory, started, should_stop)


def _train(
    sources: list[str],
    text: TextOptions,
    settings: Settings,
    output: Path | None,
    started: float,
    should_stop: ShouldStop,
) -> Iterator[Event]:
    """``train``, from records; ``started`` is by the monotonic clock."""
    check_tensorboard(settings)
    base = base_to_assess(settings)
    dataset, share = _checked_text(sources, text, settings)
    yield TextRead(dataset.fingerprint.name, len(dataset.ids), dataset.notes)
    require_torch()
    from charlstm.training.device import for_this_machine, precision_notes, prepare_data
    from charlstm.training.loop import Run
    from charlstm.training.trainer import Trainer

    asked, free = settings.precision, settings.threads is None
    settings = replace(for_this_machine(settings), val_fraction=share)
    with joined(settings.device) as group, ExitStack() as held:
        data = prepare_data(dataset, share, device=settings.device, group=group)
        beginning, (config, reason, speed) = _planned(
            _beginning(base, settings, data, dataset.vocabulary),
            lambda beginning: choose(
                beginning.settings_of(settings),
                Text(
                    len(data.train_ids),
                    len(dataset.vocabulary),
                    repetition(data.train_ids),
                    beginning.distance,
                ),
                processes=group.size,
                measure=lambda config: measured(config, data, settings.time, choose_threads=free),
                seconds_spent=lambda: group.agree(time.monotonic() - started),
            ),
            timed=all(v is None for v in (settings.steps, settings.epochs, settings.pace)),
            characters=len(data.train_ids),
        )
        trainer = Trainer(beginning.config_of(on_threads(config, speed)), data)
        if beginning.base is not None:
            trainer.optimizer.load_weights(beginning.weights)
        new = new_run(output, dataset.fingerprint.name) if group.leads else nullcontext()
        path = group.agree(held.enter_context(new))
        directory = RunDirectory(path, dataset, absolute(sources), sources)
        if group.leads:
            directory.passages = passages_read(beginning, data, dataset.vocabulary)
        run = Run(trainer, directory, started)
        run.speed = speed
        run.save(new=True)
        yield from run.train(
            beginning.in_words() + reason,
            should_stop,
            [*precision_notes(asked, config.precision, config.device), *beginning.notes()],
            base_chosen=beginning.chosen and beginning.base is not None,
        )
        del trainer, run  # before the group is left


def _checked_text(
    sources: list[str], text: TextOptions, settings: Settings
) -> tuple[Dataset, float]:
    """The text of a run, and the share of it that is for validation.

    What is wrong with it is an error now, and not once torch is loaded or a sample is written.
    """
    dataset = load_dataset(sources, text)
    share = val_fraction(settings, len(dataset.ids))
    parts(dataset, share)
    prompt_in(dataset, settings)
    return dataset, share


def _beginning(
    base: Base | None, settings: Settings, data: TrainingData, vocabulary: Vocabulary
) -> Beginning:
    """What a run begins from: a base that was named, or the bundled one if that helps.

    Raises TrainingError if the processes of a group have different models.
    """
    from charlstm.training.validation import loss_of

    digest = base and base.sha256
    if data.group.any(data.group.agree(digest) != digest):
        raise TrainingError("the processes of this run have different models to begin from")
    if base is None:
        return Beginning()

    def loss(model: ModelFile, weights: dict[str, Array], ids: Ids) -> float:
        network = replace(model.config, vocab_size=len(vocabulary))
        return loss_of(network, weights, ids, device=settings.device, threads=settings.threads or 1)

    found = assessed(base, data, vocabulary, loss)
    return replace(found, chosen=settings.init_from == AUTO)


def _planned(
    beginning: Beginning, choice_of: Callable[[Beginning], Choice], *, timed: bool, characters: int
) -> tuple[Beginning, Choice]:
    """What a run begins from after all, and the recipe's choice.

    For a very large text the time may be enough for a network that is larger than the base.
    """
    choice = choice_of(beginning)
    if beginning.base is None or not beginning.chosen or not timed or characters < VERY_LARGE:
        return beginning, choice
    alone = choice_of(Beginning())
    if alone[0].network.hidden_size <= choice[0].network.hidden_size:
        return beginning, choice
    return replace(beginning, too_small=True), alone


def given_options(options: dict[str, Any]) -> dict[str, Any]:
    """The options that are not None, with paths as texts."""
    return {
        name: os.fspath(value) if isinstance(value, os.PathLike) else value
        for name, value in options.items()
        if value is not None
    }


def names_for_run(sources: Sources) -> list[str]:
    """The names of the sources as texts; OptionError for one that a run cannot use."""
    names = source_names(sources)
    for name in names:
        _check_utf8(name)
    if "-" in names and launched().size > 1:
        raise OptionError("standard input cannot be read by several processes", code="shared stdin")
    return names


def _check_utf8(name: str) -> None:
    """Raise OptionError for a file name that could not be written down in config.toml."""
    try:
        name.encode()
    except UnicodeEncodeError as error:
        raise OptionError(f"{name!r}: a file name that is not UTF-8", code="file name") from error
