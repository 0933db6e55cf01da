"""Cells that tell properties: the properties, the statistics, and a cell that was learned."""

import json
import math
import random
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import charlstm
from charlstm.analysis import cells
from charlstm.analysis.cells import best_passage, choose, correlations
from charlstm.analysis.properties import PROPERTIES, matching
from charlstm.errors import CorpusError, OptionError
from charlstm.language_model import LanguageModel
from charlstm.training import train
from charlstm.training.network import CharLSTM

from .conftest import Run
from .writing import make_model

BY_NAME = {one.name: one for one in PROPERTIES}


QUOTED, BRACKETED = "inside quotation marks", "inside brackets"
SPEAKER = "in a speaker's name"


@pytest.mark.parametrize(
    ("name", "text", "kept"),
    [
        (QUOTED, 'a "b c" d "e', '.."b c...."e'),
        (QUOTED, 'a "b\n\nc "d" e', '.."b\n..."d...'),
        (QUOTED, "\u201ca\u201d \u201eb\u201c \u00abc\u00bb", "\u201ca..\u201eb..\u00abc."),
        (QUOTED, '"""a "b"\n\nc""" d', '.."a "b"\n\nc""...'),
        (QUOTED, '"a \\" b" c', '"a \\" b...'),
        (QUOTED, "don't 'say'", "..........."),
        (BRACKETED, "a (b [c] d) e", "..(b [c] d..."),
        (BRACKETED, ") a (b\n\nc", "....(b\n.."),
        (BRACKETED, "{\n  a\n}", "{\n  a\n."),
        ("in upper case", "To BE", "T..BE"),
        ("at a word's beginning", "to be, don't 4u _v", "t..b...d.........."),
        ("after a line end", "a\n\nb", ".\n\n."),
        ("inside a number", "a1 23 4,5. 6", "...23.4,5..6"),
        (SPEAKER, "\nLEAR.\nTo be\n\nSCENE I. A\n", ".LEAR." + "." * 19),
        (SPEAKER, "x\n\nFirst Citizen:\nHear\n", "...First Citizen:......"),
        (SPEAKER, "ROSS: Ay.\nI. Yes\n", "ROSS:............"),
        (SPEAKER, "x\n\nHor.\nHail", "...Hor......"),
    ],
)
def test_a_property_of_each_character(name: str, text: str, kept: str) -> None:
    """True once the character has been read; where it is not, a full stop stands here."""
    values = BY_NAME[name].values(text)
    assert set(values.tolist()) <= {0, 1}
    assert "".join(c if v else "." for c, v in zip(text, values, strict=True)) == kept


@pytest.mark.parametrize(
    ("file", "names", "least"),
    [
        ("shakespeare/macbeth.txt", {"MACBETH.", "LADY MACBETH.", "FIRST WITCH."}, 600),
        ("shakespeare/hamlet.txt", {"Ham.", "Hor.", "King."}, 1000),
        ("tinyshakespeare.txt", {"First Citizen:", "ROMEO:", "KING RICHARD II:"}, 7000),
        ("english/carroll-alice-in-wonderland.txt", set(), 0),
        ("shakespeare/sonnets.txt", set(), 0),
    ],
)
def test_speakers_of_real_texts(
    shared_corpora: Path, file: str, names: set[str], least: int
) -> None:
    """Plays of several editions have them, headings are none, and other texts have none."""
    text = (shared_corpora / file).read_text(encoding="utf-8-sig")
    inside = BY_NAME[SPEAKER].values(text)
    edges = np.flatnonzero(np.diff(np.concatenate(([0], inside, [0]))))
    found = [text[start:end] for start, end in edges.reshape(-1, 2)]
    assert names <= set(found)
    assert len(found) >= least
    assert bool(found) == bool(names)
    assert not [name for name in found if name.startswith(("ACT ", "SCENE ", "CHAPTER "))]


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("position in the line", "ab\n\nc", [1, 2, 0, 0, 1]),
        ("depth of indentation", "a\n  b c\n\td\n   ", [0, 0, 1, 2, 2, 2, 2, 0, 1, 1, 0, 1, 2, 3]),
    ],
)
def test_a_property_that_is_a_number(name: str, text: str, expected: list[int]) -> None:
    """It counts what has been read."""
    assert BY_NAME[name].values(text).astype(int).tolist() == expected
    assert not BY_NAME[name].yes_no


def test_a_pattern_is_a_property() -> None:
    """The ends of lines are ends; a match of nothing is nowhere."""
    assert matching("^b.$").values("ab\nbc\n").astype(int).tolist() == [0, 0, 0, 1, 1, 0]
    assert not matching("x*").values("abc").any()


