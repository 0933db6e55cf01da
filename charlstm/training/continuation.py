"""How a stopped run goes on: as it was planned, or with another length or other threads; no torch.

The length that is asked for is that of the whole run. It counts from the step that the run is at:
what is left of its progress is spread evenly over the steps that are left.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

from charlstm.errors import OptionError
from charlstm.training.checkpoint import Checkpoint
from charlstm.training.config import BUDGETS, Settings, TrainConfig
from charlstm.training.length import most_steps, planned
from charlstm.training.pace import Pace
from charlstm.training.speed import Speed, on_threads

Measure = Callable[[TrainConfig, float], Speed]  # of a configuration and the time of the run
SecondsSpent = Callable[[], float]  # since the run began, without the time when it was stopped


class Continued(NamedTuple):
    """How a run goes on. A run that keeps to a time has the ``speed`` of this machine, too."""

    config: TrainConfig
    pace: Pace
    speed: Speed | None = None


def continued(
    checkpoint: Checkpoint,
    asked: Settings,
    n: int,
    *,
    measure: Measure,
    seconds_spent: SecondsSpent,
) -> Continued:
    """How a stopped run goes on that is to have the length and the threads that are ``asked``.

    What is not asked is as it was. The training part of the text has ``n`` characters. Raises
    OptionError where the length is not more than what is done.
    """
    if asked.threads is not None:
        config = replace(checkpoint.config, most_threads=None)
        pace = _pace_from_here(checkpoint, threads=asked.threads)
        checkpoint = replace(checkpoint, config=config, pace=pace)
    config = checkpoint.config
    most = most_steps(asked, n, config.batch_size, config.seq_length)
    if asked.time is not None and asked.time != config.time:
        return _with_other_time(checkpoint, asked.time, most, measure, seconds_spent)
    if asked.time is None and any(getattr(asked, name) is not None for name in BUDGETS):
        return _with_other_steps(checkpoint, most)
    if config.time is None or checkpoint.finished:
        return Continued(config, checkpoint.pace)
    return _with_the_same_time(checkpoint, config.time, measure)


def _with_other_steps(checkpoint: Checkpoint, steps: int) -> Continued:
    """The run has so many steps, however long they take."""
    if steps <= checkpoint.steps_done:
        fault = f"the run would have {steps} steps, but it has done {checkpoint.steps_done}"
        raise OptionError(f"{fault}; ask for more")
    config = replace(checkpoint.config, time=None, pace=None, steps=steps)
    config = replace(config, most_steps=None, most_threads=None)
    return Continued(config, _pace_from_here(checkpoint, last=steps))


def _with_other_time(
    checkpoint: Checkpoint, seconds: float, most: int, measure: Measure, seconds_spent: SecondsSpent
) -> Continued:
    """The run takes so many seconds, more or less than before, with ``most`` steps at most."""
    spent, done = seconds_spent(), checkpoint.steps_done
    if seconds <= spent:
        fault = f"the run would take {seconds:g} seconds, but it has taken {spent:.0f}"
        raise OptionError(f"{fault}; ask for more")
    config, pace, speed = _on_the_fastest_threads(checkpoint, seconds, measure)
    most = max(most, done + 1)
    allowed = Settings(time=seconds, eval_every=config.eval_every)
    plan = planned(allowed, replace(config, steps=most - done), speed, seconds_spent)
    last = done + plan.steps
    config = replace(config, time=seconds, pace=None, steps=last, most_steps=most)
    config = replace(config, evaluations=max(config.evaluations, plan.evaluations))
    return Continued(config, _pace_from_here(replace(checkpoint, pace=pace), last=last), speed)


def _with_the_same_time(checkpoint: Checkpoint, seconds: float, measure: Measure) -> Continued:
    """The run takes as long as was planned; one with time to spare is as without the stop."""
    config = checkpoint.config
    if config.budget == "time":
        return _on_the_fastest_threads(checkpoint, seconds, measure)
    as_it_was = replace(config, threads=_threads(checkpoint), most_threads=None)
    return Continued(config, checkpoint.pace, measure(as_it_was, seconds))


def _on_the_fastest_threads(checkpoint: Checkpoint, seconds: float, measure: Measure) -> Continued:
    """The speed is measured anew: that of before may be unknown, or that of another machine."""
    config, pace = checkpoint.config, checkpoint.pace
    speed = measure(replace(config, threads=_threads(checkpoint)), seconds)
    if checkpoint.steps_done == 0:
        config = on_threads(config, speed)
    elif speed.threads is not None:
        pace = _pace_from_here(checkpoint, threads=speed.threads)
    return Continued(config, pace, speed)


def _threads(checkpoint: Checkpoint) -> int:
    """The threads that the next step is computed with, if nothing else is found or asked."""
    return checkpoint.pace.at(checkpoint.steps_done).threads or checkpoint.config.threads


def _pace_from_here(
    checkpoint: Checkpoint, *, last: int | None = None, threads: int | None = None
) -> Pace:
    """The pace with another last step, or with other threads, where they are others."""
    pace, done = checkpoint.pace, checkpoint.steps_done
    if last is not None:
        return pace.changed(done, last=last, progress=done / last, apart=1)
    if threads == _threads(checkpoint):
        return pace
    return pace.changed(done, last=pace.last, threads=threads)
