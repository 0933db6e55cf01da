"""How fast this machine trains a network now, and on how many threads: measured by a few steps.

Torch is imported when something is measured.
"""

import math
import time
from dataclasses import dataclass, replace
from statistics import mean, median
from typing import TYPE_CHECKING

from charlstm.training.batches import TrainingData
from charlstm.training.config import TrainConfig
from charlstm.training.threads import GAIN, torch_threads

if TYPE_CHECKING:
    from charlstm.training.trainer import Trainer

DEFAULT_SECONDS = 180.0  # of a run without a budget, at most
MEASURED_STEPS = 8  # of each size that is measured, unless they take too long
MEASURE_SHARE = 0.01  # of the time of a run: steps that take longer than this are too long
SHORT = 4  # characters in each row of a step that is short
MOST_SHORT = 2.0  # times as long as on one thread: then no whole step is tried on several


@dataclass(frozen=True)
class Speed:
    """Seconds that a training step and an evaluation take on this machine.

    ``threads`` is the number of threads that is the fastest, None if others were not tried.
    """

    step: float
    evaluation: float
    threads: int | None = None


def measured(
    config: TrainConfig, data: TrainingData, budget: float | None, *, choose_threads: bool = False
) -> Speed:
    """The speed of this machine, from a few steps of a trainer that is used for nothing else.

    ``budget`` is the time of the run in seconds; where steps are so slow that it would be spent on
    them, two are enough. With ``choose_threads`` the speed on a CPU is that of one thread, unless
    those of ``config`` are faster.
    """
    from charlstm.training.device import memory_for
    from charlstm.training.trainer import Trainer
    from charlstm.training.validation import expected_seconds

    trainer, threads = Trainer(config, data), None
    most = MEASURE_SHARE * (budget or DEFAULT_SECONDS)
    with memory_for(config):
        if (
            choose_threads
            and config.threads > 1
            and config.device == "cpu"
            and data.group.size == 1
        ):
            step, threads = _fastest(trainer, most)
        else:
            step = _seconds_of_step(trainer, most)
        network, n = trainer.optimizer.averaged, len(data.val_ids)
        evaluation = expected_seconds(network, n, device=trainer.device, threads=trainer.threads)
    speed: Speed = data.group.agree(Speed(step, evaluation, threads))
    return speed


def on_threads(config: TrainConfig, speed: Speed | None) -> TrainConfig:
    """The configuration with the number of threads that was found to be the fastest, if one was."""
    if speed is None or speed.threads is None:
        return config
    most = config.most_threads or config.threads
    return replace(config, threads=speed.threads, most_threads=most)


def _fastest(trainer: "Trainer", most: float) -> tuple[float, int]:
    """What a step takes on one thread, or on those of the trainer if they are faster; their number.

    The trainer has them from here on.
    """
    trainer.threads = 1
    one, short = _seconds_of_step(trainer, most), _seconds_of_short_step(trainer)
    trainer.threads = trainer.config.threads
    if _seconds_of_short_step(trainer, MOST_SHORT * short) < MOST_SHORT * short:
        several = _seconds_of_step(trainer, most)
        if GAIN * several < one:
            return several, trainer.config.threads
    trainer.threads = 1
    return one, 1


def _seconds_of_step(trainer: "Trainer", most: float) -> float:
    """What a step takes, from as many as ``most`` seconds allow, but two at least."""
    agree = trainer.group.agree
    seconds: list[float] = []
    # The first step sets things up.
    while len(seconds) < 2 or (len(seconds) <= MEASURED_STEPS and agree(sum(seconds)) < most):
        before = time.monotonic()
        trainer.step(0.0)
        trainer.take_losses()  # waits for the device
        seconds.append(time.monotonic() - before)
    return median(seconds[1:])


def _seconds_of_short_step(trainer: "Trainer", most: float = math.inf) -> float:
    """What it takes to read a few characters, on a CPU; where it is more than ``most``, about that.

    Threads that wait for another program would make a whole step take seconds.
    """
    import torch

    network, B = trainer.network, trainer.config.batch_size
    ids = torch.zeros(SHORT, B, dtype=torch.long)
    seconds: list[float] = []
    with torch.no_grad(), torch_threads(trainer.threads):
        while len(seconds) < 2 or (
            len(seconds) <= MEASURED_STEPS and sum(seconds[1:]) < most * MEASURED_STEPS
        ):
            before = time.monotonic()
            network(ids, network.zero_state(B), dtype=trainer.dtype)
            seconds.append(time.monotonic() - before)
    return mean(seconds[1:])
