"""How long a run is: as was asked for, as the time allows, or until a text is learned by heart.

No torch: ``speed`` measures how fast the machine is.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from charlstm.text.vocabulary import Ids
from charlstm.training.config import EVALUATIONS, Settings, TrainConfig
from charlstm.training.pace import Pace
from charlstm.training.speed import DEFAULT_SECONDS, Speed
from charlstm.training.timekeeper import LEAVING

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
EVALUATION_SHARE = 0.05  # of a time budget, at most
LEAST_PLANNED = 4  # steps; a run whose time is over ends sooner
MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)  # no two sequences have one key, except by rare chance


@dataclass(frozen=True)
class Plan:
    """How long a run is expected to be, and why."""

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
    seconds = budget - LEAVING - seconds_spent()
    evaluations = EVALUATIONS
    if settings.eval_every is not None:
        steps = int(seconds / (speed.step + speed.evaluation / settings.eval_every))
    else:
        share = EVALUATION_SHARE * seconds / max(speed.evaluation, 1e-9)
        evaluations = settings.evaluations or max(1, min(EVALUATIONS, int(share)))
        steps = int((seconds - evaluations * speed.evaluation) / speed.step)
    if config.steps < steps:
        return Plan(config.steps, evaluations, "more would only be learned by heart", enough=True)
    steps = min(config.steps, max(LEAST_PLANNED, steps))
    return Plan(steps, evaluations, f"what {budget:g} seconds allow")


def most_steps(
    settings: Settings,
    n: int,
    batch_size: int,
    seq_length: int,
    repetition: float = 1.0,
    *,
    epochs_share: float = 1.0,
) -> int:
    """The steps that were asked for, or those beyond which a text is only learned by heart.

    ``epochs_share`` is the share of the epochs of a fresh network that are of use.
    """
    if settings.steps is not None:
        return settings.steps
    if settings.pace is not None:
        return Pace.parse(settings.pace).last
    steps_per_epoch = n / (batch_size * seq_length)
    if settings.epochs is not None:
        return max(1, round(settings.epochs * steps_per_epoch))
    usual = MOST_EPOCHS if settings.time else EPOCHS_SMALL if n < SMALL else EPOCHS
    of_use = MOST_EPOCHS / EPOCHS_SMALL if settings.time else 1.0
    epochs = min(usual, of_use * enough_epochs(repetition))
    return max(1, round(epochs_share * max(LEAST_STEPS, epochs * steps_per_epoch)))


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
