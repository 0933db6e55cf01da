"""What comes before the first step: the text in two parts, a learner, its speed and memory."""

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from torch import Tensor

from charlstm.errors import CorpusError, TrainingError
from charlstm.text.dataset import Dataset, release
from charlstm.text.vocabulary import Ids
from charlstm.training.batches import Lanes
from charlstm.training.config import TrainConfig
from charlstm.training.distributed import Group
from charlstm.training.learner import Learner
from charlstm.training.losses import Levels
from charlstm.training.pace import DEFAULT_SECONDS, Speed
from charlstm.training.validation import evaluate, walk_length

LEAST_CHARACTERS = 32
MEASURE_SHARE = 0.02  # of the time goes into measuring how many steps it holds,
MEASURE_SECONDS = 3.0  # but no more than this
MEASURE_CHARACTERS = 1 << 15
LEAST_WINDOW = 50  # steps
WINDOW_CHARACTERS = 50_000  # some fifty passages, whose mean varies little
COUNTED = 1 << 20  # characters of a large text in which the frequencies are counted,
COUNTED_BLOCKS = 64  # in so many pieces, each somewhere else
OUT_OF_MEMORY = ("can't allocate memory", "out of memory")  # torch's words, on CPU and GPU


def split(dataset: Dataset, val_fraction: float) -> tuple[Ids, Ids]:
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


def levels(lanes: Lanes, vocab_size: int) -> Levels:
    """What the losses of a training on the text of ``lanes`` are held against."""
    step = lanes.batch_size * lanes.seq_length
    window = min(lanes.steps_per_epoch, WINDOW_CHARACTERS // step)
    return Levels(
        uniform=math.log(vocab_size),
        frequencies=_entropy(lanes.ids, vocab_size),
        window=max(LEAST_WINDOW, window),
    )


def _entropy(ids: Ids, vocab_size: int) -> float:
    """Nats a character if its frequency is all that is known; of a large text in samples."""
    size = COUNTED // COUNTED_BLOCKS
    if len(ids) <= COUNTED:
        counts = np.bincount(ids, minlength=vocab_size)
    else:
        starts = np.linspace(0, len(ids) - size, COUNTED_BLOCKS).astype(int)
        counts = np.zeros(vocab_size, np.int64)
        for start in starts:
            counts += np.bincount(ids[start : start + size], minlength=vocab_size)
            release(ids)
    shares = counts[counts > 0] / counts.sum()
    return float(-(shares * np.log(shares)).sum())


def new_learner(config: TrainConfig, train_ids: Ids, group: Group, text: Tensor | None) -> Learner:
    """A learner with fresh weights; ``text`` as ``learner.resident`` has it."""
    lanes = Lanes(train_ids, config.batch_size, config.seq_length, config.random_seed)
    with memory_for(config):
        return Learner(config, lanes, group, text)


@contextmanager
def memory_for(config: TrainConfig) -> Iterator[None]:
    """Turn every way in which memory runs out into a TrainingError that says what to lower."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        words = str(error)
        if isinstance(error, RuntimeError) and not any(w in words for w in OUT_OF_MEMORY):
            raise
        model = config.model
        raise TrainingError(
            f"out of memory on {config.device} with {model.num_layers} x {model.hidden_size} "
            f"units and {config.batch_size} windows of {config.seq_length}; lower "
            f"--hidden-size, --batch-size or --seq-length, or close other programs"
        ) from error


def measured(
    config: TrainConfig,
    train_ids: Ids,
    val_ids: Ids,
    group: Group,
    text: Tensor | None,
    budget: float | None,
) -> Speed:
    """How fast this machine goes, found with a learner that is thrown away.

    ``budget`` is the seconds that there are, of which MEASURE_SHARE goes into this.
    """
    learner = new_learner(config, train_ids, group, text)
    with memory_for(config):
        return _measure(learner, val_ids, budget)


def _measure(learner: Learner, val_ids: Ids, budget: float | None) -> Speed:
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
        evaluate(learner.optimizer.averaged, sample, device=learner.device, bf16=learner.bf16)
        elapsed = time.monotonic() - before
        evaluation = elapsed * walk_length(len(val_ids)) / walk_length(len(sample))
    return Speed(step=step, evaluation=group.agree(evaluation))
