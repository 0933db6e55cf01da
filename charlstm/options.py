"""The options of the program, each described once, under its Python name.

From this table come the flags of the command line with their help, the variables of the
environment, the keys of settings files and of ``config.toml``, and the checks of the records that
the library works with. Standard library alone.
"""

import dataclasses
import math
import re
import sys
from collections.abc import Iterable, Mapping
from dataclasses import KW_ONLY, dataclass
from numbers import Integral, Real
from typing import Any, get_args

from charlstm.errors import OptionError

LONGEST_VALUE = 100  # characters shown of a value in a message
TIME = re.compile(r"(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m)?(?:(\d+(?:\.\d+)?)s)?")
BARE_NUMBER = re.compile(r"\d+(?:\.\d+)?")


class Seconds(float):
    """The kind of an option that is a length of time: a number, or a text such as ``1h30m``."""


@dataclass(frozen=True)
class Option:
    """An option: what its value may be, and what a person is told about it.

    A number must be finite and lie within ``least <= value <= most`` and ``above < value <
    below``. A default of None means that the program chooses.
    """

    name: str
    kind: type  # int, float, Seconds, bool, str, or list for several texts
    group: str  # under which the help lists it
    help: str
    _: KW_ONLY
    default: Any = None
    metavar: str = "N"  # what stands for the value in the help
    short: str = ""  # one letter
    also: str = ""  # another name on the command line
    least: float = -math.inf
    most: float = math.inf
    above: float = -math.inf
    below: float = math.inf
    choices: tuple[str, ...] = ()

    @property
    def flag(self) -> str:
        """How the command line spells it.

        >>> OPTIONS["hidden_size"].flag
        '--hidden-size'
        """
        return "--" + self.name.replace("_", "-")

    def check(self, value: object) -> Any:
        """``value`` as Python's own type; raises OptionError for what the option cannot be."""
        if self.choices:
            if value not in self.choices:
                allowed = ", ".join(map(repr, self.choices))
                raise OptionError(f"is {shown(value)}; it must be one of {allowed}", self.name)
            return value
        if self.kind is bool:
            return require_flag(self.name, value)
        if self.kind is str:
            return require_text(self.name, value)
        if self.kind is list:
            return require_texts(self.name, value)
        if self.kind is int:
            return require_integer(self.name, value, least=int(self.least), most=self.most)
        if self.kind is Seconds:
            value = seconds(value, self.name)
        bounds = {"least": self.least, "most": self.most, "above": self.above, "below": self.below}
        return require_number(self.name, value, **bounds)


def check_record(record: Any) -> None:
    """Check the fields of a frozen record that have an option's name, and keep the values.

    None passes where the field's type allows it, and so do records. Raises OptionError.
    """
    for field in dataclasses.fields(record):
        value = getattr(record, field.name)
        left_open = value is None and type(None) in get_args(field.type)
        if field.name in OPTIONS and not left_open and not dataclasses.is_dataclass(value):
            object.__setattr__(record, field.name, OPTIONS[field.name].check(value))


def fields_of(record: type, values: Mapping[str, Any]) -> dict[str, Any]:
    """Those of ``values`` that are fields of the record type."""
    return {f.name: values[f.name] for f in dataclasses.fields(record) if f.name in values}


def shown(value: object) -> str:
    """A value in a message: as it would be written, if that is short."""
    try:
        text = repr(value)
    except (ValueError, RecursionError):  # a number of thousands of digits; deep nesting
        return f"too large to show ({type(value).__name__})"
    return text if len(text) <= LONGEST_VALUE else text[:LONGEST_VALUE] + "..."


def is_finite(value: float) -> bool:
    """As ``math.isfinite``, also for a whole number that is larger than any float."""
    return abs(value) <= sys.float_info.max


