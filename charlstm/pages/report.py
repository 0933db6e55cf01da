"""A page about a training run: its losses, what the model predicts, writes and copies."""

import math
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree.ElementTree import Element

from charlstm.analysis.curves import History
from charlstm.analysis.evaluate import Evaluation, Reading, Split, evaluate, val_fraction
from charlstm.analysis.novelty import NGRAMS, Comparison, WholeText, compare
from charlstm.errors import CorpusError
from charlstm.files import regular_size
from charlstm.generation.text_stream import Sample
from charlstm.language_model import LanguageModel
from charlstm.model.locate import CONFIG_FILE
from charlstm.pages.card import cut, name_of
from charlstm.pages.chart import chart
from charlstm.pages.elements import columns, element
from charlstm.pages.page import Page
from charlstm.parallel import Progress, counted
from charlstm.text.dataset import Dataset, encode_for_model
from charlstm.text.sources import Sources, listed, source_names
from charlstm.text.vocabulary import Ids

TEMPERATURES = (0.4, 0.7, 1.0)
SAMPLE = 600  # characters of each sample that are shown
COMPARED = 4_000  # characters of each sample that are compared with the text
MOST_COMPARED = 5_000_000  # characters of the training part that samples are compared with
SHOWN = 2_000  # characters of the validation text that are open on the page
PASSAGE = 200  # characters of a passage


@dataclass(frozen=True)
class OwnText:
    """The text that a model learned from: what was measured on it, and the parts of it."""

    evaluation: Evaluation
    validation: str  # its beginning
    training: str  # its end
    all_of_training: bool


def read_own_text(
    model: LanguageModel,
    sources: Sources,
    *,
    encoding: str | None = None,
    glob: str | None = None,
    progress: Progress | None = None,
) -> OwnText:
    """What a report needs of the text that the model learned from.

    It is read as it was read then, with that ``encoding`` and ``glob`` if none are given. Raises
    CorpusError if ``sources`` cannot be read, or are another text. ``progress`` gets the number of
    characters that the model has read, from the threads that read them.
    """
    file = model.model_file
    names = source_names(sources)
    options = file.text.for_text(encoding=encoding, glob=glob)
    dataset = encode_for_model(names, options, file.vocabulary, file.fingerprint, "skip")
    if dataset.fingerprint.sha256 != file.fingerprint.sha256:
        raise CorpusError(
            f"{listed(names)}: not the text that the model learned from", "other text"
        )
    fraction = val_fraction(file)
    split: Split = "val" if fraction else "all"
    reading = Reading(split, baselines=bool(fraction), progress=progress)
    found = evaluate(file, dataset, listed(names), reading)
    training, validation = _parts(dataset, fraction)
    return OwnText(
        evaluation=found,
        validation=file.vocabulary.decode(validation[:SHOWN].tolist()),
        training=file.vocabulary.decode(training[-MOST_COMPARED:].tolist()),
        all_of_training=len(training) <= MOST_COMPARED,
    )


def sources_of(directory: Path) -> list[str]:
    """The text that the run in ``directory`` says it learned from.

    Raises CorpusError if it does not say so, or if that was standard input.
    """
    path = directory / CONFIG_FILE
    try:
        regular_size(path, follow=False)
        corpus = source_names(tomllib.loads(path.read_text("utf-8"))["train"]["corpus"])
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise CorpusError(f"{path}: does not say what the run learned from") from error
    if "-" in corpus:
        raise CorpusError(f"{path}: the run learned from standard input")
    return corpus


def _parts(dataset: Dataset, fraction: float) -> tuple[Ids, Ids]:
    """The ids to learn from and to validate on: all of them, if there is no validation part."""
    return dataset.split(fraction) if fraction else (dataset.ids, dataset.ids)


def report_page(
    model: LanguageModel,
    history: History,
    text: OwnText | None,
    random_seed: int,
    progress: Progress | None = None,
) -> Page:
    """The page about a run, which has its model and its losses so far.

    Without its ``text`` the page lacks what is measured on it. ``random_seed`` is that of the
    samples, one at each of TEMPERATURES. ``progress`` gets the number of characters written.
    """
    samples = _written(model, random_seed, progress)
    part = "its text" if text and text.evaluation.split == "all" else "its validation part"
    opened = f" The text that is open below is the beginning of {part}." if text else ""
    return Page(
        title=f"A report on the run {cut(history.path.parent.name, 200)}",
        introduction=(
            f"A model of {name_of(model)}: how it was trained, how well it predicts and what it "
            f"writes; and the model itself, which reads and writes in your browser.{opened}"
        ),
        text=text.validation if text else "",
        report=[
            *_losses(history),
            *_evaluation(text),
            *_samples(samples, random_seed),
            *(_novelty(samples, text) if text else ()),
        ],
    )


