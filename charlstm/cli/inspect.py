"""``charlstm inspect``: the model card."""

from typing import Any

from charlstm.cli import console, options

VOCABULARY = 200  # characters shown of a vocabulary that may have thousands,
LONGEST = 4000  # and of any other text: to lay out a megabyte in a table takes a second


def inspect(
    model: options.Model = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Show what a model is and how it was made.

    Sizes, vocabulary, corpus, training, and the command that makes the model again.

    charlstm inspect --json | jq .training.val_loss
    """
    from charlstm.checkpoint import load_model
    from charlstm.runs import find_model

    path = find_model(model)
    loaded = load_model(path)
    if model is None:
        console.say(f"model: {path}", quiet=quiet)
    card = {**loaded.describe(), "parameters": loaded.config.parameters}
    if json:
        console.write_json(card)
        return
    console.write_rows(("property", "value"), [("file", str(path)), *_lines(card)])


def _lines(card: dict[str, Any]) -> list[tuple[str, str]]:
    """The card as names and values to be read by a person."""
    lines = [("parameters", f"{card['parameters']:,}")]
    for part in ("model", "corpus", "text", "training"):
        lines += [
            (_shown(f"{part} {name}".replace("_", " ")), _shown(value))
            for name, value in card[part].items()
        ]
    characters = card["vocabulary"]
    lines.append(("vocabulary", f"{len(characters)} characters: {characters[:VOCABULARY]}"))
    lines.append(("command", _shown(card["command"])))
    return lines


def _shown(value: Any) -> str:
    """A value on one line; measured numbers to five figures."""
    if isinstance(value, float):
        return f"{value:.5g}"
    text = str(value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}... (all of it with --json)"
