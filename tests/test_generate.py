"""Text from a model: the same each time, as long as asked, in characters it knows."""

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from charlstm.analysis.novelty import NewLines
from charlstm.errors import CharLSTMError, OptionError, UnknownCharacterError
from charlstm.generation.sampling import Sampling
from charlstm.generation.text_stream import LONGEST_LINE
from charlstm.language_model import LanguageModel
from charlstm.model.locate import find_model
from charlstm.model.lstm import LSTMState
from charlstm.model.model_file import ModelFile, load_model
from charlstm.text.vocabulary import Vocabulary

from .writing import complete_lines, generate, generate_many, make_model


def state_after(model: ModelFile, phrase: str) -> LSTMState:
    """What the network knows when it has read a seed phrase."""
    return generate(model, phrase, random_seed=1).state().lstm


def text(model: ModelFile, seed: str = "", **options: object) -> str:
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
    finals = []
    for phrase in ("abbbbbb", "bbbbbbb"):
        recurrence = LSTMState(model.lstm)
        for i in model.vocabulary.encode(phrase):
            recurrence.read(i)
        finals.append(recurrence.logits())
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


def test_a_seed_phrase_is_read_as_the_beginning_of_a_line() -> None:
    """The network is where it is after a line end and the phrase; no line end is read twice."""
    model = make_model("abcdefgh\n")
    plain, after, twice = (
        state_after(model, phrase).cell for phrase in ("abc", "\nabc", "\n\nabc")
    )
    np.testing.assert_array_equal(plain, after)
    assert not np.array_equal(after, twice)
    for count in (1, 2):
        how = {"samples": count, "random_seed": 1, "length": 40, "measure": True}
        assert [*generate_many(model, "abc", **how)] == [*generate_many(model, "\nabc", **how)]
    ((_, line),) = complete_lines(model, ["abc"], random_seed=1, measure=True)
    ((_, same),) = complete_lines(model, ["\nabc"], random_seed=1, measure=True)
    assert line == same


@pytest.mark.parametrize("count", [1, 3])
def test_the_line_end_before_a_text_does_not_count(count: int) -> None:
    """Neither for the repetition penalty nor as a part of a copied passage."""
    model = make_model("ab\n")
    hard = Sampling(temperature=0, repetition_penalty=1e12, repetition_window=1)
    model.weights["output.bias"][:] = (0, 0, 50)
    for sample in generate_many(model, samples=count, random_seed=1, length=1, sampling=hard):
        assert sample.text == "\n"
    model = make_model("ab\n")
    model.weights["output.bias"][:] = (50, 0, -50)
    new = NewLines("b\naa", novel=3)
    assert text(model, "a", length=1, line_filter=new) == "a"
    assert generate(model, random_seed=1).state().recent == ()


@pytest.mark.parametrize(
    ("unknown", "seed", "read"),
    [("skip", "a\u00e9b!", "ab"), ("nearest", "A\u00e0\u2019b", "aa'b"), ("error", "ab'", "ab'")],
)
def test_a_seed_in_characters_the_model_knows(unknown: str, seed: str, read: str) -> None:
    """Left out, or replaced by the nearest, as asked."""
    assert Vocabulary("'ab").known(seed, unknown)[0] == read  # type: ignore[arg-type]


def test_characters_that_cannot_be_read_are_named() -> None:
    """All of them, each once."""
    with pytest.raises(UnknownCharacterError, match=r"U\+00E9.*U\+4E2D") as caught:
        Vocabulary("ab").known("a\u00e9\u4e2d\u4e2d")
    assert caught.value.characters == "\u00e9\u4e2d"


@pytest.mark.parametrize(
    ("known", "seed", "read", "lost"),
    [
        ("caf\u00e9", "cafe\u0301", "caf\u00e9", ""),  # composed, since the model knows it so
        ("cafe\u0301", "caf\u00e9", "cafe\u0301", ""),  # decomposed
        ("e\u0301\u00e9", "e\u0301\u00e9", "e\u0301\u00e9", ""),  # as it is: all is known
        ("\u00e9e", "e\u0301e\u0323e", "\u00e9ee", ""),  # the accent is dropped
        ("\u00e9", "E\u0301", "\u00e9", ""),  # composed, then in the other case
        ("\ud55c", "\u1112\u1161\u11ab", "\ud55c", ""),  # Korean letters make a syllable
        ("\u1112\u1161\u11ab", "\ud55c", "\u1112\u1161\u11ab", ""),
        ("'a", "\u201ca\u201d", "'a'", ""),  # double quotes, then single ones
        ("\u2019a", "'a", "\u2019a", ""),  # typed marks where the model has typeset ones
        ("\u201ca", '"a', "\u201ca", ""),
        ("\u2013a", "a\u2014", "a\u2013", ""),
        ("- a", "a\u2014a", "a-a", ""),  # a dash, a hyphen, a space
        (" a", "a\u2014a", "a a", ""),
        ("a", "a\u2014a\u4e2d\u4e2d", "aa", "\u2014\u4e2d"),  # nothing
        (" a", "a\ra", "a a", ""),
        ("a", "\u0301a", "a", "\u0301"),  # an accent without a letter
        ("a", "\u4e2d", "", "\u4e2d"),
    ],
)
def test_the_nearest_text_and_what_is_left_out(known: str, seed: str, read: str, lost: str) -> None:
    """Composed or decomposed first, then in steps, and left out where nothing is near."""
    vocabulary = Vocabulary("".join(dict.fromkeys(known)))
    assert vocabulary.known(seed, "nearest") == (read, lost)


