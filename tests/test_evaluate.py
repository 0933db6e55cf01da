"""How well a model predicts a text: the numbers, the part of the text, and what is said of it."""

import json
import math
import re
import sys
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pexpect
import pytest
import torch

import charlstm as package
from charlstm.errors import CharLSTMError, CorpusError, ModelFileError, OptionError
from charlstm.language_model import LanguageModel
from charlstm.model.model_file import ModelFile, save_model
from charlstm.text.corpus import open_corpus, survey
from charlstm.text.dataset import write_dataset
from charlstm.text.decoding import TextOptions
from charlstm.text.passages import sampled_passages
from charlstm.text.vocabulary import Vocabulary
from charlstm.training.network import CharLSTM
from charlstm.training.validation import evaluate as validation_loss

from .conftest import VERSE, Run
from .examples import ROOT, blocks_of, run
from .writing import make_model


def examples_of_the_readme() -> list[str]:
    """The lines of the README that evaluate a model."""
    section = (ROOT / "README.md").read_text(encoding="utf-8").split("### charlstm evaluate")[1]
    lines = section.split("\n### ")[0].splitlines()
    return [line.strip() for line in lines if line.startswith("    charlstm evaluate")]


Write = Callable[..., str]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a text to a file and return its name."""

    def to_file(text: str, name: str = "t.txt") -> str:
        (tmp_path / name).write_text(text, encoding="utf-8")
        return str(tmp_path / name)

    return to_file


def model_of(path: str, *, val_fraction: Any = 0.1, min_count: int = 1) -> LanguageModel:
    """A model with drawn weights whose own text is that of a file."""
    found = survey(open_corpus([path], TextOptions()))
    characters = Vocabulary.from_counts(found.counts, min_count).characters
    model = replace(
        make_model(characters),
        fingerprint=found.fingerprint,
        text=TextOptions(min_count=min_count),
        training={"val_fraction": val_fraction},
    )
    return LanguageModel(model)


def by_hand(model: ModelFile, text: str) -> list[list[float]]:
    """The probabilities of each next character after each character of ``text``: plain Python."""
    weights = {name: weight.astype(float).tolist() for name, weight in model.weights.items()}
    H, L = model.config.hidden_size, model.config.num_layers
    h, c = ([[0.0] * H for _ in range(L)] for _ in range(2))
    found = []

    def product(rows: list[list[float]], x: list[float]) -> list[float]:
        return [sum(w * v for w, v in zip(row, x, strict=True)) for row in rows]

    def sigmoid(z: float) -> float:
        return 1 / (1 + math.exp(-z))

    for i in model.vocabulary.encode(text):
        x = weights["embedding.weight"][i]
        for layer in range(L):
            part = {p: weights[f"layers.{layer}.{p}_l0"] for p in ("weight_ih", "weight_hh")}
            biases = [weights[f"layers.{layer}.bias_{p}_l0"] for p in ("ih", "hh")]
            terms = (product(part["weight_ih"], x), product(part["weight_hh"], h[layer]), *biases)
            z = [sum(values) for values in zip(*terms, strict=True)]
            for n in range(H):
                forget, candidate = sigmoid(z[H + n]), math.tanh(z[2 * H + n])
                c[layer][n] = forget * c[layer][n] + sigmoid(z[n]) * candidate
            h[layer] = [sigmoid(z[3 * H + n]) * math.tanh(c[layer][n]) for n in range(H)]
            x = h[layer] if not layer else [a + b for a, b in zip(x, h[layer], strict=True)]
        logits = product(weights["output.weight"], x)
        scores = [math.exp(z + b) for z, b in zip(logits, weights["output.bias"], strict=True)]
        found.append([score / sum(scores) for score in scores])
    return found


def test_the_numbers_by_hand(write: Write) -> None:
    """Loss, bits, perplexity and both accuracies, from a softmax in plain Python."""
    text = "abcdefgh\nhgfedcba\nbadcfehg" * 2
    model = make_model("\nabcdefgh")
    found = LanguageModel(model).evaluate(write(text), exact=True)
    expected = by_hand(model, text[:-1])
    ids = model.vocabulary.encode(text[1:]).tolist()
    loss = -sum(math.log(p[i]) for p, i in zip(expected, ids, strict=True)) / len(ids)
    ranks = [sorted(p, reverse=True).index(p[i]) for p, i in zip(expected, ids, strict=True)]
    assert found.characters == len(text) - 1
    assert found.loss == pytest.approx(loss, abs=1e-5)
    assert found.bits_per_char == pytest.approx(loss / math.log(2), abs=1e-5)
    assert found.perplexity == pytest.approx(math.exp(loss), rel=1e-5)
    assert found.accuracy == sum(rank < 1 for rank in ranks) / len(ids)
    assert found.top_5_accuracy == sum(rank < 5 for rank in ranks) / len(ids)


def test_equally_probable_characters_are_not_all_guessed(write: Write) -> None:
    """A network of zeros guesses one character, the one with the lowest id."""
    model = make_model("\nabcdefgh")
    model = replace(model, weights={n: np.zeros_like(w) for n, w in model.weights.items()})
    found = LanguageModel(model).evaluate(write("h" + "\nabcdefgh" * 4))
    assert found.accuracy == pytest.approx(1 / 9)
    assert found.top_5_accuracy == pytest.approx(5 / 9)
    assert found.perplexity == pytest.approx(9)


def test_the_loss_is_that_of_torch(write: Write) -> None:
    """In one walk, with the same weights in fp32."""
    model = make_model("".join(sorted(set(VERSE))))
    network = CharLSTM(model.config)
    network.load_state_dict({n: torch.from_numpy(w.copy()) for n, w in model.weights.items()})
    ids = model.vocabulary.encode(VERSE)
    expected = validation_loss(network, ids, device=torch.device("cpu"), threads=1)
    found = LanguageModel(model).evaluate(write(VERSE), exact=True)
    assert found.loss == pytest.approx(expected, abs=1e-4)


def test_the_validation_loss_is_the_one_that_training_recorded(trained: Path, play: Path) -> None:
    """Of the same part of the same text, by the same convention."""
    model = package.load(trained)
    recorded = model.card["training"]["val_loss"]
    for split in ("val", None):
        found = model.evaluate(play, split=split)
        assert (found.split, found.own, found.learned) == ("val", True, 0)
        assert found.loss == pytest.approx(recorded, abs=1e-3)


def test_segments_agree_with_one_walk(trained: Path, write: Write) -> None:
    """To a thousandth of a nat, on a text of many segments."""
    model = package.load(trained)
    text = write(VERSE * 30)
    fast, exact = (model.evaluate(text, exact=exact) for exact in (False, True))
    assert fast.loss == pytest.approx(exact.loss, abs=1e-3)
    assert fast.accuracy == pytest.approx(exact.accuracy, abs=1e-3)


def test_a_window_forgets(trained: Path, play: Path) -> None:
    """The fewer characters the network may look back, the worse it predicts."""
    model = package.load(trained)
    losses = [model.evaluate(play, window=window).loss for window in (1, 4, 64)]
    assert losses == sorted(losses, reverse=True)
    assert losses[0] > losses[-1]


@pytest.mark.parametrize(
    ("split", "fraction", "characters", "learned"),
    [
        ("val", 0.1, 9, 0),
        ("train", 0.1, 89, 89),
        ("all", 0.1, 99, 89),
        (None, 0.1, 9, 0),
        (None, 0, 99, 99),
        ("train", 0, 99, 99),
        ("all", "unknown", 99, 99),
    ],
)
def test_the_parts_of_the_own_text(
    write: Write, split: Any, fraction: Any, characters: int, learned: int
) -> None:
    """As training split it, and how much of each the model learned from."""
    path = write("abcd\n" * 20)
    found = model_of(path, val_fraction=fraction).evaluate(path, split=split)
    assert found.own
    assert found.split == split or (split is None and found.split == ("val" if fraction else "all"))
    assert (found.characters, found.learned) == (characters, learned)


def test_another_text_is_read_whole(write: Write) -> None:
    """And nothing of it was learned from; a part of it is one of the same share."""
    model = model_of(write("abcd\n" * 20))
    other = write("dcba\n" * 40, "other.txt")
    found = model.evaluate(other)
    assert (found.split, found.own, found.characters, found.learned) == ("all", False, 199, 0)
    assert model.evaluate(other, split="val").characters == 19
    assert model.evaluate(other, split="train").characters == 179


def test_the_text_is_recognised_by_its_characters(write: Write, tmp_path: Path) -> None:
    """Not by its name: with other line ends, in another encoding, or as a dataset."""
    text = "caf\u00e9\n" * 20
    model = model_of(write(text))
    (tmp_path / "crlf.txt").write_bytes(text.replace("\n", "\r\n").encode("latin-1"))
    notes: list[str] = []
    assert model.evaluate(tmp_path / "crlf.txt", encoding="latin-1", notes=notes).own
    assert "CRLF" in notes[0]
    write_dataset(open_corpus([write(text)], TextOptions()), tmp_path / "made")
    assert model.evaluate(tmp_path / "made").own
    assert not model.evaluate(write(text + "\n")).own


def test_a_dataset_has_ids_of_its_own(write: Write, tmp_path: Path) -> None:
    """They are translated to those of the model, in lower case if it learned lower case."""
    text = "The Tide came in\n" * 9
    write_dataset(open_corpus([write(text)], TextOptions()), tmp_path / "made")
    model = LanguageModel(make_model("".join(sorted(set(VERSE.lower()))), lowercase=True))
    made, plain = model.evaluate(tmp_path / "made"), model.evaluate(write(text))
    assert made.loss == plain.loss


@pytest.mark.parametrize("least", [1, 2])
def test_rare_characters_are_left_out_as_in_training(
    write: Write, tmp_path: Path, least: int
) -> None:
    """Of the model's own text, and of a dataset of it, whichever of the two left them out."""
    text = "abcd\n" * 20 + "\u20ac"
    model = model_of(write(text), min_count=2)
    notes: list[str] = []
    found = model.evaluate(write(text), split="all", notes=notes)
    assert (found.own, found.characters) == (True, 99)
    assert notes == ["1 characters seen fewer than 2 times left out (1 in all)"]
    write_dataset(open_corpus([write(text)], TextOptions(min_count=least)), tmp_path / "made")
    assert model.evaluate(tmp_path / "made", split="all") == replace(
        found, text=str(tmp_path / "made")
    )
    with pytest.raises(CharLSTMError, match="U\\+20AC"):
        model.evaluate(write(text + "\n"))


