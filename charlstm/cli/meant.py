"""What is meant by a command or an option that this program does not have.

People type what other programs taught them: char-rnn and nanoGPT train, llama.cpp and others write.
"""

import os
import shlex
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from charlstm.cli.options import Source, source
from charlstm.errors import OptionError
from charlstm.files import MODEL_FILE

# Commands of other programs, and what does the same here.
COMMANDS = {
    "sample": "charlstm generate",
    "write": "charlstm generate",
    "complete": "charlstm generate",
    "run": "charlstm generate",
    "chat": "charlstm generate",
    "list": "charlstm models, or charlstm corpus list for texts",
    "ls": "charlstm models, or charlstm corpus list for texts",
    "show": "charlstm inspect",
    "info": "charlstm inspect",
    "learn": "charlstm train",
    "fit": "charlstm train",
    "finetune": "charlstm train --init-from MODEL",
    "fine-tune": "charlstm train --init-from MODEL",
    "resume": "charlstm train --resume RUN",
    "continue": "charlstm train --resume RUN",
    "test": "charlstm evaluate",
    "perplexity": "charlstm evaluate, or charlstm score for files and lines",
    "plot": "charlstm history --plot FILE.svg",
    "loss": "charlstm history",
    "prepare": "charlstm dataset",
    "encode": "charlstm dataset",
    "tokenize": "charlstm vocab, or charlstm dataset",
    "download": "charlstm corpus get NAME",
    "convert": "charlstm export",
    "version": "charlstm --version",
}  # fmt: skip
# Options of other programs, with a hyphen for an underscore, and those that are meant. Where a
# command has none of them, a similar name is looked for.
OPTIONS = {
    "--lr": ("--learning-rate",),
    "--val": ("--val-fraction", "--split"),
    "--val-split": ("--val-fraction", "--split"),
    "--val-frac": ("--val-fraction",),
    "--validation-split": ("--val-fraction",),
    "--epoch": ("--epochs",),
    "--num-epochs": ("--epochs",),
    "--max-epochs": ("--epochs",),
    "--max-iters": ("--steps",),
    "--max-steps": ("--steps",),
    "--iters": ("--steps",),
    "--iterations": ("--steps",),
    "--block-size": ("--seq-length",),
    "--context": ("--seq-length",),
    "--n-layer": ("--num-layers",),
    "--n-layers": ("--num-layers",),
    "--layers": ("--num-layers",),
    "--n-embd": ("--hidden-size",),
    "--rnn-size": ("--hidden-size",),
    "--units": ("--hidden-size",),
    "--size": ("--hidden-size",),
    "--wordvec-size": ("--embedding-size",),
    "--wd": ("--weight-decay",),
    "--batch": ("--batch-size",),
    "--eval-interval": ("--eval-every",),
    "--eval-val-every": ("--eval-every",),
    "--early-stopping": ("--patience",),
    "--gpu": ("--device",),
    "--gpuid": ("--device",),
    "--cuda": ("--device",),
    "--cpu": ("--device",),
    "--dtype": ("--precision",),
    "--out-dir": ("--output",),
    "--output-dir": ("--output",),
    "--checkpoint-dir": ("--output",),
    "--checkpoint": ("--model", "--init-from"),
    "--resume-from-checkpoint": ("--resume",),
    "--temp": ("--temperature",),
    "--primetext": ("--seed",),
    "--start": ("--seed",),
    "--start-text": ("--seed",),
    "--prefix": ("--seed",),
    "--prompt-file": ("--seed-file",),
    "--file": ("--seed-file", "--text-file"),
    "--n-predict": ("--length",),
    "--predict": ("--length",),
    "--max-tokens": ("--length",),
    "--max-new-tokens": ("--length",),
    "--max-length": ("--length",),
    "--num-samples": ("--samples",),
    "--num-return-sequences": ("--samples",),
    "--count": ("--samples",),
    "--n": ("--samples",),
    "--repeat-penalty": ("--repetition-penalty",),
    "--repeat-last-n": ("--repetition-window",),
    "--reverse-prompt": ("--stop",),
    "--stop-sequence": ("--stop",),
    "--prompt-cache": ("--save-state",),
    "--rng-seed": ("--random-seed",),
}
PHRASES = {"generate": "seed phrase", "predict": "seed phrase", "visualize": "text"}
SIMILARITY = 0.7  # of names, as difflib measures it


