"""The models that there are to name: those of the runs. Their weights are not read."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from charlstm.checkpoint import Card, load_card
from charlstm.errors import ModelFileError
from charlstm.runs import model_files


@dataclass(frozen=True)
class ListedModel:
    """A model and what is known of it; one that is damaged has a ``fault`` in place of a card."""

    name: str  # what -m takes
    path: Path
    modified: float  # when it was written, in seconds since 1970
    size: int  # bytes of all files of its run
    card: Card | None
    fault: str | None = None


def list_models() -> Iterator[ListedModel]:
    """The models of all runs below the working directory, the newest last.

    One that is removed meanwhile is left out.
    """
    for path in model_files():
        with suppress(OSError):
            card, fault = None, None
            try:
                card = load_card(path)
            except ModelFileError as error:
                fault = str(error)
            modified = path.stat().st_mtime
            yield ListedModel(str(path.parent), path, modified, _size(path.parent), card, fault)


def _size(directory: Path) -> int:
    """The bytes of the files in a run directory, links not followed."""
    return sum(path.lstat().st_size for path in directory.iterdir() if not path.is_dir())
