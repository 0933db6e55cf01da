"""The pages in a real browser, a headless Chromium: ``make browser``."""

import json
import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from charlstm.analysis.cells import FoundCell
from charlstm.language_model import LanguageModel
from charlstm.model.config import ModelConfig
from charlstm.model.model_file import ModelFile, load_model
from charlstm.pages.page import OPENING, reading_page, write_page, writing_page
from charlstm.text.corpus import Fingerprint
from charlstm.text.vocabulary import Vocabulary

from .browsing import OpenPage, both_logits, chromium, started, with_engine
from .conftest import VERSE, Run
from .writing import make_model

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(chromium() is None, reason="no Chromium is installed"),
]
LINE = "The tide came in and took"
HOSTILE = "</script><script>hacked=1</script><img src=x onerror=hacked=1>\"'&{{data}}<!--"


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """One browser for all tests."""
    pytest.importorskip("playwright", reason="playwright is not installed")
    with started() as browser:
        yield browser


@pytest.fixture(scope="module")
def model(trained: Path) -> LanguageModel:
    """The small trained model, its weights rounded as on a page."""
    return LanguageModel(rounded(load_model(trained / "model.safetensors")))


def rounded(model: ModelFile) -> ModelFile:
    """The model with weights that float16 can hold."""
    weights: Any = {
        name: weight.astype(np.float16).astype(np.float32) for name, weight in model.weights.items()
    }
    return replace(model, weights=weights)


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory, trained: Path, charlstm: Run) -> Path:
    """Its page, made by the command."""
    path = tmp_path_factory.mktemp("pages") / "verse.html"
    done = charlstm("export", "-m", trained, "-o", path)
    assert (done.returncode, done.stdout.decode()) == (0, f"{path}\n"), done.stderr
    return path


@pytest.fixture(scope="module")
def reported(exported: Path, trained: Path, charlstm: Run) -> Path:
    """A report on its run, made by the command."""
    path = exported.with_name("report.html")
    done = charlstm("report", trained, "-o", path, "-q")
    assert (done.returncode, done.stdout.decode()) == (0, f"{path}\n"), done.stderr
    return path


@contextmanager
def opened(browser: Any, path: Path, link: str = "", **context: Any) -> Iterator[OpenPage]:
    """The page, which must have no fault at the end."""
    page = OpenPage(browser, path, link, **context)
    try:
        yield page
    finally:
        page.context.close()
    assert page.faults == []


# ---- The engine ----------------------------------------------------------------------------------

ALPHABETS = {
    "two characters": "ab",
    "verse": "".join(sorted(set(VERSE))),
    "no line end": "".join(sorted(set(VERSE) - {"\n"})),
    "Greek and Russian": "\n " + "".join(map(chr, [*range(0x3B1, 0x3CA), *range(0x430, 0x450)])),
    "300 Chinese characters": "\n" + "".join(map(chr, range(0x4E00, 0x4F2C))),
}
SIZES = [
    (1, 24, 8, False),
    (1, 64, 5, True),
    (2, 33, 16, True),
    (2, 48, 16, False),
    (3, 30, 7, True),
]
MODELS = [
    *zip(ALPHABETS, SIZES, strict=True),
    *zip([*ALPHABETS][::-1], [(L, H + 3, E + 1, r) for L, H, E, r in SIZES], strict=True),
]


def drawn_model(characters: str, sizes: tuple[int, int, int, bool], seed: int) -> ModelFile:
    """A network of these sizes whose weights are large enough to have memory and opinions."""
    L, H, E, residual = sizes
    config = ModelConfig(
        vocab_size=len(characters), embedding_size=E, hidden_size=H, num_layers=L, residual=residual
    )
    rng = np.random.default_rng(seed)
    weights = {
        name: rng.normal(scale=1.5 / np.sqrt(shape[-1]), size=shape).astype(np.float32)
        for name, shape in config.parameter_shapes().items()
    }
    made = replace(
        make_model("ab"), config=config, weights=weights, vocabulary=Vocabulary(characters)
    )
    return rounded(made)