@pytest.mark.parametrize(
    ("unknown", "share", "noted"),
    [
        ("skip", 0.2, "20 % of the characters are unknown to the model ('\u00e9'"),
        ("nearest", 0, ""),
        ("error", 0, "U+00E9"),
    ],
)
def test_characters_that_the_model_does_not_know(
    write: Write, unknown: Any, share: float, noted: str
) -> None:
    """They are named, counted or replaced, also where a piece ends before an accent."""
    model = LanguageModel(make_model("\nacef"))
    text, notes = write("caf\u00e9\n" * 20), list[str]()
    if unknown == "error":
        with pytest.raises(CharLSTMError) as refused:
            model.evaluate(text)
        assert noted in str(refused.value)
        return
    found = model.evaluate(text, unknown=unknown, notes=notes)
    assert (found.characters, found.unknown) == (99, pytest.approx(share, abs=0.01))
    assert noted in " ".join(notes)


@pytest.mark.parametrize("unknown", ["skip", "nearest"])
def test_nearly_all_that_is_unknown_is_a_plain_number(write: Write, unknown: Any) -> None:
    """Not 1e+02 %."""
    notes: list[str] = []
    model = LanguageModel(make_model("\nab"))
    model.evaluate(write("\u4e2d" * 997 + "ab\n"), unknown=unknown, notes=notes)
    assert "99.7 % of the characters are unknown to the model ('\u4e2d' (U+4E2D));" in notes[0]


