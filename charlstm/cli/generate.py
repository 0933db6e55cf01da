"""``charlstm generate``: new text on stdout, as a stream or text by text."""

from itertools import product
from typing import TYPE_CHECKING, Annotated, Any

import typer

from charlstm.cli import console, reading, wording, writing
from charlstm.cli.downloads import fetch
from charlstm.cli.loading import compute_with_one_thread, say_model
from charlstm.cli.options import apart, is_given, settle, typed, with_options
from charlstm.cli.stop import Stop, end_by
from charlstm.errors import CorpusError, EncodingError, OptionError
from charlstm.options import (
    LENGTH,
    MANY,
    MODEL,
    NEW_LINES,
    OPTIONS,
    SAMPLING,
    SEED,
    STATE,
    fields_of,
    new_random_seed,
)

if TYPE_CHECKING:
    from charlstm import LanguageModel

SETTINGS = [option.name for option in OPTIONS.values() if option.group in (LENGTH, SAMPLING)]
NEED_AN_END = ("samples", "each_line", "json")
RIVALS = (  # options that do not go together
    *(("each_line", other) for other in ("samples", "lines", "load_state", "save_state")),
    *(("samples", other) for other in ("load_state", "save_state")),
    ("json", "separator"),
)


@with_options(
    *(SEED, LENGTH, SAMPLING, NEW_LINES, "glob", MANY, STATE, MODEL, "json", "raw", "quiet"),
    glob={"group": NEW_LINES, "help": "Pattern of the file names to read in a --corpus directory."},
    json={"help": "Print one JSON object for each text, on one line."},
)
def generate(
    ctx: typer.Context,
    phrase: Annotated[
        str,
        typer.Argument(
            metavar="PROMPT",
            help="Seed phrase: the text to continue; - reads it from standard input.",
        ),
    ] = "",
    **values: Any,
) -> None:
    """Write new text in the style of the corpus, from a seed phrase.

    charlstm generate "Is this a dagger" -n 400 | fold -s

    charlstm generate --samples 20 --lines 1 --json | jq -r .text
    """
    values["each_line"] = reading.phrase_of(ctx, values).each_line
    settle(ctx, values, *RIVALS)
    if values["length"] == 0 and not (values["lines"] or values["stop"]):  # a text without end
        settle(ctx, values, *apart(ctx, *product(["length"], NEED_AN_END)))
    given = reading.phrase_of(ctx, values)
    _check(ctx, values, given)
    text = _read_texts(values, given)
    compute_with_one_thread()
    from charlstm import load

    model = load(values["model"])
    console.say_if_typed((given.file, *values["corpus"]), quiet=values["quiet"])
    how = _how(model, values)
    form = writing.Form(**fields_of(writing.Form, {**values, **how}))
    if given.each_line:
        _complete_lines(model, given.file or "-", form, how, values)
        return
    phrase, left_out = _phrase(model, given, text, values)
    if values["samples"] == 1:
        _write_one(model, phrase, left_out, form, how, values)
        return
    samples = model.generate_many(phrase, samples=values["samples"], **how)
    _announce(model, how, values, left_out)
    _report_cut(writing.write_all(((phrase, sample) for sample in samples), form), values)


def _check(ctx: typer.Context, values: dict[str, Any], given: reading.Phrase) -> None:
    """Raise OptionError for options that lack what they need, or that need the same."""
    compared = [name for name in ("novel", "new_lines") if is_given(values, name)]
    if not compared and not typed(ctx, values, "corpus"):
        values["corpus"] = ()  # a setting, for when lines are compared
    if not values["corpus"] and not typed(ctx, values, "novel", "new_lines"):
        values["novel"], values["new_lines"] = None, False  # settings, for when there is a corpus
        compared = []
    if values["corpus"] and not compared:
        raise OptionError("--corpus needs --novel or --new-lines; see charlstm generate --help")
    if compared and not values["corpus"]:
        flag = OPTIONS[compared[0]].flag
        raise OptionError(f"{flag} needs --corpus; see charlstm generate --help")
    for name in ("load_state", "save_state"):
        if values[name] == "-":
            raise OptionError(f"{OPTIONS[name].flag} -: a state is not a text; name a file")
    if given.file == "-" and "-" in values["corpus"]:
        raise OptionError("seed phrase and corpus are both standard input; name a file for one")


def _read_texts(values: dict[str, Any], given: reading.Phrase) -> str:
    """The seed phrase; it and the texts among ``values`` without escape sequences."""

    def text(value: str, option: str) -> str:
        return reading.typed(value, option, escapes=values["escapes"])

    values["ban"] = text(values["ban"], "--ban")
    values["stop"] = [text(value, "--stop") for value in values["stop"]]
    if values["separator"] is not None:
        values["separator"] = text(values["separator"], "--separator")
    return text(given.text, given.name)