@pytest.fixture(scope="module")
def engine(browser: Any) -> Iterator[Any]:
    """An empty page on which the engine's functions can be called."""
    page = with_engine(browser)
    yield page
    page.close()


@pytest.mark.parametrize("number", range(len(MODELS)))
def test_logits_are_those_of_numpy(engine: Any, number: int) -> None:
    """To 1e-4, at each of 1,000 characters, for networks of all kinds."""
    alphabet, sizes = MODELS[number]
    model = drawn_model(ALPHABETS[alphabet], sizes, number)
    ids = np.random.default_rng(number).integers(0, model.config.vocab_size, 1000).tolist()
    found, expected = both_logits(engine, model, ids)
    np.testing.assert_allclose(found, expected, atol=1e-4, rtol=0)
    assert np.ptp(found) > 1  # not all the same


@pytest.mark.parametrize("number", range(len(MODELS)))
def test_the_most_probable_text_is_that_of_numpy(engine: Any, number: int) -> None:
    """Of 1,000 characters, up to the first place where the two best logits are closer than 1e-4."""
    alphabet, sizes = MODELS[number]
    model = drawn_model(ALPHABETS[alphabet], sizes, number)
    text = "".join(LanguageModel(model).generate("", length=1000, temperature=0))
    before = "\n" if "\n" in model.vocabulary else ""  # what the network reads first
    ids = model.vocabulary.encode(before + text).tolist()
    found, expected = both_logits(engine, model, ids)
    best = np.sort(expected, axis=1)
    near = np.flatnonzero(best[:, -1] - best[:, -2] < 1e-4)
    end = near[0] if len(near) else len(ids) - 1
    assert end > 100
    assert found.argmax(axis=1)[:end].tolist() == ids[1 : end + 1]


@pytest.mark.parametrize("seed", [0, 1, 12345, 2**32 - 1, 2**32, 2**40 + 7, 2**63 - 1])
def test_random_numbers_are_those_of_python(engine: Any, seed: int) -> None:
    """Two thousand of them, which is more than the generator makes at once."""
    numbers = random.Random(seed)
    draws = "Array.from({ length: 2000 }, () => numbers.next())"
    code = f"() => {{ const numbers = new RandomNumbers({seed}n); return {draws}; }}"
    assert engine.evaluate(code) == [numbers.random() for _ in range(2000)]


@pytest.mark.parametrize(
    ("page_names", "names"),
    [
        ({"temperature": 0}, {"temperature": 0}),
        ({"temperature": 0.7}, {"temperature": 0.7}),
        ({"temperature": 1, "top_k": 3}, {"temperature": 1.0, "top_k": 3}),
        ({"temperature": 1.3, "min_p": 0.1}, {"temperature": 1.3, "min_p": 0.1}),
    ],
)
def test_the_same_text_as_the_command_line(
    browser: Any, exported: Path, model: LanguageModel, page_names: Any, names: Any
) -> None:
    """With the same settings, to the last character."""
    with opened(browser, exported) as page:
        text = page.write(LINE, length=500, random_seed=7, **page_names)
        assert "Random seed 7" in page.status
    assert text == LINE + "".join(model.generate(LINE, length=500, random_seed=7, **names))


@pytest.mark.parametrize(
    ("alphabet", "sizes"),
    [
        ("".join(sorted(set(VERSE) - {"\n"})), (3, 30, 7, True)),
        ("\n" + "".join(map(chr, range(0x4E00, 0x4E00 + 3000))), (2, 32, 8, False)),
    ],
    ids=["no line end, three layers", "3,000 characters"],
)
def test_texts_of_other_models(browser: Any, tmp_path: Path, alphabet: str, sizes: Any) -> None:
    """To the last character, too."""
    model = LanguageModel(drawn_model(alphabet, sizes, 1))
    write_page(model, writing_page(model), tmp_path / "page.html")
    with opened(browser, tmp_path / "page.html") as page:
        text = page.write(alphabet[5:9], length=300, random_seed=1)
    assert text == alphabet[5:9] + "".join(model.generate(alphabet[5:9], length=300, random_seed=1))


