"""Which model is meant by a file, a run directory, or nothing."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from charlstm.errors import CharLSTMError, CorpusError, ModelFileError, OptionError, TrainingError
from charlstm.model import locate
from charlstm.model.locate import find_metrics, find_model, find_run
from charlstm.training.run_directory import check_files

from .conftest import Run


@pytest.fixture(autouse=True)
def in_tmp_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Names are relative to where one is."""
    monkeypatch.chdir(tmp_path)


def test_the_newest_model_is_meant_where_none_is_named() -> None:
    """By the time it was written, not by name; runs without a model do not count."""
    for age, name in enumerate(("zeta", "alpha", "beta")):
        model = Path("runs", name, "model.safetensors")
        model.parent.mkdir(parents=True)
        model.touch()
        os.utime(model, (1000 - age, 1000 - age))
    Path("runs/omega").mkdir()
    assert find_model(None) == Path("runs/zeta/model.safetensors")
    assert find_model("runs/beta") == Path("runs/beta/model.safetensors")
    with pytest.raises(OptionError, match="empty name"):
        find_model("")
    with pytest.raises(ModelFileError, match="omega"):
        find_model("runs/omega")


def test_without_any_run_the_bundled_model_is_meant(monkeypatch: pytest.MonkeyPatch) -> None:
    """If that is missing too, the error says so."""
    assert find_model(None) == locate.BUNDLED / "shakespeare.safetensors"
    monkeypatch.setattr(locate, "BUNDLED", Path("bundled"))
    with pytest.raises(ModelFileError, match="no model under runs/"):
        find_model(None)


def test_a_linked_model_in_a_run_is_refused() -> None:
    """A link in a run of unknown origin may lead to any file; the newest is then another run."""
    for age, name in enumerate(("linked", "own")):
        model = Path("runs", name, "model.safetensors")
        model.parent.mkdir(parents=True)
        model.touch()
        os.utime(model, (1000 - age, 1000 - age))
    Path("runs/linked/model.safetensors").rename("elsewhere")
    Path("runs/linked/model.safetensors").symlink_to(Path("elsewhere").absolute())
    with pytest.raises(ModelFileError, match="is a symbolic link"):
        find_model("runs/linked")
    assert find_model(None) == Path("runs/own/model.safetensors")
    assert find_model("runs/linked/model.safetensors").is_file()


@pytest.mark.parametrize("fill", [os.mkfifo, os.mkdir, lambda path: path.symlink_to("precious")])
def test_a_run_with_a_link_or_a_pipe_is_not_resumed(fill: Callable[[Path], object]) -> None:
    """Lines would be appended to whatever a link leads to."""
    Path("precious").touch()
    path = Path("metrics.jsonl")
    check_files([path, Path("precious"), Path("precious/none")], TrainingError, follow=False)
    fill(path)
    with pytest.raises(TrainingError, match=r"metrics.jsonl: cannot be used: is a"):
        check_files([path], TrainingError, follow=False)


def test_a_text_that_a_state_names_is_a_file_or_a_directory() -> None:
    """A device has no end, and a pipe may have no writer."""
    Path("text").touch()
    Path("link").symlink_to("text")
    check_files(map(Path, ["text", ".", "link", "-", "absent"]), CorpusError, follow=True)
    os.mkfifo("pipe")
    for source in ("pipe", "/dev/zero", "x" * 5000):
        with pytest.raises(CorpusError, match=source):
            check_files([Path(source)], CorpusError, follow=True)


def make_run(name: str, *files: str) -> Path:
    """A run below the working directory, with these files, which are empty."""
    directory = Path("runs", name)
    directory.mkdir(parents=True)
    for file in files:
        (directory / file).touch()
    return directory


def test_the_name_of_a_run_means_the_run() -> None:
    """Unless a file or a run of this name is nearer, or a model of this name is bundled."""
    novel = make_run("novel", "model.safetensors", "metrics.jsonl")
    make_run("english", "model.safetensors")
    assert find_model("novel") == novel / "model.safetensors"
    assert find_run("novel") == novel
    assert find_metrics("novel") == novel / "metrics.jsonl"
    assert find_model("english") == locate.BUNDLED / "english.safetensors"
    Path("novel").mkdir()  # the texts that it learned from, for example
    assert find_model("novel") == novel / "model.safetensors"
    assert find_run("novel") == novel
    Path("novel/model.safetensors").touch()
    assert find_model("novel") == Path("novel/model.safetensors")
    assert find_run("novel") == Path("novel")


def test_a_run_that_has_no_model_yet_is_no_model() -> None:
    """The error names the run that was found."""
    make_run("young", "state.safetensors")
    with pytest.raises(ModelFileError, match=r"runs/young: no model\.safetensors"):
        find_model("young")
    assert find_run("young") == Path("runs/young")


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("novle", "did you mean runs/novel?"),
        ("novel.txt", "did you mean runs/novel?"),
        ("runs/novell", "did you mean runs/novel?"),
        ("shakespear", "did you mean shakespeare?"),
        ("zzz", "there are english, shakespeare, runs/novel"),
        ("x" * 5000, "there are english, shakespeare, runs/novel"),
    ],
)
def test_an_unknown_model_is_answered_with_what_there_is(name: str, advice: str) -> None:
    """The most similar name, or all of them."""
    make_run("novel", "model.safetensors")
    with pytest.raises(ModelFileError) as raised:
        find_model(name)
    assert raised.value.message == f"{name}: no such model; {advice}"


def test_an_unknown_run_is_answered_with_what_there_is() -> None:
    """Bundled models are no runs, and of many runs the first are named."""
    with pytest.raises(CharLSTMError, match="english: no such run") as raised:
        find_run("english")
    assert raised.value.code == "no run"
    for number in range(10):
        make_run(f"run-{number}", "state.safetensors")
    with pytest.raises(CharLSTMError, match=r"no such run; there are runs/run-0, .* and 2 more$"):
        find_run("zzz")


@pytest.mark.parametrize(
    "words",
    [
        ("generate", "-m", "play", "-n", "5", "--random-seed", "1"),
        ("predict", "-m", "play", "To"),
        ("inspect", "play"),
    ],
)
def test_the_model_of_a_short_name_is_said(
    charlstm: Run, trained: Path, tmp_path: Path, words: tuple[str, ...]
) -> None:
    """The name might have meant something else; a path is not repeated."""
    shutil.copytree(trained, tmp_path / "runs/play")
    done = charlstm(*words, cwd=tmp_path)
    assert (done.returncode, done.stderr.split(b" (")[0]) == (0, b"model: runs/play")
    named = ["runs/play" if word == "play" else word for word in words]
    assert charlstm(*named, cwd=tmp_path).stderr == b""


def test_the_run_of_a_short_name_is_said(charlstm: Run, trained: Path, tmp_path: Path) -> None:
    """Where its losses are shown, and where it is continued."""
    shutil.copytree(trained, tmp_path / "runs/play")
    done = charlstm("history", "play", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, b"run: runs/play\n")
    assert charlstm("history", "runs/play", cwd=tmp_path).stderr == b""
    refused = charlstm("train", "--resume", "plya", cwd=tmp_path)
    expected = b"charlstm: error: plya: no such run; did you mean runs/play?\n"
    assert (refused.returncode, refused.stderr) == (1, expected)
