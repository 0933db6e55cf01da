"""``charlstm train``: from a corpus to a model, with its progress on stderr."""

import shlex
import signal
import sys
import time as clock
from itertools import chain
from pathlib import Path
from typing import Annotated, Any

import typer

from charlstm.cli import console, options
from charlstm.cli.options import with_options
from charlstm.cli.stop import Stop, end_by, says_if_stopped
from charlstm.errors import OptionError
from charlstm.options import (
    BEGINNING,
    BUDGET,
    CORPUS,
    MACHINE,
    NETWORK,
    OPTIMIZER,
    OUTPUT,
)

# The options of ``train`` are those of these groups, and a few more.
GROUPS = (CORPUS, BUDGET, NETWORK, OPTIMIZER, BEGINNING, MACHINE)


@with_options(
    *(*GROUPS, "random_seed", "save_every", "eval_every", "quiet"),
    random_seed={
        "group": MACHINE,
        "default": 0,
        "help": "Seed of the random number generators.",
    },
)
def train(
    ctx: typer.Context,
    corpus: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="CORPUS...", help="Files, directories, a dataset, or - for standard input."
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="RUN",
            help="New run directory [runs/NAME, after the corpus].",
            rich_help_panel=OUTPUT,
        ),
    ] = None,
    resume: Annotated[
        Path | None,
        typer.Option(
            "--resume",
            metavar="RUN",
            help="Continue a stopped run, or make a finished run longer.",
            rich_help_panel=BEGINNING,
        ),
    ] = None,
    **values: Any,
) -> None:
    """Train a model on a corpus; print the path of the best one.

    Sizes, rates and lengths that are not given are chosen to suit the text, the machine and the
    time. Ctrl-C stops cleanly, keeps the best model and says how to go on.

    model=$(charlstm train play.txt --time 1m) && charlstm generate -m "$model"
    """
    began = clock.monotonic()
    from charlstm import training

    launch = training.launched()
    leads = launch.rank == 0
    quiet = values.pop("quiet") or not leads
    # A reader of our stderr or stdout that goes away must not end a training run.
    if hasattr(signal, "SIGPIPE"):
        signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    stop = Stop()
    said = "stopped before the first step; nothing was written"
    if resume is not None:
        run = shlex.quote(str(resume))
        said = f"stopped before a step was done; go on with: charlstm train --resume {run}"
    with says_if_stopped(said, quiet=quiet):
        from charlstm.cli.progress import watch

        console.say_if_typed(corpus or (), quiet=quiet or launch.size > 1)
        if resume is not None:
            given = _given(ctx)
            if "output" in given:
                raise OptionError("--output and --resume do not go together; leave one out")
            events = training.resume_run(
                resume,
                sources=corpus if corpus and "corpus" in given else [],
                should_stop=lambda: bool(stop.signal),
                **{name: values[name] for name in given if name in values},
            )
        else:
            events = training.train(
                corpus or [],
                output=output,
                seconds_spent=clock.monotonic() - began,
                should_stop=lambda: bool(stop.signal),
                **_one_budget(ctx, values),
            )
        first = next(events)
        if isinstance(first, training.TextRead):
            for note in first.notes:
                console.say(note, quiet=quiet)
            first = next(events)

    finished = watch(chain([first], events), stop, quiet=quiet)
    if not leads:  # the leader's exit status is that of all
        return
    try:
        console.write_line(str(finished.model))
        sys.stdout.flush()
    except OSError as error:  # a terminal or a reader that went away, a full disk
        console.abandon_stdout()
        console.say(
            f"the model is {finished.model}; its path could not be written to standard output: "
            f"{error.strerror}"
        )
        if not (finished.stopped or isinstance(error, BrokenPipeError)):
            raise typer.Exit(1) from error
    if finished.stopped:  # where another process of the group was told to, this one was not
        raise typer.Exit(end_by(stop.signal or signal.SIGTERM))


def _one_budget(ctx: typer.Context, asked: dict[str, Any]) -> dict[str, Any]:
    """What was asked for, with the budgets of the strongest source that names one, and no other."""
    budgets = ("time", "epochs", "steps")
    named = options.strongest(ctx, budgets)
    weaker = [name for name in budgets if named and name not in named]
    return {**asked, **dict.fromkeys(weaker)}


def _given(ctx: typer.Context) -> list[str]:
    """The parameters on the command line, which are all that a resumed run follows.

    The environment does not count: it would change a run that it did not begin.
    """
    names = [p.name for p in ctx.command.params if p.name]
    return [name for name in names if options.source(ctx, name) == options.Source.COMMANDLINE]