def test_a_model_of_lower_case(browser: Any, tmp_path: Path) -> None:
    """It reads a phrase as the command line does, also the Greek letter that has two forms."""
    characters = "abg \u03bb\u03bf\u03b3\u03c3\u03c2"
    model = LanguageModel(rounded(make_model(characters, lowercase=True)))
    write_page(model, writing_page(model), tmp_path / "page.html")
    phrase = "A\u039b\u039f\u0393\u039f\u03a3 B"
    with opened(browser, tmp_path / "page.html") as page:
        text = page.write(phrase, length=50, random_seed=1)
    expected = model.known(phrase)[0] + "".join(model.generate(phrase, length=50, random_seed=1))
    assert text == expected


def test_a_text_without_a_phrase(browser: Any, exported: Path, model: LanguageModel) -> None:
    """It begins with nothing, as ``charlstm generate`` does."""
    with opened(browser, exported) as page:
        text = page.write("", length=100, random_seed=3)
    assert text == "".join(model.generate(length=100, random_seed=3))


# ---- Writing -------------------------------------------------------------------------------------


def test_a_page_opens_with_a_text_of_its_own(
    browser: Any, exported: Path, model: LanguageModel
) -> None:
    """The same for everybody; a screen reader is left in peace, and the next text is a new one."""
    with opened(browser, exported) as page:
        text = page.finished()
        assert "Random seed 0" in page.status
        assert page.get("byId('spoken').textContent") == ""
        assert page.get("[byId('phrase').value, byId('random-seed').value]") == ["", ""]
        page.page.click("#write")
        page.finished()
        assert "Random seed 0." not in page.status
    assert text == "".join(model.generate(length=OPENING["length"], random_seed=0))


def test_paused_and_continued(browser: Any, exported: Path, model: LanguageModel) -> None:
    """A pause changes nothing of the text; while it lasts, nothing is written."""
    with opened(browser, exported) as page:
        page.set(length=20000, random_seed=5)
        page.page.click("#write")
        page.until("view.items.length > 100")
        page.page.click("#pause")
        before = page.get("view.items.length")
        page.page.wait_for_timeout(300)
        assert page.get("view.items.length") == before < 20000
        assert page.status == "Paused."
        assert page.page.inner_text("#pause") == "Go on"
        page.page.click("#pause")
        text = page.finished()
    assert text == "".join(model.generate(length=20000, random_seed=5))


def test_as_one_reads(browser: Any, exported: Path, model: LanguageModel) -> None:
    """At that pace the text is shown later than it is written, and it is the same text."""
    with opened(browser, exported) as page:
        page.set(length=40, random_seed=5)
        page.page.select_option("#pace", "read")
        page.page.click("#write")
        page.until("view.items.length > 3")
        assert page.get("phase") == "writing"
        assert page.get("current.waiting.length") > 0
        text = page.finished()
    assert text == "".join(model.generate(length=40, random_seed=5))


def test_a_new_text_while_one_is_written(
    browser: Any, exported: Path, model: LanguageModel
) -> None:
    """The old one ends, and no character of it comes into the new one."""
    with opened(browser, exported) as page:
        page.set(length=20000, random_seed=5)
        page.page.click("#write")
        page.until("view.items.length > 100")
        text = page.write(LINE, length=200, random_seed=6)
    assert text == LINE + "".join(model.generate(LINE, length=200, random_seed=6))


def link_of(page: OpenPage) -> str:
    """What the button gives, from the mark # on."""
    page.page.click("#link")
    return "#" + page.page.input_value("#address").partition("#")[2]


