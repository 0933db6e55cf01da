"""How well a model predicts a text: loss, perplexity and accuracy of a part of it."""

import math
from dataclasses import dataclass
from typing import Literal

from charlstm.analysis.baselines import Baseline, LossUnits, baselines
from charlstm.analysis.score import surprisals
from charlstm.analysis.segments import GROUP
from charlstm.checks import require_flag, require_integer, shown
from charlstm.errors import CorpusError, ModelFileError, OptionError
from charlstm.model.model_file import ModelFile
from charlstm.options import OPTIONS
from charlstm.parallel import Progress, counted
from charlstm.text.dataset import Dataset, in_blocks
from charlstm.text.passages import NOTICED, has_short_lines, sampled_passages, share_read
from charlstm.text.vocabulary import Ids

Split = Literal["train", "val", "all"]
LONGEST_WINDOW = GROUP


@dataclass(frozen=True)
class Evaluation(LossUnits):
    """How well a model predicts the characters of a text.

    ``text`` is the name of the text, ``split`` the part that was read, and ``own`` whether it is
    the text that the model learned from. Of the ``characters`` that were predicted, the model
    ``learned`` from so many. ``read`` is about the share of them that the model has read: in its
    training part, in a text with the same passages, or as the model that it began from. It is None
    if that cannot be told. ``loss`` is the mean of -ln of their probabilities, in nats.
    ``accuracy`` and ``top_5_accuracy`` are the shares that were the most probable character, and
    one of the five most probable. ``unknown`` is the share that the model does not know: each
    counts as the least probable character at its place.
    """

    text: str
    split: Split
    own: bool
    characters: int
    learned: int
    loss: float
    accuracy: float
    top_5_accuracy: float
    unknown: float
    read: float | None = None
    baselines: tuple[Baseline, ...] = ()

    @property
    def was_read(self) -> bool:
        """Whether the model has read so much of it that the loss is not one of unseen text."""
        return self.read is not None and self.read >= NOTICED


@dataclass(frozen=True)
class Reading:
    """Which part of a text is read, and how.

    ``split`` is a part, or None for the one that suits the text. With a ``window`` the network
    begins with an empty state after each so many characters. With ``exact`` it reads the text in
    one walk. With ``baselines`` other predictors are measured on the same characters. Raises
    OptionError for what does not go together.
    """

    split: Split | None = None
    window: int | None = None
    exact: bool = False
    baselines: bool = False
    progress: Progress | None = None  # gets the number of characters read, from several threads

    def __post_init__(self) -> None:
        if self.split is not None:
            OPTIONS["split"].check(self.split)
        if self.window is not None:
            require_integer("window", self.window, least=1, most=LONGEST_WINDOW)
        if require_flag("exact", self.exact) and self.window is not None:
            raise OptionError("window and exact cannot be used together; choose one")
        if require_flag("baselines", self.baselines) and self.split in ("train", "all"):
            raise OptionError(
                f"compares on characters that nothing learned from, but split is {self.split!r}",
                "baselines",
                "split with baselines",
            )


def evaluate(model: ModelFile, dataset: Dataset, name: str, reading: Reading) -> Evaluation:
    """How well ``model`` predicts a part of a text that has the ids of its own vocabulary.

    The parts are those of the model's own training: for another text, the same shares of it. The
    first character of the part is read, but not predicted, as in training. The state is carried
    from the first character to the last. Raises CorpusError for a part of fewer than two
    characters, and ModelFileError if the model does not say how its text was split, or if its
    weights are too large.
    """
    own = dataset.fingerprint.sha256 == model.fingerprint.sha256
    split = reading.split or _usual_split(model, own=own, baselines=reading.baselines)
    fraction = 0.0 if split == "all" else val_fraction(model)
    train, val = dataset.split(fraction)
    if split == "val" and not fraction:
        raise OptionError(
            "the model was trained without a validation part, so a text has none",
            code="no validation part",
        )
    ids = {"train": train, "val": val, "all": dataset.ids}[split]
    if len(ids) < 2:
        left = f"{len(ids)} character{'' if len(ids) == 1 else 's'}"
        raise CorpusError(f"{name}: {left} to evaluate, but it takes two or more", "few characters")
    bits = right = among_5 = unknown = 0.0
    rest = in_blocks(ids[1:])
    read = counted(reading.progress, len(ids) - 1)
    for values in surprisals(
        model, rest, ids[:1], window=reading.window, exact=reading.exact, read=read
    ):
        bits += float(values[:, 0].sum())
        right += int((values[:, 1] < 1).sum())
        among_5 += int((values[:, 1] < min(5, model.vocabulary.unknown_id)).sum())
        unknown += int((values[:, 1] == model.vocabulary.unknown_id).sum())
    count = len(ids) - 1
    return Evaluation(
        text=name,
        split=split,
        own=own,
        characters=count,
        learned=_learned(model, dataset, split) if own else 0,
        loss=bits / count * math.log(2),
        accuracy=right / count,
        top_5_accuracy=among_5 / count,
        unknown=unknown / count,
        read=_read(model, ids),
        baselines=baselines(model.vocabulary, train, ids) if reading.baselines else (),
    )


def val_fraction(model: ModelFile) -> float:
    """The share of a text, at its end, that the model's training kept for validation.

    Raises ModelFileError if the card of the model, which anyone can write, does not say it.
    """
    value = model.training.get("val_fraction")
    try:
        checked: float = OPTIONS["val_fraction"].check(value)
    except OptionError as error:
        raise ModelFileError(
            f"the model does not say how its text was split: its val_fraction is {shown(value)}",
            "no split",
        ) from error
    return checked


def _usual_split(model: ModelFile, *, own: bool, baselines: bool) -> Split:
    """The part to read if none is asked for: what the model has not learned from."""
    if baselines:
        return "val"
    return "val" if own and val_fraction(model) else "all"


def _read(model: ModelFile, ids: Ids) -> float | None:
    """About the share of ``ids`` that the model has read; None if that cannot be told."""
    share = share_read(sampled_passages(ids, model.vocabulary), model.passages)
    if share is not None and share < NOTICED and has_short_lines(ids, model.vocabulary):
        return None
    return share


def _learned(model: ModelFile, dataset: Dataset, split: Split) -> int:
    """How many of the predicted characters of the model's own text it learned from.

    A model that does not say how its text was split is taken to have learned from all of it.
    """
    try:
        train, _ = dataset.split(val_fraction(model))
    except ModelFileError:
        train = dataset.ids
    return 0 if split == "val" else max(0, len(train) - 1)