def _written(model: LanguageModel, random_seed: int, progress: Progress | None) -> list[Sample]:
    """A text at each temperature that the model writes with this random seed."""
    samples, written = [], counted(progress, COMPARED * len(TEMPERATURES))
    for temperature in TEMPERATURES:
        text = model.generate(
            length=COMPARED, temperature=temperature, random_seed=random_seed, measure=True
        )
        samples.append(text.finish())
        written(COMPARED)
    return samples


def _losses(history: History) -> Iterator[Element]:
    """The losses as a picture, and in words."""
    yield element("h2", "How the loss fell")
    picture = chart(history)
    if picture is not None:
        yield element("figure", picture)
    best, last = history.best, history.last
    if best is None or best.val_loss is None or last is None:
        yield element("p", "The run has logged no validation loss.")
        return
    loss = f"{best.val_loss:.3f} nats per character"
    said = f"The validation loss was lowest at step {best.step:,}: {loss}."
    if last.step > best.step:
        said += f" The run went on to step {last.step:,}."
    if history.overfitting:
        said += " After the best step it overfitted: only the training loss went on falling."
    yield element("p", said)


def _evaluation(text: OwnText | None) -> Iterator[Element]:
    """How well the model predicts its validation text, and simpler predictors beside it."""
    yield element("h2", "How well it predicts")
    if text is None:
        yield element("p", "The text that it learned from was not found, so nothing was measured.")
        return
    found = text.evaluation
    part = "the validation part" if found.split == "val" else "all"
    known = found.split == "val" and found.was_read
    read = ", some of which it has read elsewhere" if known else ""
    yield element(
        "p",
        f"On {part} of the text, {found.characters:,} characters{read}, the model guesses the next "
        f"character right {100 * found.accuracy:.0f} times in 100, and is as unsure as if it chose "
        f"among {found.perplexity:,.1f} equally likely characters.",
    )
    rows = [("this model", found.loss, found.perplexity, f"{100 * found.accuracy:.1f} %")]
    for other in found.baselines:
        guessed = "" if other.accuracy is None else f"{100 * other.accuracy:.1f} %"
        rows.append((other.name, other.loss, other.perplexity, guessed))
    yield columns(
        "Losses of this model and of others",
        ("predictor", "nats per character", "bits", "perplexity", "guessed right"),
        [
            (name, f"{loss:.3f}", f"{loss / math.log(2):.3f}", f"{perplexity:,.2f}", guessed)
            for name, loss, perplexity, guessed in rows
        ],
    )


def _samples(samples: Sequence[Sample], random_seed: int) -> Iterator[Element]:
    """What the model writes at each temperature."""
    yield element("h2", "What it writes")
    yield element("p", f"These texts begin with nothing and have the random seed {random_seed}.")
    for temperature, sample in zip(TEMPERATURES, samples, strict=True):
        bits = sample.bits_per_char
        measured = "" if bits is None else f", {bits:.2f} bits per character"
        yield element("h3", f"Temperature {temperature:g}{measured}")
        yield element("p", cut(sample.text[:SAMPLE], SAMPLE), class_="sample", dir="auto")


def _novelty(samples: Sequence[Sample], text: OwnText) -> Iterator[Element]:
    """How much of what it writes is copied from the text that it learned from."""
    corpus = _whole("the text", text.training)
    found = [compare(corpus, _whole("sample", sample.text), top=1) for sample in samples]
    yield element("h2", "Whether it copies")
    lengths = ", ".join(map(str, NGRAMS[:-1])) + f" and {NGRAMS[-1]}"
    most = "" if text.all_of_training else f" (its last {MOST_COMPARED:,} characters)"
    yield element(
        "p",
        f"{COMPARED:,} characters written at each temperature are compared with the text that the "
        f"model learned from{most}. The table has the share of their passages of {lengths} "
        "characters that are also in that text, and the length of the longest.",
    )
    header = ("temperature", *(f"of {n}" for n in NGRAMS), "longest")
    rows = zip(TEMPERATURES, found, strict=True)
    yield columns(
        "Shares of passages that are copied",
        header,
        [(f"{t:g}", *_shares(f), f"{f.longest:,}") for t, f in rows],
    )
    longest = max(found, key=lambda comparison: comparison.longest)
    if longest.passages:
        passage = cut(longest.passages[0].passage, PASSAGE)
        yield element("p", f"The longest passage that was copied has {longest.longest} characters:")
        yield element("p", passage, class_="sample", dir="auto")


def _shares(found: Comparison) -> Iterator[str]:
    return ("" if share is None else f"{100 * share:.1f} %" for share in found.shares.values())


def _whole(name: str, text: str) -> WholeText:
    return WholeText(name, text, (0,), (name,))
