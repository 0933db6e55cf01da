"""Messages: they say what to do, and name options of the command that the user called."""

import ast
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import charlstm as package
from charlstm.cli.hints import HINTS
from charlstm.cli.main import command
from charlstm.text.formats import FORMATS

from .conftest import Run

TREE = command()
# Other programs, and commands in full.
PROGRAMS = "iconv|tr|curl|pandoc|libreoffice|unzip|tar|7z|unrar|xz|zstd|sqlite3"
OTHERS = re.compile(rf"\b(?:{PROGRAMS}) -?\w?[^;,]*|charlstm \w+ .*")
OPTION = re.compile(r"(?<![\w-])--?[a-zA-Z][\w-]*")

FILES = {
    "bytes": b"a fine text\n" * 9 + b"\xe9",
    "nul": b"a fine text\n" * 9 + b"\0",
    "utf16": ("a fine text\n" * 9).encode("utf-16"),
    "surrogate": "a fine text\n".encode("utf-16-le") * 9,
    "empty": b"",
    "letter": b"a" * 99,
    "text": b"a fine text\n" * 9,
}
READERS = {
    "train": ["{}", "--steps", "1"],
    "vocab": ["{}"],
    "dataset": ["{}", "-o", "out"],
    "novelty": ["{}", "text"],
    "evaluate": ["{}", "-m", "MODEL"],
    "generate": ["-m", "MODEL", "--seed-file", "{}"],
    "predict": ["-m", "MODEL", "--seed-file", "{}"],
    "score": ["-m", "MODEL", "--lines", "{}"],
    "visualize": ["-m", "MODEL", "--text-file", "{}"],
    "export": ["-m", "MODEL", "-o", "page.html", "--corpus", "{}"],
    "report": ["MODEL", "-o", "page.html", "--corpus", "{}"],
}
CASES: list[tuple[str, list[str]]] = [
    *((name, [w.format(file) for w in words]) for name, words in READERS.items() for file in FILES),
    *(("generate", ["-m", "MODEL", "--novel", "9", "--corpus", file]) for file in FILES),
    ("vocab", ["letter", "--min-count", "999"]),
    ("dataset", ["text", "-o", "out.npz", "--window", "999"]),
    ("generate", ["-m", "MODEL", "--novel", "70000", "--corpus", "text"]),
    ("generate", ["-m", "MODEL", "--each-line", "--seed-file", "bytes"]),
    ("generate", ["-m", "MODEL", "--load-state", "text"]),
    ("generate", ["-m", "MODEL", "--json", "-n", "0"]),
    ("generate", ["-m", "text"]),
    ("inspect", ["-m", "text"]),
    ("inspect", ["-m", "absent"]),
]


def named(message: str) -> set[str]:
    """The options that a message names.

    >>> sorted(named("x: no text; say --encoding utf-16, or -o OUT (with charlstm train -q)"))
    ['--encoding', '-o']
    """
    return set(OPTION.findall(OTHERS.sub("", message)))


@pytest.mark.parametrize(("name", "words"), CASES, ids=lambda value: "".join(value)[:40])
def test_a_message_names_options_of_its_command(
    charlstm: Run, trained: Path, tmp_path: Path, name: str, words: list[str]
) -> None:
    """Whatever room of the program it comes from."""
    for file, data in FILES.items():
        (tmp_path / file).write_bytes(data)
    given = [str(trained) if word == "MODEL" else word for word in words]
    done = charlstm(name, *given, "--quiet", cwd=tmp_path)
    message = done.stderr.decode()
    if done.returncode == 0:  # a file that is sound to this command
        assert message == ""
        return
    known = {flag for p in TREE.commands[name].params for flag in (*p.opts, *p.secondary_opts)}
    assert named(message) - known == set(), message
    assert "repetition" not in message


ROOT = Path(package.__file__).parent
SOURCES = {
    str(path.relative_to(ROOT)): ast.parse(path.read_text())
    for path in ROOT.rglob("*.py")
    if path.name != "hints.py"
}
# The number of arguments before the code of an error.
BEFORE_CODE = {
    **dict.fromkeys(["CharLSTMError", "CorpusError", "ModelFileError"], 1),
    **dict.fromkeys(["StateError", "TrainingError", "error"], 1),
    **dict.fromkeys(["OptionError", "EncodingError"], 2),
    "reading": 3,
}
# Codes that ``charlstm.untrusted.reading`` makes, whose messages say what to do.
EXPLAINED = {"no model file", "no dataset"}


def texts(node: ast.AST, tree: ast.AST) -> Iterator[str]:
    """The texts that an expression can be; a name is looked up in its module."""
    if isinstance(node, ast.Name):
        for line in ast.walk(tree):
            if isinstance(line, ast.Assign) and ast.unparse(line.targets) == node.id:
                yield from texts(line.value, tree)
    elif not isinstance(node, ast.JoinedStr):
        for inner in ast.walk(node):  # both texts of a conditional expression
            if isinstance(inner, ast.Constant) and isinstance(inner.value, str):
                yield inner.value


