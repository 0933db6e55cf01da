"""What people type who know other programs, and what they are told."""

from pathlib import Path

import pytest

from charlstm.cli.main import command
from charlstm.cli.meant import COMMANDS, OPTIONS

from .conftest import Run


@pytest.mark.parametrize(
    ("words", "advice"),
    [
        ("sample", "use charlstm generate"),
        ("write", "use charlstm generate"),
        ("Chat", "use charlstm generate"),
        ("list", "use charlstm models, or charlstm corpus list for texts"),
        ("trian play.txt", "did you mean charlstm train?"),
        ("play.txt", "to learn from it: charlstm train play.txt"),
        ("absent.txt", "to learn from it: charlstm train absent.txt"),
        ("model", "to write with this model: charlstm generate -m model"),
        ("To be", "to continue a text: charlstm generate 'To be'"),
        ("Hello", "see charlstm --help"),
        ("shakespeare", "to write with it: charlstm generate -m shakespeare"),
        ("hamlet", "to learn from it: charlstm train hamlet"),
    ],
)
def test_a_word_that_is_no_command_is_answered(
    charlstm: Run, tmp_path: Path, words: str, advice: str
) -> None:
    """With the command of this program that does it."""
    (tmp_path / "play.txt").touch()
    (tmp_path / "model").mkdir()
    (tmp_path / "model/model.safetensors").touch()
    given = [words] if words == "To be" else words.split()
    done = charlstm(*given, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, b"")
    name = given[0]
    expected = f"charlstm: error: {name} is not a command of charlstm; {advice}\n"
    assert done.stderr.decode() == expected


def test_words_without_quotes_are_shown_quoted(charlstm: Run) -> None:
    """A seed phrase is one argument, and so is a text that is shown."""
    for name, noun in (
        ("generate", "seed phrase"),
        ("predict", "seed phrase"),
        ("visualize", "text"),
    ):
        done = charlstm(name, "The", "old", "man's")
        expected = f"a {noun} of several words must be quoted: 'The old man'\"'\"'s'"
        assert (done.returncode, done.stdout) == (2, b"")
        assert done.stderr.decode() == f"charlstm: error: {expected}\n"
    done = charlstm("generate", "--seed", "To", "be", "or")
    assert done.stderr.endswith(b"must be quoted: --seed 'To be or'\n")
    done = charlstm("To", "be", "or", "-n", "5")
    assert done.stderr.endswith(b"to continue a text: charlstm generate 'To be or 5'\n")
    done = charlstm("novelty", "a", "b", "c d")
    assert done.stderr.endswith(
        b"'c d': more than charlstm novelty takes; see charlstm novelty --help\n"
    )


def test_an_option_without_its_value_names_the_page_of_its_command(charlstm: Run) -> None:
    """The page of the program does not have it."""
    done = charlstm("train", "play.txt", "--steps")
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr.endswith(b"; see charlstm train --help\n")


def test_skipping_is_not_leaving_out_where_a_text_is_measured(charlstm: Run, trained: Path) -> None:
    """The advice for an unknown character says what skip does in the command at hand."""
    for words in (["score"], ["score", "--lines"], ["score", "--chars"], ["evaluate", "-"]):
        done = charlstm(*words, "-m", trained, input="To\u4e2d be\n".encode() * 99)
        assert done.returncode != 0
        assert b"count unknown characters as the least probable ones with --unknown skip" in (
            done.stderr
        )


def test_standard_input_is_scored_once(charlstm: Run, trained: Path) -> None:
    """A second - would be an empty text."""
    done = charlstm("score", "-m", trained, "-", "-", input=b"To be\n")
    assert (done.returncode, done.stdout) == (2, b"")
    assert b"standard input is named twice; name a file for one" in done.stderr


@pytest.mark.parametrize(
    ("words", "advice"),
    [
        ("train x --lr 3", "--lr; did you mean --learning-rate?"),
        ("train x -n 4", "-n; -n is --length of charlstm generate"),
        ("train x -t 3m", "-t; -t is --temperature of charlstm generate"),
        ("train x --val 0.1", "--val; did you mean --val-fraction?"),
        ("train x --epoch 3", "--epoch; did you mean --epochs?"),
        ("train x --max_iters 3", "--max_iters; did you mean --steps?"),
        ("train x -rnn_size 128", "-rnn_size; did you mean --hidden-size?"),
        ("generate --temp 3", "--temp; did you mean --temperature?"),
        ("generate --prompt-file x", "--prompt-file; did you mean --seed-file?"),
        ("generate --n-predict=3", "--n-predict; did you mean --length?"),
        ("generate --lenght 3", "--lenght; did you mean --length?"),
        ("generate -seed=3", "-seed; did you mean --seed?"),
        ("generate --epochs 3", "--epochs; --epochs is an option of charlstm train"),
        ("generate --lr 3", "--lr; --learning-rate is an option of charlstm train"),
        ("evaluate x --val 3", "--val; did you mean --split?"),
        ("generate -Z", "-Z; see charlstm generate --help"),
        ("generate --zzz", "--zzz; see charlstm generate --help"),
        ("--zzz generate", "--zzz; see charlstm --help"),
        (
            "--temp 3 generate",
            "--temp; options stand after the command: charlstm generate --temperature",
        ),
    ],
)
def test_an_option_that_is_unknown_is_answered(charlstm: Run, words: str, advice: str) -> None:
    """With the option that is meant, if other programs call it so, or if it is similar."""
    done = charlstm(*words.split())
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr.decode() == f"charlstm: error: no such option: {advice}\n"


def test_options_that_are_suggested_exist() -> None:
    """The table of other programs' options names options of this one."""
    tree = command()
    flags = {flag for node in tree.commands.values() for p in node.params for flag in p.opts}
    assert {meant for several in OPTIONS.values() for meant in several} <= flags
    assert not OPTIONS.keys() & flags
    assert not COMMANDS.keys() & tree.commands.keys()
    assert {text.split()[1].strip(",") for text in COMMANDS.values()} <= {
        *tree.commands,
        "--version",
    }
