"""The options of the program, each described once, under its Python name.

The table gives the command line its flags and their help, the environment its variables, settings
files and ``config.toml`` their keys, and the records of the library their checks. Only the standard
library is imported.
"""

import dataclasses
import math
import os
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass
from typing import Any, get_args

from charlstm import checks

PLAIN = {bool: checks.require_flag, str: checks.require_text, list: checks.require_texts}


class Seconds(float):
    """The kind of an option that is a time: a number of seconds, or a text such as ``1h30m``."""


@dataclass(frozen=True)
class Option:
    """An option: its possible values and its help text.

    A number must be finite, with ``least <= value <= most`` and ``above < value < below``. With a
    default of None the program chooses a value, or does without one if the option is ``optional``.
    """

    name: str
    kind: type  # int, float, Seconds, bool, str, or list for several texts
    group: str  # its section in the help
    _: KW_ONLY
    help: str
    default: Any = None
    metavar: str = "N"  # the value's name in the help
    short: str = ""  # one letter
    least: float = -math.inf
    most: float = math.inf
    above: float = -math.inf
    below: float = math.inf
    choices: tuple[str, ...] = ()
    optional: bool = False

    @property
    def flag(self) -> str:
        """Its name on the command line.

        >>> OPTIONS["hidden_size"].flag
        '--hidden-size'
        """
        return "--" + self.name.replace("_", "-")

    def is_off(self, default: object) -> bool:
        """Whether a command in which the option has this default does without it.

        >>> OPTIONS["lines"].is_off(None), OPTIONS["hidden_size"].is_off(None)
        (True, False)
        """
        if default is None:
            return self.optional or self.kind is list
        return default is False or default in ("", (), [])

    def check(self, value: object) -> Any:
        """``value`` as a type of Python; raises OptionError for a value that is not possible."""
        if self.choices:
            return checks.require_choice(self.name, value, self.choices)
        if self.kind in PLAIN:
            return PLAIN[self.kind](self.name, value)
        if self.kind is int:
            return checks.require_integer(self.name, value, least=int(self.least), most=self.most)
        if self.kind is Seconds and isinstance(value, str):
            value = checks.seconds(value, self.name)
        bounds = {"least": self.least, "most": self.most, "above": self.above, "below": self.below}
        return checks.require_number(self.name, value, **bounds)


def check_record(record: Any) -> None:
    """Check the fields of a frozen record that have an option's name, and store the results.

    None is accepted if the field's type allows it. Raises OptionError.
    """
    for field in dataclasses.fields(record):
        value = getattr(record, field.name)
        optional = value is None and type(None) in get_args(field.type)
        if field.name in OPTIONS and not optional:
            object.__setattr__(record, field.name, OPTIONS[field.name].check(value))


def fields_of(record: type, values: Mapping[str, Any]) -> dict[str, Any]:
    """Those of ``values`` whose names are fields of the record type."""
    return {f.name: values[f.name] for f in dataclasses.fields(record) if f.name in values}


def new_random_seed() -> int:
    """A random seed for a text that is given none, short enough to copy by hand."""
    return int.from_bytes(os.urandom(4), "big")


CORPUS, SEED, LENGTH, SAMPLING = "Corpus", "Seed phrase", "Length", "Sampling"
NEW_LINES, MANY, STATE, OUTPUT = "New lines", "Many texts", "State", "Output"
BUDGET, NETWORK, OPTIMIZER = "Length of the run", "Network", "Optimizer"
BEGINNING, MACHINE, FILES = "Where to begin", "Machine", "Windows in a .npz file"
MODEL, PASSAGES, REMOVAL = "Model", "Passages", "Removal"
SHOWN, CHART = "What is shown", "Chart"
EVALUATION = "Evaluation"
TEXT, ROWS = "Text", "Rows"
DOWNLOAD = "Download"

MOST_STEPS = 10**12  # more than any machine can do

