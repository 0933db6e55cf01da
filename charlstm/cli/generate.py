"""``charlstm generate``: new text on stdout, streamed or text by text."""

import os
from typing import TYPE_CHECKING, Annotated, Any

import typer

from charlstm.cli import console, reading, wording, writing
from charlstm.cli.options import with_options
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
)

if TYPE_CHECKING:
    from charlstm import LanguageModel

SETTINGS = [option.name for option in OPTIONS.values() if option.group in (LENGTH, SAMPLING)]


@with_options(
    *(SEED, LENGTH, SAMPLING, NEW_LINES, "glob", MANY, STATE, "json", "raw", "quiet", MODEL),
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
    given = reading.phrase_of(ctx)
    values["each_line"] = given.each_line
    _check(values, given)
    texts = _texts(values, given)
    _compute_with_one_thread()
    from charlstm import load

    model = load(values["model"])
    console.say_if_typed((given.file, *(values["corpus"] or ())), quiet=values["quiet"])
    how = _how(model, {**values, **texts})
    form = writing.Form(
        raw=values["raw"],
        echo=values["echo"],
        json=values["json"],
        separator=texts["separator"],
        random_seed=how["random_seed"],
    )
    if given.each_line:
        _complete_lines(model, given.file or "-", form, how, values)
        return
    phrase, left_out = _phrase(model, given, texts["phrase"], values)
    if values["samples"] == 1:
        _write_one(model, phrase, left_out, form, how, values)
        return
    samples = model.generate_many(phrase, samples=values["samples"], **how)
    _announce(model, how, values, left_out)
    writing.write_all(((phrase, sample) for sample in samples), form)


def _check(values: dict[str, Any], given: reading.Phrase) -> None:
    """Raise OptionError for options that make no sense together."""

    def is_given(name: str) -> bool:
        value = values[name]
        return value is not None and value is not False and value != OPTIONS[name].default

    def exclude(first: str, *others: str) -> None:
        for other in filter(is_given, others if is_given(first) else ()):
            both = f"{OPTIONS[first].flag} and {OPTIONS[other].flag}"
            raise OptionError(f"{both} do not go together; leave one out")

    exclude("each_line", "samples", "lines", "load_state", "save_state")
    exclude("samples", "load_state", "save_state")
    exclude("json", "separator")
    compared = [name for name in ("novel", "new_lines") if is_given(name)]
    if values["corpus"] and not compared:
        raise OptionError("--corpus needs --novel or --new-lines; see charlstm generate --help")
    if compared and not values["corpus"]:
        flag = OPTIONS[compared[0]].flag
        raise OptionError(f"{flag} needs --corpus; see charlstm generate --help")
    for name in ("load_state", "save_state"):
        if values[name] == "-":
            raise OptionError(f"{OPTIONS[name].flag} -: a state is no text; name a file")
    if given.file == "-" and "-" in (values["corpus"] or ()):
        raise OptionError("seed phrase and corpus are both standard input; name a file for one")


def _texts(values: dict[str, Any], given: reading.Phrase) -> dict[str, Any]:
    """The texts of the call, with their escape sequences read where that is asked for."""

    def text(value: str, option: str) -> str:
        # The bytes of an argument are UTF-8 here, whatever the locale made of them.
        value = os.fsencode(value).decode("utf-8", "surrogateescape")
        if not values["escapes"]:
            return value
        from charlstm.cli.escapes import unescaped

        return unescaped(value, option)

    separator = values["separator"]
    return {
        "phrase": text(given.text, given.name),
        "ban": text(values["ban"], "--ban"),
        "stop": [text(value, "--stop") for value in values["stop"] or ()],
        "separator": None if separator is None else text(separator, "--separator"),
    }


def _compute_with_one_thread() -> None:
    """Set up numpy, before it is imported.

    At a character a call a second thread only gets in the way, and how a product is split between
    threads would change its rounding. Weights that are too large are found when a character is
    drawn, so numpy need not warn of them.
    """
    for variable in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"):
        os.environ[variable] = "1"
    import numpy as np

    np.seterr(all="ignore")


def _how(model: "LanguageModel", values: dict[str, Any]) -> dict[str, Any]:
    """The settings of the texts, as the methods of the model take them."""
    how = {name: values[name] for name in SETTINGS if name != "random_seed"}
    how["random_seed"] = values["random_seed"]
    if how["random_seed"] is None and values["load_state"] is None:
        how["random_seed"] = int.from_bytes(os.urandom(4), "big")  # short enough to copy by hand
    if values["each_line"]:
        del how["lines"]
    how["measure"] = values["json"]
    if values["corpus"] or values["unique"]:
        how["line_filter"] = _line_filter(model, values)
    return how


def _line_filter(model: "LanguageModel", values: dict[str, Any]) -> Any:
    """The filter of lines for a corpus, read as the model's own was."""
    notes: list[str] = []
    compared = {name: values[name] for name in ("glob", "novel", "new_lines", "unique")}
    try:
        line_filter = model.new_lines_filter(values["corpus"] or (), notes=notes, **compared)
    except EncodingError as error:
        encoding = model.card["text"]["encoding"]
        raise CorpusError(error.message, "corpus encoding", encoding=encoding) from error
    for note in notes:
        console.say(note, quiet=values["quiet"])
    return line_filter


def _phrase(
    model: "LanguageModel", given: reading.Phrase, text: str, values: dict[str, Any]
) -> tuple[str, str]:
    """The seed phrase as the model reads it, and the characters that were left out of it."""
    if given.file is not None:
        text = reading.phrase_in(given.file)
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
    """Say what was chosen for the user, once nothing can be wrong any more."""
    if values["model"] is None:
        console.say(wording.model_taken(model), quiet=values["quiet"])
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
    unread: list[int] = []  # numbers of lines
    phrases = reading.phrases(
        model, reading.lines_in(file), values["unknown"], unread, quiet=values["quiet"]
    )
    made = model.complete_lines(phrases, **how)
    _announce(model, how, values)
    writing.write_all(made, form, whole_lines=True)
    if unread:
        raise typer.Exit(1)


def _write_one(
    model: "LanguageModel",
    phrase: str,
    left_out: str,
    form: writing.Form,
    how: dict[str, Any],
    values: dict[str, Any],
) -> None:
    """Write one text as it comes, from a saved state or to one where that is asked for."""
    save_state, load_state = values["save_state"], values["load_state"]
    if save_state is not None:
        model.check_save_state(save_state)
    if load_state is not None:
        how["state"] = model.load_state(load_state)
    stream = model.generate(phrase, whole=form.json, **how)
    _announce(model, how, values, left_out)
    listening = Stop()
    if form.json:
        writing.write_all(iter([(phrase, stream.finish())]), form)
    else:
        if save_state is not None:
            listening.install()
        writing.stream(phrase, stream, form, stop=listening)
    if save_state is not None:
        # The text is out: a state is never ahead of what its reader has.
        model.save_state(stream, save_state)
    if listening.signal:
        raise typer.Exit(end_by(listening.signal))