def seconds(value: object, name: str = "time") -> object:
    """The seconds in ``30s``, ``3m``, ``1h30m`` or ``90``; what is no text stays as it is.

    >>> seconds("1h30m"), seconds("90"), seconds(90)
    (5400.0, 90.0, 90)
    """
    if not isinstance(value, str):
        return value
    written = value.strip()
    match = TIME.fullmatch(f"{written}s" if BARE_NUMBER.fullmatch(written) else written)
    if not match or not match.group():
        raise OptionError(f"is {shown(value)}; write it like 90, 30s, 3m or 1h30m", name)
    hours, minutes, rest = (float(part or 0) for part in match.groups())
    return 3600 * hours + 60 * minutes + rest


def require_integer(name: str, value: object, *, least: int = 0, most: float = math.inf) -> int:
    """``value`` as an int; OptionError unless it is a whole number from ``least`` to ``most``.

    A whole number of numpy is one, too; true and false are none.
    """
    if isinstance(value, Integral) and not isinstance(value, bool) and least <= int(value) <= most:
        return int(value)
    limit = "" if most == math.inf else f" and at most {most}"
    raise OptionError(
        f"is {shown(value)}; it must be a whole number of at least {least}{limit}", name
    )


def require_number(
    name: str,
    value: object,
    *,
    least: float = -math.inf,
    most: float = math.inf,
    above: float = -math.inf,
    below: float = math.inf,
) -> float:
    """``value`` as it is, or as a float; OptionError unless it is finite and within the bounds.

    A number of numpy is one, too; true and false are none.
    """
    if isinstance(value, Real) and not isinstance(value, bool):
        number = value if isinstance(value, int | float) else float(value)
        if is_finite(number) and least <= number <= most and above < number < below:
            return number
    bounds = {"of at least": least, "above": above, "at most": most, "below": below}
    limits = " and ".join(f"{word} {bound:g}" for word, bound in bounds.items() if is_finite(bound))
    raise OptionError(f"is {shown(value)}; it must be a number {limits}".rstrip(), name)


def require_flag(name: str, value: object) -> bool:
    """``value``; OptionError unless it is true or false."""
    if not isinstance(value, bool):
        raise OptionError(f"is {shown(value)}; it must be true or false", name)
    return value


def require_text(name: str, value: object) -> str:
    """``value``; OptionError unless it is a text."""
    if not isinstance(value, str):
        raise OptionError(f"is {shown(value)}; it must be a text", name)
    return value


def require_texts(name: str, value: object) -> tuple[str, ...]:
    """A text, or several, as a tuple; OptionError for anything else."""
    if isinstance(value, str):
        return (value,)
    if isinstance(value, Iterable) and not isinstance(value, bytes):
        texts = tuple(value)
        if all(isinstance(text, str) for text in texts):
            return texts
    raise OptionError(f"is {shown(value)}; it must be a text or a list of texts", name)


CORPUS, SEED, LENGTH, SAMPLING = "Corpus", "Seed phrase", "Length", "Sampling"
NEW_LINES, MANY, STATE, OUTPUT = "New lines", "Many texts", "State", "Output"
BUDGET, NETWORK, OPTIMIZER = "Length of the run", "Network", "Optimizer"
BEGINNING, MACHINE, FILES = "Where to begin", "Machine", "Windows in a .npz file"
MODEL, PASSAGES, REMOVAL = "Model", "Passages", "Removal"

MOST_STEPS = 10**12  # more than any machine will ever do

