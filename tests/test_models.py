"""``charlstm models``: what there is to name with ``-m``."""

import json
import os
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from safetensors.numpy import load_file, save_file

from charlstm.cli import wording
from charlstm.cli.main import main
from charlstm.errors import ModelFileError
from charlstm.language_model import LanguageModel
from charlstm.model import locate
from charlstm.model.listing import list_models
from charlstm.model.locate import bundled_models
from charlstm.model.model_file import ModelFile, load_card, load_model, save_model
from charlstm.text.corpus import Fingerprint

from .conftest import Run
from .test_streams import EVIL, hostile_model, terminal
from .writing import make_model


@pytest.fixture(autouse=True)
def in_tmp_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Names are relative to where one is."""
    monkeypatch.chdir(tmp_path)


def made(corpus: str = "play", val_loss: float | None = 1.436) -> ModelFile:
    """A model of this corpus and loss."""
    model = make_model("ab\n")
    fingerprint = Fingerprint(name=corpus, sha256="0", characters=9)
    return replace(model, fingerprint=fingerprint, training={"val_loss": val_loss})


def run(name: str, age: float, model: ModelFile | bytes | None = None) -> Path:
    """A run directory below ``runs/`` with this model, written ``age`` seconds ago."""
    directory = Path("runs", name)
    directory.mkdir(parents=True)
    path = directory / "model.safetensors"
    if isinstance(model, bytes):
        path.write_bytes(model)
    else:
        save_model(model or made(), path)
    then = time.time() - age
    os.utime(path, (then, then))
    return directory


def rows(output: bytes) -> list[list[str]]:
    """The cells of tab-separated lines, the header first, without those of bundled models."""
    cells = [line.split("\t") for line in output.decode().splitlines()]
    return [row for row in cells if row[0] not in bundled_models()]


def test_models_are_listed_the_newest_last(charlstm: Run) -> None:
    """With corpus, sizes, loss, age in seconds and size in bytes; a run without model is none."""
    run("new", 7300, made("verse", None))
    old = run("old", 90_000, made("play", 1.436))
    (old / "state.safetensors").write_bytes(b"x" * 1000)
    Path("runs/empty").mkdir()
    done = charlstm("models")
    assert (done.returncode, done.stderr) == (0, b"")
    header, first, last = rows(done.stdout)
    assert header == ["model", "corpus", "sizes", "loss", "age", "size"]
    config = make_model("ab\n").config
    sizes = f"{config.num_layers} x {config.hidden_size}"
    assert first[:4] == ["runs/old", "play", sizes, "1.436"]
    assert last[:4] == ["runs/new", "verse", sizes, "-"]
    assert 90_000 <= int(first[4]) < 90_500
    assert int(first[5]) == (old / "model.safetensors").stat().st_size + 1000


def test_the_last_model_is_the_one_that_is_meant_without_a_name(charlstm: Run) -> None:
    """Also where two are of one time."""
    for name in ("a", "c", "b"):
        directory = run(name, 0)
        os.utime(directory / "model.safetensors", (10**9, 10**9))
    assert rows(charlstm("models").stdout)[-1][0] == "runs/c"
    assert b"runs/c" in charlstm("inspect").stderr


def test_on_a_terminal_models_are_a_table(environment: dict[str, str]) -> None:
    """For people: age and size in words."""
    run("old", 3 * 86400 + 5, made("play", 1.4364))
    shown = terminal("models", environment).read()
    assert "\t" not in shown
    for words in ("runs/old", "play", "1.436", "3 days", " kB"):
        assert words in shown


def test_models_as_json(charlstm: Run) -> None:
    """One object a line, for one as for many."""
    directory = run("play", 60, made("play", 1.5))
    run("bad", 0, b"")
    listed = map(json.loads, charlstm("models", "--json", "-q").stdout.decode().splitlines())
    sound, bad = (model for model in listed if not model["bundled"])
    config = make_model("ab\n").config
    modified = (directory / "model.safetensors").stat().st_mtime
    assert sound.pop("modified") == wording.timestamp(modified)
    assert sound == {
        "model": "runs/play",
        "corpus": "play",
        "num_layers": config.num_layers,
        "hidden_size": config.hidden_size,
        "parameters": config.parameters,
        "val_loss": 1.5,
        "bundled": False,
        "bytes": (directory / "model.safetensors").stat().st_size,
        "error": None,
    }
    assert bad.keys() == {*sound, "modified"}
    assert bad["model"] == "runs/bad"
    assert bad["corpus"] is None
    assert "empty" in bad["error"]


def test_a_damaged_model_is_listed_as_such(charlstm: Run) -> None:
    """Those beside it are, too; why it is damaged is said on stderr."""
    save_model(made(), Path("sound"))
    data = Path("sound").read_bytes()
    save_file(load_file("sound"), "other")
    bad = {"cut": data[:-1], "empty": b"", "text": b"to be", "other": Path("other").read_bytes()}
    for age, (name, content) in enumerate(bad.items()):
        run(name, 100 - age, content)
    run("sound", 0)
    done = charlstm("models")
    assert done.returncode == 0
    found = rows(done.stdout)[1:]
    assert [row[0] for row in found] == [f"runs/{name}" for name in (*bad, "sound")]
    assert [row[2] == "damaged" for row in found] == [True] * 4 + [False]
    said = done.stderr.decode().splitlines()
    for line, name in zip(said, bad, strict=True):
        assert line.startswith(f"runs/{name}/model.safetensors: ")
    assert charlstm("models", "-q").stderr == b""


def test_without_models_the_way_to_make_one_is_said(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """An empty list is no error, also where the bundled models are missing."""
    monkeypatch.setattr(locate, "BUNDLED", tmp_path / "bundled")
    assert main(["models"]) == 0
    shown, said = capfd.readouterr()
    assert len(rows(shown.encode())) == 1
    assert said == "no model; make one with charlstm train CORPUS\n"
    assert main(["models", "--json", "-q"]) == 0
    assert capfd.readouterr().out == ""


def test_names_and_cards_do_not_act_on_a_terminal(
    environment: dict[str, str], charlstm: Run
) -> None:
    """Nor do they break the lines of a table in a pipe."""
    hostile_model(run(f"{EVIL}\n\t", 0) / "model.safetensors")
    run(f"cut{EVIL}", 0, b"{}")
    for words in ("models", "models --json"):
        shown = terminal(words, environment).read()
        assert "evil" in shown
        for part in ("\x1b]", "\x07", "\x9b", "\u202e"):
            assert part not in shown
    assert {len(row) for row in rows(charlstm("models").stdout)} == {6}


def test_a_link_in_the_place_of_a_model_is_none(charlstm: Run) -> None:
    """As -m refuses it; a run may be a link."""
    run("own", 0).rename("elsewhere")
    Path("runs/linked").symlink_to("../elsewhere")
    Path("runs/bad").mkdir()
    Path("runs/bad/model.safetensors").symlink_to("../../elsewhere/model.safetensors")
    assert [row[0] for row in rows(charlstm("models").stdout)[1:]] == ["runs/linked"]


def test_a_card_is_read_without_the_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    """Numbers are not looked at; that all tensors are there, in their sizes, is."""
    model = made()
    save_model(model, Path("model"))
    card = load_card(Path("model"))
    assert card.describe() == load_model(Path("model")).describe()
    assert not hasattr(card, "weights")
    weights = dict(model.weights)
    weights["output.bias"] = weights["output.bias"][:-1]
    save_model(replace(model, weights=weights), Path("model"))
    with pytest.raises(ModelFileError, match=r"output\.bias has shape"):
        load_card(Path("model"))


def test_a_model_that_goes_away_meanwhile_is_left_out() -> None:
    """A run may be removed while the list is made."""
    for name in "ab":
        run(name, 0)
    listing = (model for model in list_models() if not model.bundled)
    first = next(listing)
    other = "b" if first.name == "runs/a" else "a"
    Path("runs", other, "model.safetensors").unlink()
    assert list(listing) == []


@pytest.mark.parametrize("words", [["generate", "-n", 5, "--random-seed", 1], ["inspect"]])
def test_the_model_that_is_taken_without_a_name_is_described(
    charlstm: Run, words: list[object]
) -> None:
    """In one line on stderr: what it learned from, how well, and when."""
    run("old", 90_000, made("verse"))
    run("new", 3 * 3600 + 5, made("play", 1.4364))
    done = charlstm(*words)
    assert done.stderr.decode() == "model: runs/new (play, 1.436 nats, 3 hours old)\n"
    assert charlstm(*words, "-q").stderr == b""
    assert charlstm(*words, "-m", "runs/new").stderr == b""


@pytest.mark.parametrize(
    ("corpus", "loss", "line"),
    [
        ("play", None, "model: runs/x (play, 2 minutes old)"),
        ("play", "low", "model: runs/x (play, 2 minutes old)"),
        ("x" * 200, 2, f"model: runs/x ({'x' * 60}..., 2.000 nats, 2 minutes old)"),
    ],
)
def test_a_card_that_does_not_say_all(corpus: str, loss: Any, line: str) -> None:
    """What is missing is left out, and what is long is cut."""
    path = run("x", 121) / "model.safetensors"
    assert wording.model_taken(LanguageModel(made(corpus, loss), path)) == line
    path.unlink()
    assert (
        wording.model_taken(LanguageModel(made("play"), path)) == "model: runs/x (play, 1.436 nats)"
    )


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-5, "0 seconds"), (0.9, "0 seconds"), (1, "1 second"), (119, "119 seconds"),
        (120, "2 minutes"), (7199, "119 minutes"), (3 * 3600, "3 hours"), (86400, "24 hours"),
        (2 * 86400, "2 days"), (13.9 * 86400, "13 days"), (14 * 86400, "2 weeks"),
        (61 * 86400, "2 months"), (800 * 86400, "2 years"),
    ],
)  # fmt: skip
def test_age_in_words(seconds: float, words: str) -> None:
    """In the largest unit of which there are two."""
    assert wording.age(seconds) == words


@pytest.mark.parametrize(
    ("size", "words"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (1_234_567, "1.2 MB"), (5 * 10**9, "5.0 GB")],
)
def test_size_in_words(size: int, words: str) -> None:
    """In units of a thousand."""
    assert wording.size(size) == words