def no_command(ctx: Any, words: Sequence[str]) -> OptionError:
    """The error for a call whose first word is no command; ``words`` is the whole call."""
    from charlstm import model_names
    from charlstm.text.catalogue import catalogue

    name = words[0]
    others = [word for word in words[1:] if not word.startswith("-")]
    close = get_close_matches(name.lower(), ctx.command.commands, n=1, cutoff=SIMILARITY)
    if name.lower() in COMMANDS:
        advice = f"use {COMMANDS[name.lower()]}"
    elif Path(name, MODEL_FILE).is_file() or name.endswith(".safetensors"):
        advice = f"to write with this model: charlstm generate -m {shlex.quote(name)}"
    elif os.path.exists(name) or name.endswith(".txt"):  # noqa: PTH110 (False for a long name)
        advice = f"to learn from it: charlstm train {shlex.quote(name)}"
    elif name in model_names():
        advice = f"to write with it: charlstm generate -m {name}"
    elif name in catalogue():
        advice = f"to learn from it: charlstm train {name}"
    elif close:
        advice = f"did you mean charlstm {close[0]}?"
    elif others or " " in name:
        phrase = shlex.quote(" ".join((name, *others)))
        advice = f"to continue a text: charlstm generate {phrase}"
    else:
        advice = "see charlstm --help"
    return OptionError(f"{name} is not a command of charlstm; {advice}")


def is_typed(ctx: Any, name: str) -> bool:
    """Whether the command line itself gives a parameter."""
    return source(ctx, name) is Source.COMMANDLINE


def extra_words(ctx: Any, words: Sequence[str]) -> OptionError:
    """The error for ``words`` that are more arguments than a command takes."""
    if noun := PHRASES.get(ctx.info_name):
        flags = [n for n in ("seed", "prompt") if ctx.params.get(n) and is_typed(ctx, n)]
        parts = [ctx.params.get(n) or "" for n in (*flags, "phrase", "text")]
        whole = shlex.quote(" ".join((*filter(None, parts), *words)))
        flag = f"--{flags[0]} " if flags else ""
        return OptionError(f"a {noun} of several words must be quoted: {flag}{whole}")
    extra = " ".join(map(shlex.quote, words))
    return OptionError(
        f"{extra}: more than {ctx.command_path} takes; see {ctx.command_path} --help"
    )


def no_option(ctx: Any, name: str, words: Sequence[str]) -> OptionError:
    """The error for an option that a command does not have; ``words`` are what it was given."""
    if not name.startswith("--"):  # -lr is read as -l, although all of it is meant
        whole = next((w for w in words if w.startswith(name) and not w.startswith("--")), name)
        name = whole.split("=")[0] if len(whole) > len(name) else name
    if len(name) == 2:
        advice = _short_option_meant(ctx, name)
    else:
        advice = _option_meant(ctx, f"--{name.lstrip('-').lower().replace('_', '-')}")
    return OptionError(f"no such option: {name}; {advice or f'see {ctx.command_path} --help'}")


def _short_option_meant(ctx: Any, name: str) -> str | None:
    """Which command has an option of one letter, and what its long name is there."""
    for command, node in ctx.find_root().command.commands.items():
        for parameter in node.params:
            if parameter.param_type_name == "option" and name in parameter.opts:
                return f"{name} is {parameter.opts[0]} of charlstm {command}"
    return None


def _option_meant(ctx: Any, name: str) -> str | None:
    """Which option is meant by ``name``: one of this command, or of another one."""
    root = ctx.find_root().command
    own = _flags(ctx.command)
    having = {
        meant: [
            f"charlstm {command}"
            for command, node in root.commands.items()
            if meant in _flags(node)
        ]
        for meant in (name, *OPTIONS.get(name, ()))
    }
    known = [meant for meant in having if meant in own]
    if not (known or having[name]):
        known = get_close_matches(name, own, n=1, cutoff=SIMILARITY)
    if known:
        return f"did you mean {known[0]}?"
    for meant, commands in having.items():
        if commands and ctx.command is root:
            return f"options stand after the command: {commands[0]} {meant}"
        if commands:
            return f"{meant} is an option of {' and '.join(commands[:2])}"
    return None


def _flags(command: Any) -> list[str]:
    """The long options of a command."""
    return [
        flag
        for parameter in command.params
        if parameter.param_type_name == "option"
        for flag in (*parameter.opts, *parameter.secondary_opts)
        if flag.startswith("--")
    ]
