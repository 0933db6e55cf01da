"""``charlstm predict``: the distribution of the next character."""

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import charlstm as package
from charlstm.model.model_file import save_model

from .conftest import Run
from .examples import ROOT, blocks_of, readme_lines, run
from .test_streams import shell, terminal
from .writing import make_model

Predict = Callable[..., list[dict[str, Any]]]


@pytest.fixture(scope="module")
def predict(charlstm: Run, trained: Path) -> Predict:
    """Run the command without a complaint, and read its objects."""

    def objects(*words: object, **options: Any) -> list[dict[str, Any]]:
        done = charlstm("predict", "-m", trained, "--json", *words, **options)
        assert (done.returncode, done.stderr) == (0, b"")
        return [json.loads(line) for line in done.stdout.splitlines()]

    return objects


@pytest.fixture(scope="module")
def model(trained: Path) -> package.LanguageModel:
    """The small trained model."""
    return package.load(trained)


def test_the_models_own_probabilities(predict: Predict, model: package.LanguageModel) -> None:
    """Of the ten most probable characters, or of as many as are asked for."""
    expected = [{"character": c, "probability": p} for c, p, _ in model.predict("The tid")]
    assert predict("The tid") == expected[:10]
    assert predict("The tid", "--top", 3) == expected[:3]
    assert predict("The tid", "--top", 0) == expected
    assert sum(p["probability"] for p in expected) == pytest.approx(1)


@pytest.mark.parametrize(
    "words",
    [
        ["--seed", "The tid"],
        ["--prompt", "The tid"],
        ["-e", "\\x54he tid"],
        ["--unknown", "skip", "The \u4e2dtid"],
        ["--unknown", "nearest", "Th\u00e9 tid"],
    ],
)
def test_the_phrase_is_given_as_to_generate(predict: Predict, words: list[str]) -> None:
    """In every way but by line."""
    assert predict(*words) == predict("The tid")


def test_the_phrase_comes_from_a_file_or_a_pipe(predict: Predict, tmp_path: Path) -> None:
    """Whole, with its line end."""
    (tmp_path / "phrase").write_text("The tid\n")
    expected = predict("-e", "The tid\\n")
    assert predict("--seed-file", "phrase", cwd=tmp_path) == expected
    assert predict("-", input=b"The tid\r\n") == expected
    assert predict("--seed-file", "-", input=b"The tid\n") == expected
    environment = {"CHARLSTM_PREDICT_SEED": "The tid\n"}
    assert predict(env=environment) == expected
    assert predict("The", env=environment) == predict("The")


@pytest.mark.parametrize(
    ("words", "settings"),
    [
        (["-t", 0.5], {"temperature": 0.5}),
        (["-t", 0], {"temperature": 0}),
        (["--top-k", 2], {"top_k": 2}),
        (["--top-p", 0.5], {"top_p": 0.5}),
        (["--min-p", 0.2], {"min_p": 0.2}),
        (["--repetition-penalty", 3, "--repetition-window", 2],
         {"repetition_penalty": 3, "repetition_window": 2}),
        (["-e", "--ban", "\\x65a"], {"ban": "ea"}),
    ],
)  # fmt: skip
def test_settings_change_the_probabilities(
    predict: Predict, model: package.LanguageModel, words: list[object], settings: dict[str, Any]
) -> None:
    """And then the model's own are there to compare with."""
    found = predict("The tid", "--top", 5, *words)
    assert [tuple(row.values()) for row in found] == [
        tuple(p) for p in model.predict("The tid", top=5, **settings)
    ]
    own = {row["character"]: row["probability"] for row in predict("The tid", "--top", 0)}
    assert [row["model_probability"] for row in found] == [own[row["character"]] for row in found]
    assert [row["probability"] for row in found] != [row["model_probability"] for row in found]


def test_what_the_settings_removed_can_be_seen(model: package.LanguageModel) -> None:
    """After the others, if the model itself has it among its first."""
    own = model.predict("The tid", top=3)
    banned = model.predict("The tid", top=3, ban=own[0].character)
    assert len(banned) == 4
    assert banned[-1] == (own[0].character, 0.0, own[0].probability)
    assert all(p.probability > p.model_probability for p in banned[:3])
    cut = model.predict("The tid", top=3, top_k=1)
    assert [p.probability for p in cut] == [1, 0, 0]
    assert [p.character for p in cut] == [p.character for p in own]
    assert len(model.predict("The tid", ban="e")) == len(model.vocabulary)


def test_predictions_are_what_generate_draws(model: package.LanguageModel) -> None:
    """A character that cannot come never does, and the shares are about those of draws."""
    settings: dict[str, Any] = {"temperature": 1.3, "top_k": 4, "repetition_penalty": 1.5}
    texts = model.generate_many("The", samples=2000, length=1, random_seed=1, **settings)
    drawn = [sample.text for sample in texts]
    for p in model.predict("The", **settings):
        assert drawn.count(p.character) / 2000 == pytest.approx(p.probability, abs=0.05)