@pytest.mark.parametrize("pattern", ["(", "[", "*", "a{9999999999999}", "(?P<"])
def test_a_wrong_pattern_is_named(pattern: str) -> None:
    """With what is wrong with it."""
    with pytest.raises(OptionError, match=r"pattern is .*no regular expression: "):
        matching(pattern)


def test_the_choice_does_not_depend_on_the_groups() -> None:
    """Sums over groups give the cell, direction and threshold that the whole text gives."""
    rng = np.random.default_rng(1)
    known = np.stack([rng.random(900) < 0.3, rng.normal(size=900)], axis=1).astype(float)
    values = rng.normal(size=(900, 6)) * 0.1
    values[:, 4] -= known[:, 0]
    values[:, 2] += known[:, 1]
    for size in (900, 250, 1):
        groups = (values[i : i + size].astype(np.float32) for i in range(0, 900, size))
        chosen = choose(groups, known)
        assert chosen.cells.tolist() == [4, 2]
        assert chosen.direction.tolist() == [-1, 1]
        yes = known[:, 0] == 1
        middle = (values[yes, 4].mean() + values[~yes, 4].mean()) / 2
        assert chosen.threshold[0] == pytest.approx(middle, abs=1e-6)


def test_a_number_with_the_mean_one_is_no_warning() -> None:
    """A threshold, which only a property that is yes or no has, would be divided by zero."""
    values = np.random.default_rng(1).normal(size=(400, 3))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        choice = choose(iter([values]), np.tile([0.0, 2.0], 200)[:, None])
    assert np.isfinite(choice.direction).all()


def test_a_cell_that_never_changes_is_not_chosen() -> None:
    """Rounding errors of a constant would go together with anything."""
    known = (np.arange(100) % 7 == 0).astype(float)[:, None]
    values = np.full((100, 2), 0.123456, np.float32)
    values[:, 1] += known[:, 0] * 0.01
    assert choose(iter([values]), known).cells.tolist() == [1]
    assert not correlations(values[:, 0].astype(float), known[:, 0]).any()


@pytest.mark.parametrize("size", [97, 1000])
def test_correlations_at_all_shifts(size: int) -> None:
    """The Fourier transform gives what numpy gives shift by shift."""
    rng = np.random.default_rng(size)
    x, y = rng.normal(size=size).cumsum(), (rng.random(size) < 0.2).astype(float)
    expected = [np.corrcoef(x, np.roll(y, shift))[0, 1] for shift in range(size)]
    assert correlations(x, y) == pytest.approx(expected, abs=1e-9)


def test_the_passage_shows_the_cell_at_work() -> None:
    """It begins with a word, ends with one, and the property changes in it."""
    text = "nothing at all in here " * 20 + "and here (some words) are more " + "of the same " * 30
    y = BY_NAME["inside brackets"].values(text)
    part = best_passage(text, np.tanh(y), y, length=40)
    assert "(some words)" in text[part]
    assert text[part.start - 1] == " "
    assert text[part.stop] == " "
    assert part.stop - part.start <= 40


def bracketed(seed: int, words: int = 2500) -> str:
    """Words, some in brackets: a network must remember that one is open, to close it."""
    rng = random.Random(seed)

    def word(letters: str) -> str:
        return "".join(rng.choices(letters, k=rng.randint(1, 4)))

    return " ".join(
        f"({' '.join(word('abxyz') for _ in range(rng.randint(1, 4)))})"
        if rng.random() < 0.15
        else word("abc")
        for _ in range(words)
    )


def untrained(model: LanguageModel) -> LanguageModel:
    """A network of the same sizes with the weights that a training begins with."""
    network = CharLSTM(model._model.config, seed=0)
    weights = {name: weight.detach().numpy() for name, weight in network.state_dict().items()}
    return LanguageModel(replace(model._model, weights=weights))


@pytest.fixture(scope="module")
def learned(tmp_path_factory: pytest.TempPathFactory) -> LanguageModel:
    """A small model that has learned to close brackets."""
    directory = tmp_path_factory.mktemp("brackets")
    (directory / "text.txt").write_text(bracketed(1))
    settings = {"steps": 120, "hidden_size": 16, "embedding_size": 4, "num_layers": 1}
    settings |= {"batch_size": 16, "seq_length": 32, "random_seed": 1, "val_fraction": 0}
    for _ in train(
        str(directory / "text.txt"),
        output=str(directory / "run"),
        device="cpu",
        threads=1,
        **settings,
    ):
        pass
    return charlstm.load(directory / "run")


