"""Seed phrases in the characters of a model."""

import unicodedata
from collections.abc import Iterator
from typing import Literal, get_args

from charlstm.errors import OptionError, UnknownCharacterError
from charlstm.model.model_file import Model
from charlstm.options import shown
from charlstm.text.vocabulary import Vocabulary

Unknown = Literal["error", "skip", "nearest"]
UNKNOWN: tuple[object, ...] = get_args(Unknown)


def known_text(
    text: str,
    vocabulary: Vocabulary,
    unknown: Unknown = "error",
    left_out: list[str] | None = None,
) -> str:
    r"""``text`` in characters of the vocabulary; those that it has stay as they are.

    With "error", one that it lacks raises UnknownCharacterError; with "skip" it is left out; with
    "nearest" it is composed with the marks that follow it, or decomposed (Unicode's forms NFC and
    NFD), or else becomes the closest that is known. What has nothing near it is left out, too,
    and added to ``left_out``, each character once. Raises OptionError for any other ``unknown``.

    >>> known_text("cafe\u0301", Vocabulary("acef\u00e9"), "nearest")
    'café'
    """
    if unknown not in UNKNOWN:
        raise OptionError(
            f"unknown is {shown(unknown)}; it must be one of {', '.join(map(repr, UNKNOWN))}"
        )
    missing = vocabulary.unknown(text)
    if not missing:
        return text
    if unknown == "error":
        raise UnknownCharacterError(missing)
    if unknown == "skip":
        return text.translate(dict.fromkeys(map(ord, missing)))
    lost: dict[str, None] = {}
    near = "".join(_nearest(cluster, vocabulary, lost) for cluster in _clusters(text))
    if left_out is not None:
        left_out += lost
    return near


def read_seed(
    model: Model, seed: str, unknown: Unknown = "error", left_out: list[str] | None = None
) -> str:
    """The seed phrase as the model will read it: in its case and its characters."""
    return known_text(model.text.cased(seed), model.vocabulary, unknown, left_out)


def _clusters(text: str) -> Iterator[str]:
    """Each character together with the marks that follow it: what may be composed."""
    start = 0
    for place, character in enumerate(text):
        if place > start and not _follows(character):
            yield text[start:place]
            start = place
    if text:
        yield text[start:]


def _follows(character: str) -> bool:
    """Whether a character is an accent, or a vowel or a final consonant of the Korean letters."""
    return unicodedata.category(character)[0] == "M" or "\u1160" <= character <= "\u11ff"


def _nearest(cluster: str, vocabulary: Vocabulary, lost: dict[str, None]) -> str:
    """A cluster in known characters; those that have nothing near go to ``lost``."""
    forms = (cluster, *(unicodedata.normalize(form, cluster) for form in ("NFC", "NFD")))
    for form in forms:
        if not vocabulary.unknown(form):
            return form
    near = []
    for character in cluster if cluster[0] in vocabulary else forms[1]:
        found = vocabulary.nearest(character)
        if found is not None:
            near.append(found)
        elif not (near and _follows(character)):  # a letter loses its accent without a word
            lost[character] = None
    return "".join(near)
