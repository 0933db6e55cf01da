"""What a run begins from: a model that is named, the bundled one where that helps, or nothing."""

import hashlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from charlstm.errors import CharLSTMError
from charlstm.files import MODEL_FILE
from charlstm.model.locate import BASE_MODEL, bundled_models, bundled_name, find_model
from charlstm.model.lstm import Array
from charlstm.model.model_file import ModelFile, load_model
from charlstm.text.dataset import in_blocks
from charlstm.text.ngram import NGram
from charlstm.text.passages import (
    NO_PASSAGES,
    NOTICED,
    Hashes,
    merged,
    sampled_passages,
    share_read,
)
from charlstm.text.vocabulary import Vocabulary
from charlstm.training.batches import TrainingData
from charlstm.training.config import AUTO, NONE, Settings, TrainConfig
from charlstm.training.finetune import Counts, sizes_asked, transferred, with_sizes_of

SAMPLE = 100_000  # characters at the end of the training part that decide,
HELD_BACK = 10  # and one of so many of them is read
# A base helps that knows this share of the text's characters, and reads it at most so many nats
# worse than an n-gram: see "What auto decides" in benchmarks/README.md.
LEAST_KNOWN, MOST_DISTANCE = 0.9, 2.5

LossOf = Callable[[ModelFile, dict[str, Array], np.ndarray], float]


@dataclass(frozen=True)
class Base:
    """A model to begin from: its name as ``init_from`` takes it, and the hash of its file."""

    name: str
    model: ModelFile
    sha256: str


@dataclass(frozen=True)
class Assessment:
    """How well a base reads a text, as it is known before the first step.

    ``loss`` is that of the base on a sample of the training part, with the rows that new
    characters begin with, and ``ngram_loss`` that of an n-gram, both in nats per character.
    ``known`` of ``characters`` distinct ones are in its vocabulary, and ``known_share`` of all
    characters of the training part are such characters. ``validation_read`` is the
    share of the validation part that it has read, None if that cannot be told.
    """

    loss: float
    ngram_loss: float
    known: int
    characters: int
    known_share: float
    validation_read: float | None

    @property
    def distance(self) -> float:
        """How many nats worse than an n-gram the base reads the text; negative where better."""
        return self.loss - self.ngram_loss

    @property
    def helps(self) -> bool:
        """Whether a run that begins from the base is expected to end with a lower loss."""
        return self.known_share >= LEAST_KNOWN and self.distance <= MOST_DISTANCE


@dataclass(frozen=True)
class Beginning:
    """What a run begins from: a ``base`` with ``weights`` for the text's characters, or nothing.

    ``assessed`` is the base that was looked at, with its ``assessment``. It is left if it does not
    help, or if it is ``too_small`` for the text and the time. ``chosen`` says that the program
    chose, and that nobody named the base.
    """

    assessed: Base | None = None
    assessment: Assessment | None = None
    weights: dict[str, Array] = field(default_factory=dict, repr=False)
    chosen: bool = False
    too_small: bool = False

    @property
    def base(self) -> Base | None:
        """The model that the run begins from."""
        if self.assessment is None or self.too_small:
            return None
        return self.assessed if self.assessment.helps or not self.chosen else None

    @property
    def distance(self) -> float | None:
        """That of the assessment; None without a base."""
        return self.assessment.distance if self.base and self.assessment else None

    def settings_of(self, settings: Settings) -> Settings:
        """The settings with what the run begins from, and its sizes."""
        if self.base is None:
            return replace(settings, init_from=NONE)
        return with_sizes_of(self.base.model, replace(settings, init_from=self.base.name))

    def config_of(self, config: TrainConfig) -> TrainConfig:
        """The configuration with what a model card says of the base."""
        if self.base is None or self.assessment is None:
            return config
        read = self.assessment.validation_read
        return replace(config, init_sha256=self.base.sha256, validation_read=read)

    def in_words(self) -> str:
        """What the run begins from and why, as the first part of a reason; may be empty."""
        if self.assessed is None or self.assessment is None:
            return ""
        found, name = self.assessment, self.assessed.name
        if self.base is not None:
            return (
                f"begun from {name}, which already reads this text at {found.loss:.2f} nats and "
                f"knows {found.known} of its {found.characters} characters; "
            )
        if self.too_small:
            return f"begun from nothing, since there is time for a larger network than {name}; "
        if found.known_share < LEAST_KNOWN:
            share = f"{100 * found.known_share:.0f} %"
            return f"begun from nothing, since {name} knows only {share} of the characters; "
        return (
            f"begun from nothing, since {name} reads this text at {found.loss:.2f} nats, an "
            f"n-gram at {found.ngram_loss:.2f}; "
        )

    def notes(self) -> list[str]:
        """What the validation loss of the run does not show."""
        read = self.assessment.validation_read if self.base and self.assessment else None
        if self.base is None or read is None or read < NOTICED:
            return []
        return [
            f"{self.base.name} has read about {100 * read:.0f} % of the validation part, so the "
            f"validation loss is not one of unseen text"
        ]