_TABLE = (
    # How a corpus is read.
    Option("glob", str, CORPUS, "Pattern of the file names to read in a directory.",
           default="*.txt", metavar="PATTERN"),
    Option("encoding", str, CORPUS, "Encoding of the text.", default="utf-8", metavar="NAME"),
    Option("lowercase", bool, CORPUS, "Turn the text to lower case.", default=False),
    Option("min_count", int, CORPUS, "Leave out characters that occur fewer than N times.",
           default=1, least=1),
    Option("val_fraction", float, CORPUS,
           "Share of the text, at its end, used for validation [0.1, of a large text less].",
           metavar="P", least=0, below=0.9),
    # How long a training run is.
    Option("time", Seconds, BUDGET,
           "Train for this time, such as 30s, 3m or 1h30m [as long as it is of use, at most 3m].",
           metavar="T", above=0, below=1e9),
    Option("epochs", float, BUDGET, "Read the training text E times.", metavar="E",
           above=0, below=1e9),
    Option("steps", int, BUDGET, "Do N optimizer steps.", least=1, most=MOST_STEPS),
    Option("patience", int, BUDGET, "Stop after N validations without improvement [0: never].",
           least=0, most=MOST_STEPS),
    # The network.
    Option("hidden_size", int, NETWORK, "Number of units in each LSTM layer.",
           least=1, most=1 << 16),
    Option("num_layers", int, NETWORK, "Number of LSTM layers.", least=1, most=1 << 10),
    Option("embedding_size", int, NETWORK, "Number of values that represent one character.",
           least=1, most=1 << 16),
    Option("dropout", float, NETWORK, "Share of each layer's output values set to zero at random.",
           metavar="P", least=0, below=1),
    Option("weight_dropout", float, NETWORK, "Share of recurrent connections cut at random.",
           metavar="P", least=0, below=1),
    Option("residual", bool, NETWORK, "Add the input of each later layer to its output, or do not.",
           default=None),
    # The optimizer and what it reads in a step.
    Option("learning_rate", float, OPTIMIZER, "Highest learning rate of the run.", metavar="R",
           above=0),
    Option("weight_decay", float, OPTIMIZER, "Weight decay of the optimizer, AdamW [0.05].",
           metavar="D", least=0),
    Option("grad_clip", float, OPTIMIZER, "Largest norm of the gradient [1].", metavar="G",
           above=0),
    Option("averaging", float, OPTIMIZER,
           "Share of the steps, the last ones, over which weights are averaged [0.1].",
           metavar="P", least=0, below=1),
    Option("seq_length", int, OPTIMIZER, "Number of characters in a window.",
           least=1, most=1 << 20),
    Option("batch_size", int, OPTIMIZER, "Number of windows in one step.", least=1, most=1 << 20),
    # Where a run begins, what it runs on, what it leaves.
    Option("init_from", str, BEGINNING,
           "Begin with the weights of this model file or run directory.", metavar="MODEL"),
    Option("device", str, MACHINE, "Device to train on; mps (an Apple GPU) is untested.",
           default="auto", choices=("auto", "cpu", "cuda", "mps")),
    Option("precision", str, MACHINE, "Number format of the matrix products.",
           default="auto", choices=("auto", "fp32", "bf16")),
    Option("threads", int, MACHINE, "Number of processor threads.", least=1, most=1 << 10),
    Option("save_every", Seconds, OUTPUT,
           "Time between two saved states [1m, or longer where saving is slow].",
           metavar="T", least=0),
    Option("eval_every", int, OUTPUT, "Number of steps between two validations.",
           least=1, most=MOST_STEPS),
    # The seed phrase of a text.
    Option("seed", str, SEED, "Seed phrase, the same as PROMPT. See also --random-seed.",
           default="", metavar="TEXT", also="prompt"),
    Option("seed_file", str, SEED, "Read the seed phrase from FILE; - is standard input.",
           metavar="FILE"),
    Option("each_line", bool, SEED, "Continue each line of the seed file or of standard input.",
           default=False),
    Option("escapes", bool, SEED, r"Read \n, \t, \0, \\, \xHH and \uHHHH as escape sequences.",
           default=False, short="e"),
    Option("echo", bool, SEED, "Print the seed phrase before the text, or do not.", default=True),
    Option("unknown", str, SEED,
           "What to do with a character of the seed phrase that the model does not know.",
           default="error", choices=("error", "skip", "nearest")),
    # Where a text ends.
    Option("length", int, LENGTH,
           "Number of characters to write; 0: without end [1000, or 1000 for each of --lines].",
           short="n", least=0),
    Option("lines", int, LENGTH, "Stop after N line ends.", least=1),
    Option("stop", list, LENGTH, "Stop before TEXT would be written. May be repeated.",
           default=(), metavar="TEXT"),
    # How the next character is chosen.
    Option("temperature", float, SAMPLING,
           "Below 1: more likely text. Above 1: more surprising text. 0: greedy.",
           default=0.7, metavar="T", short="t", least=0),
    Option("top_k", int, SAMPLING, "Choose among the K most probable characters; 0: all.",
           default=0, metavar="K", least=0),
    Option("top_p", float, SAMPLING,
           "Choose among the fewest characters with total probability P.",
           default=1.0, metavar="P", above=0, most=1),
    Option("min_p", float, SAMPLING,
           "Drop characters with less than P times the highest probability.",
           default=0.0, metavar="P", least=0, most=1),
    Option("repetition_penalty", float, SAMPLING,
           "Divide the probabilities of recent characters by R.",
           default=1.0, metavar="R", above=0),
    Option("repetition_window", int, SAMPLING,
           "Number of last characters that count as recent.",
           default=64, least=1, most=1 << 16),
    Option("ban", str, SAMPLING, "Characters that are never written.", default="",
           metavar="CHARS"),
    Option("random_seed", int, SAMPLING,
           "Seed of the random number generator. By default one is chosen and printed.",
           least=0, most=(1 << 63) - 1),
    # Lines that a generated text must not hold.
    Option("novel", int, NEW_LINES, "Reject lines that copy N characters or more from --corpus.",
           least=1, most=1 << 16),
    Option("new_lines", bool, NEW_LINES, "Reject lines that are also lines of --corpus.",
           default=False),
    Option("unique", bool, NEW_LINES, "Reject lines that were already written.", default=False),
    Option("corpus", list, NEW_LINES,
           "Text to compare with for --novel and --new-lines. May be repeated.",
           default=(), metavar="CORPUS"),
    Option("samples", int, MANY, "Number of texts to write.", default=1, least=1),
    Option("separator", str, MANY, "Write TEXT after each text [a line end where needed].",
           metavar="TEXT"),
    Option("load_state", str, STATE, "Continue a text from FILE, written by --save-state.",
           metavar="FILE"),
    Option("save_state", str, STATE,
           "Save the state at the end of the text to FILE, for --load-state.", metavar="FILE"),
    Option("raw", bool, OUTPUT, "Print control characters to a terminal unchanged.",
           default=False),
    # Arrays for other programs.
    Option("window", int, FILES, "Number of characters in a sample [50].", least=1),
    Option("stride", int, FILES, "Distance between the starts of samples [1].", least=1),
    Option("one_hot", bool, FILES, "Write X as one-hot booleans.", default=False),
    Option("normalize", bool, FILES, "Write X as ids divided by the vocabulary size.",
           default=False),
    # Copied passages.
    Option("top", int, PASSAGES, "Number of longest passages to list.", default=10, least=0),
    Option("min_length", int, PASSAGES, "Leave out passages of fewer than N characters.",
           default=8, least=1),
    Option("prune", bool, REMOVAL, "Delete the saved states of finished runs. Models are kept.",
           default=False),
    Option("yes", bool, REMOVAL, "Delete without asking.", default=False),
    # What most commands share.
    Option("model", str, MODEL, "Model file or run directory [the newest run].",
           metavar="MODEL", short="m"),
    Option("json", bool, OUTPUT, "Print one JSON object.", default=False),
    Option("quiet", bool, OUTPUT, "Print only errors on standard error.", default=False,
           short="q"),
)  # fmt: skip

OPTIONS: Mapping[str, Option] = {option.name: option for option in _TABLE}
