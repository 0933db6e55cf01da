"""``charlstm score``: how surprising texts, their lines or their characters are to a model."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any

import typer

from charlstm.cli import console, reading
from charlstm.cli.loading import loaded
from charlstm.cli.options import strongest, with_options
from charlstm.errors import OptionError
from charlstm.options import MODEL, ROWS, TEXT

if TYPE_CHECKING:
    from charlstm import LanguageModel, Score
    from charlstm.text.decoding import TextOptions
    from charlstm.text.vocabulary import Unknown

Records = list[dict[str, Any]]
COLUMNS = {  # of the rows for each kind of part
    "files": ("bits_per_char", "characters", "file"),
    "lines": ("bits_per_char", "characters", "line"),
    "chars": ("bits", "character"),
}


@with_options(
    *("lines", ROWS, "encoding", "unknown", MODEL, "json", "quiet"),
    lines={"kind": bool, "default": False, "group": ROWS, "help": "Print a row for each line."},
    encoding={"group": TEXT},
    unknown={"group": TEXT, "help": "What to do with a character that the model does not know."},
    json={"help": "Print one JSON object for each row, on one line."},
)
def score(
    ctx: typer.Context,
    files: Annotated[
        list[str] | None,
        typer.Argument(metavar="FILE...", help="Texts, or - for standard input, the default."),
    ] = None,
    **values: Any,
) -> None:
    """Show how surprising texts are to a model.

    There is one row for each file: bits per character, number of characters, and name. A text that
    resembles the corpus of the model has a small number. In a pipe, rows are tab-separated lines
    without a header.

    charlstm score --lines < names.txt | sort -n | head
    """
    from charlstm.text.decoding import TextOptions

    parts = _parts(ctx, values)
    text = TextOptions(encoding=values["encoding"])
    files = files or ["-"]
    for file in files:
        reading.check_name(file)
    model = loaded(values)
    console.say_if_typed(files, quiet=values["quiet"])
    scoring = Scoring(model, text, values["unknown"], values["quiet"])
    records = {"files": scoring.whole, "lines": scoring.lines, "chars": scoring.characters}[parts]
    columns = COLUMNS[parts]
    if len(files) > 1 and "file" not in columns:
        columns += ("file",)
    rows = console.Rows(columns, json=values["json"])
    for file in files:
        for together in records(file):
            rows.write({**record, "file": file} for record in together)
    if scoring.unreadable:
        raise typer.Exit(1)


def _parts(ctx: typer.Context, values: dict[str, Any]) -> str:
    """The parts that have a row each: ``files``, ``lines`` or ``chars``.

    Of two options the one from the stronger source is used. Raises OptionError if it gives both.
    """
    given = [name for name in ("lines", "chars") if values[name]]
    given = strongest(ctx, given) if given else ["files"]
    if len(given) > 1:
        raise OptionError("--lines and --chars do not go together; leave one out")
    return given[0]


@dataclass(frozen=True)
class Scoring:
    """How files are scored; ``unreadable`` gets the numbers of lines that cannot be read.

    The methods yield the rows of a file, those together that were computed together.
    """

    model: "LanguageModel"
    text: "TextOptions"
    unknown: "Unknown"
    quiet: bool
    unreadable: list[int] = field(default_factory=list)

    def whole(self, file: str) -> Iterator[Records]:
        """One row, for the file."""
        bits, characters = 0.0, 0
        for part in self._scores(file):
            bits += float(part.bits.sum())
            characters += part.characters
        mean = bits / characters if characters else None
        yield [{"bits_per_char": mean, "characters": characters}]

    def lines(self, file: str) -> Iterator[Records]:
        """A row for each line, as soon as it is there."""
        label = "" if file == "-" else f"{file}: "
        for block in reading.lines_in(file, self.text):
            known = reading.known_lines(
                self.model, block, self.unknown, self.unreadable, label=label, quiet=self.quiet
            )
            texts = list(known)
            scores = self.model.score_many(text for text in texts if text is not None)
            yield [
                {
                    **_measures(None if text is None else next(scores)),
                    "line": line,
                    "number": number,
                }
                for (number, line), text in zip(block, texts, strict=True)
            ]

    def characters(self, file: str) -> Iterator[Records]:
        """A row for each character."""
        position = 1
        for part in self._scores(file):
            measured = enumerate(zip(part.bits.tolist(), part.text, strict=True), position)
            yield [
                {"bits": bits, "character": character, "position": i}
                for i, (bits, character) in measured
            ]
            position += part.characters

    def _scores(self, file: str) -> "Iterator[Score]":
        """The scores of a file's text, in parts."""
        pieces = reading.text_in(file, self.text)
        label = "standard input" if file == "-" else file
        return self.model.score_pieces(
            reading.known_pieces(self.model, pieces, self.unknown, label=label, quiet=self.quiet)
        )


def _measures(score: "Score | None") -> dict[str, Any]:
    """The numbers in the row of a line; they are unknown for a line that cannot be read."""
    if score is None:
        return {"bits_per_char": None, "characters": None}
    return {"bits_per_char": score.bits_per_char, "characters": score.characters}
