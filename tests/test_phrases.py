"""The seed phrase of ``charlstm generate``: where it may stand, and how it is read."""

import json
from pathlib import Path
from typing import Any

import pytest

from .conftest import Run


@pytest.fixture
def write(charlstm: Run, trained: Path) -> Any:
    """What ``generate`` writes and says, with the random seed 7."""

    def run(*words: object, **options: Any) -> tuple[str, str]:
        done = charlstm("generate", "-m", trained, "--random-seed", 7, *words, **options)
        assert done.returncode == 0, done.stderr
        return done.stdout.decode(), done.stderr.decode()

    return run


@pytest.mark.parametrize(
    ("words", "data"),
    [
        (["The tide"], b""),
        (["--prompt", "The tide"], b""),
        (["-"], b"The tide"),
        (["--seed", "-"], b"The tide"),
        (["--", "The tide"], b""),
        (["-e", r"The\x20tide"], b""),
    ],
)
def test_a_seed_phrase_stands_where_one_likes(write: Any, words: list[str], data: bytes) -> None:
    """The argument, the option with its two names, and standard input mean the same."""
    expected = write("-n", 30, "--seed", "The tide")
    assert write("-n", 30, *words, input=data) == expected


def test_a_hyphen_is_the_file_of_lines(write: Any) -> None:
    """With ``--each-line`` the argument names standard input, which it reads anyway."""
    expected = write("--each-line", "-n", 20, input=b"The\nAnd\n")
    assert write("--each-line", "-", "-n", 20, input=b"The\nAnd\n") == expected


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["The", "--seed", "And"], ["PROMPT", "--seed"]),
        (["The", "--seed-file", "phrase"], ["PROMPT", "--seed-file"]),
        (["--seed", "The", "--seed-file", "phrase"], ["--seed", "--seed-file"]),
        (["The", "--each-line"], ["PROMPT", "--each-line"]),
        (["--seed", "The", "--prompt", "And"], ["--seed", "--prompt"]),
        (["--prompt=The", "--seed=And"], ["--seed", "--prompt"]),
        (["-", "--seed-file", "phrase"], ["PROMPT", "--seed-file"]),
    ],
)
def test_a_phrase_given_twice_is_an_error(
    charlstm: Run, trained: Path, tmp_path: Path, words: list[str], named: list[str]
) -> None:
    """Its message names both."""
    (tmp_path / "phrase").write_text("The tide")
    done = charlstm("generate", "-m", trained, *words, cwd=tmp_path)
    message = done.stderr.decode()
    assert (done.returncode, done.stdout) == (2, b"")
    assert message.startswith(f"charlstm: error: {named[0]} and {named[1]} ")


@pytest.mark.parametrize("digits", ["7", "20251"])
def test_a_phrase_of_digits_may_be_a_random_seed(charlstm: Run, trained: Path, digits: str) -> None:
    """The option that may be meant is named; ``--quiet`` and a phrase of words need no note."""
    words = ["generate", "-m", trained, "-n", 5, "--unknown", "skip", "--random-seed", 1]
    note = f"the seed phrase is {digits}, a text to continue; the seed of the random number "
    for given in ([digits], ["--seed", digits]):
        done = charlstm(*words, *given)
        assert done.stderr.decode() == f"{note}generator is --random-seed {digits}\n"
        assert charlstm(*words, "-q", *given).stderr == b""
    assert charlstm(*words, "The 7").stderr == b""


VARIABLES = {
    "seed": {"CHARLSTM_GENERATE_SEED": "And"},
    "file": {"CHARLSTM_GENERATE_SEED_FILE": "absent"},
    "lines": {"CHARLSTM_GENERATE_EACH_LINE": "1"},
    "state": {"CHARLSTM_GENERATE_LOAD_STATE": "state"},
}


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ("seed", ["--seed-file", "phrase"]),
        ("seed", ["The tide"]),
        ("seed", ["--seed", "The tide"]),
        ("seed", ["-"]),
        ("seed", ["--each-line"]),
        ("seed", ["--load-state", "state"]),
        ("file", ["The tide"]),
        ("file", ["--load-state", "state"]),
        ("lines", ["The tide"]),
    ],
)
def test_the_command_line_outranks_the_environment(
    write: Any, tmp_path: Path, variables: str, words: list[str]
) -> None:
    """What is given there counts, as if the variable were not set."""
    (tmp_path / "phrase").write_text("The tide")
    write("--seed", "The", "-n", 5, "--save-state", tmp_path / "state")
    how: dict[str, Any] = {"cwd": tmp_path, "input": b"The tide"}
    expected = write("-n", 30, *words, **how)
    assert write("-n", 30, *words, env=VARIABLES[variables], **how) == expected


