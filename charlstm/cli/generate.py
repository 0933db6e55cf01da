"""``charlstm generate``: new text on stdout, streamed or text by text."""

import os
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from charlstm.cli import console, options, reading, wording, writing
from charlstm.cli.stop import Stop, end_by
from charlstm.errors import OptionError
from charlstm.options import TEXT_FILES

if TYPE_CHECKING:
    from charlstm.analysis.line_filter import LineFilter
    from charlstm.model.model_file import ModelFile


class Unknown(StrEnum):
    """What to do with a character that the model never saw."""

    ERROR = "error"
    SKIP = "skip"
    NEAREST = "nearest"


def _option(name: str, words: str, metavar: str = "N", *names: str) -> Any:
    return typer.Option(name, *names, metavar=metavar, help=words)


def _flag(name: str, words: str, *names: str) -> Any:
    return typer.Option(name, *names, help=words)


def generate(
    ctx: typer.Context,
    phrase: Annotated[
        str,
        typer.Argument(
            metavar="PROMPT", help="The seed phrase: the text to go on from; - is stdin."
        ),
    ] = "",
    model: options.Model = None,
    seed: Annotated[str, _option("--seed", "The same as PROMPT.", "TEXT", "--prompt")] = "",
    seed_file: Annotated[
        str | None, _option("--seed-file", "The seed phrase is all of FILE; - is stdin.", "FILE")
    ] = None,
    each_line: Annotated[
        bool, _flag("--each-line", "Complete each line of the seed file (stdin): a filter.")
    ] = False,
    escapes: Annotated[
        bool, _flag("--escapes", "Read \\n \\t \\0 \\\\ \\xHH \\uHHHH in texts given here.", "-e")
    ] = False,
    length: Annotated[
        int | None,
        _option("--length", "Characters to write [1000, a line of --lines]; 0: no end.", "N", "-n"),
    ] = None,
    lines: Annotated[int | None, _option("--lines", "End after N lines.")] = None,
    stop: Annotated[
        list[str] | None, _option("--stop", "End before TEXT; may be given again.", "TEXT")
    ] = None,
    temperature: Annotated[
        float, _option("--temperature", "Below 1 safer, above 1 bolder; 0 is greedy.", "T", "-t")
    ] = 0.7,
    top_k: Annotated[
        int, _option("--top-k", "Draw from the K most probable characters; 0: all.", "K")
    ] = 0,
    top_p: Annotated[
        float, _option("--top-p", "Draw from the fewest that make up probability P.", "P")
    ] = 1.0,
    min_p: Annotated[
        float, _option("--min-p", "Draw from what has P of the best one's probability.", "P")
    ] = 0.0,
    repetition_penalty: Annotated[
        float, _option("--repetition-penalty", "Divide the probability of recent ones by R.", "R")
    ] = 1.0,
    repetition_window: Annotated[
        int, _option("--repetition-window", "Recent are the last N characters.")
    ] = 64,
    ban: Annotated[str, _option("--ban", "Characters that are never written.", "CHARS")] = "",
    novel: Annotated[
        int | None, _option("--novel", "Throw away lines that copy N characters of --corpus.")
    ] = None,
    new_lines: Annotated[
        bool, _flag("--new-lines", "Throw away lines that --corpus has as lines.")
    ] = False,
    unique: Annotated[bool, _flag("--unique", "Throw away lines that came before.")] = False,
    corpus: Annotated[
        list[str] | None,
        _option("--corpus", "What --novel and --new-lines compare with; repeatable.", "CORPUS"),
    ] = None,
    glob: options.Glob = TEXT_FILES,
    random_seed: Annotated[
        int | None,
        _option(
            "--random-seed", "Of the draws (--seed is the seed phrase); drawn and named by default."
        ),
    ] = None,
    samples: Annotated[int, _option("--samples", "Write N texts.")] = 1,
    separator: Annotated[
        str | None, _option("--separator", "Write TEXT after each text [a line end].", "TEXT")
    ] = None,
    json: Annotated[bool, _flag("--json", "One JSON object a text, one a line.")] = False,
    load_state: Annotated[
        Path | None, _option("--load-state", "Go on where FILE was saved.", "FILE")
    ] = None,
    save_state: Annotated[
        Path | None, _option("--save-state", "Save where the text ended, to go on later.", "FILE")
    ] = None,
    echo: Annotated[bool, _flag("--echo/--no-echo", "Print the seed phrase first, or not.")] = True,
    unknown: Annotated[
        Unknown, typer.Option("--unknown", help="A character of the seed that the model never saw.")
    ] = Unknown.ERROR,
    raw: Annotated[bool, _flag("--raw", "Pass control characters to the terminal.")] = False,
    quiet: options.Quiet = False,
) -> None:
    """Write new text in the style of the corpus, from a seed phrase.

    charlstm generate "Is this a dagger" -n 400 | fold -s

    charlstm generate --samples 20 --lines 1 --json | jq -r .text
    """
    given = reading.phrase_of(ctx)
    each_line = given.each_line
    _check_together(
        {
            "--each-line": given.each_line,
            "--lines": lines is not None,
            "--samples": samples != 1,
            "--separator": separator is not None,
            "--json": json,
            "--load-state": load_state is not None,
            "--save-state": save_state is not None,
        }
    )
    _check_corpus(corpus, novel, new_lines)
    options.check_states(load_state=load_state, save_state=save_state)
    if given.file == "-" and "-" in (corpus or ()):
        raise OptionError("seed phrase and corpus are both standard input; name a file for one")

    def text(value: str, option: str) -> str:
        # An argument's bytes are UTF-8 here, whatever the locale made of them.
        value = os.fsencode(value).decode("utf-8", "surrogateescape")
        if not escapes:
            return value
        from charlstm.cli.escapes import unescaped

        return unescaped(value, option)

    phrase = text(given.text, given.name)
    banned = text(ban, "--ban")
    stops = [text(value, "--stop") for value in stop or ()]
    closing = None if separator is None else text(separator, "--separator")

    # One thread: at one character a call a second only contends, and how a product is split
    # would change its rounding. It must be said before numpy is imported.
    for variable in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"):
        os.environ[variable] = "1"
    import numpy as np

    from charlstm.generation import text_stream as texts
    from charlstm.generation.sampling import Sampling
    from charlstm.generation.stream import drawn_seed
    from charlstm.model.locate import find_model
    from charlstm.model.model_file import load_model
    from charlstm.text.seeds import read_seed

    if each_line or samples != 1 or json:
        from charlstm.generation import samples as many
    if load_state is not None or save_state is not None:
        from charlstm.generation import saved_state as place
    sampling = Sampling(
        temperature=temperature,
        top_k=top_k,
        top_p=top_p,
        min_p=min_p,
        repetition_penalty=repetition_penalty,
        repetition_window=repetition_window,
    )
    np.seterr(all="ignore")  # weights too large are found when a character is drawn
    path = find_model(model)
    loaded = load_model(path)
    drawn = random_seed
    if random_seed is None and load_state is None:
        drawn = drawn_seed()
    how: dict[str, Any] = {
        "random_seed": drawn,
        "length": texts.length_of(length, lines),
        "sampling": sampling.banning(loaded.text.cased(banned), loaded.vocabulary.characters),
        "stop": [loaded.text.cased(text) for text in stops],
        "measure": json,
    }
    console.say_if_typed((given.file, *(corpus or ())), quiet=quiet)
    if corpus or unique:
        filters = {"novel": novel, "new_lines": new_lines, "unique": unique, "glob": glob}
        how["line_filter"] = _line_filter(loaded, corpus or [], filters, quiet=quiet)
    form = writing.Form(raw=raw, echo=echo, json=json, separator=closing, random_seed=drawn)

    # All that can be wrong is found before anything is said or written.
    left_out: list[str] = []
    unread: list[int] = []  # numbers of lines
    if each_line:
        lines_given = reading.lines_in(given.file or "-")
        phrases = reading.phrases(loaded, lines_given, unknown.value, unread, quiet=quiet)
        made = many.completed_lines(loaded, phrases, **how)
    else:
        if given.file is not None:
            phrase = reading.phrase_in(given.file)
        elif phrase.isascii() and phrase.isdigit():
            console.say(
                f"the seed phrase is {phrase}, a text to go on from; the seed of the random "
                f"generator is --random-seed {phrase}",
                quiet=quiet,
            )
        phrase = read_seed(loaded, phrase, unknown.value, left_out)
        how["lines"] = lines
        if samples != 1:
            made = ((phrase, s) for s in many.samples(loaded, phrase, count=samples, **how))
        else:
            if save_state is not None:
                place.check_target(save_state)
            if load_state is not None:
                how["place"] = place.load_place(load_state, loaded)
            generation = texts.generate(loaded, phrase, whole=json, **how)
    if model is None:
        console.say(wording.model_taken(path, loaded), quiet=quiet)
    if random_seed is None and drawn is not None:
        console.say(f"random seed: {drawn}", quiet=quiet)
    if left_out:
        console.say(reading.note(left_out), quiet=quiet)
    if each_line or samples != 1:
        writing.write_all(made, form, whole_lines=each_line)
        if unread:
            raise typer.Exit(1)
        return

    listening = Stop()
    if json:
        writing.write_all(iter([(phrase, many.finished(generation))]), form, whole_lines=False)
    else:
        if save_state is not None:
            listening.install()
        writing.stream(phrase, generation, form, stop=listening)
    if save_state is not None:
        # The text is out: a state is never ahead of what its reader has.
        place.save_place(generation.place(), save_state, loaded)
    if listening.signal:
        raise typer.Exit(end_by(listening.signal))