def test_a_link_gives_the_text_again(browser: Any, exported: Path) -> None:
    """A page that is opened with it writes the same text, and so does one that is open already."""
    phrase = "Tides, 100 % & more?\n\u00e9#\u0301"
    with opened(browser, exported) as page:
        text = page.write(phrase, length=200, temperature=0.9, random_seed=11, top_k=5)
        link = link_of(page)
        assert page.page.url == page.address  # what was typed is not in the browser's history
        page.write("tide", length=10)
        page.get(f"location.hash = {json.dumps(link)}")
        page.until(f"view.text === {json.dumps(text)}")
    with opened(browser, exported, link) as page:
        assert page.finished() == text
        assert page.page.input_value("#phrase") == phrase
        assert page.page.input_value("#top-k") == "5"


def test_a_link_to_a_text_that_is_only_read(browser: Any, exported: Path) -> None:
    """It reads the text again and writes nothing."""
    with opened(browser, exported) as page:
        page.write(LINE, "#read")
        link = link_of(page)
    with opened(browser, exported, link) as page:
        assert page.finished() == LINE


@pytest.mark.parametrize(
    ("link", "said"),
    [
        (
            "#seed=a&temperature=hot",
            "Temperature is \u201chot\u201d: it must be a number from 0 to 10.",
        ),
        (
            "#seed=a&length=1e9",
            "Length is \u201c1e9\u201d: it must be a whole number from 1 to 20000.",
        ),
        (
            "#seed=a&random-seed=-1",
            "Random seed is \u201c-1\u201d: it must be a whole number from 0 to ",
        ),
        ("#seed=a&random-seed=9999999999999999999", "Random seed is"),
    ],
)
def test_a_wrong_link(browser: Any, exported: Path, link: str, said: str) -> None:
    """It is said what is wrong; nothing is written."""
    with opened(browser, exported, link) as page:
        if "temperature" in link:  # a field for numbers takes no word
            said = said.replace("hot", "")
        page.until("byId('status').textContent !== 'The model is ready.'")
        assert page.status.startswith(said)
        assert page.get("view.items.length") == 0


def test_a_wrong_setting(browser: Any, exported: Path) -> None:
    """It is said, with the value, and the field gets the cursor."""
    with opened(browser, exported) as page:
        page.set(min_p=3)
        page.page.click("#write")
        assert page.status == "Min-p is \u201c3\u201d: it must be a number from 0 to 1."
        assert page.get("document.activeElement.id") == "min-p"
        page.write("", min_p=0.5, length=5)


def test_a_browser_without_workers(browser: Any, exported: Path) -> None:
    """The page says that it cannot write, and why."""
    with opened(browser, exported, script="delete window.Worker") as page:
        assert page.status.startswith("The page cannot go on: the browser starts no worker (")
        assert page.page.is_disabled("#write")


def test_copied_and_saved(browser: Any, exported: Path, tmp_path: Path) -> None:
    """The clipboard and the file have the text, the phrase too; the other button copies a link."""
    with opened(browser, exported, permissions=["clipboard-read", "clipboard-write"]) as page:
        text = page.write(LINE, length=300, random_seed=1)
        page.page.click("#copy")
        page.until("byId('status').textContent === 'Copied: the text.'")
        assert page.get("navigator.clipboard.readText()") == text
        page.page.click("#link")
        page.until("byId('status').textContent.startsWith('Copied: a link')")
        assert page.get("navigator.clipboard.readText()") == page.page.input_value("#address")
        with page.page.expect_download() as download:
            page.page.click("#save")
        download.value.save_as(tmp_path / "text.txt")
    assert (tmp_path / "text.txt").read_text(encoding="utf-8") == text


# ---- Reading -------------------------------------------------------------------------------------


def test_surprisal_is_that_of_the_score(browser: Any, exported: Path, model: LanguageModel) -> None:
    """Of each character of a pasted text, also where it was never learned."""
    text = VERSE[:200] + "xxxx"
    text = "".join(c for c in text if c in model.vocabulary)
    with opened(browser, exported) as page:
        assert page.write(text, "#read") == text
        found = page.get("view.items.map((item) => item.bits)")
        shown = page.get("view.spans.map((span) => Number(span.style.getPropertyValue('--v')))")
    bits = model.score(text).bits
    np.testing.assert_allclose(found, bits, atol=1e-3)
    np.testing.assert_allclose(shown, np.minimum(np.array(bits) / 8, 1), atol=1e-3)