def test_a_recent_character_is_one_of_the_phrase() -> None:
    """As far back as the window goes."""
    model = package.LanguageModel(make_model("abc"))
    own = {p.character: p.probability for p in model.predict("abc")}
    for window, recent in ((1, "c"), (2, "bc"), (64, "abc")):
        found = model.predict("abc", repetition_penalty=2, repetition_window=window)
        weights = {c: own[c] / (2 if c in recent else 1) for c in "abc"}
        for p in found:
            assert p.probability == pytest.approx(weights[p.character] / sum(weights.values()))


def test_a_pipe_gets_tab_separated_rows(charlstm: Run, predict: Predict, trained: Path) -> None:
    """With a header, characters escaped, and numbers that lose nothing."""
    done = charlstm("predict", "-m", trained, "The tid", "--top", 0, "-t", 0.8)
    header, *rows = [line.split("\t") for line in done.stdout.decode().split("\n")[:-1]]
    assert header == ["character", "probability", "model_probability"]
    expected = predict("The tid", "--top", 0, "-t", 0.8)
    assert [[float(n) for n in row[1:]] for row in rows] == [
        [row["probability"], row["model_probability"]] for row in expected
    ]
    assert "\\n" in [row[0] for row in rows]
    done = charlstm("predict", "-m", trained, "The tid")
    assert done.stdout.startswith(b"character\tprobability\n")


@pytest.mark.parametrize("columns", [80, 200])
def test_a_terminal_gets_bars(environment: dict[str, str], trained: Path, columns: int) -> None:
    """The longest for the most probable character, in a table that fits."""
    env = {**environment, "COLUMNS": str(columns), "NO_COLOR": "1"}
    words = ["predict", "-m", str(trained), "The tid", "--top", "4", "--top-k", "2"]
    shown = terminal(words, env, columns=columns).read()
    lines = [re.sub(r"\x1b\[[0-9;]*m", "", line).rstrip() for line in shown.splitlines()]
    assert max(map(len, lines)) <= columns
    rows = [line for line in lines if re.search(r"\d\.\d{4}", line)]
    bars = [row.count("\u2588") for row in rows]
    assert len(rows) == 4
    assert bars == sorted(bars, reverse=True)
    assert bars[0] > 20
    assert rows[3].split()[-2] == "0.0000"


def test_a_reader_that_has_enough_ends_the_command(
    environment: dict[str, str], trained: Path, tmp_path: Path
) -> None:
    """Silently."""
    line = f"charlstm predict -m {trained} --top 0 | head -n 1"
    done: subprocess.CompletedProcess[bytes] = shell(line, environment, tmp_path)
    assert (done.stdout, done.stderr) == (b"character\tprobability\n", b"")


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["\u4e2d"], 2, "U+4E2D"),
        (["--top", "-1"], 2, "--top is -1; it must be a whole number of at least 0"),
        (["--top-p", "0"], 2, "--top-p is 0"),
        (["-t", "nan"], 2, "--temperature is nan"),
        (["--ban", "".join(map(chr, range(128)))[1:]], 2, "banned"),
        (["The", "--seed", "And"], 2, "PROMPT and --seed both"),
        (["--seed-file", "absent"], 1, "absent: no such file"),
        (["--seed-file", "."], 2, ".: a directory"),
        (["--random-seed", "1"], 2, "random-seed"),
        (["-e", "\\q"], 2, "PROMPT: \\q"),
        (["-"], 1, "0xff"),
        (["-m", "absent"], 1, "no such model"),
    ],
)
def test_what_makes_no_sense(
    charlstm: Run, trained: Path, tmp_path: Path, words: list[str], status: int, said: str
) -> None:
    """One line, and nothing on stdout."""
    model = [] if "-m" in words else ["-m", trained]
    done = charlstm("predict", *model, *words, cwd=tmp_path, input=b"\xff")
    assert (done.returncode, done.stdout) == (status, b"")
    assert done.stderr.startswith(b"charlstm: error: ")
    assert done.stderr.count(b"\n") == 1
    assert said in done.stderr.decode()


def test_control_characters_do_not_reach_a_terminal(
    environment: dict[str, str], tmp_path: Path
) -> None:
    """Whatever a model of unknown origin knows."""
    save_model(make_model("ab\x1b\u202e\n"), tmp_path / "model")
    shown = terminal(f"predict -m {tmp_path}/model", environment).read()
    assert "\\x1b" in shown
    assert "\\u202e" in shown
    assert "\u202e" not in shown


EXAMPLES = [*blocks_of(ROOT / "man" / "charlstm-predict.1"), *readme_lines("predict")]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda text: text.split("\n")[0][:40])
def test_an_example_of_the_documents_runs(
    environment: dict[str, str], desk: Path, example: str
) -> None:
    """It writes something, and nothing complains."""
    out = run(example, environment, desk)
    assert out.startswith("Is thi") if "while" in example else out