@pytest.mark.parametrize(
    ("variables", "words"),
    [("seed", ["--seed", "And"]), ("lines", ["--each-line"]), ("state", ["--load-state", "state"])],
)
def test_a_variable_alone_is_as_good_as_its_option(
    write: Any, tmp_path: Path, variables: str, words: list[str]
) -> None:
    """A phrase on the command line is read after the text of a saved state."""
    write("--seed", "The", "-n", 5, "--save-state", tmp_path / "state")
    more = ["--seed", "The tide"] if variables == "state" else []
    how: dict[str, Any] = {"cwd": tmp_path, "input": b"The\n"}
    expected = write("-n", 30, *words, *more, **how)
    assert write("-n", 30, *more, env=VARIABLES[variables], **how) == expected


@pytest.mark.parametrize(
    ("words", "variables", "echoed"),
    [
        (["--echo"], {}, True),
        (["--no-echo"], {}, False),
        (["--echo"], {"CHARLSTM_GENERATE_ECHO": "0"}, True),
        ([], {"CHARLSTM_GENERATE_ECHO": "0"}, False),
    ],
)
def test_echo_and_no_echo_are_a_pair(
    write: Any, words: list[str], variables: dict[str, str], echoed: bool
) -> None:
    """The command line undoes the environment."""
    text, said = write("--seed", "The tide", "-n", 9, *words, env=variables)
    assert (text.startswith("The tide"), len(text), said) == (echoed, 9 + 8 * echoed, "")


@pytest.mark.parametrize("bad", [b"\xff", b"\xe2\x82\xac"])
@pytest.mark.parametrize(
    ("before", "number"), [(b"", 1), (b"The\n", 2), (b"The\rAnd\n", 3), (b"The\r\n\rAnd\r", 4)]
)
def test_every_message_counts_lines_alike(
    charlstm: Run, trained: Path, before: bytes, number: int, bad: bytes
) -> None:
    """Bytes that are no text, and characters that the model never saw; the lines before come."""
    words = ["generate", "-m", trained, "--each-line", "-n", 5, "-q"]
    done = charlstm(*words, input=before + bad)
    assert f"line {number}: " in done.stderr.decode()
    assert len(done.stdout.splitlines()) >= number - 1


def test_what_has_nothing_near_is_left_out_and_said(write: Any) -> None:
    """On stderr, with the characters; what has something near is not remarked."""
    expected, _ = write("--seed", "The tide", "-n", 20)
    words = ["--unknown", "nearest", "-n", 20, "--seed", "Th\u00e9 \u4e2dtide"]
    said = "the model knows nothing similar to '\u4e2d' (U+4E2D); left out\n"
    assert write(*words) == (expected, said)
    assert write(*words, "-q") == (expected, "")


@pytest.mark.parametrize("form", [[], ["--json"], ["--separator", ";"], ["--no-echo"]])
def test_a_line_that_cannot_be_read_is_answered_by_an_empty_one(
    charlstm: Run, trained: Path, form: list[str]
) -> None:
    """It is named, the others are as if it could be read, and the status is 1 at the end."""
    words = ["generate", "-m", trained, "--each-line", "-n", 5, "--random-seed", 1, "-q", *form]
    expected = charlstm(*words, input=b"The\n\nAnd\n").stdout.decode()
    done = charlstm(*words, input="The\n\u20ac\nAnd\n".encode())
    assert done.returncode == 1
    said = done.stderr.decode()
    assert said.startswith("charlstm: error: line 2: the model never saw '\u20ac' (U+20AC); ")
    assert said.count("\n") == 1
    if "--json" in form:
        given, answers = (
            [json.loads(line) for line in text.splitlines()]
            for text in (expected, done.stdout.decode())
        )
        unread = {"text": "", "seed": "", "random_seed": 1, "sample": 1, "end": None, "stop": None}
        assert answers == [given[0], {**unread, "bits_per_char": None}, given[2]]
    else:
        end = ";" if "--separator" in form else "\n"
        given, answers = (text.split(end) for text in (expected, done.stdout.decode()))
        assert answers == [given[0], "", *given[2:]]


def test_a_line_says_what_is_left_out_of_it(charlstm: Run, trained: Path) -> None:
    """With its number, and the stream goes on to a good end."""
    words = ["generate", "-m", trained, "--each-line", "-n", 5, "--unknown", "nearest"]
    done = charlstm(*words, "--random-seed", 1, input="The\nA\u4e2dnd\n".encode())
    assert (done.returncode, done.stdout.count(b"\n")) == (0, 2)
    assert done.stderr.decode().startswith("line 2: the model knows nothing similar to '\u4e2d'")
