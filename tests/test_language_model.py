"""The Python face: ``charlstm.load`` and what it gives, without torch and at no cost to import."""

import inspect
import itertools
import re
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import charlstm
from charlstm import LanguageModel
from charlstm.errors import CorpusError, OptionError, UnknownCharacterError
from charlstm.generation.sampling import Sampling
from charlstm.model.model_file import load_model, save_model

from .conftest import Run
from .test_rooms import HEAVY, modules_after
from .writing import generate, make_model


@pytest.fixture(scope="module")
def model(trained: Path) -> charlstm.LanguageModel:
    """The small trained model, by its run directory."""
    return charlstm.load(trained)


def test_the_names_are_there_and_typed() -> None:
    """All of ``__all__``; any other is an error that says so."""
    for name in charlstm.__all__:
        assert getattr(charlstm, name)
    assert sorted(dir(charlstm)) == sorted(charlstm.__all__)
    with pytest.raises(AttributeError, match="no attribute 'lode'"):
        charlstm.lode  # noqa: B018
    assert (Path(charlstm.__file__).parent / "py.typed").is_file()


def test_importing_costs_nothing_and_using_it_no_torch(trained: Path) -> None:
    """Numpy comes with the first name that needs it."""
    assert not ({"numpy", "safetensors"} | HEAVY) & modules_after("import charlstm")
    code = f"import charlstm; m = charlstm.load({str(trained)!r}); "
    code += "next(m.generate()), m.score('The'), m.predict('The'), m.card"
    loaded = modules_after(code)
    assert "numpy" in loaded
    assert not ({"pydivsufsort", "typer"} | HEAVY) & loaded


def test_generate_is_what_the_command_writes(
    model: charlstm.LanguageModel, charlstm: Run, trained: Path
) -> None:
    """The same names, defaults and texts."""
    words = ["generate", "-m", trained, "--random-seed", 4, "--no-echo", "--seed", "The tide"]
    assert charlstm(*words).stdout.decode() == "".join(model.generate("The tide", random_seed=4))
    more = ["--top-k", 9, "--top-p", 0.9, "--min-p", 0.01, "--repetition-penalty", 1.2, "-t", 1.1]
    more += ["--repetition-window", 9, "--ban", "eE", "--stop", "th", "--lines", 3, "-n", 99]
    text = model.generate(
        "The tide",
        random_seed=4,
        length=99,
        temperature=1.1,
        top_k=9,
        top_p=0.9,
        min_p=0.01,
        repetition_penalty=1.2,
        repetition_window=9,
        ban="eE",
        stop="th",
        lines=3,
    )
    assert charlstm(*words, *more).stdout.decode() == "".join(text)
    assert text.end in ("length", "stop", "lines")


def test_generate_without_end_and_without_a_seed(model: charlstm.LanguageModel) -> None:
    """An iterator that never stops; the random seed it drew gives the text again."""
    endless = model.generate(length=0)
    text = "".join(itertools.islice(endless, 3000))
    assert len(text) == 3000
    again = model.generate(length=3000, random_seed=endless.random_seed)
    assert "".join(again) == text
    assert again.bits_per_char is None
    assert again.end == "length"


def test_a_text_scores_what_its_characters_surprised(model: charlstm.LanguageModel) -> None:
    """What ``generate`` measures on the way, ``score`` finds afterwards."""
    text = model.generate(length=300, random_seed=1, temperature=1.0, measure=True)
    written = "".join(text)
    score = model.score(written)
    assert score.characters == score.bits.size == 300
    assert score.bits_per_char == pytest.approx(text.bits_per_char, abs=1e-5)
    assert score.loss == pytest.approx(score.bits_per_char * np.log(2))
    assert model.score(written[::-1]).bits_per_char > score.bits_per_char
    nothing = model.score("")
    assert (nothing.characters, nothing.bits_per_char, nothing.loss) == (0, None, None)


def test_predictions_are_probabilities(model: charlstm.LanguageModel) -> None:
    """Of every character, in falling order, and those that score uses."""
    ranked = model.predict("The tid")
    shares = [share for _, share, _ in ranked]
    assert sorted(p.character for p in ranked) == sorted(model.vocabulary)
    assert shares == sorted(shares, reverse=True)
    assert sum(shares) == pytest.approx(1)
    assert model.predict("The tid", top=3) == ranked[:3]


@pytest.mark.parametrize("text", ["The tide", "\nThe tide", "T"])
def test_score_and_predict_agree(model: charlstm.LanguageModel, text: str) -> None:
    """On every character of a text, the first too: both read it as the beginning of a line."""
    bits = model.score(text).bits
    for i, character in enumerate(text):
        if text[:i] or character != "\n":  # from nothing, predict begins a line and reads no text
            share = {p[0]: p[1] for p in model.predict(text[:i])}[character]
            assert 2 ** -bits[i] == pytest.approx(share, rel=1e-4)


