"""A training run as messages on stderr, with a bar on a terminal."""

import shlex
import sys
from collections.abc import Iterable, Iterator

from tqdm import tqdm

from charlstm.cli import console
from charlstm.cli.bars import tqdm_bar
from charlstm.cli.stop import Stop
from charlstm.cli.wording import counted, nats
from charlstm.training import events
from charlstm.training.config import TrainConfig


def watch(
    started: events.Started, following: Iterable[events.Event], stop: Stop, *, quiet: bool
) -> events.Finished:
    """Show the events of a run, and return the last one. Signals only set ``stop`` meanwhile.

    A signal that comes while nothing more can be written to stderr makes the rest ``quiet``.
    """
    config = started.config
    console.say(*_plan(started), quiet=quiet)
    tqdm.monitor_interval = 0  # no thread that could write, and hold up a bar that is to end
    with tqdm_bar(
        " char",
        quiet=quiet,
        total=started.steps * config.characters_per_step,
        initial=started.step * config.characters_per_step,
        bar_format="{desc}{percentage:3.0f}% {bar} {rate_fmt}, {remaining} left{postfix}",
    ) as bar:
        stop.install()
        for event in following:
            quiet = quiet or not stop.can_write(sys.stderr)
            bar.disable = bar.disable or quiet
            message = _described(event)
            if message and not quiet:
                bar.clear()
                console.say(message)
                if isinstance(event, events.Evaluation) and event.sample is not None:
                    console.quote(event.sample)
            if isinstance(event, events.Step | events.Evaluation):
                bar.total = event.steps * config.characters_per_step
                bar.update(config.characters_per_step)
                if event.loss is not None:
                    bar.set_description_str(f"epoch {event.epoch:.1f} ", refresh=False)
                    bar.set_postfix_str(f"loss {nats(event.loss)}", refresh=False)
    assert isinstance(event, events.Finished)
    result, next_command = _summary(event)
    console.say(result, quiet=quiet)
    console.say(next_command, quiet=quiet, whole=True)
    return event


def _plan(event: events.Started) -> Iterator[str]:
    """What a run is going to do."""
    config, network = event.config, event.config.network
    yield (
        f"text: {event.train_characters:,} characters to learn from, "
        f"{event.val_characters:,} to validate on, {network.vocab_size} distinct"
    )
    chosen = "; --init-from none begins from nothing" if event.base_chosen else ""
    yield f"plan: {event.reason}{chosen}"
    yield (
        f"model: {network.parameters:,} parameters on {config.device} in {config.precision}, "
        f"{_threads(config)}; run: {event.directory}"
    )
    yield from event.notes


def _threads(config: TrainConfig) -> str:
    """How many threads a run begins with, and whether that is faster than what else was tried."""
    threads = counted(config.threads, "thread")
    if config.most_threads is None:
        return threads
    other = config.most_threads if config.threads == 1 else 1
    return f"{threads}, now faster than {other}"


def _described(event: events.Event) -> str | None:
    """An event of a run in one line that fits a terminal, if it needs one."""
    match event:
        case events.Evaluation():
            parts = [f"step {event.step}/{event.steps}", f"epoch {event.epoch:.1f}"]
            parts.append(f"loss {event.loss:.3f}")
            if event.val_loss is not None:
                parts.append(f"validation {event.val_loss:.3f} nats")
            parts.append(f"{event.seconds:.0f} s")
            return "  ".join([*parts, "kept"] if event.kept else parts)
        case events.ThreadsChanged():
            threads = counted(event.threads, "thread")
            if event.trial:
                return f"from step {event.step}: {threads}, to see whether that is faster"
            return f"from step {event.step}: {threads} again, since the trial brought no gain"
        case events.Recovered():
            return f"by step {event.step}: {_recovery(event)}"
        case events.SaveFailed():
            return f"by step {event.step}: not saved, will be tried again: {event.fault}"
        case events.SavedAgain():
            return f"by step {event.step}: all is saved again"
    return None


def _recovery(event: events.Recovered) -> str:
    """What went wrong, and what was done about it."""
    fault = "the loss went out of bounds"
    if event.skipped:
        fault = f"{counted(event.skipped, 'step')} skipped, the gradient was not finite"
    if not event.rolled_back:
        return fault
    return f"{fault}; weights rolled back, learning rate lowered to {event.learning_rate:.2g}"


def _summary(event: events.Finished) -> tuple[str, str]:
    """The result of a run, and the command that comes next."""
    run = shlex.quote(str(event.directory))
    kept = f"best at step {event.best_step}"
    if event.val_loss is not None:
        kept += f", validation loss {nats(event.val_loss)}"
    if event.overfitting:
        kept += "; overfitting since"
    if event.stopped:
        return (
            f"stopped at step {event.step} of {event.steps}; {kept}",
            f"go on with: charlstm train --resume {run}",
        )
    if event.out_of_patience:
        kept += f"; ended {counted(event.steps - event.step, 'step')} early, since it got no better"
    late = f", {event.late}" if event.late else ""
    speed = f"{event.characters_per_second:,.0f} characters/s"
    return (
        f"done in {event.seconds:.0f} s{late}, {speed}; {kept}",
        f"write with: charlstm generate -m {run} '...'",
    )
