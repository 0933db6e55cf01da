"""``charlstm report``: one page about a training run."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from charlstm.cli import bars, completion, console, reading
from charlstm.cli.downloads import fetch
from charlstm.cli.loading import compute_with_one_thread, found_elsewhere
from charlstm.cli.options import AS_THE_MODEL, file_to_write, with_options
from charlstm.errors import CharLSTMError
from charlstm.options import SHOWN

if TYPE_CHECKING:
    from charlstm import LanguageModel
    from charlstm.pages.report import OwnText


@with_options(
    *("output", "title", "corpus", "glob", "encoding", "random_seed", "quiet"),
    output={"metavar": "FILE", "help": "File to write: FILE.html."},
    corpus={
        "group": SHOWN,
        "help": "The text of the run, if it is not where it was. May be repeated.",
    },
    **AS_THE_MODEL,
    random_seed={"group": SHOWN, "default": 0, "help": "Random seed of the texts it writes."},
)
def report(
    run: Annotated[
        str | None,
        typer.Argument(
            metavar="RUN",
            show_default=False,
            help="A run.  [default: the newest run]",
            autocompletion=completion.runs,
        ),
    ] = None,
    **values: Any,
) -> None:
    """Write a page about a training run; print its path.

    It has the losses, what the model reaches beside simpler predictors, texts that it writes and
    how much of them is copied, the command that repeats the run, and the model itself, which writes
    in the browser.

    charlstm report runs/play -o play.html
    """
    compute_with_one_thread()
    from charlstm import load
    from charlstm.analysis.curves import read_history
    from charlstm.pages.page import check_target, titled, write_page
    from charlstm.pages.report import report_page

    path, quiet = file_to_write(values), values["quiet"]
    check_target(path)
    history = read_history(run)
    if run is None or found_elsewhere(run, history.path):
        console.say(f"run: {history.name}", quiet=quiet)
    model = load(history.path.parent)
    console.say("reading the text of the run and writing samples", quiet=quiet)
    text = _own_text(model, history.path.parent, values)
    with bars.bar("writing", quiet=quiet) as progress:
        page = report_page(model, history, text, values["random_seed"], progress)
    write_page(model, titled(page, reading.title_of(values)), path)
    console.write_line(str(path))


def _own_text(model: "LanguageModel", directory: Path, values: dict[str, Any]) -> "OwnText | None":
    """What is measured on the text of the run; None, and a message, if it is not where it was."""
    from charlstm.pages.report import read_own_text, sources_of

    sources, how = values["corpus"], {}
    if sources:
        fetch(sources, quiet=values["quiet"])
        how = {"encoding": values["encoding"], "glob": values["glob"]}
    try:
        with bars.bar("reading", quiet=values["quiet"]) as progress:
            own = sources or sources_of(directory)
            return read_own_text(model, own, **how, progress=progress)
    except CharLSTMError as error:
        if sources:
            raise
        lacking = "so the page lacks what is measured on that text; name it with --corpus"
        console.say(error.message, lacking, quiet=values["quiet"])
        return None
