"""``charlstm inspect``: the model card."""

from typing import Annotated, Any

import typer

from charlstm.cli import completion, console, options
from charlstm.cli.loading import loaded
from charlstm.cli.options import with_options
from charlstm.cli.wording import NOTHING, counted, duration, nats, number
from charlstm.errors import OptionError
from charlstm.options import MODEL

VOCABULARY = 200  # characters shown of a vocabulary, which may have thousands
LONGEST = 4000  # characters shown of any other text: a megabyte in a table takes a second
# The first lines show these values, so that the rest need not, except for what is not a number.
SUMMED_UP = {
    "model": ("num_layers", "hidden_size"),
    "corpus": ("name", "characters"),
    "training": ("val_loss", "steps", "epochs", "seconds"),
}


@with_options(MODEL, "json", "command", "quiet")
def inspect(
    ctx: typer.Context,
    named: Annotated[
        str | None,
        typer.Argument(
            metavar="MODEL",
            show_default=False,
            help="The model, the same as -m.",
            autocompletion=completion.models,
        ),
    ] = None,
    **values: Any,
) -> None:
    """Show what a model is and how it was made.

    That is its corpus, sizes, loss, training and vocabulary, or the command that makes it again.

    charlstm inspect runs/play

    charlstm inspect --json | jq .training.val_loss
    """
    options.settle(ctx, values, ("json", "command"))
    if named is not None:
        if options.source(ctx, "model") == options.Source.COMMANDLINE:
            both = f"{named} and -m {values['model']}"
            raise OptionError(f"two models are named, {both}; leave one out")
        values["model"] = named
    model = loaded(values)
    card = model.card
    if values["json"]:
        console.write_json(card)
    elif values["command"]:
        console.write_line(card["command"])
    else:
        console.write_rows(("property", "value"), [("file", str(model.path)), *_lines(card)])


def _lines(card: dict[str, Any]) -> list[tuple[str, str]]:
    """The card as names and values for people: what matters first, then the rest."""
    model, corpus, training = card["model"], card["corpus"], card["training"]
    loss = number(training.get("val_loss"))
    lines = [
        ("corpus", _shown(f"{corpus['name']}, {corpus['characters']:,} characters")),
        ("sizes", f"{model['num_layers']} x {model['hidden_size']}"),
        ("parameters", f"{card['parameters']:,}"),
        ("validation loss", NOTHING if loss is None else nats(loss)),
        ("trained", _trained(training)),
    ]
    for layer in card["layers"]:
        values, parameters = f"{layer['values']:,} values", f"{layer['parameters']:,} parameters"
        lines.append((f"layer {layer['name']}", f"{values}, {parameters}"))
    if isinstance(pace := training.get("pace"), str):  # --command shows all of it
        training = {**training, "pace": counted(pace.count(","), "change")}
    for part in ("model", "corpus", "text", "training"):
        lines += [
            (_shown(f"{part} {name}".replace("_", " ")), _shown(value))
            for name, value in {**card, "training": training}[part].items()
            if name not in SUMMED_UP.get(part, ())
            or (part == "training" and value is not None and number(value) is None)
        ]
    characters = card["vocabulary"]
    lines.append(("vocabulary", f"{len(characters)} characters: {characters[:VOCABULARY]}"))
    lines.append(("command", "shown with --command"))
    return lines


def _trained(training: dict[str, Any]) -> str:
    """How long the model was trained, as far as the card has numbers for it."""
    steps, epochs, seconds = (number(training.get(name)) for name in ("steps", "epochs", "seconds"))
    parts = [] if steps is None else [counted(steps, "step")]
    parts += [] if epochs is None else [f"{epochs:.1f} epochs"]
    parts += [] if seconds is None else [duration(seconds)]
    return ", ".join(parts) or NOTHING


def _shown(value: Any) -> str:
    """A value as text, cut if it is very long; measured numbers have five figures."""
    if isinstance(value, float):
        return f"{value:.5g}"
    text = str(value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}... (all of it with --json)"