def test_an_unknown_character_costs_the_same_as_in_a_score(write: Write) -> None:
    """And none of them is guessed, also by a model of fewer than five characters."""
    model = LanguageModel(make_model("\nab"))
    text = "\u00e9ab\u00e9\u4e2d\nab\u00e9" * 3
    scored = model.score("\n" + text, unknown="skip")  # the first character is not predicted
    for exact in (False, True):
        found = model.evaluate(write("\n" + text), unknown="skip", exact=exact)
        assert found.loss == pytest.approx(scored.bits[1:].mean() * math.log(2), abs=1e-6)
        assert found.top_5_accuracy == pytest.approx(1 - found.unknown)
    window = model.evaluate(write("\n" + text), unknown="skip", window=2)
    assert window.unknown == found.unknown == pytest.approx(12 / 27)


@pytest.mark.parametrize("cut", [1, 2, 3])
def test_a_letter_and_its_accent_stay_together(
    write: Write, monkeypatch: pytest.MonkeyPatch, cut: int
) -> None:
    """Wherever the text is cut into pieces."""
    monkeypatch.setattr("charlstm.text.decoding.CHUNK_BYTES", cut)
    model = LanguageModel(make_model("\nacf\u00e9"))
    found = model.evaluate(write("cafe\u0301\n" * 9), unknown="nearest")
    assert found.characters == 44


