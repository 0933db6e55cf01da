"""What to do about an error, in the words of the command line, by the code of the error."""

import shlex
from pathlib import Path

from charlstm.errors import CharLSTMError, OptionError
from charlstm.options import OPTIONS

HINTS = {
    # Texts.
    "encoding": "name its encoding with --encoding, or leave out damaged bytes: iconv -c -f UTF-8 "
    "-t UTF-8",
    "likely encoding": "name its encoding: --encoding {encodings}",
    "corpus encoding": "--corpus must have the encoding of the model's own corpus: convert it, for "
    "example with iconv -t {encoding}",
    "seed encoding": "convert it to UTF-8 first, for example with iconv -t UTF-8",
    "likely seed encoding": "convert it to UTF-8 first with iconv; it is perhaps in {encodings}",
    "nul": "leave it out: tr -d '\\0' < {file} > {text}",
    "large dictionary": "let xz unpack it: xz -dc {file} | charlstm ... -",
    "cut or damaged": "copy or download it again",
    "packed twice": "unpack it first",
    "address": "download it first, then name the file: curl -L -o {file} {address}",
    # What is no plain text.
    "html": "make text of it: pandoc -f html -t plain {file} -o {text}; to learn its markup, name "
    "its encoding with --encoding",
    "docx": "make text of it: pandoc -f docx -t plain {file} -o {text}",
    "odt": "make text of it: pandoc -f odt -t plain {file} -o {text}",
    "epub": "make text of it: pandoc -f epub -t plain {file} -o {text}",
    "rtf": "make text of it: pandoc -f rtf -t plain {file} -o {text}",
    "pdf": "make text of it: pdftotext {file} {text}",
    "postscript": "make text of it: ps2ascii {file} {text}",
    "djvu": "make text of it: djvutxt {file} {text}",
    "kindle": "make text of it: ebook-convert {file} {text}",
    "office": "make text of it: libreoffice --headless --convert-to txt --outdir "
    "{directory} {file}",
    "table": "make text of it: libreoffice --headless --convert-to csv --outdir {directory} {file}",
    "zip": "name the texts in it: unzip {file}, or all in one: unzip -p {file} > {text}",
    "tar": "name the texts in it: tar -xkf {file}, or all in one: tar -xOf {file} > {text}",
    "7z": "name the texts in it: 7z x {file}, or all in one: 7z x -so {file} > {text}",
    "rar": "name the texts in it: unrar x {file}, or all in one: unrar p -inul {file} > {text}",
    "zstd": "unpack it: zstd -dc {file} > {text}",
    "sqlite": "make text of it: sqlite3 {file} .dump > {text}",
    "picture": "if it shows a text: tesseract {file} stdout > {text}",
    "model": "name a model with -m, and a text here",
    "no text": "name a plain text",
    "no files": "name the files, or give another --glob",
    "no files in a dataset": "name the text itself; only train and evaluate read datasets, and a "
    "dataset must be the only source",
    "no such text": "check the name; charlstm corpus list shows the texts of the catalogue",
    "similar text": "did you mean {nearest}? charlstm corpus list shows the texts of the catalogue",
    "not cached": "charlstm corpus get {name} downloads it",
    "no answer": "check the network, or name a mirror: charlstm corpus get {name} --url URL (for "
    "all commands: the variable CHARLSTM_CORPUS_URL)",
    "cut off": "try it again, or name a mirror: charlstm corpus get {name} --url URL (for all "
    "commands: the variable CHARLSTM_CORPUS_URL)",
    "wrong content": "name another mirror: charlstm corpus get {name} --url URL (for all commands: "
    "the variable CHARLSTM_CORPUS_URL)",
    "cache": "set XDG_CACHE_HOME to a directory in which you may write",
    "incomplete installation": "install charlstm again, from a copy of its repository",
    "min count": "lower --min-count",
    "window": "lower --window",
    "output exists": "remove it, or give another name with -o",
    "invalid dataset": "make it again with charlstm dataset",
    "dataset as made": "leave out --encoding, --lowercase, --min-count and --glob, or name the "
    "text itself",
    # Models and generated texts.
    "no model": "make one with charlstm train CORPUS, or name one with -m",
    "unknown character": "leave out unknown characters with --unknown skip, or replace them by "
    "similar ones with --unknown nearest",
    "unknown character to measure": "count unknown characters as the least probable ones with "
    "--unknown skip, or replace them by similar ones with --unknown nearest",
    "end": "give a --length, or a --stop text or --lines that this model can write",
    "lines rejected": "ask for fewer lines, allow more lines (--novel, --new-lines, --unique), or "
    "raise --temperature",
    "invalid model": "copy or download it again, or name another model",
    "no saved state of a text": "--save-state makes one",
    "invalid state": "save it again",
    "state of another model": "name that model with --model",
    "no onnx": "install it where charlstm is: pip install onnx",
    # Evaluation.
    "no split": "evaluate the whole text with --split all",
    "no validation part": "evaluate the whole text with --split all, without --baselines",
    "few characters": "give a longer text, or evaluate all of it with --split all",
    "split with baselines": "use --split val, or leave out --baselines",
    # Pages.
    "other text": "name the text of the run with --corpus",
    # Training.
    "no torch": "install it where charlstm is: {python} -m pip install torch; with pipx: pipx "
    "inject charlstm torch; with uv: uv tool install --with torch . in a copy of the repository",
    "broken torch": "install it again: {python} -m pip install --force-reinstall torch",
    "no run": "make one with charlstm train CORPUS, or name one",
    "no corpus": "name a text, as in charlstm train play.txt, or - for standard input",
    "file name": "rename the file, or pipe it: - < FILE",
    "shared stdin": "make a dataset of the text first",
    "device": "use --device cpu or --device auto",
    "validation part": "raise --val-fraction, or turn validation off with --val-fraction 0",
    "memory": "lower --hidden-size, --batch-size or --seq-length, or close other programs",
    "sizes": "leave it out",
    "too few gpus": "lower --nproc-per-node",
    "output": "give another -o",
    "run exists": "give another -o, or continue the run: charlstm train --resume {directory}",
    "locked": "wait until it ends, or give another -o",
    "not saved": "remove the cause, then continue from step {step}: charlstm train --resume "
    "{directory}",
    "event file": "the run itself is saved, and its metrics.jsonl has the same figures; use its "
    "model with charlstm generate -m {directory}",
    "no tensorboard": "install it where charlstm is: pip install tensorboard",
    "diverged": "lower --learning-rate (it was {rate:g} at the beginning)",
    "sample prompt": "leave them out, or write no samples: --no-sample",
    "settled": "leave it out; --resume continues a run with the options that it began with",
    "no training state": "--resume takes the directory of a run",
    "invalid training state": "the model beside it can still be used",
    "run without state": "charlstm models --prune removes it when a run is finished; use the "
    "model with charlstm generate -m {directory}, or begin a new run with it: charlstm train "
    "CORPUS --init-from {directory}",
    "text from a pipe": "give it again: charlstm train - --resume {directory} < TEXT",
    "text of a run": "or name the text where it is now: charlstm train CORPUS --resume {directory}",
    "run complete": "use its model with charlstm generate -m {directory}, or train it longer: "
    "charlstm train --resume {directory} --epochs E",
}


def explained(error: CharLSTMError) -> str:
    """The message of an error, with options as the command line spells them, and what to do."""
    message = error.message
    if isinstance(error, OptionError) and error.name:
        option = OPTIONS.get(error.name)
        message = f"{option.flag if option else error.name.upper()} {error.fault}"
    if error.code not in HINTS:
        return message
    values = {
        name: shlex.quote(str(value)) if isinstance(value, Path) else value
        for name, value in error.values.items()
    }
    return f"{message}; {HINTS[error.code].format(**values)}"