def test_a_lowercase_model_reads_a_lowercase_seed() -> None:
    """The seed phrase goes the way of the text it was trained on."""
    assert LanguageModel(make_model("ab", lowercase=True)).known("AB", unknown="error")[0] == "ab"
    with pytest.raises(UnknownCharacterError):
        LanguageModel(make_model("ab")).known("AB", unknown="error")


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


@pytest.mark.parametrize("stop", [["b"], ["ab", "gh"], ["zz"], ["\n"]])
def test_a_stop_text_ends_the_text_and_is_not_in_it(stop: list[str]) -> None:
    """The text is the one without a stop text, up to the first."""
    model = make_model("abcdefgh\n")
    whole = text(model, "abc", length=200)
    generation = generate(model, "abc", random_seed=1, length=200, stop=stop)
    ends = [whole.find(s) + len(s) for s in stop if s in whole]
    found = min(ends) if ends else None
    assert generation.end is None
    written = "".join(generation)
    assert generation.end == ("length" if found is None else "stop")
    if found is None:
        assert written == whole
    else:
        assert any(written + s == whole[:found] for s in stop)


def test_what_may_be_a_stop_text_comes_when_it_is_none() -> None:
    """Held back until it is sure, and let go at the end."""
    model = make_model("abcdefgh")
    whole = text(model, length=60)
    stop = [whole[20:40] + "z"]
    generation = generate(model, random_seed=1, length=40, stop=stop)
    begun = ""
    while len(begun) < 20:
        begun += next(generation)
    assert begun == whole[:20]
    assert (list(generation), generation.end) == ([whole[20:40]], "length")
    cut = generate(model, random_seed=1, stop=stop)
    taken = "".join(itertools.islice(cut, 30))
    assert whole.startswith((taken + cut.held)[:60])


@pytest.mark.parametrize("lines", [1, 2, 5])
def test_lines_end_the_text_after_so_many(lines: int) -> None:
    """With the last line end in it, also where it begins a stop text."""
    model = make_model("abcdefgh\n")
    whole = text(model, length=500)
    generation = generate(model, random_seed=1, lines=lines, stop=["\n\n\n\n\n\n"])
    written = "".join(generation)
    assert (written.count("\n"), generation.end) == (lines, "lines")
    assert whole.startswith(written)


@pytest.mark.parametrize(("characters", "banned"), [("ab", ()), ("ab\n", (2,))])
def test_lines_that_cannot_end_are_refused(characters: str, banned: tuple[int, ...]) -> None:
    """Without a length, where the model writes no line end."""
    model = make_model(characters)
    with pytest.raises(OptionError, match="no line end"):
        text(model, lines=1, length=None, banned=banned)
    assert len(text(model, lines=1, length=9, banned=banned)) == 9


NO_END = [
    {"stop": ["z"]},
    {"stop": ["aB", "b\u20ac"]},
    {"stop": ["ab"], "ban": "b"},
    {"lines": 1, "ban": "\n"},
    {"lines": 1, "stop": ["ab"], "ban": "\nb"},
]
AN_END = [
    {"stop": ["z", "ab"]},
    {"lines": 1, "stop": ["z"]},
    {"lines": 1, "stop": ["ab"], "ban": "\n"},
    {"length": 3, "stop": ["z"]},
]


def whole_texts(how: dict[str, Any]) -> list[Callable[[], object]]:
    """Ways to ask for a text that is kept until it is whole."""
    model = make_model("abcd\n")
    banned = "".join(how.pop("ban", ""))
    given = {"length": None, "random_seed": 1, **how}
    given["sampling"] = Sampling(temperature=9).banning(banned, "abcd\n")
    each = {name: value for name, value in given.items() if name != "lines"}
    face = {"length": how.get("length", 0), "ban": banned, "temperature": 9.0, "random_seed": 1}
    return [
        lambda: list(generate_many(model, samples=2, **given)),
        lambda: list(generate(model, whole=True, **given)),
        lambda: list(LanguageModel(model).generate(**{**how, **face})),
        *([lambda: list(complete_lines(model, ["a"], **each))] if "lines" in how else []),
    ]


