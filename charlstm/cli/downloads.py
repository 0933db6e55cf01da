"""Texts of the catalogue that a command needs: their download, with a bar on a terminal."""

import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from charlstm.cli import console
from charlstm.cli.bars import tqdm_bar
from charlstm.cli.wording import size

if TYPE_CHECKING:
    from charlstm.text.catalogue import CatalogueText

MIRROR = "CHARLSTM_CORPUS_URL"  # the variable of ``corpus --url``, which all commands heed


def fetch(sources: Iterable[str], *, quiet: bool) -> None:
    """Download the sources that are names in the catalogue, and say which text is meant.

    What is on this machine already is not downloaded again. The library finds the files itself.
    """
    from charlstm.text.sources import is_catalogue_name

    names = [source for source in sources if is_catalogue_name(source)]
    if not names:
        return
    from charlstm.text.catalogue import catalogue

    texts = catalogue()
    for name in names:
        if name in texts:
            text = texts[name]
            download(text, os.environ.get(MIRROR) or None, quiet=quiet)
            console.say(f"{name}: {text.title}, {text.author}, from the catalogue", quiet=quiet)


def download(text: "CatalogueText", url: str | None, *, quiet: bool) -> Path:
    """The path of a text's file, which is downloaded from its address or a mirror's if need be."""
    from charlstm.text import catalogue

    address = catalogue.address_of(text, url)
    if address is None or text.is_present():
        return catalogue.download(text, url=url)
    if os.path.lexists(text.path):
        console.say(f"{text.path}: not the text of the catalogue, downloaded again", quiet=quiet)
    if not console.is_terminal(sys.stderr):
        console.say(f"{text.name}: downloading {size(text.size)} from {address}", quiet=quiet)
    with tqdm_bar("B", quiet=quiet, desc=text.name, total=text.size) as shown:
        return catalogue.download(text, url=url, progress=shown.update)
