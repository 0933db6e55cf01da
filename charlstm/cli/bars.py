"""Bars on a terminal that show how far a piece of work is; elsewhere nothing is shown."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from charlstm.cli import console

if TYPE_CHECKING:
    from tqdm import tqdm

DELAY = 2.0  # seconds; what takes less time needs no bar


def tqdm_bar(unit: str, *, quiet: bool, **how: Any) -> "tqdm[Any]":
    """A bar on stderr that vanishes when it is closed; ``how`` are other arguments of tqdm."""
    from tqdm import tqdm

    return tqdm(
        unit=unit,
        unit_scale=True,
        file=sys.stderr,
        disable=quiet or not console.is_terminal(sys.stderr),
        dynamic_ncols=True,
        leave=False,
        **how,
    )


@contextmanager
def bar(doing: str, *, quiet: bool) -> Iterator[Callable[[int, int | None], None]]:
    """A bar for work on a text, if that takes a while; ``doing`` is a word such as reading.

    The function that it gives is told how many characters are done, and of how many if that is
    known.
    """
    with tqdm_bar(" char", quiet=quiet, desc=doing, delay=DELAY) as shown:

        def show(done: int, total: int | None) -> None:
            shown.total = total
            shown.update(done - shown.n)

        yield show
