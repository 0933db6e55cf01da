"""How long a run is: as was asked for, or what the time holds on this machine; no torch."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from charlstm.errors import OptionError
from charlstm.text.vocabulary import Ids
from charlstm.training.batches import shape
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
LONGEST = 300_000  # characters of a text that is looked at for repetition
MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)  # no two sequences have one key, but by rare chance
EVALUATIONS = 16
EVALUATION_SHARE = 0.05  # of a time budget, at most
MARGIN = 0.97  # of the time left is planned for; machines slow down
LEAVING = 0.4  # seconds to start the interpreter, save the last state and leave torch


@dataclass(frozen=True)
class Speed:
    """Measured on this machine: the seconds of a training step and of a validation walk."""

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
    settings: Settings,
    config: TrainConfig,
    speed: Speed | None,
    seconds_spent: Callable[[], float],
) -> Plan:
    """The length that was asked for, or what the time holds of such steps."""
    if settings.steps is not None or settings.epochs is not None:
        return Plan(config.steps, EVALUATIONS, "as asked")
    assert speed is not None
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
    return Plan(max(1, steps), evaluations, f"what {budget:g} seconds hold")


def lengthened(
    config: TrainConfig,
    asked: Settings,
    *,
    train_characters: int,
    done: int,
    seconds_spent: Callable[[], float],
    measure: Callable[[TrainConfig], Speed],
) -> TrainConfig:
    """The configuration of a run that has ``done`` steps behind it, with another length.

    What is asked for is the length of the whole run, so it must be more than what is done.
    Raises OptionError where it is not.
    """
    if asked.time is None:
        steps = most_steps(asked, train_characters, config.batch_size, config.seq_length)
        if steps <= done:
            raise OptionError(
                f"the run is to have {steps} steps, but has done {done}; ask for more"
            )
    else:
        if asked.time <= seconds_spent():
            raise OptionError(
                f"the run is to take {asked.time:g} seconds, but has taken {seconds_spent():.0f}; "
                f"ask for more"
            )
        speed = measure(config)
        left = MARGIN * (asked.time - LEAVING - seconds_spent())
        each = speed.step + speed.evaluation / config.eval_every
        steps = done + max(1, int(left / each))
    return replace(config, steps=steps)


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
