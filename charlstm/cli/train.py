"""``charlstm train``: from a corpus to a model, with its progress on stderr."""

import signal
import sys
import time
from itertools import combinations, product
from typing import TYPE_CHECKING, Annotated, Any

import typer

from charlstm.cli import completion, console, options
from charlstm.cli.downloads import fetch
from charlstm.cli.loading import leave_threads_to_torch
from charlstm.cli.options import with_options
from charlstm.cli.process import set_up_training
from charlstm.cli.stop import Stop, end_by
from charlstm.errors import OptionError
from charlstm.options import BEGINNING, BUDGET, CORPUS, MACHINE, NETWORK, OPTIMIZER

if TYPE_CHECKING:
    from charlstm.training.events import Finished

BUDGETS = ("time", "epochs", "steps", "pace")
SIZES = ("hidden_size", "num_layers", "embedding_size", "residual")  # the model to begin from has


@with_options(
    *(CORPUS, BUDGET, NETWORK, OPTIMIZER, BEGINNING, MACHINE),
    *(
        "random_seed",
        "output",
        "save_every",
        "evaluations",
        "eval_every",
        "sample",
        "sample_prompt",
        "tensorboard",
        "quiet",
    ),
    random_seed={"group": MACHINE, "default": 0, "help": "Seed of the random number generators."},
)
def train(
    ctx: typer.Context,
    corpus: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="CORPUS...",
            help="Files, directories, names of the catalogue, a dataset, or - for standard input.",
            autocompletion=completion.sources,
        ),
    ] = None,
    **values: Any,
) -> None:
    """Train a model on a corpus; print the path of the best one.

    Sizes, rates and lengths that are not given are chosen to suit the text, the machine and the
    time. Ctrl-C stops the run, keeps the best model, and the run can be continued.

    model=$(charlstm train play.txt --time 1m) && charlstm generate -m "$model"
    """
    # To start the interpreter and to read the command took about this processor time.
    began = time.monotonic() - time.process_time()
    from charlstm import training

    launch = training.launched()
    leads = launch.rank == 0
    quiet = values.pop("quiet") or not leads
    given = _given(ctx)
    _settle(ctx, values, given)
    resume, output = values.pop("resume"), values.pop("output")
    # A reader of stderr or stdout that goes away must not end a training run.
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    stop = Stop()
    leave_threads_to_torch()
    set_up_training()
    from charlstm.cli.progress import watch
    from charlstm.cli.wording import counted
    from charlstm.training.events import Started, TextRead

    console.say_if_typed(corpus or (), quiet=quiet or launch.size > 1)
    if resume is None or "corpus" in given:
        before = time.monotonic()
        fetch(corpus or (), quiet=quiet)
        began += time.monotonic() - before  # a download is no part of the run
    if resume is not None:
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
            seconds_spent=time.monotonic() - began,
            should_stop=lambda: bool(stop.signal),
            **values,
        )
    text = next(events)
    assert isinstance(text, TextRead)
    read = f"{text.name}: {counted(text.characters, 'character')} read; loading torch"
    console.say(*text.notes, read, quiet=quiet)
    started = next(events)
    assert isinstance(started, Started)
    finished = watch(started, events, stop, quiet=quiet)
    if leads:  # only the first process of a group writes the path and sets the exit status
        _end(finished, stop)


def _end(finished: "Finished", stop: Stop) -> None:
    """Write the path of the model, and end by the signal that stopped the run, if one did."""
    try:
        if stop.can_write(sys.stdout):
            console.write_line(str(finished.model))
            sys.stdout.flush()
    except OSError as error:  # the reader or the terminal went away, or the disk is full
        console.abandon_stdout()
        console.say(
            f"the model is {finished.model}; its path could not be written to standard output: "
            f"{error.strerror}"
        )
        if not (finished.stopped or isinstance(error, BrokenPipeError)):
            raise typer.Exit(1) from error
    if stop.signal:
        end_by(stop.signal)
    if finished.stopped:  # another process of the group got the signal
        end_by(signal.SIGTERM)


def _settle(ctx: typer.Context, values: dict[str, Any], given: list[str]) -> None:
    """Let the stronger source decide between options that do not go together.

    A resumed run has only those that are ``given`` on the command line.
    """
    rivals = [*combinations(BUDGETS, 2), ("evaluations", "eval_every")]
    if values["init_from"] not in ("auto", "none"):  # one source may give both, if they agree
        rivals += options.apart(ctx, *product(["init_from"], SIZES))
    if values["resume"] is not None:
        rivals = [pair for pair in rivals if {*pair} <= {*given}]
    options.settle(ctx, values, *rivals)


def _given(ctx: typer.Context) -> list[str]:
    """The parameters that the command line gives. A resumed run takes no others.

    The environment would change a run that it did not begin.
    """
    named, typed = (p.name or "" for p in ctx.command.params), options.Source.COMMANDLINE
    return [name for name in named if options.source(ctx, name) == typed]
