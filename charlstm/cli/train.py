"""``charlstm train``: from a corpus to a model, with its progress on stderr."""

import re
import shlex
import signal
import sys
import time as clock
from collections.abc import Sequence
from enum import StrEnum
from itertools import chain
from pathlib import Path
from typing import Annotated, Any

import typer

from charlstm.cli import console, options
from charlstm.cli.stop import Stop, end_by, says_if_stopped
from charlstm.errors import OptionError
from charlstm.options import TEXT_FILES

TIME = re.compile(r"(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m)?(?:(\d+(?:\.\d+)?)s)?")
BARE_NUMBER = re.compile(r"\d+(?:\.\d+)?")


class Device(StrEnum):
    """Where to train."""

    AUTO = "auto"
    CPU = "cpu"
    CUDA = "cuda"
    MPS = "mps"


class Precision(StrEnum):
    """The arithmetic of matrix products."""

    AUTO = "auto"
    FP32 = "fp32"
    BF16 = "bf16"


def seconds(text: str | None, name: str = "time") -> float | None:
    """The seconds in ``30s``, ``3m``, ``1h30m`` or ``90``; OptionError for anything else.

    >>> seconds("1h30m"), seconds("90")
    (5400.0, 90.0)
    """
    if text is None:
        return None
    written = text.strip()
    match = TIME.fullmatch(f"{written}s" if BARE_NUMBER.fullmatch(written) else written)
    if not match or not match.group():
        raise OptionError(f"{name} is {text!r}; write it like 90, 30s, 3m or 1h30m")
    hours, minutes, rest = (float(part or 0) for part in match.groups())
    return 3600 * hours + 60 * minutes + rest


def _option(name: str, words: str, metavar: str = "N", *names: str) -> Any:
    return typer.Option(name, *names, metavar=metavar, help=words)


def train(
    ctx: typer.Context,
    corpus: Annotated[
        list[str] | None,
        typer.Argument(metavar="CORPUS...", help=options.CORPUS_HELP + " Or a dataset."),
    ] = None,
    output: Annotated[
        Path | None, _option("--output", "A new run directory [runs/NAME].", "RUN", "-o")
    ] = None,
    time: Annotated[
        str | None, _option("--time", "Train for T: 30s, 3m, 1h30m [enough, at most 3m].", "T")
    ] = None,
    epochs: Annotated[float | None, _option("--epochs", "Read the text E times.", "E")] = None,
    steps: Annotated[int | None, _option("--steps", "Do N optimizer steps.")] = None,
    hidden_size: Annotated[int | None, _option("--hidden-size", "Units in a layer.")] = None,
    num_layers: Annotated[int | None, _option("--num-layers", "LSTM layers.")] = None,
    embedding_size: Annotated[
        int | None, _option("--embedding-size", "Numbers that stand for a character.")
    ] = None,
    dropout: Annotated[
        float | None, _option("--dropout", "Share of values dropped after each layer.", "P")
    ] = None,
    weight_dropout: Annotated[
        float | None, _option("--weight-dropout", "Share of recurrent connections dropped.", "P")
    ] = None,
    residual: Annotated[
        bool | None,
        typer.Option(
            "--residual/--no-residual", help="Add the input of later layers to their output."
        ),
    ] = None,
    seq_length: Annotated[int | None, _option("--seq-length", "Characters in a window.")] = None,
    batch_size: Annotated[int | None, _option("--batch-size", "Windows in a step.")] = None,
    val_fraction: Annotated[
        float | None,
        _option("--val-fraction", "Last part of the text, held back to validate [0.1].", "P"),
    ] = None,
    learning_rate: Annotated[
        float | None, _option("--learning-rate", "AdamW's rate at its peak.", "R")
    ] = None,
    weight_decay: Annotated[
        float | None, _option("--weight-decay", "AdamW's weight decay.", "D")
    ] = None,
    grad_clip: Annotated[
        float | None, _option("--grad-clip", "Largest norm of the gradient.", "G")
    ] = None,
    averaging: Annotated[
        float | None,
        _option("--averaging", "Last part of the steps over which weights are averaged.", "P"),
    ] = None,
    eval_every: Annotated[
        int | None, _option("--eval-every", "Steps between two validations.")
    ] = None,
    patience: Annotated[
        int | None,
        _option("--patience", "Stop after N validations without a better one [0, never]."),
    ] = None,
    save_every: Annotated[
        str | None,
        _option("--save-every", "From one saved state to the next [1m, longer if slow].", "T"),
    ] = None,
    glob: options.Glob = TEXT_FILES,
    encoding: options.Encoding = "utf-8",
    lowercase: options.Lowercase = False,
    min_count: options.MinCount = 1,
    device: Annotated[
        Device, typer.Option("--device", help="Where to train; mps, an Apple GPU, is untested.")
    ] = Device.AUTO,
    precision: Annotated[
        Precision, typer.Option("--precision", help="Arithmetic of matrix products.")
    ] = Precision.AUTO,
    threads: Annotated[int | None, _option("--threads", "Processor threads.")] = None,
    random_seed: Annotated[
        int, _option("--random-seed", "Of initial weights, dropout and the data's order.")
    ] = 0,
    init_from: Annotated[
        str | None,
        _option("--init-from", "Begin with the weights of a model, file or run.", "MODEL"),
    ] = None,
    resume: Annotated[
        Path | None, _option("--resume", "Go on with a stopped run, exactly, or longer.", "RUN")
    ] = None,
    quiet: options.Quiet = False,
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
    quiet = quiet or not leads
    # A reader of our stderr or stdout that goes away must not end a training run.
    if hasattr(signal, "SIGPIPE"):
        signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    stop = Stop()
    asked: dict[str, Any] = {
        "time": seconds(time),
        "epochs": epochs,
        "steps": steps,
        "hidden_size": hidden_size,
        "num_layers": num_layers,
        "embedding_size": embedding_size,
        "dropout": dropout,
        "weight_dropout": weight_dropout,
        "residual": residual,
        "seq_length": seq_length,
        "batch_size": batch_size,
        "val_fraction": val_fraction,
        "learning_rate": learning_rate,
        "weight_decay": weight_decay,
        "grad_clip": grad_clip,
        "averaging": averaging,
        "eval_every": eval_every,
        "patience": patience,
        "save_every": seconds(save_every, "save every"),
        "init_from": init_from,
        "device": device.value,
        "precision": precision.value,
        "threads": threads,
        "random_seed": random_seed,
    }
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
                Settings(**{name: value for name, value in asked.items() if name in given}),
                places=corpus if corpus and "corpus" in given else [],
                should_stop=lambda: bool(stop.signal),
            )
        else:
            if not corpus:
                raise OptionError(
                    "no corpus; name a text: charlstm train play.txt, or - to read it"
                )
            settings = Settings(**_one_budget(ctx, asked))
            from charlstm.text.corpus import TextOptions

            text = TextOptions(encoding=encoding, lowercase=lowercase, min_count=min_count)

            from charlstm.text.dataset import load_dataset
            from charlstm.training.start import train

            if "-" in corpus and launch.size > 1:
                raise OptionError(
                    "standard input cannot be read by several processes; make a dataset of it first"
                )
            dataset = load_dataset(corpus, text, glob)
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
