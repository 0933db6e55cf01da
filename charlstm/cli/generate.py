"""``charlstm generate``: new text on stdout, streamed."""

import os
import sys
from enum import StrEnum
from typing import Annotated

import typer

from charlstm.cli import console, options


class Unknown(StrEnum):
    """What to do with a character that the model never saw."""

    ERROR = "error"
    SKIP = "skip"
    NEAREST = "nearest"


def generate(
    model: options.Model = None,
    seed: Annotated[
        str,
        typer.Option(
            "--seed", "--prompt", metavar="TEXT", help="The seed phrase: the text to go on from."
        ),
    ] = "",
    length: Annotated[
        int,
        typer.Option("--length", "-n", metavar="N", help="Characters to write; 0: without end."),
    ] = 1000,
    temperature: Annotated[
        float,
        typer.Option(
            "--temperature", "-t", metavar="T", help="Below 1 safer, above 1 bolder; 0 is greedy."
        ),
    ] = 0.7,
    random_seed: Annotated[
        int | None,
        typer.Option(
            "--random-seed",
            metavar="N",
            help="Of the random draws (--seed is the seed phrase); drawn and named by default.",
        ),
    ] = None,
    no_echo: Annotated[
        bool, typer.Option("--no-echo", help="Do not print the seed phrase first.")
    ] = False,
    unknown: Annotated[
        Unknown, typer.Option("--unknown", help="A character of the seed that the model never saw.")
    ] = Unknown.ERROR,
    raw: Annotated[
        bool, typer.Option("--raw", help="Pass control characters to the terminal.")
    ] = False,
    quiet: options.Quiet = False,
) -> None:
    """Write new text in the style of the corpus, from a seed phrase.

    charlstm generate --seed "Is this a dagger" -n 400 | fold -s
    """
    # One thread: at one character a call a second only contends, and how a product is split
    # would change its rounding. It must be said before numpy is imported.
    for variable in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"):
        os.environ[variable] = "1"
    import numpy as np

    from charlstm.checkpoint import load_model
    from charlstm.generate import generate, read_seed
    from charlstm.runs import find_model

    np.seterr(all="ignore")  # absurd weights are found where they would matter
    path = find_model(model)
    loaded = load_model(path)
    # An argument's bytes are UTF-8 here, whatever the locale made of them.
    given = os.fsencode(seed).decode("utf-8", "surrogateescape")
    phrase = read_seed(loaded, given, unknown.value)
    drawn = int.from_bytes(os.urandom(4), "big") if random_seed is None else random_seed
    characters = generate(
        loaded, phrase, random_seed=drawn, length=length or None, temperature=temperature
    )
    if model is None:
        console.say(f"model: {path}", quiet=quiet)
    if random_seed is None:
        console.say(f"random seed: {drawn}", quiet=quiet)

    terminal = sys.stdout.isatty()
    shown = console.visible if terminal and not raw else str
    write, last = sys.stdout.write, "\n"
    if phrase and not no_echo:
        write(shown(phrase))
        last = phrase[-1]
    for last in characters:
        write(shown(last))
        if terminal:
            sys.stdout.flush()
    if terminal and last != "\n":
        write("\n")