def test_unknown_characters_are_shown_as_such(
    browser: Any, exported: Path, model: LanguageModel
) -> None:
    """They stand in the text, marked; the network does not read them, and it is said."""
    with opened(browser, exported) as page:
        text = page.write("Ti\u2603de\U0001f600", length=50, random_seed=1)
        assert (
            "does not know \u201c\u2603\u201d (U+2603), \u201c\U0001f600\u201d (U+1F600)"
            in page.status
        )
        assert page.get("document.querySelectorAll('#text .unknown').length") == 2
        assert page.get("view.spans[2].className") == "given unknown"
        page.get("view.select(2)")
        assert page.page.inner_text("#here").endswith("(U+2603): the model does not know it.")
    assert text == "Ti\u2603de\U0001f600" + "".join(
        model.generate("Tide", length=50, random_seed=1)
    )


def test_nothing_to_read(browser: Any, exported: Path) -> None:
    """A text without any known character is an error that is said."""
    with opened(browser, exported) as page:
        page.page.fill("#phrase", "\u2603")
        page.page.click("#read")
        assert page.status.startswith("There is nothing to read")


def test_a_long_text_is_cut(browser: Any, exported: Path) -> None:
    """So that the page stays usable; it is said."""
    with opened(browser, exported) as page:
        text = page.write("tide " * 5000, "#read")
        assert len(text) == 20000
        assert "Only the first 20000 characters are read." in page.status


def test_what_was_expected(browser: Any, exported: Path, model: LanguageModel) -> None:
    """At the cursor there are the model's first guesses, with their probabilities."""
    with opened(browser, exported) as page:
        page.write(LINE, "#read")
        for position in (0, 5, None):
            page.get(f"view.select({json.dumps(position)})")
            expected = model.predict(LINE[:position], top=8)
            rows = "Array.from(document.querySelectorAll('.guess'), (row) => row.innerText)"
            found = [row.split("\n") for row in page.get(rows)]
            names = {" ": "space", "\n": "line end"}
            quoted = [names.get(c, f"\u201c{c}\u201d") for c, *_ in expected]
            assert [row[0] for row in found] == quoted
            shares = [float(row[-1].rstrip(" %")) / 100 for row in found]
            assert shares == pytest.approx([p.probability for p in expected], abs=0.006)


@pytest.mark.parametrize(
    ("kind", "layer", "unit"),
    [
        *(("cell", 1, 3), ("forget", 2, 24), ("input", 1, 1)),
        *(("output", 1, 0), ("cell", 2, 0), ("output", 0, 0)),
    ],
)
def test_colours_of_cells_and_gates(
    browser: Any, exported: Path, model: LanguageModel, kind: str, layer: int, unit: int
) -> None:
    """Their values are those of a trace; 0 stands for the mean of a layer, or of all layers."""
    with opened(browser, exported) as page:
        page.write(LINE, "#read")
        page.page.select_option("#view", kind)
        assert page.page.is_disabled("#unit")  # there are no units of all layers
        page.page.select_option("#layer", str(layer))
        if layer:
            page.page.fill("#unit", str(unit or ""))
            page.page.press("#unit", "Enter")
        trace = model.trace(LINE)
        values = np.tanh(trace.cell) if kind == "cell" else getattr(trace, f"{kind}_gate")
        of_layer = values[:, layer - 1] if layer else values.reshape(len(values), -1)
        expected = of_layer[:, unit - 1] if unit else of_layer.mean(axis=1)
        page.until(f"Math.abs(view.items.at(-1).value - {expected[-1]}) < 1e-3")
        found = page.get("view.items.map((item) => item.value)")
    np.testing.assert_allclose(found, expected, atol=1e-3)