def base_in(path: Path) -> Base:
    """The model in this file; raises ModelFileError for one that cannot be used."""
    model = load_model(path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return Base(bundled_name(path) or str(path.absolute()), model, digest)


def base_to_assess(settings: Settings) -> Base | None:
    """The base that is named, or the bundled one if none is named and no size is asked for.

    An installation without the bundled model can still train.
    """
    if settings.init_from == AUTO:
        path = None if sizes_asked(settings) else bundled_models().get(BASE_MODEL)
        return None if path is None else base_in(path)
    if settings.init_from == NONE:
        return None
    base = base_in(find_model(settings.init_from))
    with_sizes_of(base.model, settings)
    return base


def assessed(base: Base, data: TrainingData, vocabulary: Vocabulary, loss_of: LossOf) -> Beginning:
    """The base with its weights for this text and its assessment.

    ``loss_of`` computes the loss of such a model with such weights on some ids. In a group the
    leader alone computes, since numbers that differ in the last digit would be other choices.
    """
    counts = _counts(data, vocabulary)
    weights = transferred(base.model, vocabulary, counts)
    known = np.array([c in base.model.vocabulary for c in vocabulary.characters])
    found = None
    if data.group.leads:
        sample = np.array(data.train_ids[-SAMPLE:])
        cut = len(sample) - max(2, len(sample) // HELD_BACK)
        validation = sampled_passages(data.val_ids, vocabulary)
        found = Assessment(
            loss=loss_of(base.model, weights, sample[cut:]),
            ngram_loss=NGram(sample[:cut], len(vocabulary)).measure(sample[cut:])[0],
            known=int(known.sum()),
            characters=len(vocabulary),
            known_share=float(counts[known].sum() / counts.sum()),
            validation_read=share_read(validation, base.model.passages),
        )
    return Beginning(base, data.group.agree(found), weights)


def passages_read(beginning: Beginning, data: TrainingData, vocabulary: Vocabulary) -> Hashes:
    """The hashes of what the model of a run will have read, the base's included."""
    own = sampled_passages(data.train_ids, vocabulary)
    return merged(beginning.base.model.passages, own) if beginning.base else own


def passages_before(run: Path, config: TrainConfig) -> Hashes:
    """The hashes of what the model of a stopped run had read: from its file, or from its base.

    Nothing if there is no such file yet, and the base is no longer the one of its beginning.
    """
    with suppress(CharLSTMError):
        return load_model(run / MODEL_FILE).passages
    with suppress(CharLSTMError):
        base = None if config.init_from == NONE else base_in(find_model(config.init_from))
        if base is not None and base.sha256 == config.init_sha256:
            return base.model.passages
    return NO_PASSAGES


def _counts(data: TrainingData, vocabulary: Vocabulary) -> Counts:
    """How often each character of the vocabulary occurs in the training part, (V,)."""
    counts = np.zeros(len(vocabulary), np.int64)
    for block in in_blocks(data.train_ids):  # all at once would be eight times as large
        counts += np.bincount(block, minlength=len(vocabulary))
    return counts
