"""The pages as files: what is in them and what cannot be, and the commands that write them."""

import base64
import json
import re
import shutil
from dataclasses import replace
from html import escape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import charlstm as package
from charlstm.analysis.curves import read_history
from charlstm.errors import CorpusError, ModelFileError, OptionError
from charlstm.language_model import LanguageModel
from charlstm.pages.card import cut
from charlstm.pages.chart import MOST_POINTS, thinned, ticks
from charlstm.pages.page import (
    MOST_CHARACTERS,
    coded_weights,
    reading_page,
    rendered,
    write_page,
    writing_page,
)
from charlstm.pages.report import read_own_text, report_page
from charlstm.text.corpus import Fingerprint

from .conftest import VERSE, Run
from .examples import readme_lines, run
from .writing import make_model

MOST_BESIDE_WEIGHTS = 60_000  # bytes
HOSTILE = "</script><script>x()</script><img src=x onerror=x()>\"'&{{data}}<!--"


class Outline(HTMLParser):
    """The elements of a page with their attributes, and the content of its scripts."""

    def __init__(self, page: bytes) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.content: dict[str, str] = {}
        self._script: str | None = None
        self.feed(page.decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """An element begins."""
        self.elements.append((tag, dict(attrs)))
        self._script = dict(attrs).get("id") or "own" if tag == "script" else None

    def handle_endtag(self, tag: str) -> None:
        """An element ends."""
        self._script = None

    def handle_data(self, data: str) -> None:
        """Text, or a part of a script."""
        if self._script:
            self.content[self._script] = self.content.get(self._script, "") + data


@pytest.fixture
def model(trained: Path) -> LanguageModel:
    """The small trained model."""
    return package.load(trained)


def test_weights_are_those_of_the_model(model: LanguageModel) -> None:
    """As float16, all of them, in the order of the parameters."""
    page = Outline(rendered(model, writing_page(model)))
    found = np.frombuffer(base64.b64decode(page.content["weights"]), "<f2")
    weights = model.model_file.weights
    shapes = model.model_file.config.parameter_shapes()
    expected = np.concatenate([weights[name].ravel() for name in shapes]).astype(np.float16)
    np.testing.assert_array_equal(found, expected)


def test_pages_are_equal_and_small(model: LanguageModel) -> None:
    """The same model gives the same bytes, few of them beside the weights."""
    first, second = (rendered(model, writing_page(model)) for _ in range(2))
    assert first == second
    assert len(first) - len(coded_weights(model)) < MOST_BESIDE_WEIGHTS


@pytest.mark.parametrize("kind", ["writing", "reading", "report"])
def test_a_page_needs_nothing_else(model: LanguageModel, trained: Path, kind: str) -> None:
    """No element names another file, no attribute is a script or a style, no address is in it."""
    page = {
        "writing": lambda: writing_page(model),
        "reading": lambda: reading_page(model, VERSE),
        "report": lambda: report_page(model, read_history(trained), None, 0),
    }[kind]()
    html = rendered(model, page)
    outline = Outline(html)
    for tag, attributes in outline.elements:
        names = set(attributes)
        assert not names & {"src", "href", "style", "action", "srcset", "data"}, (tag, attributes)
        assert not any(name.startswith("on") for name in names)
        assert tag not in ("link", "iframe", "object", "embed", "img", "form", "base")
    without_weights = re.sub(rb'(id="weights">)[^<]*', rb"\1", html)
    assert b"://" not in without_weights
    assert not re.findall(rb"url\(|@import|import ", without_weights)
    policy = next(a["content"] for _, a in outline.elements if a.get("http-equiv"))
    assert policy is not None
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy


def hostile() -> LanguageModel:
    """A model whose every text is full of markup."""
    made = replace(
        make_model("".join(sorted(set(HOSTILE)))),
        fingerprint=Fingerprint(name=HOSTILE, sha256="0" * 64, characters=1),
        training={"texts": HOSTILE, "licence": HOSTILE, "init_from": HOSTILE, "val_loss": HOSTILE},
        command=HOSTILE,
    )
    return LanguageModel(made)


def test_no_text_becomes_markup() -> None:
    """A hostile model has the elements of any other, and its texts are there as they are."""
    plain = make_model("".join(sorted(set(HOSTILE))))
    words = {"texts": "a", "licence": "a", "init_from": "a"}
    usual = LanguageModel(replace(plain, training=words))
    bad = hostile()
    pages = [rendered(m, reading_page(m, HOSTILE)) for m in (usual, bad)]
    outlines = [Outline(page) for page in pages]
    tags = [[tag for tag, _ in outline.elements] for outline in outlines]
    assert tags[0] == tags[1]
    assert json.loads(outlines[1].content["data"])["text"] == HOSTILE
    for part in ("own", "worker"):
        assert outlines[0].content[part] == outlines[1].content[part]


@pytest.mark.parametrize("words", [("export",), ("report", "."), ("visualize", "The tide")])
def test_a_page_has_the_title_that_is_asked_for(
    charlstm: Run, trained: Path, tmp_path: Path, words: tuple[str, ...]
) -> None:
    """As a text, never as markup, and without what only seems to be a title."""
    command, *given = words
    given = [str(trained)] if given == ["."] else [*given, "-m", str(trained)]
    call = [command, *given, "-o", "page.html", "--title", f"{HOSTILE}\x1b", "-q"]
    done = charlstm(*call, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, b"")
    html = (tmp_path / "page.html").read_text()
    assert html.count(escape(f"{HOSTILE}\ufffd")) == 2  # in the head, and as the heading
    assert "img" not in {tag for tag, _ in Outline(html.encode()).elements}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("export", "-o", "x.onnx"), "--corpus, --pattern and --title are for a page; "),
        (("visualize", "The tide"), "--title is for a page; write one with -o"),
    ],
)
def test_only_a_page_has_a_title(
    charlstm: Run, trained: Path, tmp_path: Path, words: tuple[str, ...], said: str
) -> None:
    """Elsewhere it would be lost without a word."""
    done = charlstm(*words, "-m", trained, "--title", "A", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr.decode().startswith(f"charlstm: error: {said}")


def test_senseless_numbers_on_a_card() -> None:
    """A stranger's card may have any; they are left out."""
    numbers = {"steps": 10**400, "seconds": float("nan"), "val_loss": -float("inf")}
    model = LanguageModel(replace(make_model("ab"), training=numbers))
    html = rendered(model, writing_page(model)).decode()
    assert "Validation loss" not in html
    assert "steps in" not in html


def test_weights_beyond_float16(tmp_path: Path) -> None:
    """They are an error, and no file is left."""
    made = make_model("ab")
    made.weights["output.bias"][0] = 1e5
    model = LanguageModel(made)
    with pytest.raises(ModelFileError, match="too large for a page"):
        write_page(model, writing_page(model), tmp_path / "page.html")
    assert list(tmp_path.iterdir()) == []


def test_a_long_text_is_cut(model: LanguageModel) -> None:
    """The page opens with its beginning."""
    assert len(reading_page(model, "a" * 30_000).text) == MOST_CHARACTERS


@pytest.mark.parametrize("name", ["page.txt", "page", "page.html.bak"])
def test_only_names_of_pages(model: LanguageModel, tmp_path: Path, name: str) -> None:
    """Any other name is an error that says which names there are."""
    with pytest.raises(OptionError, match=re.escape("must end in .html")):
        write_page(model, writing_page(model), tmp_path / name)


def test_only_a_page_is_replaced(model: LanguageModel, tmp_path: Path) -> None:
    """Any other file is left alone."""
    path = tmp_path / "page.html"
    write_page(model, writing_page(model), path)
    write_page(model, reading_page(model, "a"), path)
    path.write_text("<!doctype html>\n<p>mine</p>")
    with pytest.raises(OptionError, match="exists and is no such page"):
        write_page(model, writing_page(model), path)
    assert path.read_text().endswith("mine</p>")


# ---- The report ----------------------------------------------------------------------------------


def test_a_report_has_what_was_measured(model: LanguageModel, trained: Path, play: Path) -> None:
    """The numbers are those of ``evaluate``; the texts are those of ``generate``."""
    text = read_own_text(model, play)
    page = report_page(model, read_history(trained), text, random_seed=4)
    html = rendered(model, page).decode()
    found = model.evaluate(play, baselines=True)
    for predictor in (found, *found.baselines):
        assert f">{predictor.loss:.3f}<" in html
    for temperature in (0.4, 0.7, 1.0):
        written = "".join(model.generate(length=600, temperature=temperature, random_seed=4))
        assert f">{written}</p>" in html.replace("&gt;", ">").replace("&lt;", "<")
    whole = play.read_text()
    assert page.text == whole[-len(whole) // 10 :][: len(page.text)]
    for title in (
        "How the loss fell",
        "How well it predicts",
        "What it writes",
        "Whether it copies",
    ):
        assert f"<h2>{title}</h2>" in html
    assert "<polyline" in html
    assert package.load(trained).card["command"].split()[2] in html


def test_a_report_on_another_text(model: LanguageModel, tmp_path: Path) -> None:
    """It is an error: the numbers would be those of another text."""
    (tmp_path / "other.txt").write_text(VERSE * 3)
    with pytest.raises(CorpusError, match="not the text that the model learned from"):
        read_own_text(model, tmp_path / "other.txt")


def test_a_report_without_a_validation_part(charlstm: Run, play: Path, tmp_path: Path) -> None:
    """All of the text was learned from; the page says so, and nothing is compared with it."""
    words = ["--steps", 5, "--hidden-size", 8, "--val-fraction", 0, "-o", tmp_path / "run", "-q"]
    assert charlstm("train", play, *words).returncode == 0
    done = charlstm("report", tmp_path / "run", "-o", tmp_path / "page.html")
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "page.html").read_text()
    assert "open below is the beginning of its text." in page
    assert f"On all of the text, {len(play.read_text()) - 1:,} characters, the model" in page
    assert "had read" not in page
    assert "n-gram" not in page


def test_the_report_of_the_newest_run(charlstm: Run, desk: Path) -> None:
    """``charlstm report -o FILE`` names the run, and its standard output is the path alone."""
    done = charlstm("report", "-o", "report.html", cwd=desk)
    assert (done.returncode, done.stdout) == (0, b"report.html\n"), done.stderr
    assert b"run: runs/play" in done.stderr
    page = (desk / "report.html").read_text()
    assert "n-gram" in page
    assert "A report on the run play" in page


def test_a_report_without_its_text(charlstm: Run, desk: Path) -> None:
    """Where the text is gone, the rest is there, and it is said; --corpus names the text."""
    (desk / "play.txt").rename(desk / "moved.txt")
    try:
        done = charlstm("report", "-o", "lacking.html", cwd=desk)
        assert done.returncode == 0
        assert b"lacks what is measured on that text; name it with --corpus" in done.stderr
        assert "was not found" in (desk / "lacking.html").read_text()
        done = charlstm("report", "-o", "lacking.html", "--corpus", "moved.txt", cwd=desk)
        assert done.returncode == 0
        assert "n-gram" in (desk / "lacking.html").read_text()
    finally:
        (desk / "moved.txt").rename(desk / "play.txt")


def test_a_run_names_its_text_or_not(charlstm: Run, desk: Path, tmp_path: Path) -> None:
    """Settings that are no settings are no fault of the rest of the run."""
    copy = tmp_path / "run"
    shutil.copytree(desk / "runs/play", copy)
    for content in ("[train]\ncorpus = 5", "nonsense = [", '[train]\ncorpus = ["-"]'):
        (copy / "config.toml").write_text(content)
        done = charlstm("report", copy, "-o", tmp_path / "page.html")
        assert done.returncode == 0, done.stderr
        assert b"config.toml: " in done.stderr


# ---- The commands --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["export"], 2, "--output names the file to write"),
        (["export", "-o", "page.pdf"], 2, "must end in .html or .onnx"),
        (["export", "-o", "net.onnx", "--corpus", "play.txt"], 2, "are for a page"),
        (["export", "-o", "page.html", "--pattern", "x"], 2, "--pattern needs a text"),
        (["export", "-o", "page.html", "--corpus", "none.txt"], 1, "none.txt"),
        (["export", "-o", "none/page.html"], 1, "none/page.html"),
        (["export", "-o", "names.txt"], 2, "must end in"),
        (["report"], 2, "--output names the file to write"),
        (["report", "-o", "page.onnx"], 2, "must end in .html"),
        (["report", "none", "-o", "page.html"], 1, "none"),
        (["report", "-o", "page.html", "--corpus", "names.txt"], 1, "not the text that the model"),
        (["visualize", "the", "-o", "page.html", "--json"], 2, "--json and --output"),
        (["visualize", "the", "-o", "page.html", "--guesses", "2"], 2, "--guesses and --output"),
        (["visualize", "the", "-o", "page.txt"], 2, "must end in .html"),
    ],
)
def test_wrong_calls(charlstm: Run, desk: Path, words: list[str], status: int, said: str) -> None:
    """One line says what is wrong, and nothing is written."""
    done = charlstm(*words, cwd=desk)
    assert done.returncode == status, done.stderr
    assert said in done.stderr.decode()
    assert done.stdout == b""
    assert b"Traceback" not in done.stderr
    assert not (desk / "page.html").exists()