@pytest.mark.parametrize("paused", [False, True])
def test_a_view_changed_while_writing(
    browser: Any, exported: Path, model: LanguageModel, paused: bool
) -> None:
    """All characters get their values: those that are shown, that wait, and that come later."""
    with opened(browser, exported) as page:
        page.set(length=4000, random_seed=5)
        page.page.click("#write")
        page.until("view.items.length > 100")
        if paused:
            page.page.click("#pause")
        page.page.select_option("#view", "forget")
        if paused:
            page.until("typeof view.items.at(-1).value === 'number'")
            page.page.click("#pause")
        text = page.finished()
        page.until("view.items.every((item) => typeof item.value === 'number')")
        found = page.get("view.items.map((item) => item.value)")
    expected = model.trace(text).forget_gate.mean(axis=(1, 2))
    np.testing.assert_allclose(found, expected, atol=1e-3)


def test_a_wrong_unit(browser: Any, exported: Path) -> None:
    """It is said, the view stays, and another view can be chosen all the same."""
    with opened(browser, exported) as page:
        page.write(LINE, "#read")
        page.page.select_option("#view", "cell")
        page.page.select_option("#layer", "1")
        page.page.fill("#unit", "999")
        page.page.press("#unit", "Enter")
        page.until("byId('status').textContent.startsWith('Unit is')")
        assert page.status.endswith("it must be empty, or a whole number from 1 to 24.")
        page.write(LINE, "#read")
        assert page.get("view.items.every((item) => typeof item.value === 'number')")
        page.page.select_option("#view", "surprisal")
        page.until("view.spans.every((span) => /surprisal/.test(span.className))")


def test_cells_that_were_found_are_offered_by_name(
    browser: Any, model: LanguageModel, tmp_path: Path
) -> None:
    """A cell that is no better than chance is not."""
    cell = FoundCell(
        property_name="inside brackets", layer=1, unit=5, direction=1, score=0.8, chance=0.1,
        accuracy=0.9, position=0, passage="", values=(),
    )  # fmt: skip
    cells = [cell, replace(cell, property_name="in a number", score=0.05)]
    write_page(model, writing_page(model, cells), tmp_path / "page.html")
    with opened(browser, tmp_path / "page.html") as page:
        offered = page.get(
            "Array.from(byId('view').querySelectorAll('optgroup option'), (o) => o.text)"
        )
        assert offered == ["inside brackets (cell 1:5, score 0.80)"]
        page.page.select_option("#view", label=offered[0])
        page.write(LINE, "#read")
        found = page.get("view.items.map((item) => item.value)")
    np.testing.assert_allclose(found, np.tanh(model.trace(LINE).cell[:, 0, 4]), atol=1e-3)


def test_a_text_that_is_open(browser: Any, trained: Path, charlstm: Run, tmp_path: Path) -> None:
    """``charlstm visualize -o`` opens the page with its text, in the view that was asked for."""
    path = tmp_path / "tide.html"
    done = charlstm("visualize", LINE, "-m", trained, "-o", path, "--cell", "1:2")
    assert done.stdout.decode() == f"{path}\n", done.stderr
    with opened(browser, path) as page:
        assert page.finished() == LINE
        assert page.get("[byId('view').value, byId('layer').value, byId('unit').value]") == [
            "cell", "1", "2",
        ]  # fmt: skip
        page.until("view.spans.every((span) => /low|high/.test(span.className))")


# ---- Proposals -----------------------------------------------------------------------------------


def test_a_proposal_is_taken_or_left(browser: Any, exported: Path, model: LanguageModel) -> None:
    """Tab takes it, another key leaves it; Escape hides it, so that Tab moves on."""
    with opened(browser, exported) as page:
        page.page.focus("#phrase")
        page.page.keyboard.type("The t")
        page.until("byId('proposed').textContent")
        proposed = page.get("byId('proposed').textContent")
        expected = "".join(model.generate("The t", length=40, temperature=0)).split("\n")[0]
        assert proposed == expected
        page.page.keyboard.type("x")  # leaves it
        assert page.page.input_value("#phrase") == "The tx"
        page.page.keyboard.press("Backspace")
        page.until("byId('proposed').textContent")
        page.page.keyboard.press("Tab")
        assert page.page.input_value("#phrase") == "The t" + expected
        assert page.get("document.activeElement.id") == "phrase"
        page.page.keyboard.press("Escape")
        assert page.get("byId('proposed').textContent") == ""
        page.page.keyboard.press("Tab")
        assert page.get("document.activeElement.id") == "write"


