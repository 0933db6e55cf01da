"""How long a run is: as was asked for, or as many steps as the time allows on this machine.

Only ``measured`` imports torch, to do some steps.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from charlstm.errors import OptionError
from charlstm.text.vocabulary import Ids
from charlstm.training.batches import TrainingData, shape
from charlstm.training.config import Settings, TrainConfig

DEFAULT_SECONDS = 180.0
LEAST_STEPS = 100  # without a budget: a text of a few lines is read often enough to be learned
SMALL = 60_000  # characters; below it a text is short
EPOCHS, EPOCHS_SMALL = 12.0, 30.0  # without a budget: enough for a text, for one below SMALL
MOST_EPOCHS = 36.0  # however much time is given: beyond it a text is learned by heart
# A text that repeats little, such as a list of names, is learned by heart sooner: see
# "Short texts" in benchmarks/README.md.
EPOCHS_BY_REPETITION = 120.0  # enough for a text all of whose sequences came before; of 0.1, 12
LEAST_EPOCHS = 4.0
SEQUENCE = 5  # characters; shorter ones repeat in any text, longer ones in few
LONGEST = 300_000  # characters of a text whose repetition is counted
MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)  # no two sequences have one key, except by rare chance
EVALUATIONS = 16
EVALUATION_SHARE = 0.05  # of a time budget, at most
MARGIN = 0.97  # of the time left is planned for; machines slow down
LEAVING = 0.4  # seconds to start the interpreter, save the last state and leave torch
MEASURE_SHARE = 0.02  # of the time goes into measuring how many steps it allows,
MEASURE_SECONDS = 3.0  # but no more than this
MEASURE_CHARACTERS = 1 << 15


@dataclass(frozen=True)
class Speed:
    """Seconds that a training step and an evaluation take on this machine."""

    step: float
    evaluation: float


@dataclass(frozen=True)
class Plan:
    """How long a run is, and why."""

    steps: int
    evaluations: int
    why: str
    enough: bool = False  # more would only be learned by heart


def planned(
    settings: Settings, config: TrainConfig, speed: Speed | None, seconds_spent: Callable[[], float]
) -> Plan:
    """The length that was asked for, or as many steps of this speed as the time allows."""
    if speed is None:
        return Plan(config.steps, EVALUATIONS, "as asked")
    budget = settings.time or DEFAULT_SECONDS
    seconds = MARGIN * (budget - LEAVING - seconds_spent())
    evaluations = EVALUATIONS
    if settings.eval_every is not None:
        steps = int(seconds / (speed.step + speed.evaluation / settings.eval_every))
    else:
        share = EVALUATION_SHARE * seconds / max(speed.evaluation, 1e-9)
        evaluations = max(1, min(EVALUATIONS, int(share)))
        steps = int((seconds - evaluations * speed.evaluation) / speed.step)
    if config.steps < steps:
        return Plan(config.steps, evaluations, "more would only be learned by heart", enough=True)
    return Plan(max(1, steps), evaluations, f"what {budget:g} seconds allow")


def lengthened(
    config: TrainConfig,
    settings: Settings,
    *,
    train_characters: int,
    done: int,
    seconds_spent: Callable[[], float],
    measure: Callable[[TrainConfig], Speed],
) -> TrainConfig:
    """The configuration of a run that has done ``done`` steps, with another length.

    The length that is asked for is that of the whole run. Raises OptionError where it is not more
    than what is done.
    """
    if settings.time is None:
        steps = most_steps(settings, train_characters, config.batch_size, config.seq_length)
        if steps <= done:
            raise OptionError(
                f"the run would have {steps} steps, but it has done {done}; ask for more"
            )
        return replace(config, steps=steps)
    spent = seconds_spent()
    if settings.time <= spent:
        raise OptionError(
            f"the run would take {settings.time:g} seconds, but it has taken {spent:.0f}; "
            f"ask for more"
        )
    speed = measure(config)
    left = MARGIN * (settings.time - LEAVING - seconds_spent())
    each = speed.step + speed.evaluation / config.eval_every
    return replace(config, steps=done + max(1, int(left / each)))


def most_steps(
    settings: Settings, n: int, batch_size: int, seq_length: int, repetition: float = 1.0
) -> int:
    """The steps that were asked for, or those beyond which a text is only learned by heart."""
    if settings.steps is not None:
        return settings.steps
    steps_per_epoch = math.prod(shape(n, batch_size, seq_length))
    if settings.epochs is not None:
        return max(1, round(settings.epochs * steps_per_epoch))
    usual = MOST_EPOCHS if settings.time else EPOCHS_SMALL if n < SMALL else EPOCHS
    of_use = MOST_EPOCHS / EPOCHS_SMALL if settings.time else 1.0
    epochs = min(usual, of_use * enough_epochs(repetition))
    return max(LEAST_STEPS, round(epochs * steps_per_epoch))


def repetition(ids: Ids) -> float:
    """The share of a text's sequences of SEQUENCE characters that came before in it.

    0.07 for five hundred names, 0.18 for two thousand, 0.27 for five thousand characters of prose,
    0.6 for a play, 0.05 for a hundred thousand characters of Chinese. 1 for a text longer than
    LONGEST, which is not learned by heart so soon.

    >>> repetition(np.array([1, 2, 3, 4, 5] * 5, np.uint8))
    0.7619047619047619
    """
    n = len(ids) - SEQUENCE + 1
    if len(ids) > LONGEST or n < 1:
        return 1.0
    wide = ids.astype(np.uint64)
    keys = np.zeros(n, np.uint64)
    for i in range(SEQUENCE):
        keys = keys * MULTIPLIER + wide[i : i + n]
    return 1 - len(np.unique(keys)) / n


def enough_epochs(repetition: float) -> float:
    """How often to read a text of which this share of the sequences came before in it.

    >>> [enough_epochs(share) for share in (0.0, 0.125, 0.6)]
    [4.0, 15.0, 30.0]
    """
    return min(EPOCHS_SMALL, max(LEAST_EPOCHS, EPOCHS_BY_REPETITION * repetition))


def measured(config: TrainConfig, data: TrainingData, budget: float | None) -> Speed:
    """The speed of this machine, found with a trainer that is used for nothing else.

    ``budget`` is the time of the run in seconds; MEASURE_SHARE of it goes into this.
    """
    from charlstm.training.device import memory_for
    from charlstm.training.trainer import Trainer
    from charlstm.training.validation import stream_length

    trainer, agree = Trainer(config, data), data.group.agree

    def timed(steps: int) -> float:
        """Seconds of one step, by the leader's clock."""
        before = time.monotonic()
        for _ in range(steps):
            trainer.step()
        trainer.take_losses()  # waits for the device
        elapsed: float = agree(time.monotonic() - before)
        return elapsed / steps

    with memory_for(config):
        timed(2)  # sets things up
        step = timed(2)
        run = min(budget or DEFAULT_SECONDS, config.steps * step)  # seconds, at most
        step = timed(max(2, int(min(MEASURE_SECONDS, MEASURE_SHARE * run) / step)))
        sample, evaluation = data.val_ids[:MEASURE_CHARACTERS], 0.0
        if len(sample) > 1:
            before = time.monotonic()
            trainer.validation_loss(sample)
            elapsed = time.monotonic() - before
            evaluation = elapsed * stream_length(len(data.val_ids)) / stream_length(len(sample))
    return Speed(step=step, evaluation=agree(evaluation))