@pytest.mark.parametrize("value", [None, "0.1", True, float("nan"), -1, 0.95, 10**400, "x" * 9999])
def test_a_damaged_card(write: Write, value: Any) -> None:
    """What it says of the split may be anything; all of the text can be evaluated."""
    path = write("abcd\n" * 20)
    model = model_of(path, val_fraction=value)
    for split in (None, "val", "train"):
        with pytest.raises(ModelFileError, match="val_fraction is"):
            model.evaluate(path, split=split)
    assert model.evaluate(path, split="all").learned == 99


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"split": "test"}, OptionError, "split is 'test'"),
        ({"window": 0}, OptionError, "window is 0"),
        ({"window": 1 << 21}, OptionError, "at most 1048576"),
        ({"window": 5, "exact": True}, OptionError, "window and exact"),
        ({"exact": 1}, OptionError, "exact is 1"),
        ({"baselines": True, "split": "all"}, OptionError, "split is 'all'"),
        ({"baselines": True, "split": "train"}, OptionError, "split is 'train'"),
        ({"baselines": True}, OptionError, "without a validation part"),
        ({"split": "val"}, OptionError, "without a validation part"),
        ({"unknown": "guess"}, OptionError, "unknown is 'guess'"),
        ({"encoding": "klingon"}, OptionError, "encoding is 'klingon'"),
        ({"glob": ""}, OptionError, "glob is ''"),
    ],
)
def test_values_that_make_no_sense(
    write: Write, options: dict[str, Any], error: type[Exception], said: str
) -> None:
    """Before anything is computed."""
    path = write("abcd\n" * 20)
    with pytest.raises(error, match=said):
        model_of(path, val_fraction=0).evaluate(path, **options)


@pytest.mark.parametrize(("text", "split"), [("a", "all"), ("abcdabcdab", "val")])
def test_a_part_of_too_few_characters(write: Write, text: str, split: Any) -> None:
    """The first is read and the second predicted, so it takes two."""
    model = model_of(write("abcd\n" * 20))
    with pytest.raises(CorpusError, match="1 character to evaluate"):
        model.evaluate(write(text, "short.txt"), split=split)