def _check_together(given: dict[str, bool]) -> None:
    """Raise OptionError for options that make no sense together."""
    alone = {
        "--each-line": ("--samples", "--lines", "--load-state", "--save-state"),
        "--samples": ("--load-state", "--save-state"),
        "--json": ("--separator",),
    }
    for option, others in alone.items():
        for other in others:
            if given[option] and given[other]:
                raise OptionError(f"{option} and {other} do not go together; leave one out")


def _check_corpus(corpus: list[str] | None, novel: int | None, new_lines: bool) -> None:
    """Raise OptionError for a corpus with nothing to compare, or a comparison without a corpus."""
    compared = ["--novel"] * (novel is not None) + ["--new-lines"] * new_lines
    if corpus and not compared:
        raise OptionError("--corpus needs --novel or --new-lines; see charlstm generate --help")
    if compared and not corpus:
        raise OptionError(f"{compared[0]} needs --corpus; see charlstm generate --help")


def _line_filter(
    model: "ModelFile", corpus: list[str], filters: dict[str, Any], *, quiet: bool
) -> "LineFilter":
    """The filter of lines for a corpus, read as the model's own was."""
    from charlstm.analysis.novel import new_lines_filter
    from charlstm.errors import CorpusError, EncodingError

    notes: list[str] = []
    try:
        line_filter = new_lines_filter(corpus, model.text, notes=notes, **filters)
    except EncodingError as error:
        raise CorpusError(
            f"{error.fault}; --corpus is read as the model's own corpus was: convert it, "
            f"with iconv -t {model.text.encoding} for one"
        ) from error
    for note in notes:
        console.say(note, quiet=quiet)
    return line_filter
