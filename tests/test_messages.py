"""Messages name what the command at hand has: its own options, and no others."""

import re
from pathlib import Path

import pytest

from charlstm.cli.main import command

from .conftest import Run

TREE = command()
OTHERS = re.compile(r"iconv -t \S+|charlstm \w+ .*")  # other programs, and commands in full
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
    "generate": ["-m", "MODEL", "--seed-file", "{}"],
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
