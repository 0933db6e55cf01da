"""``charlstm inspect``: which model it shows, and what it says of it first."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from charlstm.cli.inspect import _lines
from charlstm.language_model import LanguageModel
from charlstm.model.model_file import save_model

from .conftest import Run
from .writing import make_model


def properties(output: bytes) -> list[tuple[str, str]]:
    """The names and values that a card has in a pipe, without the header."""
    rows = [line.split("\t") for line in output.decode().splitlines()]
    return [(name, value) for name, value in rows[1:]]


def card(**training: Any) -> dict[str, Any]:
    """The card of a model with this summary of its training."""
    model = replace(make_model("ab\n"), training=training)
    return LanguageModel(model).card


def test_the_model_is_an_argument_or_an_option(charlstm: Run, trained: Path) -> None:
    """Both ways show the same, and the argument outranks the environment."""
    shown = charlstm("inspect", trained)
    assert (shown.returncode, shown.stderr) == (0, b"")
    assert charlstm("inspect", "-m", trained).stdout == shown.stdout
    absent = {"CHARLSTM_MODEL": "absent"}
    assert charlstm("inspect", trained, env=absent).stdout == shown.stdout


def test_a_model_given_twice_is_an_error(charlstm: Run, trained: Path) -> None:
    """Nobody must guess which of two was meant."""
    done = charlstm("inspect", trained, "-m", "other")
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr.decode().startswith("charlstm: error: two models are named, ")
    assert b"other" in done.stderr


def test_what_matters_comes_first(charlstm: Run, trained: Path) -> None:
    """File, corpus, sizes, parameters, loss in both units and time; the rest after that."""
    found = properties(charlstm("inspect", trained).stdout)
    names = [name for name, _ in found]
    first = ["file", "corpus", "sizes", "parameters", "validation loss", "trained"]
    assert names[: len(first)] == first
    assert len(set(names)) == len(names)
    values = dict(found)
    assert values["file"] == str(trained / "model.safetensors")
    assert values["corpus"].startswith("verse, 2,")
    assert values["sizes"] == "2 x 24"
    assert " nats (" in values["validation loss"]
    assert values["trained"].startswith("60 steps, ")
    assert {"model embedding size", "corpus sha256", "training learning rate"} <= values.keys()


def test_the_parameters_of_the_layers_add_up(charlstm: Run, trained: Path) -> None:
    """The card lists the layers from the first to the last, each with its parameters."""
    card = json.loads(charlstm("inspect", trained, "--json").stdout)
    assert [layer["name"] for layer in card["layers"]] == [
        "embedding",
        "lstm 1",
        "lstm 2",
        "output",
    ]
    assert sum(layer["parameters"] for layer in card["layers"]) == card["parameters"]
    shown = dict(properties(charlstm("inspect", trained).stdout))
    assert shown["layer lstm 1"] == f"24 values, {4 * 24 * (8 + 24 + 2):,} parameters"


@pytest.mark.parametrize(
    ("training", "loss", "trained"),
    [
        ({"val_loss": 1.0, "steps": 1234, "epochs": 2.5, "seconds": 200.2}, "1.000 nats (1.443 "
         "bits)", "1,234 steps, 2.5 epochs, 3m20s"),
        ({"val_loss": 2, "seconds": 59.9}, "2.000 nats (2.885 bits)", "1m"),
        ({"val_loss": None, "seconds": 5400}, "-", "1h30m"),
        ({"val_loss": "low", "steps": True, "seconds": 10**400, "epochs": []}, "-", "-"),
        ({}, "-", "-"),
    ],
)  # fmt: skip
def test_a_card_that_lacks_something(training: dict[str, Any], loss: str, trained: str) -> None:
    """What a card does not say, or not as a number, is a dash."""
    values = dict(_lines(card(**training)))
    assert values["validation loss"] == loss
    assert values["trained"] == trained


def test_what_a_card_says_oddly_is_shown_as_it_is(charlstm: Run, tmp_path: Path) -> None:
    """Only numbers that were shown at the beginning are left out of the rest."""
    model = replace(make_model("ab\n"), training={"val_loss": "low", "steps": 3})
    save_model(model, tmp_path / "model")
    values = dict(properties(charlstm("inspect", tmp_path / "model").stdout))
    assert values["training val loss"] == "low"
    assert "training steps" not in values


def test_the_command_is_shown_where_it_is_asked_for(charlstm: Run, trained: Path) -> None:
    """It fills many lines of a terminal, so that the card only says how to see it."""
    whole = json.loads(charlstm("inspect", trained, "--json").stdout)["command"]
    assert whole.startswith("charlstm train ")
    shown = charlstm("inspect", trained)
    assert properties(shown.stdout)[-1] == ("command", "shown with --command")
    assert whole not in shown.stdout.decode()
    assert charlstm("inspect", trained, "--command").stdout.decode() == f"{whole}\n"
    refused = charlstm("inspect", trained, "--command", "--json")
    assert (refused.returncode, refused.stdout) == (2, b"")
