"""Values that Python callers give: wrong ones are refused alike, numbers of numpy are taken."""

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import charlstm
from charlstm.checks import require_integer, require_number
from charlstm.errors import CharLSTMError, OptionError
from charlstm.model.config import ModelConfig
from charlstm.training.config import Settings

WRONG: dict[str, list[dict[str, Any]]] = {
    "generate": [
        *({"seed": value} for value in (None, 3, b"The", ["The"], True)),
        *({"length": value} for value in ("3", 1.5, -1, True, np.bool_(True), np.float32(3), "")),
        *({"lines": value} for value in ("3", 0, -1, 1.5, True, [1])),
        *({"stop": value} for value in (None, 3, b"e", [3], ["e", None], [b"e"], "", [""])),
        *({"ban": value} for value in (None, 3, b"e", ["e"])),
        *(
            {"temperature": value}
            for value in ("1", None, True, np.nan, np.float32(np.inf), -1, [1])
        ),
        *({"top_k": value} for value in ("1", None, 1.5, True, np.int64(-1))),
        *({"top_p": value} for value in ("1", None, 0, 1.5, np.float32(2))),
        *({"min_p": value} for value in ("1", None, -1, 2)),
        *({"repetition_penalty": value} for value in ("1", None, 0, np.float64(np.inf))),
        *({"repetition_window": value} for value in ("1", None, 0, 1.5, 1 << 20)),
        *({"random_seed": value} for value in ("1", 1.5, -1, True, np.float64(1))),
        *({"sample": value} for value in ("1", None, 1.5, -1, True)),
        *({"unknown": value} for value in ("ignore", None, 3, True, ["skip"])),
        *({"measure": value} for value in ("no", None, 1)),
    ],
    "score": [{"text": None}, {"text": 3}, {"text": b"a"}, {"text": "a", "unknown": "ignore"}],
    "predict": [
        *({"seed": value} for value in (None, 3, b"a")),
        *({"top": value} for value in (0, -1, "3", 1.5, True)),
        {"unknown": "ignore"},
    ],
    "evaluate": [
        *({"sources": value} for value in (None, 3, [3], [], b"a")),
        *({"sources": "absent", "split": value} for value in ("test", 3, True, ["val"])),
        *({"sources": "absent", "window": value} for value in (0, "3", 1.5, True, 1 << 21)),
        *({"sources": "absent", name: "yes"} for name in ("exact", "baselines")),
        *({"sources": "absent", "encoding": value} for value in ("klingon", 3)),
        *({"sources": "absent", "glob": value} for value in ("", 3)),
        {"sources": "absent", "unknown": "ignore"},
        {"sources": "absent", "window": 3, "exact": True},
        *({"sources": "absent", "baselines": True, "split": part} for part in ("train", "all")),
    ],
    "trace": [{"text": None}, {"text": b"a"}, {"text": "a", "unknown": "ignore"}],
    "find_cells": [
        *({"text": value} for value in (None, 3, b"a")),
        *({"text": "a", "pattern": value} for value in (None, 3, [3], ["("], "*")),
    ],
    "traces": [
        *({"pieces": value} for value in (None, 3, "ab", b"a")),
        {"pieces": ["a"], "unknown": "ignore"},
    ],
    "score_many": [
        *({"texts": value} for value in (None, 3, "ab", b"a")),
        {"texts": ["a"], "unknown": "ignore"},
    ],
    "score_pieces": [
        *({"pieces": value} for value in (None, 3, "ab", b"a")),
        {"pieces": ["a"], "unknown": "ignore"},
    ],
    "complete_lines": [{"phrases": value} for value in (None, 3, "ab")],
    "known": [{"text": None}, {"text": "a", "unknown": "ignore"}],
}
CASES = [(method, how) for method, cases in WRONG.items() for how in cases]


@pytest.fixture(scope="module")
def model(trained: Path) -> charlstm.LanguageModel:
    """The small trained model."""
    return charlstm.load(trained)


@pytest.mark.parametrize(("method", "how"), CASES, ids=str)
def test_a_wrong_value_is_an_option_error(
    model: charlstm.LanguageModel, method: str, how: dict[str, Any]
) -> None:
    """When the method is called; it is a ValueError as well, and names the parameter."""
    with pytest.raises(OptionError) as caught:
        getattr(model, method)(**how)
    assert isinstance(caught.value, ValueError)
    assert isinstance(caught.value, CharLSTMError)
    name = list(how)[-1].split("_")[0]
    assert name in str(caught.value) or "stop text is empty" in str(caught.value)


@pytest.mark.parametrize("path", [3, 1.5, True, ["runs"], object()])
def test_a_path_of_a_wrong_type_is_an_option_error(path: Any) -> None:
    """It is named, as all wrong values are."""
    with pytest.raises(OptionError, match="path is "):
        charlstm.load(path)


def test_a_character_that_the_model_never_saw_is_a_wrong_value(
    model: charlstm.LanguageModel,
) -> None:
    """Whoever catches ValueError catches it."""
    for call in (model.generate, model.score, model.predict):
        with pytest.raises(ValueError, match=r"U\+20AC"):
            call("\u20ac")


def test_numbers_of_numpy_are_numbers(model: charlstm.LanguageModel) -> None:
    """They give the text that Python's own give, to the last character."""
    whole = {"length": 40, "top_k": 9, "repetition_window": 5, "random_seed": 3, "sample": 2}
    parts = {"temperature": 0.75, "top_p": 0.875, "min_p": 0.0625, "repetition_penalty": 1.25}
    expected = list(model.generate("The", lines=9, **whole, **parts))  # type: ignore[arg-type]
    for integer in (np.int64, np.uint8):
        for number in (np.float32, np.float64, np.float16, Fraction):
            given = {name: integer(value) for name, value in whole.items()}
            given |= {name: number(value) for name, value in parts.items()}
            text = model.generate("The", lines=integer(9), **given)
            assert list(text) == expected
            assert type(text.random_seed) is int
    assert model.predict("The", top=np.int64(2)) == model.predict("The", top=2)
    assert model.generate(np.str_("The"), stop=np.array(["e", "a"]), random_seed=1).end is None


def test_a_record_holds_plain_numbers() -> None:
    """What is written into files as JSON is Python's own."""
    config = ModelConfig(
        vocab_size=np.int64(9),  # type: ignore[arg-type]
        embedding_size=np.int32(4),  # type: ignore[arg-type]
        hidden_size=8,
        num_layers=1,
        dropout=np.float32(0.5),  # type: ignore[arg-type]
    )
    settings = Settings(steps=np.int64(3), learning_rate=np.float32(0.5))  # type: ignore[arg-type]
    values = (config.vocab_size, config.embedding_size, config.dropout)
    assert [type(value) for value in values] == [int, int, float]
    assert (type(settings.steps), type(settings.learning_rate)) == (int, float)
    assert Settings(epochs=3).epochs == 3


@pytest.mark.parametrize("value", [True, np.bool_(False), "1", None, np.array([1]), 1j, np.nan])
def test_what_is_no_number(value: Any) -> None:
    """Neither true and false, nor what only looks like one."""
    for check in (require_integer, require_number):
        with pytest.raises(OptionError):
            check("value", value, least=0)
