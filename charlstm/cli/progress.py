"""A training run as seen on stderr: a bar on a terminal, plain lines elsewhere."""

import shlex
import sys
from collections.abc import Iterable
from typing import Any

from tqdm import tqdm

from charlstm.cli import console
from charlstm.cli.stop import Stop
from charlstm.cli.wording import nats
from charlstm.training import (
    Evaluation,
    Event,
    Finished,
    Recovered,
    SavedAgain,
    SaveFailed,
    Started,
    Step,
)


def watch(events: Iterable[Event], stop: Stop, *, quiet: bool) -> Finished:
    """Show the events of a run that has begun, and return the last; ``stop`` is the run's."""
    display = Display(quiet=quiet)
    stop.install()
    try:
        for event in events:
            display.show(event)
    finally:
        stop.uninstall()
        display.close()
    assert isinstance(event, Finished)
    return event


class Display:
    """Draws the events of one run as they come."""

    def __init__(self, *, quiet: bool) -> None:
        self.quiet = quiet
        self.bar: tqdm[Any] | None = None
        self.characters_a_step = 0
        self.steps = 0

    def show(self, event: Event) -> None:
        """Draw one event."""
        if self.quiet:
            return
        match event:
            case Started():
                self._started(event)
            case Step():
                self._advance(event.epoch, event.loss)
            case Recovered():
                self._say(recovered(event))
            case SaveFailed():
                self._say(f"by step {event.step}: not saved, will be tried again: {event.fault}")
            case SavedAgain():
                self._say(f"by step {event.step}: all is saved again")
            case Evaluation():
                self._say(self._line(event))
                self._advance(event.epoch, event.loss)
            case Finished():
                self.close()
                came_to, what_next = finish(event)
                console.say(came_to)
                console.say(what_next, whole=True)

    def close(self) -> None:
        """Take the bar away; the terminal is left as a person would want it."""
        if self.bar is not None:
            self.bar.close()
            self.bar = None

    def _started(self, event: Started) -> None:
        config, network = event.config, event.config.network
        self._say(
            f"text: {event.train_characters:,} characters to learn from, "
            f"{event.val_characters:,} to validate on, {network.vocab_size} distinct"
        )
        self._say(f"plan: {event.reason}")
        self._say(
            f"model: {network.parameters:,} parameters on {config.device} in {config.precision}, "
            f"{config.threads} {'thread' if config.threads == 1 else 'threads'}; "
            f"run: {event.directory}"
        )
        for note in event.notes:
            self._say(note)
        self.steps = config.steps
        self.characters_a_step = config.characters_per_step
        self.bar = tqdm(
            total=config.steps * self.characters_a_step,
            initial=event.step * self.characters_a_step,
            unit=" char",
            unit_scale=True,
            file=sys.stderr,
            disable=None if console.is_terminal(sys.stderr) else True,
            dynamic_ncols=True,
            bar_format="{desc}{percentage:3.0f}% {bar} {rate_fmt}, {remaining} left{postfix}",
            leave=False,
        )

    def _advance(self, epoch: float, loss: float | None) -> None:
        if self.bar is None:
            return
        self.bar.update(self.characters_a_step)
        if loss is not None:
            self.bar.set_description_str(f"epoch {epoch:.1f} ", refresh=False)
            self.bar.set_postfix_str(f"loss {nats(loss)}", refresh=False)

    def _line(self, event: Evaluation) -> str:
        """One evaluation in one plain line that fits a terminal."""
        parts = [f"step {event.step}/{self.steps}", f"epoch {event.epoch:.1f}"]
        parts.append(f"loss {event.loss:.3f}")
        if event.val_loss is not None:
            parts.append(f"validation {event.val_loss:.3f} nats")
        parts.append(f"{event.seconds:.0f} s")
        return "  ".join([*parts, "kept"] if event.kept else parts)

    def _say(self, line: str) -> None:
        """A line of its own, above the bar if there is one."""
        if self.bar is not None and not self.bar.disable:
            self.bar.clear()
        console.say(line)


def recovered(event: Recovered) -> str:
    """What went wrong, and what was done about it."""
    skipped = "the loss went out of bounds"
    if event.skipped:
        steps = "step" if event.skipped == 1 else "steps"
        skipped = f"{event.skipped} {steps} skipped, the gradient was not finite"
    if not event.rolled_back:
        return f"by step {event.step}: {skipped}"
    return (
        f"by step {event.step}: {skipped}; weights rolled back, learning rate lowered to "
        f"{event.learning_rate:.2g}"
    )


def finish(event: Finished) -> tuple[str, str]:
    """What a run came to, and the command that comes next."""
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
        kept += f"; ended {event.steps - event.step} steps early, since it got no better"
    return (
        f"done in {event.seconds:.0f} s, {event.characters_per_second:,.0f} characters/s; {kept}",
        f"write with: charlstm generate -m {run} '...'",
    )