def test_what_is_asked_wrongly_is_said_at_once(
    model: charlstm.LanguageModel, trained: Path
) -> None:
    """Not at the first character."""
    for wrong in ({"top_k": -1}, {"length": -1}, {"stop": ""}, {"stop": [""]}, {"lines": 0}):
        with pytest.raises(charlstm.CharLSTMError):
            model.generate(**wrong)  # type: ignore[arg-type]
    for call in (model.generate, model.score, model.predict):
        with pytest.raises(charlstm.CharLSTMError, match=r"U\+4E2D"):
            call("\u4e2d")
        call("\u4e2d", unknown="skip")
    with pytest.raises(charlstm.CharLSTMError, match="top is 0"):
        model.predict(top=0)
    with pytest.raises(charlstm.CharLSTMError, match="no such model"):
        charlstm.load(trained / "absent")


def test_what_is_left_out_of_a_text_can_be_seen(model: charlstm.LanguageModel) -> None:
    """Python callers learn what "nearest" found nothing near, and what it read."""
    assert model.known("The \u4e2dtide\u00a0") == ("The tide ", "\u4e2d")
    assert model.known("The tide") == ("The tide", "")
    texts = [model.generate(t, unknown="nearest", random_seed=1) for t in ("\u4e2dThe", "The")]
    assert len({"".join(text) for text in texts}) == 1


def test_a_card_and_a_name(model: charlstm.LanguageModel, trained: Path) -> None:
    """What ``inspect`` shows."""
    assert model.card["vocabulary"] == model.vocabulary
    assert model.card["parameters"] > 0
    assert model.card["training"]["steps"] == 60
    layers = model.card["model"]["num_layers"]
    assert (
        repr(model)
        == f"<LanguageModel of verse: {layers} x 24, {len(model.vocabulary)} characters>"
    )


@pytest.mark.filterwarnings("error")
def test_absurd_weights_are_an_error_and_no_warning(
    tmp_path: Path,
) -> None:
    """Numbers near the end of float32 overflow; whoever imports us hears it once."""
    drawn = make_model("ab\n")
    for weight in drawn.weights.values():
        weight[:] = np.sign(weight) * 3e38
    save_model(drawn, tmp_path / "model")
    model = charlstm.load(tmp_path / "model")
    before = np.geterr()
    for call in (lambda: next(model.generate()), lambda: model.score("a"), model.predict):
        with pytest.raises(charlstm.CharLSTMError, match="too large"):
            call()
    assert np.geterr() == before


def test_examples_in_the_docs_run(
    trained: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    """Each indented block, with the trained model in the place of the one it names."""
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "play").symlink_to(trained)
    monkeypatch.chdir(tmp_path)
    model = charlstm.load("runs/play")
    face = charlstm.LanguageModel
    for place in (charlstm, face.generate, face.score, face.score_many, face.predict):
        found = re.findall(r"^(?: {4}.*\n|\n)+", f"{inspect.getdoc(place)}\n", re.MULTILINE)
        blocks = [textwrap.dedent(block) for block in found if block.strip()]
        assert blocks
        for block in blocks:
            code = re.sub(r'"(Once upon|To b|Is this|that is)[^"]*"', '"The tide"', block)
            exec(code.replace("length=0", "length=9"), {"model": model, "charlstm": charlstm})
    assert capsys.readouterr().out


def test_the_core_and_the_face_agree(model: charlstm.LanguageModel, trained: Path) -> None:
    """``generate`` of the core with the same settings gives the same text."""
    core = load_model(trained / "model.safetensors")
    settings = {"random_seed": 3, "sample": 2, "length": 50}
    expected = "".join(generate(core, "The", sampling=Sampling(temperature=0.7), **settings))
    assert "".join(model.generate("The", **settings)) == expected


def test_phrases_are_completed_as_the_model_reads_them() -> None:
    """In lower case if it learned lower case, and with unknown characters as one asks."""
    model = LanguageModel(make_model("ab\n", lowercase=True))
    how: Any = {"length": 5, "random_seed": 1}
    (plain,) = model.complete_lines(["ab"], **how)
    assert next(model.complete_lines(["AB"], **how)) == plain
    assert next(model.complete_lines(["A\u4e2dB"], unknown="skip", **how)) == plain
    with pytest.raises(UnknownCharacterError):
        next(model.complete_lines(["\u4e2d"], **how))
    with pytest.raises(OptionError):
        model.complete_lines([], unknown="guess", **how)  # type: ignore[arg-type]


def test_nothing_is_downloaded_unless_the_command_line_is_asked(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A name of the catalogue whose text is not on this machine is an error that says so."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CorpusError, match=r"^hamlet: not on this machine$"):
        LanguageModel(make_model("ab\n")).evaluate("hamlet")
