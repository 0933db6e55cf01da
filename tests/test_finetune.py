"""Beginning from another model: characters keep their rows, new ones are added, none is lost."""

from pathlib import Path

import numpy as np
import pytest

from charlstm.errors import OptionError
from charlstm.model.config import ModelConfig
from charlstm.model.lstm import Array
from charlstm.model.model_file import ModelFile, load_model
from charlstm.text.corpus import Fingerprint
from charlstm.text.decoding import TextOptions
from charlstm.text.vocabulary import Vocabulary
from charlstm.training.config import Settings
from charlstm.training.finetune import transferred, with_sizes_of
from tests.conftest import Run


def weights(config: ModelConfig, seed: int) -> dict[str, Array]:
    rng = np.random.default_rng(seed)
    return {
        name: rng.normal(size=shape).astype(np.float32)
        for name, shape in config.parameter_shapes().items()
    }


def model_of(characters: str) -> ModelFile:
    config = ModelConfig(vocab_size=len(characters), embedding_size=3, hidden_size=4, num_layers=2)
    return ModelFile(
        config=config,
        weights=weights(config, 0),
        vocabulary=Vocabulary(characters),
        fingerprint=Fingerprint(name="old", sha256="0", characters=9),
        text=TextOptions(),
        training={},
        command="",
    )


def test_rows_go_over_by_character() -> None:
    """A kept character has its old rows at its new id, a new one those of a similar one.

    A character like no other begins with the mean of all rows. The bias of a new one is that of a
    known character that is as frequent.
    """
    model, vocabulary = model_of("abcd"), Vocabulary("\u00e5xdb")
    config = ModelConfig(vocab_size=4, embedding_size=3, hidden_size=4, num_layers=2)
    found = transferred(model, vocabulary, np.array([5, 20, 20, 5]))
    for name in ("embedding.weight", "output.weight"):
        rows = model.weights[name]
        assert (found[name][0] == rows[0]).all()  # a with a ring
        assert np.allclose(found[name][1], rows.mean(0))  # x
        assert (found[name][2] == rows[3]).all()  # d
        assert (found[name][3] == rows[1]).all()  # b
    bias = found["output.bias"]
    assert bias[2:].tolist() == model.weights["output.bias"][[3, 1]].tolist()
    assert bias[1] - bias[0] == pytest.approx(np.log(20 / 5), abs=1e-5)
    assert bias[:2].mean() == pytest.approx(bias[2:].mean(), abs=1e-5)
    for name, weight in model.weights.items():
        if name.startswith("layers"):
            assert (found[name] == weight).all()
    assert {name: w.shape for name, w in found.items()} == config.parameter_shapes()


def test_sizes_are_the_models() -> None:
    """To ask for others is an error that names both."""
    model = model_of("ab")
    assert with_sizes_of(model, Settings()).hidden_size == 4
    assert with_sizes_of(model, Settings(hidden_size=4)).num_layers == 2
    with pytest.raises(OptionError, match="hidden_size is 5, but the model to begin from has 4"):
        with_sizes_of(model, Settings(hidden_size=5))


def test_the_command_begins_where_the_other_model_ended(
    charlstm: Run, trained: Path, play: Path, tmp_path: Path
) -> None:
    """It says how well the model reads the text, and a step later it is as good as it was."""
    text = tmp_path / "other.txt"
    text.write_text(play.read_text().replace("q", "\u03b6").replace("T", "\u00de"))
    done = charlstm(
        "train", text, "-o", tmp_path / "run", "--steps", 1, "--init-from", trained, "-q"
    )
    assert done.returncode == 0, done.stderr.decode()
    again = charlstm("train", text, "-o", tmp_path / "two", "--steps", 1, "--init-from", trained)
    assert b"which already reads this text at " in again.stderr
    before = load_model(trained / "model.safetensors").training["val_loss"]
    after = load_model(tmp_path / "run/model.safetensors").training
    assert after["val_loss"] < before + 0.5
    fresh = charlstm(
        "train", text, "-o", tmp_path / "new", "--steps", 1, "--hidden-size", 24,
        "--embedding-size", 8,
    )  # fmt: skip
    assert fresh.returncode == 0
    assert after["val_loss"] < load_model(tmp_path / "new/model.safetensors").training["val_loss"]


def test_the_record_repeats_it(charlstm: Run, trained: Path, play: Path, tmp_path: Path) -> None:
    """The kept settings name the model that the run began from, and make the same one again."""
    first, second = tmp_path / "first", tmp_path / "second"
    charlstm("train", play, "-o", first, "--steps", 5, "--init-from", trained)
    done = charlstm("train", "--config", first / "config.toml", "-o", second)
    assert done.returncode == 0, done.stderr.decode()
    models = [load_model(run / "model.safetensors") for run in (first, second)]
    assert all((models[0].weights[name] == w).all() for name, w in models[1].weights.items())
    assert models[0].training["init_from"] == str(trained / "model.safetensors")
    assert f"--init-from {trained}" in models[0].command


def test_a_model_that_is_not_there_is_named(charlstm: Run, play: Path, tmp_path: Path) -> None:
    """Before anything is written."""
    done = charlstm("train", play, "-o", tmp_path / "run", "--init-from", tmp_path / "none")
    assert done.returncode == 1
    assert b"no such model" in done.stderr
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("name", ["", "run\udcff"])
def test_a_name_that_is_none_is_refused(
    charlstm: Run, play: Path, tmp_path: Path, name: str
) -> None:
    """In one line, and nothing is left behind."""
    done = charlstm("train", play, "-o", tmp_path / "run", "--init-from", name)
    assert done.returncode == 2, done.stderr
    assert done.stderr.count(b"\n") == 1
    assert not (tmp_path / "run").exists()


def test_a_model_meets_an_alphabet_that_it_never_saw(
    charlstm: Run, trained: Path, play: Path, tmp_path: Path
) -> None:
    """A loss that is high from the start is learned down, not rolled back."""
    text = tmp_path / "greek.txt"
    text.write_text("".join(chr(0x3B1 + ord(c) % 24) for c in play.read_text()))
    done = charlstm("train", text, "-o", tmp_path / "run", "--steps", 60, "--init-from", trained)
    assert done.returncode == 0, done.stderr.decode()
    assert b" nats and knows 0 of its 23 characters; " in done.stderr
    assert b"rolled back" not in done.stderr