def test_cells_on_a_page(charlstm: Run, desk: Path) -> None:
    """``--corpus`` offers the cells that ``visualize --find`` finds in the same text."""
    done = charlstm("export", "-o", "cells.html", "--corpus", "play.txt", cwd=desk)
    assert done.returncode == 0, done.stderr
    offered = json.loads(Outline((desk / "cells.html").read_bytes()).content["data"])["cells"]
    done = charlstm("visualize", "--find", "--text-file", "play.txt", "--json", cwd=desk)
    found: list[dict[str, Any]] = [json.loads(line) for line in done.stdout.splitlines()]
    keys = ("property", "layer", "unit", "score")
    assert offered == [{key: one[key] for key in keys} for one in found if one["found"]]
    assert offered


def test_a_text_without_end_on_a_page(charlstm: Run, desk: Path) -> None:
    """The page has its beginning, and no more of it is written."""
    done = charlstm("visualize", "-n", "0", "-o", "endless.html", cwd=desk)
    assert done.returncode == 0, done.stderr
    assert b"the page opens with the first 20,000 characters" in done.stderr
    data = json.loads(Outline((desk / "endless.html").read_bytes()).content["data"])
    assert len(data["text"]) == MOST_CHARACTERS


def test_onnx_by_its_name(charlstm: Run, desk: Path) -> None:
    """A name that ends in .onnx gives a network for other programs."""
    onnx = pytest.importorskip("onnx")
    done = charlstm("export", "-o", "net.onnx", cwd=desk)
    assert (done.returncode, done.stdout) == (0, b"net.onnx\n"), done.stderr
    assert onnx.load(desk / "net.onnx").producer_name == "charlstm"


