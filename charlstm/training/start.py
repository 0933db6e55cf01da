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

from charlstm.errors import OptionError
from charlstm.options import fields_of
from charlstm.text.dataset import load_dataset
from charlstm.text.decoding import TextOptions
from charlstm.text.sources import Sources, source_names
from charlstm.text.vocabulary import Vocabulary
from charlstm.training.base import Base, Beginning, counts_of, named_base, read_by
from charlstm.training.batches import TrainingData
from charlstm.training.config import AUTO, Settings, TrainConfig
from charlstm.training.distributed import joined, launched
from charlstm.training.events import Event, ShouldStop, TextRead
from charlstm.training.finetune import transferred
from charlstm.training.length import Speed, measured, repetition
from charlstm.training.output import check_output, new_run
from charlstm.training.recipe import VERY_LARGE, Text, choose, val_fraction
from charlstm.training.run_directory import RunDirectory, absolute
from charlstm.training.samples import prompt_in
from charlstm.training.torch_import import require_torch

Plan = tuple[TrainConfig, str, Speed | None]  # a configuration, why it is so, and its speed


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
    base = named_base(settings)
    dataset = load_dataset(sources, text)
    yield TextRead(dataset.fingerprint.name, len(dataset.ids), dataset.notes)
    require_torch()
    from charlstm.training.device import for_this_machine, prepare_data
    from charlstm.training.loop import Run
    from charlstm.training.trainer import Trainer

    settings = for_this_machine(settings)
    prompt_in(dataset, settings)  # an error now, and not when the first sample is written
    share = val_fraction(settings, len(dataset.ids))
    settings = replace(settings, val_fraction=share)
    with joined(settings.device) as group, ExitStack() as held:
        data = prepare_data(dataset, share, device=settings.device, group=group)
        beginning, (config, reason, speed) = _planned(
            _beginning(base, settings, data, dataset.vocabulary),
            lambda beginning: choose(
                beginning.settled(settings),
                Text(
                    len(data.train_ids),
                    len(dataset.vocabulary),
                    repetition(data.train_ids),
                    beginning.distance,
                ),
                processes=group.size,
                measure=lambda config: measured(config, data, settings.time),
                seconds_spent=lambda: group.agree(time.monotonic() - started),
            ),
            characters=len(data.train_ids),
        )
        trainer = Trainer(beginning.recorded(config), data)
        if beginning.base is not None:
            counts = counts_of(data.train_ids, dataset.vocabulary)
            model = beginning.base.model
            trainer.optimizer.load_weights(transferred(model, dataset.vocabulary, counts))
        new = new_run(output, dataset.fingerprint.name) if group.leads else nullcontext()
        path = group.agree(held.enter_context(new))
        directory = RunDirectory(path, dataset, absolute(sources), sources)
        if beginning.base is not None:
            directory.read_before = beginning.base.model.passages
        run = Run(trainer, directory, started)
        if speed is not None:
            run.history.evaluation_seconds = speed.evaluation
        run.save(new=True)
        yield from run.train(
            beginning.in_words() + reason,
            should_stop,
            beginning.notes(),
            base_chosen=beginning.chosen and beginning.base is not None,
        )
        del trainer, run  # before the group is left


def _beginning(
    base: Base | None, settings: Settings, data: TrainingData, vocabulary: Vocabulary
) -> Beginning:
    """What a run begins from: a base that was named, or the bundled one if that helps."""
    from charlstm.training.validation import loss_of

    if base is None:
        return Beginning()
    network = replace(base.model.config, vocab_size=len(vocabulary))
    reading = read_by(
        base,
        data.train_ids,
        data.val_ids,
        vocabulary,
        lambda weights, ids: loss_of(network, weights, ids, settings.device),
    )
    automatic = settings.init_from == AUTO
    helps = data.group.agree(reading.helps or not automatic)
    return Beginning(base if helps else None, reading, chosen=automatic)


def _planned(
    beginning: Beginning, plan_of: Callable[[Beginning], Plan], *, characters: int
) -> tuple[Beginning, Plan]:
    """What a run begins from after all, and its configuration.

    For a very large text the time may be enough for a network that is larger than the base.
    """
    plan = plan_of(beginning)
    if beginning.base is None or not beginning.chosen or characters < VERY_LARGE:
        return beginning, plan
    alone = plan_of(Beginning())
    if alone[0].network.hidden_size <= plan[0].network.hidden_size:
        return beginning, plan
    return replace(beginning, base=None, outgrown=True), alone


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
