"""``charlstm models``: the models that ``-m`` can name; and removing what runs no longer need."""

import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import typer

from charlstm.cli import console, wording
from charlstm.cli.options import settle, typed, with_options
from charlstm.errors import CharLSTMError, OptionError
from charlstm.options import REMOVAL

if TYPE_CHECKING:
    from charlstm import ListedModel
    from charlstm.training import PrunableRun

PRUNED = ("file", "size")
HEADER = ("model", "corpus", "sizes", "loss", "age", "size")


@with_options(
    *("json", REMOVAL, "quiet"), json={"help": "Print one JSON object for each model, on one line."}
)
def models(ctx: typer.Context, **values: Any) -> None:
    """List the models that -m can name, the newest last.

    These are the models that come with the program, and those of the runs in runs/. Each has its
    corpus, layers x units, validation loss in nats per character, age and size: a table on a
    terminal, tab-separated lines in a pipe.

    charlstm models --json | jq -r .model
    """
    settle(ctx, values, ("json", "prune"))
    json, quiet = values["json"], values["quiet"]
    if typed(ctx, values, "yes") and not values["prune"]:
        raise OptionError("--yes needs --prune; see charlstm models --help")
    if values["prune"]:
        _prune(yes=values["yes"], quiet=quiet)
        return
    from charlstm import list_models

    found = []
    for model in list_models():
        if model.fault:
            console.say(model.fault, quiet=quiet)
        if json:
            console.write_json(_described(model))
        found.append(model)
    if not found:
        console.say("no model; make one with charlstm train CORPUS", quiet=quiet)
    terminal = console.is_terminal(sys.stdout)
    if not json and (found or not terminal):
        console.write_rows(HEADER, [_row(model, in_words=terminal) for model in found])


def _described(model: "ListedModel") -> dict[str, Any]:
    """A model for other programs; what a damaged model does not tell is null."""
    card = model.card
    return {
        "model": model.name,
        "corpus": card and card.fingerprint.name,
        "num_layers": card and card.config.num_layers,
        "hidden_size": card and card.config.hidden_size,
        "parameters": card and card.config.parameters,
        "val_loss": card and wording.number(card.training.get("val_loss")),
        "bundled": model.bundled,
        "modified": wording.timestamp(model.modified),
        "bytes": model.size,
        "error": model.fault,
    }


def _row(model: "ListedModel", *, in_words: bool) -> tuple[str, ...]:
    """A model as a row of the table, for people or, in plain numbers, for other programs."""
    told, seconds = _described(model), time.time() - model.modified
    sizes = "damaged" if model.fault else f"{told['num_layers']} x {told['hidden_size']}"
    loss = told["val_loss"]
    if loss is not None:
        loss = f"{loss:.3f}" if in_words else str(loss)
    age = wording.age(seconds) if in_words else str(max(0, int(seconds)))
    if model.bundled:
        age = wording.NOTHING
    size = wording.size(model.size) if in_words else str(model.size)
    corpus = told["corpus"] or wording.NOTHING
    return (model.name, corpus, sizes, loss or wording.NOTHING, age, size)


def _prune(*, yes: bool, quiet: bool) -> None:
    """List the files that finished runs no longer need, and remove them if the user agrees."""
    from charlstm.training import prunable_runs, remove_files

    found = []
    for run in prunable_runs():
        if run.needed is None:
            found.append(run)
        else:
            console.say(f"kept: {run.directory}: {run.needed}", quiet=quiet)
    terminal = console.is_terminal(sys.stdout)
    shown = wording.size if terminal else str
    rows = [(str(path), shown(size)) for run in found for path, size in run.files.items()]
    if rows or not terminal:
        console.write_rows(PRUNED, rows)
    if not rows:
        console.say("nothing to remove", quiet=quiet)
        return
    if not (yes or console.confirmed(f"remove {_amount(found)}?")):
        console.say("nothing was removed; --yes removes it without a question", quiet=quiet)
        return
    removed = []
    for run in found:
        try:
            remove_files(run)
            removed.append(run)
        except CharLSTMError as error:
            console.say(f"not removed: {error}")
    console.say(f"removed {_amount(removed)}", quiet=quiet)
    if len(removed) < len(found):
        raise typer.Exit(1)


def _amount(runs: "Sequence[PrunableRun]") -> str:
    """The number and the total size of the files that these runs do not need."""
    sizes = [size for run in runs for size in run.files.values()]
    return f"{wording.counted(len(sizes), 'file')}, {wording.size(sum(sizes))}"