def test_a_proposal_is_for_the_end_of_the_phrase(browser: Any, exported: Path) -> None:
    """It goes when the caret goes elsewhere, and no answer comes after the field was left."""
    with opened(browser, exported) as page:
        page.page.focus("#phrase")
        page.page.keyboard.type("The t")
        page.until("proposal")
        page.page.keyboard.press("Home")
        page.until("!proposal")
        page.page.keyboard.press("End")
        page.page.keyboard.type("i")
        page.page.focus("#read")
        page.page.wait_for_timeout(500)
        assert page.get("byId('proposed').textContent") == ""
        assert page.page.input_value("#phrase") == "The ti"


def test_a_proposal_can_be_taken_without_a_keyboard(browser: Any, exported: Path) -> None:
    """By the button, as on a telephone; the browser can undo it."""
    with opened(browser, exported) as page:
        page.page.focus("#phrase")
        page.page.keyboard.type("The t")
        page.until("proposal")
        proposed = page.get("proposal")
        page.page.click("#take")
        assert page.page.input_value("#phrase") == "The t" + proposed
        page.page.keyboard.press("Control+z")
        assert page.page.input_value("#phrase") == "The t"


# ---- Access --------------------------------------------------------------------------------------


def test_the_keyboard_is_enough(browser: Any, exported: Path) -> None:
    """To write, to pause, to read and to look at each character."""
    with opened(browser, exported) as page:
        press = page.page.keyboard.press
        press("Tab")
        page.page.keyboard.type("tide")
        press("Escape")
        press("Tab")
        page.set(length=20000)
        page.page.focus("#write")
        press("Enter")
        for said in ("Paused.", "Writing."):
            while page.get("document.activeElement.id") != "pause":
                press("Tab")
            press("Enter")
            assert page.status == said
        page.finished()
        while page.get("document.activeElement.id") != "text":
            press("Tab")
        press("Home")
        assert page.page.inner_text("#here").startswith("Character 1, \u201ct\u201d:")
        press("ArrowRight")
        press("ArrowRight")
        assert page.page.inner_text("#here").startswith("Character 3, \u201cd\u201d:")
        press("End")
        assert page.page.inner_text("#here").startswith("What comes next: ")
        page.page.focus("#previous")
        press("Enter")
        assert page.page.inner_text("#here").startswith("Character 20004, ")


def test_a_screen_reader_hears_the_lines(browser: Any, exported: Path) -> None:
    """The last lines that were written are in a live region."""
    with opened(browser, exported) as page:
        text = page.write("tide", length=300, random_seed=2)
        spoken = page.get("byId('spoken').textContent")
        assert page.get("byId('spoken').ariaLive || byId('spoken').getAttribute('aria-live')")
    assert len(spoken) > 3
    assert text.endswith(spoken)


def test_reduced_motion(browser: Any, exported: Path, model: LanguageModel) -> None:
    """The text comes in few pieces, and it is the same text."""
    count = "const append = view.append; window.pieces = 0; view.append = (items) => "
    count += "{ pieces++; append.call(view, items); }"
    with opened(browser, exported, reduced_motion="reduce") as page:
        page.get(f"(() => {{ {count} }})()")
        text = page.write("tide", length=1000, random_seed=2)
        assert page.get("pieces") <= 6
    assert text == "tide" + "".join(model.generate("tide", length=1000, random_seed=2))


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 768, 1280])
def test_axe_finds_nothing(
    browser: Any, exported: Path, reported: Path, scheme: Any, width: int
) -> None:
    """On the page that writes and on a report, once there is text; and nothing is cut off."""
    axe = pytest.importorskip(
        "axe_playwright_python.sync_playwright", reason="axe is not installed"
    )
    for path in (exported, reported):
        size = {"width": width, "height": 800}
        with opened(browser, path, color_scheme=scheme, viewport=size) as page:
            page.write(LINE + "\u2603", length=200, random_seed=1)
            page.get("document.querySelectorAll('details').forEach((d) => (d.open = true))")
            page.get("view.select(3)")
            found = axe.Axe().run(page.page)
            assert found.violations_count == 0, found.generate_report()
            assert page.get("document.documentElement.scrollWidth") <= width


