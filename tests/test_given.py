"""Options that are given twice: an error, but for lists and for flags that say the same."""

from pathlib import Path
from typing import Any

import pytest

from charlstm.cli.main import command
from charlstm.errors import OptionError

from .conftest import Run

TREE = command()
COMMANDS = {"": TREE, **TREE.commands}
OPTIONS = [
    (name, option)
    for name, node in COMMANDS.items()
    for option in node.params
    if option.param_type_name == "option"
]
ONCE = [(name, o) for name, o in OPTIONS if not (o.is_flag or o.multiple)]
PAIRS = [(name, o) for name, o in OPTIONS if o.secondary_opts]


def run(name: str, *words: str) -> None:
    """Read a command line in this process."""
    TREE([*([name] if name else []), *words], prog_name="charlstm", standalone_mode=False)


@pytest.mark.parametrize(("name", "option"), ONCE, ids=lambda x: getattr(x, "name", x) or "program")
def test_two_values_are_an_error(name: str, option: Any) -> None:
    """It names the option and both values, whichever of its names it is given by."""
    flags = option.opts
    said = rf"^{max(flags, key=len)} is given 2 times: '12' and '13'; give it once$"
    with pytest.raises(OptionError, match=said):
        run(name, flags[0], "12", f"{flags[-1]}", "13")


@pytest.mark.parametrize(("name", "option"), PAIRS, ids=lambda x: getattr(x, "name", x))
def test_yes_and_no_contradict_each_other(name: str, option: Any) -> None:
    """A flag and its opposite are an error, in either order."""
    both = [option.opts[0], option.secondary_opts[0]]
    for words in (both, both[::-1]):
        with pytest.raises(OptionError, match="^" + " and ".join(both) + " do not go together"):
            run(name, *words)


def test_what_may_be_repeated(charlstm: Run) -> None:
    """A list has all its values, and a flag may say the same again."""
    words = ["-q", "-q", "--no-echo", "--no-echo", "--stop", "a", "--stop", "e", "-n", "50", "-t0"]
    done = charlstm("generate", *words)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout
    assert not {*done.stdout.decode()} & {*"ae"}


def test_the_command_ends_as_after_any_wrong_option(charlstm: Run) -> None:
    """One line, and the status of a wrong call; what follows the end of options is no option."""
    done = charlstm("score", "-m", "a", "-m", "b")
    assert (done.returncode, done.stdout) == (2, b"")
    said = b"charlstm: error: --model is given 2 times: 'a' and 'b'; give it once\n"
    assert done.stderr == said
    done = charlstm("score", "-m", "a", "--", "-m")
    assert b"given 2 times" not in done.stderr


def test_an_option_is_taken_back(charlstm: Run, tmp_path: Path) -> None:
    """What a settings file or the environment gives has its default value again."""
    (tmp_path / "s.toml").write_text('[generate]\nlines = 2\nstop = ["e"]\njson = true\n')
    words = ["generate", "--config", "s.toml", "-q", "-n", "9", "-t0", "--no-lines", "--no-json"]
    done = charlstm(*words, "--no-stop", env={"CHARLSTM_GENERATE_LENGTH": "3"}, cwd=tmp_path)
    plain = charlstm("generate", "-q", "-n", "9", "-t0", cwd=tmp_path)
    assert (done.stderr, done.stdout) == (b"", plain.stdout)
    done = charlstm(*words[:1], "-q", "-n9", "-t0", "--lines", "1", "--no-lines", cwd=tmp_path)
    assert (
        done.stderr
        == b"charlstm: error: --lines and --no-lines do not go together; leave one out\n"
    )


def test_what_cannot_be_taken_back_is_no_option(charlstm: Run) -> None:
    """Neither can what is no setting, and a value is no option."""
    for words in (["--no-help"], ["--no-config"], ["--no-resume"], ["--no-no-sample"]):
        assert b"no such option" in charlstm("train", *words).stderr
    done = charlstm("generate", "-q", "-n1", "--stop", "--no-json")
    assert (done.returncode, done.stderr) == (0, b"")


NOT_OFF = [  # words of a command line, and the advice
    (["train", "--no-init-from"], "--init-from MODEL"),
    (["train", "--no-dropout"], "--dropout P"),
    (["train", "--no-val-fraction"], "--val-fraction P"),
    (["train", "--no-device"], "--device auto|cpu|cuda|mps"),
    (["generate", "--no-length"], "--length N"),
    (["generate", "--no-separator"], "--separator TEXT"),
    (["evaluate", "--no-glob"], "--glob PATTERN"),
]


@pytest.mark.parametrize(("words", "advice"), NOT_OFF)
def test_no_never_stands_for_a_default_that_is_not_off(words: list[str], advice: str) -> None:
    """Readers take it as off, so the message says what to write."""
    flag = advice.split()[0]
    with pytest.raises(OptionError) as caught:
        run(*words)
    assert str(caught.value) == (f"{words[1]}: {flag} has a value by default; give {advice}")


def test_the_same_value_is_named_once() -> None:
    """However often it is given."""
    with pytest.raises(
        OptionError, match=r"^--length is given 3 times: '5' and '6'; give it once$"
    ):
        run("generate", "-n5", "-n6", "-n5")


def test_a_seed_phrase_is_taken_back(charlstm: Run, tmp_path: Path) -> None:
    """Another name of it may give one, and with none the text begins by itself."""
    (tmp_path / "s.toml").write_text('[generate]\nseed = "abc"\n')
    for phrase in ([], ["xyz"]):
        words = ["generate", *phrase, "-q", "-n9", "-t0"]
        done = charlstm(*words, "--no-seed", "--config", "s.toml", cwd=tmp_path)
        assert (done.stderr, done.stdout) == (b"", charlstm(*words).stdout)
