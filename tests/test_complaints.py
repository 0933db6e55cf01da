"""What people asked of such programs and did not get: each complaint about sampling is a test.

The threads are those of char-rnn, torch-rnn, nanoGPT, textgenrnn and their kin.
"""

import itertools
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

import charlstm as package
from charlstm.analysis.curves import read_history
from charlstm.cli.history import in_words
from charlstm.generation.sampling import Sampling, probabilities, sample
from charlstm.generation.text_stream import random_numbers

from .conftest import Run
from .test_cells import bracketed
from .test_curves import evaluations, write
from .test_rooms import HEAVY, modules_after
from .test_streams import terminal
from .writing import generate, make_model


@pytest.mark.parametrize(("unknown", "begins"), [("skip", "The tide"), ("nearest", "'The tide'")])
def test_the_seed_has_characters_that_the_corpus_lacks(
    charlstm: Run, tmp_path: Path, unknown: str, begins: str
) -> None:
    """char-rnn 42, 116; torch-rnn 47, 98; nanoGPT 434: an error by name, or as one asks."""
    (tmp_path / "t.txt").write_text("'The tide', he said.\n" * 20)
    words = ["-o", "run", "--steps", 2, "--hidden-size", 8, "-q"]
    assert charlstm("train", "t.txt", *words, cwd=tmp_path).returncode == 0
    words = ["generate", "-m", "run", "-n", 5, "--random-seed", 1]
    words += ["--seed", "\u2018The tide\u2019"]
    refused = charlstm(*words, cwd=tmp_path)
    assert (refused.returncode, refused.stdout) == (2, b"")
    assert "U+2018" in refused.stderr.decode()
    done = charlstm(*words, "--unknown", unknown, cwd=tmp_path)
    assert done.stdout.decode().startswith(begins)
    assert (done.returncode, done.stderr) == (0, b"")


def test_the_text_is_any_unicode() -> None:
    """A character is a code point, of one byte or four, on the way in and out."""
    letters = "\u00e9\u0416\u4e2d\U0001f600\u0301\n"
    how = {"random_seed": 1, "length": 200, "sampling": Sampling(temperature=9)}
    text = "".join(generate(make_model(letters), "\U0001f600\u4e2d", **how))  # type: ignore[arg-type]
    assert len(text) == 200
    assert set(text) == set(letters)