@pytest.mark.parametrize("how", NO_END)
def test_a_whole_text_whose_ends_cannot_come_is_refused(how: dict[str, Any]) -> None:
    """It would fill the memory; Python callers that name an end wait for it, too."""
    for made in whole_texts(dict(how)):
        with pytest.raises(OptionError, match=r"the model (never writes|writes no line end)"):
            made()


@pytest.mark.parametrize("how", AN_END)
def test_an_end_that_cannot_come_may_stand_beside_one_that_can(how: dict[str, Any]) -> None:
    """So may one that cannot come in a text without end that nobody keeps."""
    for made in whole_texts(dict(how)):
        made()
    endless = generate(make_model("abcd\n"), random_seed=1, stop=["z"])
    assert len(list(itertools.islice(endless, 99))) == 99


def test_a_penalty_looks_at_the_seed_phrase_too() -> None:
    """A character of it becomes unlikely at once."""
    model = make_model("abcdefgh\n")
    for seed in "abcdefgh":
        hard = {"repetition_penalty": 1e12, "repetition_window": 1}
        assert text(model, seed, length=1, **hard) != seed
    written = text(model, "a", length=200, repetition_penalty=1e12, repetition_window=3)
    assert all(written[i] not in written[max(0, i - 3) : i] for i in range(200))


def test_bits_are_the_models_own_whatever_the_filters() -> None:
    """The mean of -log2 p at temperature 1, computed here anew."""
    model = make_model("abcdefgh\n")
    sampling = Sampling(temperature=0.2, top_k=2, banned=(3,))
    generation = generate(
        model, "abc", random_seed=1, length=50, sampling=sampling, stop=["zz"], measure=True
    )
    written = "".join(generation)
    recurrence, total = LSTMState(model.lstm), 0.0
    for place, i in enumerate(model.vocabulary.encode("\nabc" + written).tolist()):
        if place >= 4:
            logits = recurrence.logits().astype(float)
            total -= np.log2(np.exp(logits[i]) / np.exp(logits).sum())
        recurrence.read(i)
    assert generation.bits_per_char == pytest.approx(total / 50, rel=1e-5)


def test_a_sample_is_the_same_whatever_the_count() -> None:
    """Sample 0 is the text without samples; each other has draws of its own."""
    model = make_model("abcdefgh\n")
    how = {"random_seed": 5, "length": 30, "stop": ["ab"]}
    many = list(generate_many(model, "abc", samples=9, **how))
    assert [s.number for s in many] == list(range(9))
    assert many[:3] == list(generate_many(model, "abc", samples=3, **how))
    assert len({s.text for s in many}) == 9
    for number in (0, 4, 8):
        alone = generate(model, "abc", sample=number, **how).finish(number)
        assert alone == many[number]
    assert (
        next(generate_many(model, "abc", samples=1, random_seed=5, lines=1)).text.count("\n") == 1
    )


@pytest.mark.parametrize("options", [{"samples": 0}, {"samples": 2, "length": None}])
def test_samples_that_cannot_be_are_refused_at_once(options: dict[str, int | None]) -> None:
    """None at all, and some without end."""
    with pytest.raises(OptionError, match=r"samples is 0|length is 0"):
        generate_many(make_model("ab\n"), random_seed=1, **{"length": 5, **options})  # type: ignore[arg-type]


def test_lines_are_completed_as_phrases_come() -> None:
    """One at a time, each with the draws of its number, without the line end."""
    model = make_model("abcdefgh\n")
    asked = []

    def phrases() -> Iterator[str]:
        for phrase in ("abc", "", "h"):
            asked.append(phrase)
            yield phrase

    lines = complete_lines(model, phrases(), random_seed=3, length=25)
    for number, (phrase, line) in enumerate(lines):
        assert len(asked) == number + 1
        assert asked[-1] == phrase
        whole = text(model, phrase, random_seed=3, sample=number, lines=1, length=25)
        assert line.text == whole.removesuffix("\n")
    assert len(asked) == 3


CORPUS = "abcab\nacbacb\nbcabca\n"


