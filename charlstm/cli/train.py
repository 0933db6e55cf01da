"""``charlstm train``: from a corpus to a model, with its progress on stderr."""

import shlex
import signal
import sys
import time as clock
from collections.abc import Sequence
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
    OPTIONS,
    OUTPUT,
    fields_of,
)

# Options of ``train`` are those of these groups, and a few more.
GROUPS = (CORPUS, BUDGET, NETWORK, OPTIMIZER, BEGINNING, MACHINE)
SETTINGS = [option.name for option in OPTIONS.values() if option.group in GROUPS]


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
    from charlstm.training.distributed import launched

    launch = launched()
    leads = launch.rank == 0
    quiet = values["quiet"] or not leads
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
        from charlstm.training.config import Settings

        console.say_if_typed(corpus or (), quiet=quiet or launch.size > 1)
        if resume is not None:
            from charlstm.training.resume import CHANGEABLE
            from charlstm.training.resume import resume as go_on

            given = _given_with_resume(ctx, CHANGEABLE)
            events = go_on(
                resume,
                Settings(
                    **fields_of(Settings, {name: values[name] for name in given if name in values})
                ),
                places=corpus if corpus and "corpus" in given else [],
                should_stop=lambda: bool(stop.signal),
            )
        else:
            if not corpus:
                raise OptionError(
                    "no corpus; name a text: charlstm train play.txt, or - to read it"
                )
            settings = Settings(**fields_of(Settings, _one_budget(ctx, values)))
            from charlstm.text.corpus import TextOptions

            text = TextOptions(**fields_of(TextOptions, values))

            from charlstm.text.dataset import load_dataset
            from charlstm.training.start import train

            if "-" in corpus and launch.size > 1:
                raise OptionError(
                    "standard input cannot be read by several processes; make a dataset of it first"
                )
            dataset = load_dataset(corpus, text)
            for note in dataset.notes:
                console.say(note, quiet=quiet)
            events = train(
                dataset,
                settings,
                places=corpus,
                output=output,
                seconds_spent=clock.monotonic() - began,
                should_stop=lambda: bool(stop.signal),
            )
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


def _given_with_resume(ctx: typer.Context, changeable: Sequence[str]) -> list[str]:
    """What stands on the command line; OptionError for an option that a resumed run cannot follow.

    The environment does not count: it would change a run that it did not begin.
    """
    names = [p.name for p in ctx.command.params if p.name]
    given = [name for name in names if options.source(ctx, name) == options.Source.COMMANDLINE]
    for name in given:
        if name not in ("resume", "corpus", "quiet", *changeable):
            raise OptionError(
                f"--{name.replace('_', '-')} does not go with --resume, which continues a run "
                f"as it was begun; leave it out"
            )
    return given
