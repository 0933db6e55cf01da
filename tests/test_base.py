"""Beginning from the bundled model where that helps, and saying what its loss does not show."""

import hashlib
import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import charlstm as library
from charlstm.errors import ModelFileError, OptionError
from charlstm.model import locate
from charlstm.model.model_file import load_model, save_model
from charlstm.text.passages import NOTICED
from charlstm.text.vocabulary import Vocabulary
from charlstm.training import resume_run, start, train
from charlstm.training.events import Evaluation, Event, Finished, Started
from charlstm.training.finetune import transferred
from tests.conftest import VERSE, Run
from tests.test_finetune import model_of

QUICK: dict[str, Any] = {"steps": 3, "evaluations": 1, "device": "cpu", "threads": 1}


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory, play: Path) -> Path:
    """The file of a small model that has learned some verses well."""
    run = tmp_path_factory.mktemp("reader") / "run"
    sizes = {"hidden_size": 24, "embedding_size": 8}
    list(train(play, output=run, **{**QUICK, **sizes, "steps": 400, "learning_rate": 0.03}))
    return run / "model.safetensors"


@pytest.fixture
def bundled(reader: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small model of verse in place of the bundled one."""
    directory = tmp_path / "bundled"
    directory.mkdir()
    save_model(load_model(reader), directory / "english.safetensors")
    monkeypatch.setattr(locate, "BUNDLED", directory)
    return directory / "english.safetensors"


@pytest.fixture
def verse(tmp_path: Path) -> Path:
    """A text that the bundled model reads well, with a character that it does not know."""
    path = tmp_path / "verse.txt"
    path.write_text(VERSE.replace("hand", "h\u00e5nd"))
    return path


@pytest.fixture
def numbers(tmp_path: Path) -> Path:
    """A text of another kind, in characters that the model hardly knows."""
    path = tmp_path / "numbers.txt"
    path.write_text("".join(f"{i * i % 97:02d}/{i % 10};" for i in range(400)))
    return path


def run(text: Path, output: Path, **options: Any) -> tuple[Started, list[Event]]:
    """A short run: how it started, and all of its events."""
    events = list(train(text, output=output, **{**QUICK, **options}))
    started = next(event for event in events if isinstance(event, Started))
    return started, events


def test_a_text_that_the_base_reads_well_begins_from_it(
    bundled: Path, verse: Path, tmp_path: Path
) -> None:
    """The plan says what was seen, and the run has the base's sizes and its loss."""
    started, events = run(verse, tmp_path / "run")
    assert started.base_chosen
    assert started.config.init_from == "english"
    assert started.config.network.hidden_size == 24
    assert started.reason.startswith("begun from english, which already reads this text at ")
    characters = started.config.network.vocab_size
    assert f"knows {characters - 1} of its {characters} characters; " in started.reason
    evaluation = next(event for event in events if isinstance(event, Evaluation))
    assert evaluation.val_loss is not None
    assert evaluation.val_loss < 2.5


def test_a_text_of_another_kind_begins_from_nothing(
    bundled: Path, numbers: Path, tmp_path: Path
) -> None:
    """The plan says why."""
    started, _ = run(numbers, tmp_path / "run")
    assert (started.config.init_from, started.base_chosen) == ("none", False)
    assert started.config.init_sha256 is None
    assert started.reason.startswith("begun from nothing, since english knows only ")


def test_a_text_that_the_base_reads_far_worse_than_an_n_gram_begins_from_nothing(
    bundled: Path, tmp_path: Path
) -> None:
    """Though it knows the characters."""
    text = tmp_path / "counted.txt"
    text.write_text("aeiou rstln\n" * 100)
    started, _ = run(text, tmp_path / "run")
    assert started.config.init_from == "none"
    assert started.reason.startswith("begun from nothing, since english reads this text at ")
    assert ", an n-gram at " in started.reason


def test_a_base_that_is_too_small_for_the_text_and_the_time_is_left(
    bundled: Path, verse: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For a very large text the recipe may take a larger network; a named base is kept."""
    monkeypatch.setattr(start, "VERY_LARGE", 100)
    started, _ = run(verse, tmp_path / "run", steps=None, time=1)
    assert started.config.init_from == "none"
    assert started.config.network.hidden_size > 24
    assert "there is time for a larger network than english" in started.reason
    started, _ = run(verse, tmp_path / "named", steps=None, time=1, init_from="english")
    assert started.config.init_from == "english"


@pytest.mark.parametrize("options", [{"init_from": "none"}, {"hidden_size": 8}, {"num_layers": 1}])
def test_nothing_is_begun_from_where_that_is_asked(
    bundled: Path, verse: Path, tmp_path: Path, options: dict[str, Any]
) -> None:
    """A size that is asked for means no base."""
    started, _ = run(verse, tmp_path / "run", **options)
    assert started.config.init_from == "none"
    assert not started.reason.startswith("begun")


def test_a_named_base_is_taken_whatever_it_knows(
    bundled: Path, numbers: Path, tmp_path: Path
) -> None:
    """Under the name of a bundled model too; other sizes are refused."""
    started, _ = run(numbers, tmp_path / "run", init_from="english")
    assert (started.config.init_from, started.base_chosen) == ("english", False)
    assert started.reason.startswith("begun from english, which already reads")
    with pytest.raises(OptionError, match="hidden_size is 8, but the model to begin from has 24"):
        run(numbers, tmp_path / "two", init_from="english", hidden_size=8)


def test_without_the_bundled_model_a_run_begins_from_nothing(
    bundled: Path, verse: Path, tmp_path: Path
) -> None:
    """If it is damaged, that is an error, and so it is where it is named."""
    bundled.write_bytes(b"damaged")
    with pytest.raises(ModelFileError, match="not a valid model file"):
        run(verse, tmp_path / "one")
    bundled.unlink()
    started, _ = run(verse, tmp_path / "two")
    assert started.config.init_from == "none"
    with pytest.raises(ModelFileError, match="no such model"):
        run(verse, tmp_path / "three", init_from="english")


def test_only_the_bundled_model_is_chosen(
    bundled: Path, verse: Path, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever has its name in the working directory: a text, or a model of unknown origin."""
    digest = hashlib.sha256(bundled.read_bytes()).hexdigest()
    (tmp_path / "text").mkdir()
    monkeypatch.chdir(tmp_path / "text")
    verse.rename("english")
    assert run(Path("english"), Path("run"))[0].config.init_sha256 == digest
    (tmp_path / "model").mkdir()
    monkeypatch.chdir(tmp_path / "model")
    Path("english").symlink_to(trained)
    assert run(tmp_path / "text/english", Path("run"))[0].config.init_sha256 == digest


def test_the_base_is_recorded(bundled: Path, verse: Path, tmp_path: Path) -> None:
    """By name and hash: on the card, in its command and in config.toml."""
    started, _ = run(verse, tmp_path / "run")
    model = load_model(tmp_path / "run/model.safetensors")
    assert model.training["init_from"] == "english"
    assert model.training["init_sha256"] == started.config.init_sha256
    assert "--init-from english" in model.command
    assert 'init_from = "english"' in (tmp_path / "run/config.toml").read_text()


def test_a_resumed_run_does_not_change_with_its_base(
    bundled: Path, verse: Path, tmp_path: Path
) -> None:
    """All that it needs is in its state: another bundled model changes nothing."""
    options = {"steps": 6, "save_every": 0.0}
    run(verse, tmp_path / "whole", **options)
    for event in train(verse, output=tmp_path / "cut", **{**QUICK, **options}):
        if getattr(event, "step", 0) == 3:
            break
    model = load_model(bundled)
    save_model(
        type(model)(**{**vars(model), "weights": {k: w * 0 for k, w in model.weights.items()}}),
        bundled,
    )
    *_, finished = resume_run(tmp_path / "cut")
    assert isinstance(finished, Finished)
    found = [load_model(tmp_path / name / "model.safetensors") for name in ("whole", "cut")]
    for name, weight in found[0].weights.items():
        assert (weight == found[1].weights[name]).all(), name


def test_a_loss_on_text_that_was_read_is_said_to_be_one(
    bundled: Path, play: Path, tmp_path: Path
) -> None:
    """In the notes of the run, on the card, and when the model is evaluated."""
    started, _ = run(play, tmp_path / "run", init_from="english")
    assert started.config.validation_read == 1.0
    assert any("has read about 100 % of the validation part" in note for note in started.notes)
    assert load_model(tmp_path / "run/model.safetensors").training["validation_read"] == 1.0
    assert library.load(tmp_path / "run").evaluate(play).read == 1.0


def test_a_loss_on_unseen_text_is_not(bundled: Path, tmp_path: Path) -> None:
    """New verses of the same words are no text that was read."""
    rng = random.Random(0)
    words = VERSE.split()
    text = tmp_path / "new.txt"
    text.write_text("\n".join(" ".join(rng.choices(words, k=8)) for _ in range(200)))
    started, _ = run(text, tmp_path / "run")
    assert (started.config.validation_read or 0) < NOTICED
    assert started.notes == ()


def test_what_the_base_has_read_is_handed_on(bundled: Path, numbers: Path, tmp_path: Path) -> None:
    """A model that began from another knows the texts of both, also after it was resumed."""
    run(numbers, tmp_path / "run", init_from="english", steps=2)
    list(resume_run(tmp_path / "run", steps=4))
    model = load_model(tmp_path / "run/model.safetensors")
    assert np.isin(load_model(bundled).passages, model.passages).all()
    assert library.load(tmp_path / "run").evaluate(numbers, split="train").read == 1.0


def test_evaluate_says_what_was_read(charlstm: Run, trained: Path, tmp_path: Path) -> None:
    """Of another text with the same passages; --json has the share."""
    copy = tmp_path / "copy.txt"
    copy.write_text(VERSE.upper().lower().replace("\n", " ") * 2)
    done = charlstm("evaluate", copy, "-m", trained, "--unknown", "skip")
    assert b"of which the model has read about 100 % before" in done.stderr
    assert b"does not show how good it is on other texts" in done.stderr
    done = charlstm("evaluate", copy, "-m", trained, "--unknown", "skip", "--json", "-q")
    assert json.loads(done.stdout)["read"] == 1.0


def test_an_accented_letter_begins_as_its_plain_one() -> None:
    """And any other new character with what all characters have in common."""
    model = model_of("abe")
    found = transferred(model, Vocabulary("ae\u00e9\u4e2d"), np.array([4, 4, 4, 4]))
    for name in ("embedding.weight", "output.weight"):
        rows = model.weights[name]
        assert (found[name][2] == rows[2]).all()
        assert np.allclose(found[name][3], rows.mean(0))