@pytest.mark.parametrize("stop", [[], ["ab\na"], ["\n\n"]])
@pytest.mark.parametrize("seed", range(8))
def test_new_lines_copy_nothing(seed: int, stop: list[str]) -> None:
    """No passage of so many characters, over line ends and the seed phrase too, is the corpus's."""
    model = make_model("abc\n", seed=seed)
    new = NewLines(CORPUS, novel=5)
    for length in (1, 7, 60):
        how = {"length": length, "line_filter": new, "stop": stop, "random_seed": seed}
        generation = generate(model, "abca", **how)  # type: ignore[arg-type]
        written = "".join(generation)
        assert generation.end in ("length", "stop")
        assert generation.end == "stop" or len(written) == length
        passages = [("abca" + written)[i : i + 5] for i in range(len(written))]
        assert not any(passage in CORPUS for passage in passages if len(passage) == 5)
        assert written == "".join(generate(model, "abca", **how))  # type: ignore[arg-type]


def test_new_lines_go_on_where_they_were_saved() -> None:
    """A line thrown away leaves no trace in what the network knows."""
    model = make_model("abc\n")
    new = NewLines(CORPUS, novel=4)
    generation = generate(model, "abca", random_seed=2, length=60, line_filter=new)
    written = "".join(generation)
    state = generation.state()
    plain = generate(model, "abca" + written, random_seed=1).state()
    np.testing.assert_array_equal(state.lstm.hidden, plain.lstm.hidden)
    assert (state.recent, state.characters) == (plain.recent, 64)


LISTED = NewLines("ab\nb\naa\nba", new_lines=True)


@pytest.mark.parametrize("phrase", ["", "a", "\nb", "ba\na"])
def test_no_line_is_one_of_the_corpus(phrase: str) -> None:
    """The first line is compared with its phrase; empty lines come, and parts of lines do."""
    model = make_model("ab\n")
    model.weights["output.bias"][:] = (0, 0, 1)
    for sample in generate_many(
        model, phrase, samples=20, random_seed=3, lines=4, line_filter=LISTED
    ):
        lines = (phrase.rpartition("\n")[2] + sample.text).split("\n")
        assert len(lines) == 5
        assert not set(lines) & {"ab", "b", "aa", "ba"}
    assert text(model, "a", length=1, line_filter=NewLines("a\naa\nab", new_lines=True)) != "\n"


def test_no_line_comes_twice() -> None:
    """In one text, in several, and in lines that are completed; but for empty ones."""
    model = make_model("abcdefgh\n")
    model.weights["output.bias"][-1] += 2
    one = text(model, length=None, lines=60, line_filter=NewLines(unique=True)).split("\n")[:-1]
    assert len(one) == 60
    filled = [line for line in one if line]
    assert len(set(filled)) == len(filled)
    assert len(filled) < 60
    how = {"random_seed": 1, "line_filter": NewLines(unique=True)}
    many = [sample.text for sample in generate_many(model, "a", samples=30, lines=1, **how)]
    assert len(set(many)) == 30
    assert many[:9] == [
        sample.text
        for sample in generate_many(
            model, "a", samples=9, lines=1, random_seed=1, line_filter=NewLines(unique=True)
        )
    ]
    how["line_filter"] = NewLines(unique=True)
    completed = [line.text for _, line in complete_lines(model, ["a"] * 30, **how)]
    assert len(set(completed)) == 30


def test_a_line_goes_on_from_what_was_saved() -> None:
    """It is compared as a whole, also where its beginning is an earlier call's."""
    model = make_model("ab\n")
    model.weights["output.bias"][:] = (0, 0, 50)
    new = NewLines("ba", new_lines=True)
    begun = generate(model, "ba", random_seed=1, length=1, line_filter=new)
    with pytest.raises(CharLSTMError, match="is in the corpus"):
        list(generate(model, state=begun.state(), length=1, line_filter=new))


def test_where_nothing_is_new_it_is_said() -> None:
    """After a hundred lines, with what to change."""
    model = make_model("ab\n")
    with pytest.raises(CharLSTMError, match=r"100 lines in a row .*copied 1 "):
        text(model, line_filter=NewLines("ab\n", novel=1))
    with pytest.raises(OptionError, match="novel is 0"):
        NewLines("ab", novel=0)


def test_a_long_line_is_filtered_in_pieces() -> None:
    """A text without line ends comes, and takes no more memory as it grows."""
    model = make_model("abcdefgh")
    new = NewLines("abc", novel=3)
    endless = generate(model, random_seed=1, line_filter=new)
    assert len(next(endless)) == LONGEST_LINE


def test_a_trained_model_writes_in_its_characters(trained: Path, play: Path) -> None:
    """From a file on disk, through the public functions alone."""
    model = load_model(find_model(str(trained)))
    written = text(model, "The tide", length=200)
    assert set(written) <= set(play.read_text())
