"""What a page says of the model in it: what it has read, how it was made, how good it is."""

import re
from typing import Any
from xml.etree.ElementTree import Element

from charlstm.language_model import LanguageModel
from charlstm.pages.elements import Child, element, table

LONGEST = 4000  # characters of a text on the card
LARGEST = 1e15  # of a number on the card
DECEPTIVE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]"
)


def name_of(model: LanguageModel) -> str:
    """What the model is called: by the text that it learned from."""
    return cut(str(model.card["corpus"]["name"]), 200) or "a text"


def card(model: LanguageModel) -> Element:
    """The card as a table. A card may come from anyone; what it lacks is left out."""
    all_of_it = model.card
    training, sizes = all_of_it["training"], all_of_it["model"]
    corpus = f"{name_of(model)}, {all_of_it['corpus']['characters']:,} characters"
    parameters = f"{all_of_it['parameters']:,} parameters"
    vocabulary = all_of_it["vocabulary"]
    rows: list[tuple[str, Child]] = [("Learned from", corpus)]
    rows += _texts(training, {"texts": "Texts", "licence": "Licence of the texts"})
    network = f"an LSTM with {sizes['num_layers']} layers of {sizes['hidden_size']} units"
    rows.append(("Network", f"{network}, {parameters}"))
    if (loss := _number(training, "val_loss")) is not None:
        unseen = "" if not _number(training, "validation_read") else ", some of which it had read"
        rows.append(("Validation loss", f"{loss:.3f} nats per character{unseen}"))
    steps, seconds = _number(training, "steps"), _number(training, "seconds")
    if steps is not None and seconds is not None:
        rows.append(("Trained", f"{steps:,.0f} steps in {seconds:,.0f} seconds"))
    if training.get("init_from", "none") != "none":
        rows += _texts(training, {"init_from": "Begun from"})
    characters = cut(vocabulary.replace("\n", "\u21b5"), LONGEST)
    rows.append((f"Its {len(vocabulary):,} characters", element("code", characters, dir="auto")))
    command = element("code", cut(all_of_it["command"], LONGEST))
    shown = element("details", element("summary", "Show the command"), command)
    rows.append(("How to make it again", shown))
    return table(rows)


def cut(text: str, longest: int) -> str:
    r"""A text, cut where it is longer, and without characters that are not what they seem.

    These are control characters, halves of surrogate pairs, and marks that change the direction of
    the text around them: the command on a card is there to be copied.

    >>> cut("a\x00bcdef", 4)
    'a�bc...'
    """
    kept = text if len(text) <= longest else f"{text[:longest]}..."
    return DECEPTIVE.sub("\ufffd", kept)


def _texts(training: dict[str, Any], names: dict[str, str]) -> list[tuple[str, Child]]:
    """The rows of a card that are texts, as far as it has them."""
    found = ((title, training.get(name)) for name, title in names.items())
    return [(title, cut(text, LONGEST)) for title, text in found if text and isinstance(text, str)]


def _number(training: dict[str, Any], name: str) -> float | None:
    """A number of a card that has a meaning, None if it has none of that name."""
    value = training.get(name)
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    return value if -LARGEST < value < LARGEST else None  # not, if it is nan
