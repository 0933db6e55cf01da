"""Which model is meant by a file, a run directory, or nothing."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from charlstm.errors import CorpusError, ModelFileError, OptionError, TrainingError
from charlstm.model import locate
from charlstm.model.locate import find_model
from charlstm.model.model_file import load_model
from charlstm.training.run_directory import check_files


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
    assert find_model("some.file") == Path("some.file")
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


def test_a_name_that_is_too_long_is_left_to_the_reader() -> None:
    """Who opens it says that it cannot be read."""
    with pytest.raises(ModelFileError, match="cannot be read: File name too long"):
        load_model(find_model("x" * 5000))
