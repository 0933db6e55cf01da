"""The list of models: those that come with the program, and those of runs."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from charlstm.errors import ModelFileError
from charlstm.files import MODEL_FILE
from charlstm.model.locate import bundled_models, newest_files
from charlstm.model.model_file import Card, load_card


@dataclass(frozen=True)
class ListedModel:
    """A model and its card; a damaged model has a ``fault`` instead of a card."""

    name: str  # the run directory or the name of a bundled model, which ``load`` takes
    modified: float  # seconds since 1970
    size: int  # bytes of all files of the run
    card: Card | None
    fault: str | None = None
    bundled: bool = False


def list_models() -> Iterator[ListedModel]:
    """The bundled models, and those of all runs below the working directory, the newest last.

    Weights are not read. A model that is removed in the meantime is left out.
    """
    for name, path in bundled_models().items():
        with suppress(OSError):
            yield _listed(name, path, [path], bundled=True)
    for path in newest_files([MODEL_FILE]):
        with suppress(OSError):
            files = [child for child in path.parent.iterdir() if not child.is_dir()]
            yield _listed(str(path.parent), path, files, bundled=False)


def _listed(name: str, path: Path, files: Sequence[Path], *, bundled: bool) -> ListedModel:
    """A model with its card, or with what is wrong with it; OSError where it is gone."""
    card, fault = None, None
    try:
        card = load_card(path)
    except ModelFileError as error:
        fault = str(error)
    size = sum(file.lstat().st_size for file in files)
    return ListedModel(name, path.stat().st_mtime, size, card, fault, bundled)
