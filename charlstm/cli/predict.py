"""``charlstm predict``: which character may come next."""

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from charlstm.cli import console, reading, wording
from charlstm.cli.loading import loaded
from charlstm.cli.options import with_options
from charlstm.options import MODEL, OPTIONS, OUTPUT, SAMPLING

if TYPE_CHECKING:
    from charlstm import Prediction

SETTINGS = {o.name: o.default for o in OPTIONS.values() if o.group == SAMPLING}
del SETTINGS["random_seed"]  # nothing is drawn
SETTINGS["temperature"] = 1.0  # with the other defaults: the model's own probabilities
COLUMNS = ("character", "probability", "model_probability")
BAR_WIDTH = 40


@with_options(
    *("seed", "prompt", "seed_file", "escapes", "unknown"),
    *(*SETTINGS, "top", MODEL, "json", "quiet"),
    seed={"help": "Seed phrase, the same as PROMPT."},
    temperature={"default": SETTINGS["temperature"]},
    top={"group": OUTPUT, "help": "Number of characters to list; 0: all."},
    json={"help": "Print one JSON object for each character, on one line."},
)
def predict(
    ctx: typer.Context,
    phrase: Annotated[
        str,
        typer.Argument(
            metavar="PROMPT", help="Seed phrase: the text before; - reads it from standard input."
        ),
    ] = "",
    **values: Any,
) -> None:
    """Show which characters the model expects next.

    Each has its probability. The settings of generate that choose the next character can be given,
    to see what they do. Then the model's own probabilities are shown, too. In a pipe, rows are
    tab-separated lines.

    charlstm predict "Is this a dagge" --top 5
    """
    given = reading.phrase_of(ctx, values)
    OPTIONS["top"].check(values["top"])
    settings = {name: values[name] for name in SETTINGS}
    settings["ban"] = reading.typed(values["ban"], "--ban", escapes=values["escapes"])
    text = reading.typed(given.text, given.name, escapes=values["escapes"])
    model = loaded(values)
    console.say_if_typed((given.file,), quiet=values["quiet"])
    if given.file is not None:
        text = reading.phrase_in(given.file, quiet=values["quiet"])
    phrase, left_out = model.known(text, unknown=values["unknown"])
    if left_out:
        console.say(reading.note(left_out), quiet=values["quiet"])
    console.say(*wording.temperature_notes(values["temperature"]), quiet=values["quiet"])
    predictions = model.predict(phrase, top=values["top"] or None, **settings)
    # A window alone changes nothing.
    changed = any(settings[n] != SETTINGS[n] for n in SETTINGS if n != "repetition_window")
    columns = COLUMNS if changed else COLUMNS[:2]
    if values["json"]:
        for prediction in predictions:
            console.write_json({name: getattr(prediction, name) for name in columns})
    elif console.is_terminal(sys.stdout):
        _draw(predictions, columns)
    else:
        rows = [(p.character, *map(repr, p[1 : len(columns)])) for p in predictions]
        console.write_rows(columns, rows)


def _draw(predictions: "Sequence[Prediction]", columns: Sequence[str]) -> None:
    """Draw a table with a bar for each probability; the longest bar is the greatest of them."""
    from rich import box
    from rich.bar import Bar
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE, header_style="bold", pad_edge=False)
    for name in columns:
        justify: Any = "left" if name == "character" else "right"
        table.add_column(name.replace("_", " "), justify=justify)
    table.add_column("")
    greatest = max(p.probability for p in predictions)
    for p in predictions:
        shown = "' '" if p.character == " " else console.printable(p.character)
        numbers = [f"{value:.4f}" for value in p[1 : len(columns)]]
        bar = Bar(greatest, 0, p.probability, width=BAR_WIDTH)
        table.add_row(Text(shown), *numbers, bar, style=None if p.probability else "dim")
    Console(file=sys.stdout, highlight=False).print(table)
