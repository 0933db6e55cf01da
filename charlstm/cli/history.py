"""``charlstm history``: the losses of runs, as a chart, as lines for programs, or as a picture."""

import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from charlstm.cli import completion, console, wording
from charlstm.cli.loading import found_elsewhere
from charlstm.cli.options import settle, with_options
from charlstm.options import CHART

if TYPE_CHECKING:
    from charlstm.analysis.curves import History, LogPoint

COLUMNS = ("step", "epoch", "seconds", "loss", "val_loss", "learning_rate")
HEADER = ("run", *COLUMNS, "characters_per_second")
POLL_SECONDS = 1.0  # between two looks at runs that are being trained


@with_options(
    *(CHART, "json", "quiet"),
    json={"help": "Print one JSON object for each log point, on one line."},
)
def history(
    ctx: typer.Context,
    run: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="RUN...",
            show_default=False,
            help="Runs.  [default: the newest run]",
            autocompletion=completion.runs,
        ),
    ] = None,
    **values: Any,
) -> None:
    """Show how the losses of runs fell.

    It is also said where each run was best, and where it began to overfit. A terminal gets a chart,
    and a pipe a tab-separated line for each log point. Runs that are being trained can be shown
    too.

    charlstm history --follow

    charlstm history --json | jq -s 'map(select(.val_loss)) | min_by(.val_loss)'
    """
    from charlstm.analysis.curves import find_history

    settle(ctx, values, ("plot", "json"), ("plot", "follow"))
    histories = [find_history(name) for name in run] if run else [find_history()]
    for number, found in enumerate(histories):
        if not run or found_elsewhere(run[number], found.path):
            console.say(f"run: {found.name}", quiet=values["quiet"])
    view = View(histories, values)
    if values["plot"] is not None:
        view.read()
        from charlstm.cli.picture import write_picture

        write_picture(histories, values["by"], Path(values["plot"]))
    elif values["json"] or not console.is_terminal(sys.stdout):
        view.write_lines()
    else:
        view.draw()


class View:
    """What is shown of some runs, once or while they are trained."""

    def __init__(self, histories: "Sequence[History]", values: dict[str, Any]) -> None:
        self.histories = histories
        self.by, self.json, self.quiet = values["by"], values["json"], values["quiet"]
        self.follow: bool = values["follow"]
        self._said: set[str] = set()

    def read(self) -> None:
        """Read what the runs have now."""
        for found in self.histories:
            for _ in found.update():
                pass
            self._report(found)

    def write_lines(self) -> None:
        """Write each log point to stdout as it comes: tab-separated, or as JSON."""
        if not self.json:
            console.write_row(HEADER)
        written = [-1] * len(self.histories)
        for _ in self._rounds():
            for number, found in enumerate(self.histories):
                for point in found.update():
                    if point.step > written[number]:  # a resumed run does some steps again
                        written[number] = point.step
                        self._write(found, point)
                self._report(found)
            sys.stdout.flush()

    def draw(self) -> None:
        """Write the chart to the terminal, and what it shows in words."""
        from rich.console import Console

        terminal = Console(file=sys.stdout, highlight=False)
        if not self.follow:
            self.read()
            terminal.print(self._picture(terminal))
            return
        from rich.live import Live

        shown: Any = None
        with Live(console=terminal, auto_refresh=False, vertical_overflow="crop") as live:
            terminal.show_cursor(True)  # which Live hides, and a signal would leave hidden
            for _ in self._rounds():
                self.read()
                size, state = terminal.size, [found.last for found in self.histories]
                if shown and size != shown[0]:
                    terminal.clear()
                if (size, state) != shown:
                    live.update(self._picture(terminal), refresh=True)
                shown = size, state

    def _rounds(self) -> Iterator[None]:
        """One round, or with ``follow`` one each second, the last after the trainings ended."""
        working = self.follow
        while working:
            working = self._at_work()
            yield
            if working:
                time.sleep(POLL_SECONDS)
        if not self.follow:
            yield

    def _at_work(self) -> bool:
        """Whether a training is at work in one of the runs."""
        from charlstm.training import is_at_work

        return any(is_at_work(found.path.parent) for found in self.histories)

    def _report(self, found: "History") -> None:
        """Say what cannot be shown, once."""
        found.check()
        if found.damaged and found.name not in self._said:
            self._said.add(found.name)
            lines = wording.counted(found.damaged, "damaged line")
            console.say(f"{found.path}: {lines} left out", quiet=self.quiet)

    def _write(self, found: "History", point: "LogPoint") -> None:
        """Write a log point as a line for other programs."""
        given = {name: value for name, value in asdict(point).items() if value is not None}
        if self.json:
            console.write_json({"run": found.name, **given})
        else:
            cells = [str(given.get(name, wording.NOTHING)) for name in HEADER[1:]]
            console.write_row((found.name, *cells))

    def _picture(self, terminal: Any) -> Any:
        """The legend, the chart and the sentences, so that they fit the terminal."""
        from rich.text import Text

        from charlstm.cli.chart import MOST_HEIGHT, draw, legend

        colour = terminal.color_system is not None and not terminal.no_color
        told = [Text(line) for found in self.histories for line in in_words(found)]
        lines = sum(len(text.wrap(terminal, terminal.width)) for text in told)
        names = legend(self.histories, colour=colour)
        height = terminal.height - lines - len(names.wrap(terminal, terminal.width)) - 2
        size = terminal.width, min(height, MOST_HEIGHT)
        chart = draw(self.histories, self.by, size, colour=colour)
        return Text("\n").join([names, chart, *told] if chart else told)


def in_words(found: "History") -> Iterator[str]:
    """What the history of a run shows: how far it is, where it was best, whether it overfits."""
    name, last = console.printable(found.name), found.last
    if last is None:
        yield f"{name}: no step is logged yet"
        return
    parts = [f"{name}: step {last.step:,}{_after(last)}"]
    if last.loss is not None:
        parts.append(f"training loss {wording.nats(last.loss)}")
    yield ", ".join(parts)
    best, end = found.best, found.last_evaluation
    if best is None or best.val_loss is None or end is None or end.val_loss is None:
        yield "no validation loss yet"
        return
    yield f"best at step {best.step:,}{_after(best)}: validation loss {wording.nats(best.val_loss)}"
    if found.overfitting:
        yield (
            f"overfitting since step {best.step:,}: the training loss went on falling, but the "
            f"validation loss rose to {end.val_loss:.3f} nats at step {end.step:,}"
        )
    elif end is not best:
        yield f"at step {end.step:,} the validation loss was {wording.nats(end.val_loss)}"


def _after(point: "LogPoint") -> str:
    """How long the run had taken, if that is known."""
    return "" if point.seconds is None else f" after {wording.duration(point.seconds)}"
