"""What to do about an error, in the words of the command line, by the error's code or name."""

from charlstm.errors import CharLSTMError, OptionError
from charlstm.options import OPTIONS

HINTS = {
    # Texts.
    "encoding": "name its encoding with --encoding, for example latin-1 or cp1252",
    "utf-16": "if it is UTF-16, say --encoding {encoding}",
    "byte order": "name another --encoding: utf-16-le or utf-16-be where the byte order is not "
    "marked",
    "corpus encoding": "--corpus is read as the model's own corpus was: convert it, for example "
    "with iconv -t {encoding}",
    "seed encoding": "a seed phrase is UTF-8: convert it, for example with iconv -t UTF-8",
    "no files": "name the files, or another --glob (a dataset is for train, and stands alone)",
    "min count": "lower --min-count",
    "window": "lower --window",
    "output exists": "remove it, or give another -o",
    "unsound dataset": "make it again with charlstm dataset",
    "dataset as made": "leave out --encoding, --lowercase, --min-count and --glob, or name the "
    "text itself",
    # Models and generated texts.
    "no model": "make one with charlstm train CORPUS, or name one with -m",
    "unknown character": "leave out what it does not know with --unknown skip, or take the closest "
    "that it knows with --unknown nearest",
    "end": "give a --length, or a --stop or --lines that can come",
    "lines refused": "ask for fewer lines, allow more (--novel, --new-lines, --unique), or raise "
    "--temperature",
    "unsound model": "get it again, or name another model file or run directory",
    "no saved state of a text": "--save-state makes one",
    "unsound state": "save it again",
    "state of another model": "name that model with --model",
    # Training.
    "no corpus": "name a text: charlstm train play.txt, or - to read it",
    "file name": "rename the file, or pipe it: - < FILE",
    "shared stdin": "make a dataset of it first",
    "device": "say --device cpu or auto",
    "validation part": "raise --val-fraction, or say --val-fraction 0",
    "memory": "lower --hidden-size, --batch-size or --seq-length, or close other programs",
    "sizes": "leave it out",
    "too few gpus": "lower --nproc-per-node",
    "output": "give another -o",
    "run exists": "give another -o, or go on with it: charlstm train --resume {directory}",
    "locked": "wait for it to end, or give another -o",
    "not saved": "give it room, then go on from step {step}: charlstm train --resume {directory}",
    "diverged": "lower --learning-rate (it began at {rate:g})",
    "settled": "leave it out; --resume continues a run as it was begun",
    "no training state": "there is no run to go on with; name a run directory",
    "unsound training state": "the model beside it can still be used",
    "run without state": "charlstm models --prune removes it when a run is finished; use the "
    "model with charlstm generate -m {directory}, or begin a new run with it: charlstm train "
    "CORPUS --init-from {directory}",
    "text from a pipe": "give it again: charlstm train - --resume {directory} < TEXT",
    "text of a run": "or say where the text is now: charlstm train CORPUS --resume {directory}",
    "run complete": "use its model with charlstm generate -m {directory}, or train it longer: "
    "charlstm train --resume {directory} --epochs E",
}


def explained(error: CharLSTMError) -> str:
    """The message of an error, with options as the command line spells them, and what to do."""
    message = error.message
    if isinstance(error, OptionError) and error.name:
        option = OPTIONS.get(error.name)
        message = f"{option.flag if option else error.name.upper()} {error.fault}"
    hint = HINTS.get(error.code)
    return f"{message}; {hint.format(**error.values)}" if hint else message
