"""Text from a model: the same each time, as long as asked, in characters it knows."""

import itertools
from pathlib import Path

import numpy as np
import pytest

from charlstm.checkpoint import Model, load_model
from charlstm.config import Fingerprint, ModelConfig, TextOptions
from charlstm.errors import OptionError, UnknownCharacterError
from charlstm.generate import generate
from charlstm.lstm import Network
from charlstm.runs import find_model
from charlstm.sampling import Sampling
from charlstm.seeds import known_text, read_seed
from charlstm.vocab import Vocabulary


def make_model(characters: str, *, seed: int = 0, lowercase: bool = False) -> Model:
    """A model with drawn weights: any text from it is as good as any other."""
    config = ModelConfig(
        vocab_size=len(characters), embedding_size=4, hidden_size=8, num_layers=2, dropout=0.0
    )
    rng = np.random.default_rng(seed)
    return Model(
        config=config,
        weights={
            name: rng.normal(size=shape).astype(np.float32)
            for name, shape in config.parameter_shapes().items()
        },
        vocabulary=Vocabulary(characters),
        fingerprint=Fingerprint(name="drawn", sha256="0" * 64, characters=1),
        text=TextOptions(lowercase=lowercase),
        training={},
        command="charlstm train",
    )


def text(model: Model, seed: str = "", **options: object) -> str:
    """What ``generate`` writes; filters of ``Sampling`` may stand among the options."""
    names = Sampling.__dataclass_fields__.keys() & options.keys()
    sampling = Sampling(**{name: options.pop(name) for name in names})  # type: ignore[arg-type]
    given = {"random_seed": 1, "length": 40, "sampling": sampling, **options}
    return "".join(generate(model, seed, **given))  # type: ignore[arg-type]


def test_the_same_arguments_give_the_same_text() -> None:
    """And another random seed, seed phrase or temperature gives another."""
    model = make_model("abcdefgh\n")
    first = text(model, "abc")
    assert first == text(model, "abc")
    assert len(first) == 40
    others = [
        text(model, "abd"),
        text(model, "abc", random_seed=2),
        text(model, "abc", temperature=0.3),
    ]
    assert all(other != first for other in others)


def test_the_whole_seed_phrase_is_read() -> None:
    """A difference in its first character changes what follows at once."""
    model = make_model("ab")
    network = Network(model.weights, model.config)
    finals = []
    for phrase in ("abbbbbb", "bbbbbbb"):
        state = network.zero_state()
        for i in model.vocabulary.encode(phrase):
            features, state = network.step(i, state)
        finals.append(network.logits(features))
    assert not np.array_equal(*finals)
    greedy = next(generate(model, "abbbbbb", random_seed=0, sampling=Sampling(temperature=0)))
    assert greedy == "ab"[int(finals[0].argmax())]


def test_greedy_text_needs_no_draw() -> None:
    """At temperature 0 the random seed makes no difference."""
    model = make_model("abcdefgh\n")
    assert text(model, "a", temperature=0) == text(model, "a", temperature=0, random_seed=9)


def test_without_a_length_there_is_no_end() -> None:
    """An iterator, taken from as long as one likes; a longer text begins with the shorter."""
    model = make_model("abcdefgh\n")
    endless = generate(model, "a", random_seed=1)
    long = "".join(itertools.islice(endless, 500))
    assert long.startswith(text(model, "a"))


def test_without_a_seed_the_text_begins_as_a_line_does() -> None:
    """The network reads a line end; a vocabulary without one starts from its zero state."""
    assert text(make_model("ab\n")) == text(make_model("ab\n"), "\n")
    assert len(text(make_model("ab"))) == 40


@pytest.mark.parametrize(
    ("unknown", "seed", "read"),
    [("skip", "a\u00e9b!", "ab"), ("nearest", "A\u00e0\u2019b", "aa'b"), ("error", "ab'", "ab'")],
)
def test_a_seed_in_characters_the_model_knows(unknown: str, seed: str, read: str) -> None:
    """Left out, or replaced by the nearest, as asked."""
    assert known_text(seed, Vocabulary("'ab"), unknown) == read  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("unknown", "seed", "named"),
    [("error", "a\u00e9\u4e2d", "\u00e9\u4e2d"), ("nearest", "\u00e0\u4e2d", "\u4e2d")],
)
def test_characters_that_cannot_be_read_are_named(unknown: str, seed: str, named: str) -> None:
    """All of them by default; with nearest those that have nothing near."""
    with pytest.raises(UnknownCharacterError) as caught:
        known_text(seed, Vocabulary("ab"), unknown)  # type: ignore[arg-type]
    assert caught.value.characters == named
    assert ("--unknown nearest" in str(caught.value)) == (unknown == "error")


def test_a_lowercase_model_reads_a_lowercase_seed() -> None:
    """The seed phrase goes the way of the text it was trained on."""
    assert read_seed(make_model("ab", lowercase=True), "AB") == "ab"
    with pytest.raises(UnknownCharacterError):
        read_seed(make_model("ab"), "AB")


@pytest.mark.parametrize(
    "options",
    [
        {"temperature": -1},
        {"temperature": float("nan")},
        {"length": -5},
        {"random_seed": -1},
        {"lines": 0},
        {"sample": -1},
    ],
)
def test_bad_values_are_refused_before_the_first_character(options: dict[str, float]) -> None:
    """When the function is called, not when its text is read."""
    with pytest.raises(OptionError, match="must be"):
        text(make_model("ab"), **options)


def test_a_trained_model_writes_in_its_characters(trained: Path, play: Path) -> None:
    """From a file on disk, through the public functions alone."""
    model = load_model(find_model(str(trained)))
    written = text(model, "The tide", length=200)
    assert set(written) <= set(play.read_text())