def test_output_comes_as_it_is_made(environment: dict[str, str], trained: Path) -> None:
    """torch-rnn 71, nanoGPT 259: the first line is there though the last never comes."""
    words = [sys.executable, "-m", "charlstm", "generate", "-m", str(trained), "-n", "0", "-q"]
    with subprocess.Popen(words, env=environment, stdout=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stdout.readline().endswith(b"\n")
        assert process.poll() is None
        process.kill()


def test_text_without_end_takes_no_more_memory() -> None:
    """char-rnn.pytorch 4 grew with every character: here an iterator remembers one state."""
    import tracemalloc

    endless = generate(make_model("abcdefgh\n"), random_seed=1, stop=["zz"], measure=True)
    list(itertools.islice(endless, 500))
    tracemalloc.start()
    for _ in itertools.islice(endless, 5000):
        pass
    grown, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert grown < 50_000


def test_a_text_stops_at_a_string(charlstm: Run, trained: Path) -> None:
    """Asked in nanoGPT 260, 369: at the end of a paragraph, a speech; it is not printed."""
    words = ["generate", "-m", trained, "--random-seed", 1, "-n", 400, "--no-echo"]
    whole = charlstm(*words).stdout.decode()
    stop = whole[50:53]
    assert charlstm(*words, "--stop", stop).stdout.decode() == whole.partition(stop)[0]


def test_temperature_zero_is_no_division_by_zero(charlstm: Run, trained: Path) -> None:
    """Most of its peers crash or write nonsense; here it is the most probable text."""
    words = ["generate", "-m", trained, "-n", 60, "-t", 0, "-q"]
    texts = {charlstm(*words, "--random-seed", seed).stdout for seed in (1, 2)}
    assert len(texts) == 1
    tiny = charlstm("generate", "-m", trained, "-n", 60, "-t", 1e-300, "-q")
    assert {tiny.stdout} == texts


def test_top_k_keeps_no_more_than_k_on_ties() -> None:
    """A threshold keeps all that equal the k-th."""
    assert np.count_nonzero(probabilities(np.zeros(50), Sampling(top_k=3))) == 3


def test_a_text_without_the_letter_e(charlstm: Run, trained: Path) -> None:
    """NaNoGenMo 2019, 72: a lipogram, by drawing among what is left."""
    words = ["generate", "-m", trained, "-n", 2000, "--ban", "eE", "-q", "-t", 1]
    text = charlstm(*words).stdout.decode()
    assert len(text) == 2000
    assert not set("eE") & set(text)


def test_generation_needs_no_torch_and_no_gpu(trained: Path) -> None:
    """char-rnn 21, torch-rnn 80, 148: models that open only where they were trained."""
    weights = load_file(trained / "model.safetensors")
    del weights["passages"]  # what it has read, which is no weight
    assert {weight.dtype for weight in weights.values()} == {np.dtype(np.float32)}
    words = ["generate", "-m", str(trained), "-n", "5", "--samples", "2", "--json", "-q"]
    loaded = modules_after(f"from charlstm.cli.main import main; main({words})")
    assert not ({"pydivsufsort"} | HEAVY) & loaded


def test_the_losses_of_a_run_can_be_plotted(
    charlstm: Run, environment: dict[str, str], trained: Path, tmp_path: Path
) -> None:
    """torch-rnn 95: in the terminal, as rows for any other program, and as a picture."""
    assert "\u2500" * 40 in terminal(["history", str(trained)], environment).read()
    header, first, *_ = charlstm("history", trained).stdout.decode().splitlines()
    assert dict(zip(header.split("\t"), first.split("\t"), strict=True))["step"] == "1"
    picture = tmp_path / "losses.svg"
    assert charlstm("history", trained, "--plot", picture).returncode == 0
    assert picture.read_text().startswith("<?xml")


def test_where_a_run_overfits_is_said(tmp_path: Path) -> None:
    """Asked again and again: when should I stop? After the step with the best validation loss."""
    lines = evaluations((2.0, 1.9), (1.7, 1.6), (1.5, 1.7), (1.3, 1.8))
    history = read_history(str(write(tmp_path / "run", *lines)))
    assert "overfitting since step 20: the training loss went on falling" in "\n".join(
        in_words(history)
    )


def test_what_a_network_writes_is_seen_while_it_learns(charlstm: Run, trained: Path) -> None:
    """char-rnn's users sampled checkpoints by hand; here each validation has a sample."""
    lines = [
        json.loads(line) for line in charlstm("history", trained, "--json").stdout.splitlines()
    ]
    assert [line["step"] for line in lines if "sample" in line] == [
        line["step"] for line in lines if "val_loss" in line
    ]


def test_a_text_can_be_scored(charlstm: Run, trained: Path) -> None:
    """char-rnn 59, 149, torch-rnn 68: how likely a text is to a model; many of them in one call."""
    lines = "ht editec ma Teni\nThe tide came in\nThe tide came ni\n"
    done = charlstm("score", "-m", trained, "--lines", input=lines.encode())
    ranked = sorted(done.stdout.decode().splitlines(), key=lambda row: float(row.split("\t")[0]))
    order = [row.split("\t")[-1] for row in ranked]
    assert order == ["The tide came in", "The tide came ni", "ht editec ma Teni"]


def test_the_next_character_has_a_probability(charlstm: Run, trained: Path) -> None:
    """char-rnn 59: the whole distribution, for other programs."""
    done = charlstm("predict", "-m", trained, "--top", 0, "The tid", "--json")
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    probabilities = [row["probability"] for row in rows]
    assert probabilities == sorted(probabilities, reverse=True)
    assert sum(probabilities) == pytest.approx(1)


def test_how_good_a_model_is(charlstm: Run, trained: Path, play: Path) -> None:
    """Textgenrnn 168, char-rnn 142, char-rnn-tensorflow 56: perplexity and accuracy of a text."""
    words = ["evaluate", "-m", trained, play, "--json"]
    found = {split: charlstm(*words, "--split", split) for split in ("train", "val")}
    numbers = {split: json.loads(done.stdout) for split, done in found.items()}
    recorded = package.load(trained).card["training"]["val_loss"]
    assert numbers["val"]["loss"] == pytest.approx(recorded, abs=1e-3)
    assert numbers["val"]["perplexity"] == pytest.approx(np.exp(recorded), rel=1e-3)
    assert 0 < numbers["val"]["accuracy"] < 1
    assert "that training kept for validation" in found["val"].stderr.decode()
    assert "that the model learned from" in found["train"].stderr.decode()


def test_is_it_better_than_something_simple(charlstm: Run, trained: Path, play: Path) -> None:
    """A loss alone says little: the n-gram beside it, on the same characters, says what is good."""
    done = charlstm("evaluate", "-m", trained, play, "--baselines", "--json")
    found = json.loads(done.stdout)
    losses = {baseline["name"].split()[0]: baseline["loss"] for baseline in found["baselines"]}
    assert losses.keys() == {"character", "n-gram", "xz", "bzip2"}
    assert losses["n-gram"] < losses["character"]
    assert "; an n-gram of order" in done.stderr.decode()


def test_it_does_not_copy_my_text(charlstm: Run, trained: Path, play: Path) -> None:
    """Asked in textgenrnn 32, 248, gpt-2-simple 30: lines that copy are not written."""
    words = ["generate", "-m", trained, "-n", 600, "--random-seed", 1, "-t", 0.3]
    text = charlstm(*words, "--novel", 8, "--corpus", play).stdout.decode()
    assert len(text) == 600
    corpus = play.read_text()
    assert not any(text[i : i + 8] in corpus for i in range(len(text) - 7))


def test_a_text_is_the_same_next_year() -> None:
    """Draws come from a sequence that Python promises to keep, not from numpy's methods."""
    draws = [round(random_numbers(7, number).random(), 6) for number in range(3)]
    assert draws == [0.323833, 0.055079, 0.662913]
    model = make_model("abcdefgh\n")
    logits = np.log(np.arange(1, 10))
    assert [sample(logits, Sampling(), uniform=u) for u in draws] == [4, 1, 7]
    texts = {"".join(generate(model, random_seed=7, sample=1, length=30)) for _ in range(3)}
    assert len(texts) == 1


def test_the_whole_seed_phrase_counts() -> None:
    """Not its last character only, nor its last window."""
    model = make_model("ab")
    long = ["a" + "b" * 9, "b" + "b" * 9]
    one, two = (list(generate(model, phrase, random_seed=1, length=60)) for phrase in long)
    assert one != two


def test_samples_do_not_depend_on_how_many(charlstm: Run, trained: Path) -> None:
    """The third text of ten is the third of a hundred."""
    words = ["generate", "-m", trained, "--random-seed", 1, "-n", 40, "--separator", "\t"]
    few, many = (charlstm(*words, "--samples", n).stdout.split(b"\t") for n in (3, 6))
    assert many[:3] == few[:3]


def test_what_a_single_neuron_does(charlstm: Run, tmp_path: Path) -> None:
    """char-rnn-tensorflow 105: a cell that knows something is found by name, and can be seen."""
    (tmp_path / "t.txt").write_text(bracketed(1))
    words = ["-o", "run", "--steps", 120, "--hidden-size", 16, "--num-layers", 1, "-q"]
    assert charlstm("train", "t.txt", *words, cwd=tmp_path).returncode == 0
    look = ["visualize", "-m", "run", "-q"]
    done = charlstm(*look, "--find", "--text-file", "t.txt", cwd=tmp_path)
    found = dict(line.split("\t")[:2] for line in done.stdout.decode().splitlines())
    cell = found["inside brackets"]
    text = "a bc (xy b) ca (a xyz) bb"
    lines = charlstm(*look, "--cell", cell, text, cwd=tmp_path).stdout.decode().splitlines()[1:]
    values = np.array([float(line.split("\t")[3]) for line in lines])
    inside = np.array([text[:n].count("(") > text[:n].count(")") for n in range(1, len(text) + 1)])
    assert abs(values[inside].mean() - values[~inside].mean()) > 0.3