@pytest.mark.parametrize("line", [*readme_lines("export"), *readme_lines("report")])
def test_lines_of_the_readme(environment: dict[str, str], desk: Path, line: str) -> None:
    """Each does what the README says of it."""
    file = desk / line.split("-o ")[1].split()[0]
    if file.suffix == ".onnx":
        pytest.importorskip("onnx")
    assert run(line, environment, desk).endswith(f"{file.name}\n")
    assert file.stat().st_size > 1000


# ---- Small parts ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("least", "most"), [(0, 3000), (1.1, 4.2), (2.0, 2.001), (0, 7)])
def test_ticks_are_round_and_inside(least: float, most: float) -> None:
    """A few of them, at equal distances."""
    found = ticks(least, most)
    assert 2 <= len(found) <= 8
    assert least <= found[0] < found[-1] <= most + 1e-9


def test_a_long_curve_is_thinned(trained: Path) -> None:
    """Its points are means of neighbours, so many at most."""
    curve = read_history(trained).training
    many = replace(curve, steps=np.arange(5000.0), losses=np.linspace(3, 1, 5000))
    steps, losses = thinned(many)
    assert len(steps) == len(losses) <= MOST_POINTS
    assert steps[0] > 0
    assert losses[0] < 3


def test_cut_texts() -> None:
    """What no HTML may hold, and what turns the direction of a text, is replaced."""
    assert cut("a\x00\x1b\n\tb\u202e\udc80\u05e9", 99) == "a\ufffd\ufffd\n\tb\ufffd\ufffd\u05e9"