def test_memory_does_not_grow_with_the_text(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ids are read in blocks, and characters predicted in groups."""
    monkeypatch.setattr("charlstm.analysis.score.GROUP", 1 << 13)
    monkeypatch.setattr("charlstm.text.dataset.BLOCK_IDS", 1 << 13)
    monkeypatch.setattr("charlstm.text.decoding.CHUNK_BYTES", 1 << 13)
    model = LanguageModel(make_model("abcd\n"))
    peaks = []
    for size in (1 << 14, 1 << 18):
        path = write("abcd\n" * (size // 5))
        model.evaluate(path, window=64)  # what is made once
        tracemalloc.start()
        model.evaluate(path, window=64)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] + (1 << 16)


def test_a_model_with_weights_too_large(write: Write) -> None:
    """It is an error in words; no number that is none is shown."""
    model = make_model("abcd\n")
    model = replace(model, weights={n: np.full_like(w, 3e38) for n, w in model.weights.items()})
    with pytest.raises(ModelFileError, match="too large"):
        LanguageModel(model).evaluate(write("abcd\n" * 9))


# The command.


def rows(out: bytes) -> list[dict[str, str]]:
    """The rows of a tab-separated table by the names of their columns."""
    header, *lines = (line.split("\t") for line in out.decode().splitlines())
    return [dict(zip(header, line, strict=True)) for line in lines]


def test_rows_in_a_pipe(charlstm: Run, trained: Path, play: Path) -> None:
    """One for each text and predictor, with a header, and a sentence for people beside it."""
    done = charlstm("evaluate", "-m", trained, play, "--baselines")
    assert done.returncode == 0
    found = rows(done.stdout)
    names = ["the model", "character frequencies", "n-gram of order ", "xz -9e", "bzip2 -9"]
    assert [row["predictor"].rstrip("0123456789") for row in found] == [
        name.rstrip("0123456789") for name in names
    ]
    assert {(row["text"], row["split"]) for row in found} == {(str(play), "val")}
    assert found[0]["characters"].isdecimal()
    assert [row["accuracy"] == "-" for row in found] == [False, False, False, True, True]
    said = done.stderr.decode()
    perplexity = float(found[0]["perplexity"])
    assert f"among {perplexity:.1f} equally likely characters; an n-gram of order" in said
    assert "validation part" in said
    assert "that training kept for validation" in said
    assert "characters are few: with 1,000 or more the numbers would be less uncertain" in said


def test_json_of_several_texts(charlstm: Run, trained: Path, play: Path, tmp_path: Path) -> None:
    """One object a line, with the keys that scripts rely on."""
    (tmp_path / "other.txt").write_text(VERSE)
    done = charlstm("evaluate", "-m", trained, play, tmp_path / "other.txt", "--json", "-q")
    assert done.stderr == b""
    own, other = map(json.loads, done.stdout.splitlines())
    model = package.load(trained)
    found = model.evaluate(play)
    for name in ("loss", "bits_per_char", "perplexity", "accuracy", "top_5_accuracy"):
        assert own[name] == pytest.approx(getattr(found, name))
    assert own["characters"] == found.characters
    assert (own["text"], own["split"], own["own"]) == (str(play), "val", True)
    assert (other["split"], other["own"], other["baselines"]) == ("all", False, [])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["own"], ["kept for validation, but about 100 % of them it has read elsewhere"]),
        (["own", "--split", "train"], ["training part of", "that the model learned from"]),
        (["own", "--split", "all"], ["of which the model learned from 90 %", "other texts"]),
        (["other"], ["; the model learned from another text)"]),
        (["other", "--split", "val"], ["validation part of", "learned from another text"]),
        (["shuffled"], ["; whether the model has read them before cannot be told)"]),
        (["copy"], ["of which the model has read about 100 % before", "other texts"]),
    ],
)
def test_what_was_read_is_said(
    charlstm: Run, trained: Path, play: Path, tmp_path: Path, words: list[str], said: list[str]
) -> None:
    """Whether it is the model's own text, and how much of it the model learned from."""
    (tmp_path / "copy.txt").write_text(VERSE * 7)
    (tmp_path / "other.txt").write_text((VERSE * 7)[::-1].replace("\n", " "))
    lines = sorted((VERSE * 7).splitlines(), key=lambda line: line[::-1])
    (tmp_path / "shuffled.txt").write_text("\n".join(lines))
    file = play if words[0] == "own" else f"{words[0]}.txt"
    done = charlstm("evaluate", "-m", trained, file, *words[1:], cwd=tmp_path)
    assert done.returncode == 0
    for part in said:
        assert part in done.stderr.decode()


def test_a_copy_in_the_own_text_was_read(write: Write) -> None:
    """The validation part of such a text, and the same part as a file of its own, say the same."""
    rng = np.random.default_rng(0)
    first, last = ("".join(rng.choice([*"abcdefgh "], 9000)) for _ in range(2))
    copied = first[:2000]
    for text, share in ((first + last[:1000] + copied, 1.0), (first + last, 0.0)):
        model = model_of(write(text, "text.txt"), val_fraction=2000 / len(text))
        learned = model.model_file.vocabulary.encode(text[:-2000])
        passages = sampled_passages(learned, model.model_file.vocabulary)
        model = LanguageModel(replace(model.model_file, passages=passages))
        own = model.evaluate(write(text, "text.txt"))
        alone = model.evaluate(write(text[-2000:], "part.txt"))
        assert (own.own, own.split, alone.own) == (True, "val", False)
        assert own.read == alone.read == share


def test_lines_in_another_order_are_not_said_to_be_unread(write: Write) -> None:
    """A list of short lines has other passages then; one of long lines has the same ones."""
    rng = np.random.default_rng(0)
    for length, read in ((10, None), (400, 1.0)):
        lines = ["".join(rng.choice([*"abcdefgh"], length)) for _ in range(40_000 // length)]
        model = model_of(write("\n".join(lines), "list.txt"), val_fraction=0)
        vocabulary = model.model_file.vocabulary
        learned = sampled_passages(vocabulary.encode("\n".join(lines)), vocabulary)
        model = LanguageModel(replace(model.model_file, passages=learned))
        same = model.evaluate(write("\n".join([*lines, "a"]), "longer.txt"))
        assert same.read == pytest.approx(1, abs=0.01)
        shuffled = "\n".join(lines[i] for i in rng.permutation(len(lines)))
        found = model.evaluate(write(shuffled, "shuffled.txt")).read
        assert found == (None if read is None else pytest.approx(read, abs=0.15))


def test_an_error_in_the_second_text_keeps_the_first_row(
    charlstm: Run, trained: Path, play: Path, tmp_path: Path
) -> None:
    """It is written before the second text is read."""
    done = charlstm("evaluate", "-m", trained, play, tmp_path / "absent", "-q")
    assert done.returncode == 1
    assert len(rows(done.stdout)) == 1
    assert "absent: no such file" in done.stderr.decode()


def test_standard_input_and_directories(
    charlstm: Run, trained: Path, play: Path, tmp_path: Path
) -> None:
    """The same text, from a pipe, from a directory and from a file."""
    (tmp_path / "books").mkdir()
    (tmp_path / "books" / "b.txt").write_text(play.read_text())
    words = ["evaluate", "-m", trained, "-q"]
    data = play.read_bytes()
    outs = [charlstm(*words, "-", input=data), charlstm(*words, "books", cwd=tmp_path)]
    found = [rows(done.stdout)[0] for done in (*outs, charlstm(*words, play))]
    assert [row.pop("text") for row in found] == ["-", "books", str(play)]
    assert found[0] == found[1] == found[2]


def test_a_terminal_gets_a_table(trained: Path, play: Path, environment: dict[str, str]) -> None:
    """Within 80 columns, with the name of the file alone."""
    words = ["-m", "charlstm", "evaluate", "-m", str(trained), str(play), "--baselines", "-q"]
    child = pexpect.spawn(
        sys.executable, words, env=environment, timeout=60, dimensions=(24, 80), encoding="utf-8"
    )
    out = child.read()
    child.close()
    lines = re.sub("\x1b\\[[0-9;]*m", "", out).splitlines()
    assert all(len(line) <= 80 for line in lines)
    *names, _ = (re.split("  +", line.strip())[0] for line in lines[3:])
    ngram = names.pop(3)
    assert names == ["verse.txt", "the model", "character frequencies", "xz -9e", "bzip2 -9"]
    assert ngram.startswith("n-gram of order ")
    assert "perplexity" in out


@pytest.mark.parametrize("example", blocks_of(ROOT / "man" / "charlstm-evaluate.1"))
def test_an_example_of_the_page_runs(environment: dict[str, str], desk: Path, example: str) -> None:
    """It writes what the page says."""
    (desk / "books").mkdir(exist_ok=True)
    for name in ("other-play.txt", "books/a.txt", "books/b.txt"):
        (desk / name).write_text(VERSE)
    lines = run(example, environment, desk).splitlines()
    if "--baselines" in example:
        assert len(lines) == 1 + 5
    elif "--json" in example:
        assert [line.split("\t")[0] for line in lines] == ["train", "val"]
    elif "sort" in example:
        assert sorted(line.split("\t")[0] for line in lines) == ["books/a.txt", "books/b.txt"]
    elif "--window" in example:
        losses = [float(line.split("\t")[3]) for line in lines]
        assert losses[0] == max(losses)
        assert len(losses) == 5
    else:
        assert lines[1].startswith("-\tall\t")


@pytest.mark.parametrize("line", examples_of_the_readme())
def test_a_line_of_the_readme_runs(environment: dict[str, str], desk: Path, line: str) -> None:
    """It writes something, and nothing complains."""
    assert run(line, environment, desk)


def test_a_perplexity_beyond_all_numbers(charlstm: Run, write: Write, tmp_path: Path) -> None:
    """JSON has no infinity: it is null, and the message does not spell it out."""
    model = make_model("abcd\n")
    weights = {n: w * (1e6 if n == "output.bias" else 1) for n, w in model.weights.items()}
    save_model(replace(model, weights=weights), tmp_path / "m")
    done = charlstm("evaluate", "-m", tmp_path / "m", write("abcd\n" * 9), "--json")
    found = json.loads(done.stdout)
    assert found["perplexity"] is None
    assert found["loss"] > 1000
    assert "more than a million" in done.stderr.decode()
