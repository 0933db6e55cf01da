"""The directory of a new run: chosen, made and locked, and left as found if nothing comes of it.

Free of torch.
"""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from itertools import count
from pathlib import Path
from stat import S_ISDIR

from charlstm.errors import CharLSTMError, OptionError, TrainingError
from charlstm.files import MODEL_FILE, STATE_FILE, leftovers, sweep, sync_directory
from charlstm.model.locate import CONFIG_FILE, METRICS_FILE, RUNS
from charlstm.training.lock import LOCK_FILE, locked

LONGEST_NAME = 100
FILES = (MODEL_FILE, STATE_FILE, METRICS_FILE, CONFIG_FILE)


def check_output(output: Path) -> None:
    """Raise OptionError if ``output`` holds anything: nothing that exists is written over.

    What a killed training left before it had a state does not count.
    """
    try:
        found = set(output.iterdir()) if output.exists() else set()
        empty = not found - {output / LOCK_FILE, *leftovers_in(output)}
    except OSError as error:
        raise _no_directory(output, error) from error
    if not empty:
        code = "run exists" if (output / STATE_FILE).exists() else "output"
        raise OptionError(f"{output}: exists and is not empty", code=code, directory=output)


@contextmanager
def new_run(output: Path | None, corpus_name: str) -> Iterator[Path]:
    """An empty, locked directory: ``output``, or the first free ``runs/<corpus name>[-N]``.

    Free is also what a killed training left before it had a state. If the block fails before there
    is a state, the directory is left as it was found. Raises OptionError for an ``output`` that
    holds anything, TrainingError where another training is faster, and CharLSTMError where no
    directory can be made.
    """
    with ExitStack() as held:
        directory, made = _begun(output, corpus_name, held)
        try:
            clear(directory)
            sync_directory(directory.parent)
            yield directory
        except BaseException:
            if not (directory / STATE_FILE).exists():
                with suppress(OSError):
                    (directory / LOCK_FILE).unlink()
                    if made:
                        directory.rmdir()
            raise


def clear(directory: Path) -> None:
    """Remove ``leftovers_in`` the directory; the lock must be held."""
    for name in FILES:
        sweep(directory / name)


def leftovers_in(directory: Path) -> list[Path]:
    """The unfinished files of a training that was killed."""
    return [path for name in FILES for path in leftovers(directory / name)]


def _begun(output: Path | None, corpus_name: str, held: ExitStack) -> tuple[Path, bool]:
    """A directory for ``new_run``, whose lock is ``held``, and whether it may be removed again."""
    for directory in _names(corpus_name) if output is None else [output]:
        try:
            check_output(directory)
        except CharLSTMError:
            if output is not None or not os.path.lexists(directory):
                raise
            continue
        made = output is None or not directory.exists()
        try:
            directory.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise _no_directory(directory, error) from error
        try:
            held.enter_context(locked(directory))
            check_output(directory)
            break
        except (OptionError, TrainingError):  # another training was faster
            if output is not None:
                raise
            held.close()
    return directory, made


def _names(corpus_name: str) -> Iterator[Path]:
    """The directories below RUNS for a corpus of that name, without those that are anything else.

    A link is left out, too: it may lead anywhere.
    """
    # The name of a corpus may come from a dataset of unknown origin.
    plain = "".join(c if c.isprintable() and c != os.sep else "-" for c in corpus_name)
    name = plain.lstrip(".")[:LONGEST_NAME] or "corpus"
    for number in count(1):
        directory = RUNS / (name if number == 1 else f"{name}-{number}")
        if not os.path.lexists(directory) or S_ISDIR(directory.lstat().st_mode):
            yield directory


def _no_directory(directory: Path, error: OSError) -> CharLSTMError:
    return CharLSTMError(f"{directory}: cannot be a run directory: {error.strerror}", "output")
