"""What a run begins from: a model that is named, the bundled one where that helps, or nothing."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from charlstm.analysis.baselines import HELD_BACK, held_back_losses
from charlstm.errors import CharLSTMError, ModelFileError
from charlstm.model.locate import BASE_MODEL, bundled_name, find_model
from charlstm.model.lstm import Array
from charlstm.model.model_file import ModelFile, load_model
from charlstm.text.passages import NO_PASSAGES, NOTICED, Hashes, sampled_passages, share_read
from charlstm.text.vocabulary import Ids, Vocabulary
from charlstm.training.config import AUTO, NONE, Settings, TrainConfig
from charlstm.training.finetune import Counts, sizes_asked, transferred, with_sizes_of

LOOKED_AT = 100_000  # characters at the end of the training part that decide
WORTH = 0.0  # nats below an n-gram, at least, at which a model reads a text that it helps with


@dataclass(frozen=True)
class Base:
    """A model to begin from: its name as ``init_from`` takes it, and the hash of its file."""

    name: str
    model: ModelFile
    sha256: str


@dataclass(frozen=True)
class Reading:
    """How a base reads a text: what is known before the first step.

    ``loss`` is that of the base on a sample of the training part, with the rows that new
    characters begin with, and ``ngram_loss`` that of an n-gram, both in nats per character.
    ``known`` of ``characters`` distinct ones are in its vocabulary. ``validation_read`` is the
    share of the validation part that it has read, None if that cannot be told.
    """

    base: Base
    loss: float
    ngram_loss: float
    known: int
    characters: int
    validation_read: float | None

    @property
    def helps(self) -> bool:
        """Whether a run that begins from the base is expected to end with a lower loss.

        A model of the same language reads the text better than an n-gram that has read a part of
        it. What it knows of another language or notation does not make up for its size.
        """
        return self.loss < self.ngram_loss - WORTH


def open_base(name: str) -> Base:
    """The model of this name; raises ModelFileError for one that cannot be used."""
    path = find_model(name)
    model = load_model(path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return Base(bundled_name(path) or str(path.absolute()), model, digest)


def passages_of(config: TrainConfig) -> Hashes:
    """What the model has read that a run began from; nothing if it is no longer that model."""
    if config.init_from == NONE:
        return NO_PASSAGES
    try:
        base = open_base(config.init_from)
    except CharLSTMError:
        return NO_PASSAGES
    return base.model.passages if base.sha256 == config.init_sha256 else NO_PASSAGES


def named_base(settings: Settings) -> Base | None:
    """The base to look at: the one that is named, or the bundled one if none is asked for."""
    if settings.init_from == NONE or (settings.init_from == AUTO and sizes_asked(settings)):
        return None
    if settings.init_from == AUTO:
        try:
            return open_base(BASE_MODEL)
        except ModelFileError:  # an installation without it can still train
            return None
    base = open_base(settings.init_from)
    with_sizes_of(base.model, settings)
    return base


def read_by(
    base: Base,
    train_ids: Ids,
    val_ids: Ids,
    vocabulary: Vocabulary,
    loss_of: Callable[[dict[str, Array], Ids], float],
) -> Reading:
    """How the base reads a text, from the training part and its vocabulary.

    ``loss_of`` computes the loss of a network with these weights on a text.
    """
    looked_at = np.array(train_ids[-LOOKED_AT:])
    cut = len(looked_at) - max(2, len(looked_at) // HELD_BACK)
    weights = transferred(base.model, vocabulary, counts_of(train_ids, vocabulary))
    validation = sampled_passages(val_ids, vocabulary)
    return Reading(
        base,
        loss=loss_of(weights, looked_at[cut:]),
        ngram_loss=min(held_back_losses(looked_at, cut, len(vocabulary))),
        known=sum(c in base.model.vocabulary for c in vocabulary.characters),
        characters=len(vocabulary),
        validation_read=share_read(validation, base.model.passages),
    )


def counts_of(ids: Ids, vocabulary: Vocabulary) -> Counts:
    """How often each character of the vocabulary occurs, (V,)."""
    return np.bincount(ids, minlength=len(vocabulary))


@dataclass(frozen=True)
class Beginning:
    """What a run begins from: ``base``, or random weights; and what was seen of a base.

    ``chosen`` says that the program chose, and ``outgrown`` that a larger network than the base
    is better, since the text is large and the time is long.
    """

    base: Base | None = None
    reading: Reading | None = None
    chosen: bool = False
    outgrown: bool = False

    def settled(self, settings: Settings) -> Settings:
        """The settings with what the run begins from, and its sizes."""
        if self.base is None:
            return replace(settings, init_from=NONE)
        return with_sizes_of(self.base.model, replace(settings, init_from=self.base.name))

    def recorded(self, config: TrainConfig) -> TrainConfig:
        """The configuration with what a model card says of the base."""
        if self.base is None or self.reading is None:
            return config
        read = self.reading.validation_read
        return replace(config, init_sha256=self.base.sha256, validation_read=read)

    def in_words(self) -> str:
        """What the run begins from and why, as the first part of a reason; may be empty."""
        if self.reading is None:
            return ""
        reading, name = self.reading, self.reading.base.name
        if self.outgrown:
            return f"begun from nothing, since there is time for a larger network than {name}; "
        if self.base is None:
            return (
                f"begun from nothing, since {name} reads this text at {reading.loss:.2f} nats, an "
                f"n-gram at {reading.ngram_loss:.2f}; "
            )
        return (
            f"begun from {name}, which already reads this text at {reading.loss:.2f} nats and "
            f"knows {reading.known} of its {reading.characters} characters; "
        )

    @property
    def distance(self) -> float | None:
        """How many nats worse than an n-gram the base reads the text; None without a base."""
        if self.base is None or self.reading is None:
            return None
        return self.reading.loss - self.reading.ngram_loss

    def notes(self) -> list[str]:
        """What the validation loss of the run does not show."""
        if self.base is None or self.reading is None:
            return []
        read = self.reading.validation_read
        if read is None or read < NOTICED:
            return []
        return [
            f"{self.base.name} has read about {100 * read:.0f} % of the validation part, so the "
            f"validation loss is not one of unseen text"
        ]