def _how(model: "LanguageModel", values: dict[str, Any]) -> dict[str, Any]:
    """The settings of the texts, as the methods of the model take them."""
    how = {name: values[name] for name in SETTINGS}
    if how["random_seed"] is None and values["load_state"] is None:
        how["random_seed"] = new_random_seed()
    how["measure"] = values["json"]
    if values["corpus"] or values["unique"]:
        how["line_filter"] = _line_filter(model, values)
    return how


def _line_filter(model: "LanguageModel", values: dict[str, Any]) -> Any:
    """The filter for the lines of a text, whose corpus is read as the model's own corpus was."""
    notes: list[str] = []
    fetch(values["corpus"], quiet=values["quiet"])
    compared = {name: values[name] for name in ("glob", "novel", "new_lines", "unique")}
    try:
        line_filter = model.new_lines_filter(values["corpus"], notes=notes, **compared)
    except EncodingError as error:
        own = model.card["text"]["encoding"]
        encoding = "utf-8" if own == "auto" else own
        raise CorpusError(error.message, "corpus encoding", encoding=encoding) from error
    console.say(*notes, quiet=values["quiet"])
    return line_filter


def _phrase(
    model: "LanguageModel", given: reading.Phrase, text: str, values: dict[str, Any]
) -> tuple[str, str]:
    """The seed phrase as the model reads it, and the characters that were left out of it."""
    if given.file is not None:
        text = reading.phrase_in(given.file, quiet=values["quiet"])
    elif text.isascii() and text.isdigit():
        console.say(
            f"the seed phrase is {text}, a text to continue; the seed of the random number "
            f"generator is --random-seed {text}",
            quiet=values["quiet"],
        )
    return model.known(text, unknown=values["unknown"])


def _announce(
    model: "LanguageModel", how: dict[str, Any], values: dict[str, Any], left_out: str = ""
) -> None:
    """Say what was chosen for the user, once the settings have been checked."""
    say_model(model, values["model"], quiet=values["quiet"])
    console.say(*wording.temperature_notes(how["temperature"]), quiet=values["quiet"])
    if values["random_seed"] is None and how["random_seed"] is not None:
        console.say(f"random seed: {how['random_seed']}", quiet=values["quiet"])
    if left_out:
        console.say(reading.note(left_out), quiet=values["quiet"])


def _complete_lines(
    model: "LanguageModel",
    file: str,
    form: writing.Form,
    how: dict[str, Any],
    values: dict[str, Any],
) -> None:
    """Write each line of a file with the text that completes it."""
    unreadable: list[int] = []  # numbers of lines
    quiet = values["quiet"]
    lines = reading.phrases_in(file, quiet=quiet)
    phrases = reading.known_lines(model, lines, values["unknown"], unreadable, quiet=quiet)
    completed = model.complete_lines(phrases, **how)
    _announce(model, how, values)
    written = writing.write_all(completed, form, whole_lines=True)
    _report_cut(written, {**values, "lines": 1})
    if unreadable:
        raise typer.Exit(1)


def _write_one(
    model: "LanguageModel",
    phrase: str,
    left_out: str,
    form: writing.Form,
    how: dict[str, Any],
    values: dict[str, Any],
) -> None:
    """Write one text while it is made; begin with a saved state, or save one, if asked to."""
    save_state, load_state = values["save_state"], values["load_state"]
    if save_state is not None:
        model.check_save_state(save_state)
    if load_state is not None:
        how["state"] = model.load_state(load_state)
    stream = model.generate(phrase, whole=form.json, **how)
    _announce(model, how, values, left_out)
    stop = None
    if form.json:
        written = writing.write_all(iter([(phrase, stream.finish())]), form)
    else:
        if save_state is not None:
            stop = Stop()
            stop.install()
        written = writing.stream(phrase, stream, form, stop=stop)
    if save_state is not None:
        # The text has been flushed, so the state is never ahead of what its reader has.
        model.save_state(stream, save_state)
    if stop is not None and stop.signal:
        end_by(stop.signal)
    _report_cut(written, values)


def _report_cut(written: writing.Written, values: dict[str, Any]) -> None:
    """Say how many texts ended by their length, although another end was asked for."""
    ends = ["a stop text"] if values["stop"] else []
    if values["lines"]:
        ends.append("a line end" if values["lines"] == 1 else f"{values['lines']:,} line ends")
    if ends and written.cut:
        texts = "the text was"
        if written.texts > 1:
            verb = "was" if written.cut == 1 else "were"
            texts = f"{written.cut:,} of {written.texts:,} texts {verb}"
        console.say(
            f"{texts} cut at {written.length:,} characters, before {' or '.join(ends)} came; "
            f"--length N allows more",
            quiet=values["quiet"],
        )
