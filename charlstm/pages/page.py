"""A model in an HTML page that writes: one file with weights, network and all else.

The weights are float16 in base64. The page computes what ``charlstm.model.lstm`` and
``charlstm.generation`` compute, in JavaScript, and draws from the same random numbers.
"""

import base64
import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree.ElementTree import Element

import numpy as np

import charlstm
from charlstm.errors import ModelFileError, OptionError
from charlstm.files import write_atomically
from charlstm.language_model import LanguageModel
from charlstm.options import OPTIONS
from charlstm.pages.card import card, cut, name_of
from charlstm.pages.elements import html

if TYPE_CHECKING:
    from charlstm.analysis.cells import FoundCell

HERE = Path(__file__).parent
SCRIPT = ("text_view", "state", "settings", "writing", "expected", "proposals", "links", "start")
WORKER = ("engine", "worker")
SUFFIXES = (".html", ".htm")
BEGINNING = b"<!doctype html>\n<!-- Made by charlstm. -->\n"  # of every page, and of no other file
MOST_CHARACTERS = 20_000  # of a text that is open on the page
LENGTH = 1_000  # characters that the page writes if nothing else is asked for
# The text with which a page opens that has no other: each reader sees the same, and soon.
OPENING: dict[str, Any] = {"length": 400, "random-seed": "0"}
LONGEST_TITLE = 200  # characters
# Nothing may be requested: no image, style, font or script from anywhere. What is in the file
# itself is allowed by its hash. A browser that knows Trusted Types makes no markup of a text.
POLICY = (
    "default-src 'none'; script-src '{script}'; worker-src blob:; style-src '{style}'; "
    "base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'; trusted-types worker"
)


@dataclass(frozen=True, kw_only=True)
class View:
    """What the colours of a text show when the page is opened.

    ``kind`` is the surprisal, the value of a cell, or how far a gate is open. ``layer`` and
    ``unit`` count from 1; the unit 0 stands for the mean of the layer, and without a unit the layer
    0 for the mean of all.
    """

    kind: str = "surprisal"  # or "cell", "input", "forget", "output"
    layer: int = 0
    unit: int = 0


@dataclass(frozen=True, kw_only=True)
class Page:
    """What is on a page, beside the model and what it writes.

    ``text`` is open when the page is opened; without it the page opens with a text that the model
    writes there. ``cells`` are offered by name, and ``report`` stands above all.
    """

    title: str
    introduction: str
    text: str = ""
    cells: "Sequence[FoundCell]" = ()
    view: View = View()
    report: Sequence[Element] = field(default=(), repr=False)


def writing_page(model: LanguageModel, cells: "Sequence[FoundCell]" = ()) -> Page:
    """A page to write with, which opens with a text that the model writes."""
    return Page(
        title=f"In the style of {name_of(model)}",
        introduction=(
            "This page writes in the style of the text that it has learned from, character by "
            "character, and opens with a text of its own. All of it happens in your browser: "
            "nothing that you write leaves this page."
        ),
        cells=cells,
    )


def titled(page: Page, title: str | None) -> Page:
    """The page with a title that was asked for; the page as it is if none was."""
    return replace(page, title=cut(title, LONGEST_TITLE)) if title else page


def reading_page(
    model: LanguageModel, text: str, cells: "Sequence[FoundCell]" = (), view: View | None = None
) -> Page:
    """A page that reads ``text``, MOST_CHARACTERS of it at most."""
    return Page(
        title=f"How a model of {name_of(model)} reads a text",
        introduction=(
            "The colours show what happens in the network at each character of the text. Choose "
            "a character to see what the model expected there. The page can go on writing, too."
        ),
        text=text[:MOST_CHARACTERS],
        cells=cells,
        view=view or View(),
    )


def check_target(path: Path) -> None:
    """Raise OptionError if a page cannot be written to ``path``: only a page is ever replaced."""
    if path.suffix.lower() not in SUFFIXES:
        raise OptionError(f"is {str(path)!r}; its name must end in .html", "output")
    if path.exists() and not _is_page(path):
        raise OptionError(f"is {str(path)!r}, which exists and is no such page", "output")


def _is_page(path: Path) -> bool:
    """Whether a file is a page that this module wrote."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(len(BEGINNING)) == BEGINNING


def write_page(model: LanguageModel, page: Page, path: Path) -> None:
    """Write a page to ``path``, whole or not at all; equal models and pages give equal bytes.

    Raises OptionError as ``check_target`` does, and ModelFileError for weights beyond float16.
    """
    check_target(path)
    write_atomically(path, rendered(model, page))


def rendered(model: LanguageModel, page: Page) -> bytes:
    """The HTML of a page; ModelFileError for weights beyond float16."""
    style, script = _source("page.css"), _source(*(f"script/{name}.js" for name in SCRIPT))
    policy = POLICY.format(style=_hash(style), script=_hash(script))
    parts = {
        "policy": policy,
        "version": charlstm.__version__,
        "most": str(MOST_CHARACTERS),
        "title": escape(page.title),
        "introduction": escape(page.introduction),
        "style": style,
        "report": html(page.report),
        "card": html([card(model)]),
        "data": _json(_data(model, page)),
        "weights": coded_weights(model),
        "worker": _source(*(f"worker/{name}.js" for name in WORKER)),
        "script": script,
    }
    # All at once: what is put in is not searched for names of parts.
    made = re.sub(r"\{\{(\w+)\}\}", lambda found: parts[found[1]], _source("page.html"))
    data = made.encode()
    assert data.startswith(BEGINNING)
    return data


def coded_weights(model: LanguageModel) -> str:
    """The weights in base64: float16, little-endian, all tensors in the order of their names.

    That is the order of ``ModelConfig.parameter_shapes``. Raises ModelFileError for a weight that
    is too large for float16, above 65,504.
    """
    file = model.model_file
    tensors = [file.weights[name].ravel() for name in file.config.parameter_shapes()]
    with np.errstate(over="ignore"):
        halves = np.concatenate(tensors).astype("<f2")
    if not np.isfinite(halves).all():
        raise ModelFileError("the model's weights are too large for a page: above 65504")
    return base64.b64encode(halves.tobytes()).decode()


def _data(model: LanguageModel, page: Page) -> dict[str, Any]:
    """What the script of the page needs to know."""
    file = model.model_file
    return {
        "sizes": asdict(file.config),
        "vocabulary": file.vocabulary.characters,
        "lowercase": file.text.lowercase,
        "settings": {
            "temperature": OPTIONS["temperature"].default,
            "min-p": OPTIONS["min_p"].default,
            "top-k": OPTIONS["top_k"].default,
            "length": LENGTH,
        },
        "most": MOST_CHARACTERS,
        "text": page.text,
        "opening": OPENING,
        "cells": [
            {"property": c.property_name, "layer": c.layer, "unit": c.unit, "score": c.score}
            for c in page.cells
            if c.found
        ],
        "view": asdict(page.view),
    }


def _json(value: Any) -> str:
    """JSON that can stand in a script element: it has no character that could end the element."""
    return json.dumps(value, sort_keys=True).replace("<", "\\u003c")


def _source(*names: str) -> str:
    """Files of this room, one after the other."""
    return "\n".join((HERE / name).read_text(encoding="utf-8") for name in names)


def _hash(text: str) -> str:
    """The hash by which a content-security policy allows a script or a style of the page."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