def codes() -> Iterator[str]:
    """The codes of the errors that the program raises."""
    yield from (code for _, _, code in FORMATS)
    yield from ("html", "packed twice")
    for tree in SOURCES.values():
        for call in ast.walk(tree):
            if not isinstance(call, ast.Call):
                continue
            name = ast.unparse(call.func)
            if name == "reading":
                yield from (f"no {noun}" for noun in texts(call.args[1], tree))
            given = call.args[BEFORE_CODE[name] :][:1] if name in BEFORE_CODE else []
            given += [keyword.value for keyword in call.keywords if keyword.arg == "code"]
            for node in given:
                yield from texts(node, tree)


def test_every_code_has_a_hint_and_every_hint_a_code() -> None:
    """A code that no hint explains, or a hint that nothing uses, is a mistake in one of them."""
    found = {code for code in codes() if code}
    assert found - set(HINTS) == EXPLAINED
    assert set(HINTS) - found == set()


@pytest.mark.parametrize("code", HINTS)
def test_a_hint_goes_on_with_the_sentence(code: str) -> None:
    """It stands after "; " and names only options that some command has."""
    hint = HINTS[code]
    assert not hint[0].isupper()
    assert not hint.endswith(".")
    options = [p for node in TREE.commands.values() for p in node.params]
    known = {flag for p in options for flag in (*p.opts, *p.secondary_opts)}
    others = {"--nproc-per-node", "--force-reinstall", "--with"}  # of torchrun, of pip and of uv
    assert named(hint) - known - others == set()


# Modules outside the command line that spell its options, and why.
SPELL = {
    "errors.py": "a package is missing, perhaps one of the command line's own",
    "options.py": "the table of options, from which the command line is made",
    "training/config.py": "writes the command that repeats a run into the model file",
}
COMMANDS = "|".join(TREE.commands)
SPELLED = re.compile(rf"(?<![\w-])--[a-z]|\bcharlstm ({COMMANDS})\b|``-[a-z]``")


@pytest.mark.parametrize("path", [path for path in SOURCES if not path.startswith("cli/")])
def test_only_the_command_line_spells_options(path: str) -> None:
    """No message and no docstring of the library names an option or a command."""
    texts = [
        node.value
        for node in ast.walk(SOURCES[path])
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]
    found = [text for text in texts if SPELLED.search(text)]
    assert bool(found) == (path in SPELL), found


@pytest.mark.parametrize(
    ("words", "status", "source"),
    [
        (["evaluate", "t.txt"], 1, "t.txt: "),
        (["score", "t.txt"], 1, "t.txt: "),
        (["score", "-"], 1, "standard input: "),
        (["visualize", "--text-file", "t.txt"], 1, "t.txt: "),
        (["visualize", "-"], 1, "standard input: "),
        (["visualize", "\u4e2d"], 2, ""),
        (["predict", "\u4e2d"], 2, ""),
        (["generate", "\u4e2d"], 2, ""),
    ],
)
def test_an_unknown_character_is_a_fault_of_the_file_or_of_the_command_line(
    charlstm: Run, trained: Path, tmp_path: Path, words: list[str], status: int, source: str
) -> None:
    """The exit status says which, and the message names the file."""
    (tmp_path / "t.txt").write_text("\u4e2d", encoding="utf-8")
    name, *rest = words
    data = "\u4e2d".encode()
    done = charlstm(name, "-m", trained, *rest, cwd=tmp_path, input=data)
    said = f"charlstm: error: {source}the model never saw '\u4e2d' (U+4E2D); "
    assert done.returncode == status
    assert done.stderr.decode().startswith(said)


def test_the_list_of_commands_has_whole_sentences(charlstm: Run) -> None:
    """On a terminal of 80 columns no summary of a command is cut."""
    listed = charlstm("-h").stdout.decode().split("Commands:\n")[1].split("\n\n")[0]
    assert len(listed.splitlines()) == len(TREE.commands)
    assert all(line.endswith(".") and not line.endswith("...") for line in listed.splitlines())


def test_a_file_that_cannot_be_read_is_not_to_be_written_elsewhere(
    charlstm: Run, tmp_path: Path
) -> None:
    """The name of a file may be too long to look at it."""
    (tmp_path / "t.txt").write_text("text")
    done = charlstm("novelty", "t.txt", "x" * 5000, cwd=tmp_path)
    assert done.returncode == 1
    assert b"File name too long" in done.stderr
    assert b"write" not in done.stderr


def test_json_is_utf8_whatever_a_file_is_called(charlstm: Run, tmp_path: Path) -> None:
    """A byte of its name that is none becomes a lone surrogate, as Python reads it."""
    name = os.fsdecode(b"caf\xe9.txt")
    (tmp_path / name).write_text("The tide")
    done = charlstm("score", "--json", "-q", name, cwd=tmp_path)
    assert b"caf\\udce9.txt" in done.stdout
    assert json.loads(done.stdout.decode("utf-8"))["file"] == name