_TABLE = (
    # How a corpus is read.
    Option("glob", str, CORPUS, default="*.txt", metavar="PATTERN",
           help="Pattern of the file names to read in a directory."),
    Option("encoding", str, CORPUS, default="auto", metavar="NAME",
           help="Encoding of the text; auto recognises it, for each file by itself."),
    Option("lowercase", bool, CORPUS, default=False, help="Turn the text to lower case."),
    Option("min_count", int, CORPUS, default=1, least=1,
           help="Leave out characters that occur fewer than N times."),
    Option("val_fraction", float, CORPUS, metavar="P", least=0, below=0.9,
           help="Share of the text, at its end, that is used for validation.  "
                "[default: 0.1, or less of a large text]"),
    # How long a training run is.
    Option("time", Seconds, BUDGET, metavar="T", above=0, below=1e9,
           help="Train for this time, such as 30s, 3m or 1h30m.  "
                "[default: as long as it helps, at most 3m]"),
    Option("epochs", float, BUDGET, optional=True, metavar="E", above=0, below=1e9,
           help="Read the training text E times."),
    Option("steps", int, BUDGET, optional=True, least=1, most=MOST_STEPS,
           help="Do N optimizer steps."),
    Option("pace", str, BUDGET, optional=True, metavar="PACE",
           help="Repeat the steps of another run, as the command in its model card says."),
    Option("patience", int, BUDGET, least=0, most=MOST_STEPS,
           help="Stop after N validations without improvement; 0: never.  [default: 0]"),
    # The network.
    Option("hidden_size", int, NETWORK, least=1, most=1 << 16,
           help="Number of units in each LSTM layer."),
    Option("num_layers", int, NETWORK, least=1, most=1 << 10, help="Number of LSTM layers."),
    Option("embedding_size", int, NETWORK, least=1, most=1 << 16,
           help="Number of values that represent one character."),
    Option("dropout", float, NETWORK, metavar="P", least=0, below=1,
           help="Share of each layer's output values set to zero at random."),
    Option("weight_dropout", float, NETWORK, metavar="P", least=0, below=1,
           help="Share of recurrent connections cut at random."),
    Option("residual", bool, NETWORK, default=None,
           help="Add the input of each layer but the first to its output."),
    # The optimizer and what it reads in a step.
    Option("learning_rate", float, OPTIMIZER, metavar="R", above=0,
           help="Highest learning rate of the run."),
    Option("weight_decay", float, OPTIMIZER, metavar="D", least=0,
           help="Weight decay of the optimizer, AdamW.  [default: 0.05]"),
    Option("grad_clip", float, OPTIMIZER, metavar="G", above=0,
           help="Largest norm of the gradient.  [default: 1]"),
    Option("averaging", float, OPTIMIZER, metavar="P", least=0, below=1,
           help="The model is the average of the weights over this last share of the steps.  "
                "[default: 0.1]"),
    Option("seq_length", int, OPTIMIZER, least=1, most=1 << 20,
           help="Number of characters in a window."),
    Option("batch_size", int, OPTIMIZER, least=1, most=1 << 20,
           help="Number of windows in one step."),
    # Where a run begins, its machine, and what it writes.
    Option("init_from", str, BEGINNING, default="auto", metavar="MODEL",
           help="Begin with the weights of this model; none: with random weights; auto: with "
                "those of the bundled model, where that helps."),
    Option("resume", str, BEGINNING, metavar="RUN",
           help="Continue a stopped run, or make a finished run longer."),
    Option("device", str, MACHINE, default="auto", choices=("auto", "cpu", "cuda", "mps"),
           help="Device to train on; mps (an Apple GPU) is untested."),
    Option("precision", str, MACHINE, default="auto", choices=("auto", "fp32", "bf16"),
           help="Number format of the matrix products."),
    Option("threads", int, MACHINE, least=1, most=1 << 10, help="Number of processor threads."),
    Option("output", str, OUTPUT, metavar="RUN", short="o",
           help="New run directory.  [default: runs/ and the name of the corpus]"),
    Option("save_every", Seconds, OUTPUT, metavar="T", least=0,
           help="Time between two saved states.  [default: 1m, or longer if saving is slow]"),
    Option("evaluations", int, OUTPUT, least=1, most=MOST_STEPS,
           help="Number of validations, at equal parts of the run.  [default: 16, or fewer]"),
    Option("eval_every", int, OUTPUT, optional=True, least=1, most=MOST_STEPS,
           help="Number of steps between two validations, instead of --evaluations."),
    Option("sample", bool, OUTPUT, default=True,
           help="Show with each validation what the network writes."),
    Option("sample_prompt", str, OUTPUT, default="", metavar="TEXT",
           help="Text that these samples begin with.  [default: the beginning of a line]"),
    Option("tensorboard", bool, OUTPUT, default=False,
           help="Write losses and samples for TensorBoard too, into RUN/tensorboard."),
    # The seed phrase of a text.
    Option("seed", str, SEED, default="", metavar="TEXT",
           help="Seed phrase, the same as PROMPT. See also --random-seed."),
    Option("prompt", str, SEED, default="", metavar="TEXT", help="Another name of --seed."),
    Option("seed_file", str, SEED, optional=True, metavar="FILE",
           help="Read the seed phrase from FILE; - is standard input."),
    Option("each_line", bool, SEED, default=False,
           help="Continue each line of --seed-file or of standard input."),
    Option("escapes", bool, SEED, default=False, short="e",
           help=r"Read \n, \t, \0, \\, \xHH and \uHHHH as escape sequences."),
    Option("echo", bool, SEED, default=True,
           help="Print the seed phrase before the text."),
    Option("unknown", str, SEED, default="error", choices=("error", "skip", "nearest"),
           help="What to do with a character of the seed phrase that the model does not know."),
    # Where a text ends.
    Option("length", int, LENGTH, short="n", least=0,
           help="Number of characters to write; 0: no end.  "
                "[default: 1000, or 1000 for each of --lines]"),
    Option("lines", int, LENGTH, optional=True, least=1, help="Stop after N line ends."),
    Option("stop", list, LENGTH, default=(), metavar="TEXT",
           help="Stop before TEXT would be written. May be repeated."),
    Option("keep_stop", bool, LENGTH, default=False,
           help="Write the stop text too, at the end of the text."),
    # How the next character is chosen.
    Option("temperature", float, SAMPLING, default=0.7, metavar="T", short="t", least=0,
           help="Below 1: more likely text. Above 1: more surprising text. "
                "0: always the most probable character."),
    Option("top_k", int, SAMPLING, default=0, metavar="K", least=0,
           help="Choose among the K most probable characters; 0: among all."),
    Option("top_p", float, SAMPLING, default=1.0, metavar="P", most=1, above=0,
           help="Choose among the most probable characters that together reach probability P."),
    Option("min_p", float, SAMPLING, default=0.0, metavar="P", least=0, most=1,
           help="Leave out characters with less than P times the highest probability."),
    Option("repetition_penalty", float, SAMPLING, default=1.0, metavar="R", above=0,
           help="Divide the probabilities of recent characters by R."),
    Option("repetition_window", int, SAMPLING, default=64, least=1, most=1 << 16,
           help="Number of last characters that are recent."),
    Option("ban", str, SAMPLING, default="", metavar="CHARS",
           help="Characters that are never written."),
    Option("random_seed", int, SAMPLING, least=0, most=(1 << 63) - 1,
           help="Seed of the random number generator. By default one is chosen and printed."),
    # Lines that a generated text must not have.
    Option("novel", int, NEW_LINES, optional=True, least=1, most=1 << 16,
           help="Reject lines that copy N characters or more from --corpus."),
    Option("new_lines", bool, NEW_LINES, default=False,
           help="Reject lines that are also lines of --corpus."),
    Option("unique", bool, NEW_LINES, default=False,
           help="Reject lines that were already written."),
    Option("corpus", list, NEW_LINES, default=(), metavar="CORPUS",
           help="Corpus to compare lines with. May be repeated."),
    Option("samples", int, MANY, default=1, least=1, help="Number of texts to write."),
    Option("separator", str, MANY, metavar="TEXT",
           help="Write TEXT after each text.  "
                "[default: a line end, if the text has none at its end]"),
    Option("load_state", str, STATE, optional=True, metavar="FILE",
           help="Continue a text from FILE, written by --save-state."),
    Option("save_state", str, STATE, optional=True, metavar="FILE",
           help="Save the state at the end of the text to FILE, for --load-state."),
    Option("raw", bool, OUTPUT, default=False,
           help="Print control characters to a terminal unchanged."),
    # Arrays for other programs.
    Option("window", int, FILES, least=1, help="Number of characters in a sample.  [default: 50]"),
    Option("stride", int, FILES, least=1,
           help="Distance between the starts of samples.  [default: 1]"),
    Option("one_hot", bool, FILES, default=False, help="Write X as one-hot vectors of booleans."),
    Option("normalize", bool, FILES, default=False,
           help="Write X as ids divided by the vocabulary size."),
    # How a text is evaluated.
    Option("split", str, EVALUATION, choices=("train", "val", "all"),
           help="Part of the text: what training learned from, what it kept for validation, or "
                "all.  [default: val of the model's own text, all of another]"),
    Option("exact", bool, EVALUATION, default=False,
           help="Read the text in one walk, not in segments side by side. Slower."),
    Option("baselines", bool, EVALUATION, default=False,
           help="Compare with an n-gram, character frequencies, xz and bzip2."),
    # Copied passages.
    Option("top", int, PASSAGES, default=10, least=0, help="Number of longest passages to list."),
    Option("min_length", int, PASSAGES, default=8, least=1,
           help="Leave out passages of fewer than N characters."),
    # What the network does with a text.
    Option("text_file", str, SHOWN, optional=True, metavar="FILE",
           help="Show the text in FILE; - is standard input."),
    Option("cell", str, SHOWN, optional=True, metavar="LAYER:UNIT",
           help="Show tanh of the value of this cell, such as 2:45; both numbers are from 1."),
    Option("gate", str, SHOWN, optional=True, choices=("forget", "input", "output"),
           help="Show how far this gate is open: that of --cell, or the mean of all."),
    Option("guesses", int, SHOWN, default=0, least=0, most=5,
           help="Show the N characters that the model thought most probable at each position."),
    Option("find", bool, SHOWN, default=False,
           help="Find cells that tell properties of a text, such as inside brackets."),
    Option("pattern", list, SHOWN, default=(), metavar="REGEX",
           help="Find a cell that tells the matches of a regular expression. May be repeated."),
    Option("prune", bool, REMOVAL, default=False,
           help="Delete the saved states of finished runs. Models are kept."),
    Option("yes", bool, REMOVAL, default=False, help="Delete without asking."),
    # The losses of runs.
    Option("by", str, CHART, default="steps", choices=("steps", "seconds", "epochs"),
           help="What the horizontal axis of the chart shows."),
    Option("follow", bool, CHART, default=False,
           help="Go on while the runs are trained, and end when they do."),
    Option("plot", str, CHART, optional=True, metavar="FILE",
           help="Write the chart to FILE.svg or FILE.png instead."),
    # What a score has rows for; ``lines`` is another one.
    Option("chars", bool, ROWS, default=False, help="Print a row for each character."),
    # Texts of the catalogue.
    Option("url", str, DOWNLOAD, metavar="URL",
           help="Download from this mirror, as URL/NAME.txt.  [default: the catalogue's address]"),
    # What most commands share.
    Option("model", str, MODEL, metavar="MODEL", short="m",
           help="Model file, run, or name of a bundled model.  "
                "[default: the newest run, or else shakespeare]"),
    Option("json", bool, OUTPUT, default=False, help="Print one JSON object."),
    Option("title", str, OUTPUT, metavar="TEXT",
           help="Title of the page.  [default: what the page is]"),
    Option("command", bool, OUTPUT, default=False,
           help="Print only the command that makes the model again."),
    Option("quiet", bool, OUTPUT, default=False, short="q",
           help="Print nothing but errors on standard error."),
)  # fmt: skip

OPTIONS: Mapping[str, Option] = {option.name: option for option in _TABLE}
