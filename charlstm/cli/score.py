"""``charlstm score``: how surprising texts, their lines or their characters are to a model."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import compress
from typing import TYPE_CHECKING, Annotated, Any

import typer

from charlstm.cli import bars, console, reading
from charlstm.cli.loading import loaded
from charlstm.cli.options import settle, with_options
from charlstm.errors import CorpusError, OptionError, UnknownCharacterError, unknown_note
from charlstm.options import MODEL, ROWS, TEXT

if TYPE_CHECKING:
    from charlstm import LanguageModel, Score
    from charlstm.text.decoding import TextOptions
    from charlstm.text.vocabulary import Unknown

Records = list[dict[str, Any]]
COLUMNS = {  # of the rows for each kind of part
    "files": ("bits_per_char", "characters", "unknown", "file"),
    "lines": ("bits_per_char", "characters", "unknown", "line"),
    "chars": ("bits", "character"),
}


MOST_UNKNOWN = 0.01  # of a text; above this share its number says more of them than of the text


@with_options(
    *("lines", ROWS, "encoding", "unknown", MODEL, "json", "quiet"),
    lines={"kind": bool, "default": False, "group": ROWS, "help": "Print a row for each line."},
    encoding={"group": TEXT},
    unknown={
        "group": TEXT,
        "help": "What to do with a character that the model does not know; skip counts it "
        "as the least probable one.",
    },
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

    There is one row for each file: bits per character, number of characters, the share of them
    that the model does not know, and name. A text that resembles the corpus of the model has a
    small number. In a pipe, rows are tab-separated lines without a header.

    charlstm score --lines < names.txt | sort -n | head
    """
    from charlstm.text.decoding import TextOptions

    settle(ctx, values, ("lines", "chars"))
    parts = next((name for name in ("lines", "chars") if values[name]), "files")
    text = TextOptions(encoding=values["encoding"])
    files = files or ["-"]
    if files.count("-") > 1:
        raise OptionError("standard input is named twice; name a file for one")
    model = loaded(values)
    console.say_if_typed(files, quiet=values["quiet"])
    scoring = Scoring(model, text, values["unknown"], values["quiet"])
    records = {"files": scoring.whole, "lines": scoring.lines, "chars": scoring.characters}[parts]
    columns = COLUMNS[parts]
    if len(files) > 1 and "file" not in columns:
        columns += ("file",)
    rows = console.Rows(columns, json=values["json"])
    complete = True
    for file in files:
        try:
            for together in records(file):
                rows.write({**record, "file": file} for record in together)
        except (CorpusError, OptionError) as error:  # the other files can still be scored
            from charlstm.cli.hints import explained

            console.error(explained(error))
            complete = False
    if scoring.unreadable or not complete:
        raise typer.Exit(1)


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
        tally = Tally()
        for part in self._scores(file, bar=True):
            tally.add(part)
        mean = tally.bits / tally.characters if tally.characters else None
        yield [{"bits_per_char": mean, "characters": tally.characters, "unknown": tally.share}]

    def lines(self, file: str) -> Iterator[Records]:
        """A row for each line, as soon as it is there."""
        label = "" if file == "-" else f"{file}: "
        tally = Tally()
        for block in reading.lines_in(file, self.text, quiet=self.quiet):
            texts = [*self._readable(block, label)]
            scores = self.model.score_many(
                (text for text in texts if text is not None), unknown=self.unknown
            )
            rows = []
            for (number, line), text in zip(block, texts, strict=True):
                score = None if text is None else next(scores)
                rows.append({**_measures(score), "line": line, "number": number})
                if score is not None:
                    tally.add(score)
            yield rows
        self._warn(file, tally)

    def characters(self, file: str) -> Iterator[Records]:
        """A row for each character."""
        position = 1
        for part in self._scores(file, bar=not sys.stdout.isatty()):
            values = zip(part.bits.tolist(), part.text, part.is_unknown.tolist(), strict=True)
            yield [
                {"bits": bits, "character": character, "unknown": unknown, "position": i}
                for i, (bits, character, unknown) in enumerate(values, position)
            ]
            position += part.characters

    def _readable(self, block: list[tuple[int, str]], label: str) -> Iterator[str | None]:
        """The lines; None for one that the model cannot read, which is reported."""
        if self.unknown != "error":
            return (line for _, line in block)
        return reading.known_lines(
            self.model,
            block,
            self.unknown,
            self.unreadable,
            label=label,
            measured=True,
            quiet=self.quiet,
        )

    def _scores(self, file: str, *, bar: bool) -> "Iterator[Score]":
        """The scores of a file's text, in parts; a ``bar`` may stand on the terminal meanwhile."""
        pieces = reading.text_in(file, self.text, quiet=self.quiet)
        tally = Tally()
        try:
            with bars.bar("reading", quiet=self.quiet or not bar) as progress:
                for part in self.model.score_pieces(
                    pieces, unknown=self.unknown, progress=progress
                ):
                    tally.add(part)
                    yield part
        except UnknownCharacterError as error:
            label = reading.label_of(file)
            raise UnknownCharacterError(error.characters, label, measured=True) from error
        self._warn(file, tally)

    def _warn(self, file: str, tally: "Tally") -> None:
        """Say it if a file had many unknown characters."""
        if tally.share > MOST_UNKNOWN:
            console.say(
                f"{reading.label_of(file)}: {unknown_note(tally.share, ''.join(tally.kinds))}",
                quiet=self.quiet,
            )


@dataclass
class Tally:
    """Sums over the parts of a file; ``kinds`` are its unknown characters, each once."""

    bits: float = 0.0
    characters: int = 0
    unknown: int = 0
    kinds: dict[str, None] = field(default_factory=dict)

    def add(self, part: "Score") -> None:
        """Count a part."""
        self.bits += float(part.bits.sum())
        self.characters += part.characters
        self.unknown += int(part.is_unknown.sum())
        self.kinds |= dict.fromkeys(compress(part.text, part.is_unknown))

    @property
    def share(self) -> float:
        """The share of the characters that are unknown."""
        return self.unknown / self.characters if self.characters else 0.0


def _measures(score: "Score | None") -> dict[str, Any]:
    """The numbers in the row of a line; they are unknown for a line that cannot be read."""
    names = ("bits_per_char", "characters", "unknown")
    return {name: None if score is None else getattr(score, name) for name in names}
