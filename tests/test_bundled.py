"""The models that come with the program: what they say of themselves, and that they are used."""

import hashlib
import json
import tomllib
from pathlib import Path

import pytest

import charlstm as library
from charlstm.model.locate import BUNDLED, bundled_models
from charlstm.model.model_file import load_card, load_model
from charlstm.text.dataset import encode_for_model
from charlstm.text.passages import NOTICED, sampled_passages, share_read
from tests.conftest import Run

MOST_BYTES = 12_000_000  # of both together
NAMES = ["english", "shakespeare"]
LEFT_OUT = (
    *("macbeth.txt", "shakespeare/taming_of_the_shrew.txt", "shakespeare/tempest.txt"),
    *("english/dickens-tale-of-two-cities.txt", "english/grimm-fairy-tales.txt"),
)


def test_there_are_two_and_they_are_small() -> None:
    """A wheel has room for them."""
    assert [*bundled_models()] == NAMES
    assert sum(path.stat().st_size for path in bundled_models().values()) <= MOST_BYTES


@pytest.mark.parametrize("name", NAMES)
def test_a_card_tells_what_was_read_and_how(name: str) -> None:
    """Texts, authors, licence, command, seconds and losses."""
    card = load_card(BUNDLED / f"{name}.safetensors")
    training = card.training
    assert "William Shakespeare" in training["texts"]
    assert training["licence"] == "public domain"
    assert card.command.startswith(f"charlstm train {name} ")
    assert training["seconds"] > 0
    assert 0.5 < training["val_loss"] < 2.0
    assert 0.5 < training["train_loss"] < 2.0


def test_shakespeare_began_from_english() -> None:
    """Its card says so, and what english had read of its validation part: nothing."""
    training = load_card(BUNDLED / "shakespeare.safetensors").training
    assert training["init_from"] == "english"
    english = (BUNDLED / "english.safetensors").read_bytes()
    assert training["init_sha256"] == hashlib.sha256(english).hexdigest()
    assert training["validation_read"] < NOTICED


@pytest.mark.parametrize("name", NAMES)
def test_what_was_left_out_was_not_read(name: str, shared_corpora: Path) -> None:
    """So a loss on these texts is one of unseen text; of a play that was read it is not."""
    model = load_model(BUNDLED / f"{name}.safetensors")

    def share(text: str) -> float | None:
        dataset = encode_for_model(
            [str(shared_corpora / text)], model.text, model.vocabulary, model.fingerprint, "skip"
        )
        return share_read(sampled_passages(dataset.ids, model.vocabulary), model.passages)

    for text in LEFT_OUT:
        found = share(text)
        assert found is not None
        assert found < NOTICED, text
    assert share("shakespeare/hamlet.txt") == 1.0


def test_the_listed_texts_are_those_that_are_there(shared_corpora: Path) -> None:
    """Each with an author and a source, and none of those that were left out."""
    listed = tomllib.loads(
        (Path(__file__).parents[1] / "bundling/texts.toml").read_text(encoding="utf-8")
    )
    for text in listed["texts"]:
        assert (shared_corpora / text["file"]).is_file()
        assert text["file"] not in LEFT_OUT
        assert {"title", "author", "source", "sha256"} <= text.keys()
    for name in listed["shakespeare"]["sha256"]:
        assert (shared_corpora / "shakespeare" / f"{name}.txt").is_file()
        assert name not in ("macbeth", "taming_of_the_shrew", "tempest")


def test_where_nothing_is_trained_shakespeare_writes(charlstm: Run, tmp_path: Path) -> None:
    """And says so; -q does not."""
    done = charlstm("generate", "To be", "-n", 60, "--random-seed", 1, cwd=tmp_path)
    assert done.returncode == 0
    assert done.stdout.startswith(b"To be")
    assert done.stderr.startswith(b"model: shakespeare, which comes with charlstm; ")
    named = charlstm(
        "generate", "To be", "-n", 60, "--random-seed", 1, "-q", "-m", "shakespeare", cwd=tmp_path
    )
    assert (named.stdout, named.stderr) == (done.stdout, b"")


def test_a_run_comes_before_them(charlstm: Run, trained: Path, tmp_path: Path) -> None:
    """So does a run that has the name of a bundled model; a directory of texts does not."""
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs/own").symlink_to(trained)
    done = charlstm("generate", "And", "-n", 5, cwd=tmp_path)
    assert done.stderr.startswith(b"model: runs/own (verse, ")
    (tmp_path / "english").mkdir()
    assert charlstm("inspect", "english", "--json", cwd=tmp_path).stdout.count(b"Dracula") == 1
    (tmp_path / "shakespeare").symlink_to(trained)
    found = json.loads(charlstm("inspect", "shakespeare", "--json", cwd=tmp_path).stdout)
    assert found["corpus"]["name"] == "verse"


def test_models_lists_them(charlstm: Run, tmp_path: Path) -> None:
    """First, and as bundled ones."""
    done = charlstm("models", "--json", cwd=tmp_path)
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(model["model"], model["bundled"]) for model in found] == [(n, True) for n in NAMES]
    rows = charlstm("models", cwd=tmp_path).stdout.decode().splitlines()
    assert [row.split("\t")[0] for row in rows[1:]] == NAMES


def test_the_library_has_them_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By name, and where there is no run without one."""
    monkeypatch.chdir(tmp_path)
    assert library.load().bundled_name == "shakespeare"
    assert library.load("english").bundled_name == "english"