def test_a_learned_cell_is_found_on_a_text_that_was_held_back(learned: LanguageModel) -> None:
    """It tells brackets far above chance, and above what the network could before it learned."""
    text = bracketed(2)
    found, before = (
        next(cell for cell in model.find_cells(text) if cell.property_name == "inside brackets")
        for model in (learned, untrained(learned))
    )
    assert found.found
    assert found.score > 0.8
    assert found.score > before.score + 0.1
    assert found.accuracy is not None
    assert before.accuracy is not None
    assert found.accuracy > max(0.9, before.accuracy)
    assert found.passage == text[found.position :][: len(found.passage)]
    assert found.position >= len(text) // 2
    trace = learned.trace(text)
    there = slice(found.position, found.position + len(found.passage))
    expected = np.tanh(trace.cell[there, found.layer - 1, found.unit - 1])
    assert found.values == pytest.approx(expected, abs=1e-3)


def test_what_no_cell_can_know_is_not_found(learned: LanguageModel) -> None:
    """Drawn positions have no cell, though some cell went best with them in the first half."""
    rng = random.Random(7)
    text = bracketed(3)
    drawn = np.array([rng.random() < 0.02 for _ in text], float)
    lottery = replace(matching("x"), name="drawn", values=lambda text: drawn)
    (cell,) = cells.find_cells(learned._model, text, [lottery])
    assert not cell.found
    assert cell.accuracy == pytest.approx(0.5, abs=0.1)


def test_groups_are_read_as_one_text(
    learned: LanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Memory is bounded by reading group by group, which changes no score."""
    text = bracketed(2)
    whole = learned.find_cells(text)
    monkeypatch.setattr(cells, "GROUP_VALUES", 1)
    monkeypatch.setattr(cells, "LEAST_CHARACTERS", 1500)
    for one, other in zip(whole, learned.find_cells(text), strict=True):
        assert one.property_name == other.property_name
        assert (one.layer, one.unit) == (other.layer, other.unit)
        assert one.score == pytest.approx(other.score, abs=1e-3)


def test_properties_that_do_not_change_are_left_out(learned: LanguageModel) -> None:
    """And named, with the reason."""
    notes: list[str] = []
    cells = learned.find_cells(bracketed(2), pattern="Q", notes=notes)
    found = {cell.property_name for cell in cells}
    assert "inside brackets" in found
    left_out = {note.split(":")[0] for note in notes}
    assert {"inside quotation marks", "in upper case", "within /Q/"} <= left_out
    assert not left_out & found


def test_a_text_is_too_short(learned: LanguageModel) -> None:
    """In a few words something always goes together."""
    with pytest.raises(CorpusError, match=r"length of the text is 5; .*8,000"):
        learned.find_cells("(a) b")


def test_a_cell_that_never_moves_is_no_cell() -> None:
    """A network whose weights are all zero knows nothing."""
    model = make_model("ab()\n ")
    weights = {name: np.zeros_like(weight) for name, weight in model.weights.items()}
    found = LanguageModel(replace(model, weights=weights)).find_cells("ab (ba)\n" * 1500)
    assert found
    assert not any(cell.found for cell in found)


def test_the_command_writes_a_line_for_each_property(
    charlstm: Run, learned: LanguageModel, tmp_path: Path
) -> None:
    """Separated by tabs, or as JSON with the values of the passage."""
    (tmp_path / "t").write_text(bracketed(2))
    words = ["visualize", "-m", learned.path, "--text-file", tmp_path / "t", "--pattern", "[xyz]+"]
    done = charlstm(*words)
    header, *lines = done.stdout.decode().splitlines()
    assert header.split("\t") == [
        *("property", "cell", "direction", "score", "chance", "accuracy", "passage")
    ]
    rows = {line.split("\t")[0]: line.split("\t")[1:] for line in lines}
    assert {"inside brackets", "within /[xyz]+/", "position in the line"} <= set(rows)
    layer, _, unit = rows["inside brackets"][0].partition(":")
    objects = [json.loads(line) for line in charlstm(*words, "--json", "-q").stdout.splitlines()]
    assert [one["property"] for one in objects] == list(rows)
    assert [one["score"] for one in objects] == sorted((o["score"] for o in objects), reverse=True)
    one = next(one for one in objects if one["property"] == "inside brackets")
    assert (one["layer"], one["unit"]) == (int(layer), int(unit))
    assert one["found"]
    assert len(one["values"]) == len(one["passage"])
    assert all(math.fabs(value) <= 1 for value in one["values"])
    said = done.stderr.decode()
    assert "inside quotation marks: left out" in said
    assert "characters to find cells" in said


def test_the_model_writes_the_text_itself(charlstm: Run, learned: LanguageModel) -> None:
    """With a random seed that is said, and that gives the same table again."""
    words = ["visualize", "-m", learned.path, "--find", "-n", 9000]
    first = charlstm(*words)
    said = first.stderr.decode()
    assert "the model writes the text, with random seed " in said
    seed = said.split("random seed ")[1].split("\n")[0]
    again = charlstm(*words, "--random-seed", seed, "-q")
    assert (again.stdout, again.stderr) == (first.stdout, b"")
