"""Which model is meant by a file, a run directory, or nothing."""

import os
from pathlib import Path

import pytest

from charlstm.errors import ModelFileError, OptionError
from charlstm.runs import find_model


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


def test_without_any_model_the_way_to_make_one_is_said() -> None:
    """The command to run stands in the message."""
    with pytest.raises(ModelFileError, match="charlstm train"):
        find_model(None)