# ---- Texts of all kinds --------------------------------------------------------------------------


def test_nothing_of_a_hostile_model_runs(browser: Any, tmp_path: Path) -> None:
    """Its vocabulary, name, corpus and command are full of markup, and are shown as text."""
    characters = "".join(sorted(set(HOSTILE) | set("\n\x00\x1b\u202e\u2028a")))
    hostile = replace(
        make_model(characters),
        fingerprint=Fingerprint(name=HOSTILE, sha256="0" * 64, characters=1),
        training={"texts": HOSTILE, "licence": HOSTILE, "init_from": HOSTILE},
        command=HOSTILE,
    )
    model = LanguageModel(hostile)
    write_page(model, reading_page(model, HOSTILE), tmp_path / "page.html")
    with opened(browser, tmp_path / "page.html") as page:
        assert page.finished() == HOSTILE
        assert page.get("typeof hacked") == "undefined"
        assert page.get("document.querySelectorAll('img').length") == 0
        assert page.get("document.scripts.length") == 3
        assert HOSTILE[:40] in page.page.inner_text("h1")
        page.write(HOSTILE, length=2000, temperature=3, random_seed=1)
        assert page.get("typeof hacked") == "undefined"
        assert page.get("document.querySelectorAll('img').length") == 0


def test_the_policy_forbids_requests_and_foreign_scripts(browser: Any, exported: Path) -> None:
    """Even a script that ran on the page could load nothing and make no markup of a text."""
    page = OpenPage(browser, exported)
    for code in (
        "fetch('data:,x').then(() => 'done', () => 'refused')",
        "new Promise((r) => { const i = new Image(); i.onload = () => r('done'); "
        "i.onerror = () => r('refused'); i.src = 'data:image/gif;base64,R0lGODlhAQABAAAAACw='; })",
        "(() => { try { document.body.innerHTML = '<b>x</b>'; return 'done'; } "
        "catch { return 'refused'; } })()",
    ):
        assert page.get(code) == "refused", code
    page.context.close()


def test_right_to_left_and_wide_scripts(browser: Any, tmp_path: Path) -> None:
    """Each line has the direction of its text, and no line is cut off."""
    hebrew, chinese = (
        "\u05e9\u05dc\u05d5\u05dd \u05e2\u05d5\u05dc\u05dd",
        "\u5b50\u66f0\u5b78\u800c" * 40,
    )
    text = f"{hebrew}\n{chinese}\nabc"
    model = LanguageModel(make_model("".join(sorted(set(text)))))
    write_page(model, reading_page(model, text), tmp_path / "page.html")
    with opened(browser, tmp_path / "page.html", viewport={"width": 320, "height": 700}) as page:
        assert page.finished() == text
        directions = (
            "Array.from(document.querySelectorAll('.line'), (l) => getComputedStyle(l).direction)"
        )
        assert page.get(directions) == ["rtl", "ltr", "ltr"]
        assert page.get("document.documentElement.scrollWidth") <= 320


def test_characters_that_cannot_be_seen(browser: Any, tmp_path: Path) -> None:
    """Control characters and those that turn the direction of a text are shown in visible form."""
    text = "a\x1b[31m\u202eb\x00"
    model = LanguageModel(make_model("".join(sorted(set(text)))))
    write_page(model, reading_page(model, text), tmp_path / "page.html")
    with opened(browser, tmp_path / "page.html") as page:
        assert page.finished() == text
        assert page.page.inner_text("#text") == "a\u241b[31m<U+202E>b\u2400"
