"""The losses of runs as a picture in a file, drawn by matplotlib."""

import logging
import warnings
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from charlstm.cli.chart import points
from charlstm.cli.console import printable
from charlstm.errors import CharLSTMError, OptionError

if TYPE_CHECKING:
    from charlstm.analysis.curves import History

# The kinds of pictures by suffix, and with which bytes their files begin.
BEGINNINGS = {".svg": b"<?xml", ".png": b"\x89PNG"}
INCHES = (8.0, 4.8)
DOTS_PER_INCH = 150
# Of these colours (Okabe and Ito 2008) people of any colour vision can tell two apart.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")


def write_picture(histories: "Sequence[History]", by: str, path: Path) -> None:
    """Write the chart to ``path``, in the format of its suffix.

    The same runs give the same bytes. A picture of the same kind is replaced, any other file is
    not. Raises OptionError for such a file and another suffix, and CharLSTMError if matplotlib is
    not installed.
    """
    from charlstm.files import write_atomically

    kind = path.suffix.lower()
    if kind not in BEGINNINGS:
        raise OptionError(f"is {str(path)!r}; its name must end in .svg or .png", "plot")
    if path.exists():
        replaceable = path.is_file() and path.open("rb").read(8).startswith(BEGINNINGS[kind])
        if not replaceable:
            raise OptionError(f"is {str(path)!r}, which exists and is no such picture", "plot")
    write_atomically(path, _drawn(histories, by, kind[1:]))


def _drawn(histories: "Sequence[History]", by: str, kind: str) -> bytes:
    """The bytes of the picture, which do not depend on matplotlib's settings on this machine."""
    logging.getLogger("matplotlib").setLevel(logging.ERROR)  # it tells of its font cache
    try:
        from matplotlib import style
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        fault = "matplotlib is not installed; install it with: pip install matplotlib"
        raise CharLSTMError(fault) from error
    data = BytesIO()
    metadata = {"Date": None} if kind == "svg" else {"Software": None}
    with style.context(["default", {"svg.hashsalt": "charlstm"}]), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a font may lack characters of a run's name
        figure = Figure(figsize=INCHES, layout="constrained")
        FigureCanvasAgg(figure)
        _fill(figure.add_subplot(), histories, by)
        figure.savefig(data, format=kind, dpi=DOTS_PER_INCH, metadata=metadata)
    return data.getvalue()


def _fill(axes: Any, histories: "Sequence[History]", by: str) -> None:
    """Draw the losses and what explains them."""
    for number, found in enumerate(histories):
        name, own = printable(found.name), COLOURS[number % len(COLOURS)]
        of_marks = COLOURS[1] if len(histories) == 1 else own
        axes.plot(*points(found.training, by), color=own, linewidth=1, label=f"training, {name}")
        axes.plot(
            *points(found.validation, by),
            color=of_marks, linewidth=1.5, linestyle="--", marker="o", markersize=4,
            label=f"validation, {name}",
        )  # fmt: skip
    axes.set_xlabel("time (seconds)" if by == "seconds" else by)
    axes.set_ylabel("loss (nats per character)")
    axes.grid(visible=True, alpha=0.3)
    for text in axes.legend().get_texts():
        text.set_parse_math(False)  # a name may have a dollar sign
