"""The public object: all that can be done with a trained model, from Python.

Its names are stable; the modules below may change. Torch is never imported.
"""

import dataclasses
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from charlstm.checks import require_integer, require_iterable, require_path, require_text
from charlstm.errors import OptionError
from charlstm.generation.saved_state import SavedState, check_target, load_state, save_state
from charlstm.generation.settings import (
    GenerationSettings,
    SamplingSettings,
    checked_seed,
    generation_config,
    sampling_of,
)
from charlstm.generation.text_stream import (
    Sample,
    TextStream,
    finished_text,
    random_numbers,
    read,
)
from charlstm.model.locate import bundled_name, find_model
from charlstm.model.model_file import ModelFile, load_model
from charlstm.options import OPTIONS
from charlstm.text.corpus import open_corpus
from charlstm.text.sources import Sources, listed, source_names
from charlstm.text.vocabulary import Unknown, whole_clusters

if TYPE_CHECKING:
    from charlstm.analysis.cells import FoundCell
    from charlstm.analysis.evaluate import Evaluation, Split
    from charlstm.analysis.novelty import NewLines
    from charlstm.analysis.predict import Prediction
    from charlstm.analysis.score import Score
    from charlstm.analysis.trace import Trace
    from charlstm.parallel import Progress


def load(path: str | os.PathLike[str] | None = None) -> "LanguageModel":
    """The model in a file, in a run directory, or of the name of a bundled model.

    Without a path it is that of the newest run, or if there is none, the bundled ``shakespeare``.
    Raises CharLSTMError if there is none, or if it cannot be used. For one character at a time
    numpy is fastest with one thread: set ``OPENBLAS_NUM_THREADS=1`` before numpy is imported, as
    the command does. Only then are texts certain to be the same as the command's.
    """
    file = find_model(None if path is None else require_path("path", path))
    return LanguageModel(load_model(file), file)


class LanguageModel:
    """A trained model, ready to use; ``load`` returns one.

    Errors are CharLSTMError. A wrong value or an unknown character raises its error when the method
    is called, and the error is a ValueError too. Numbers may be those of numpy.

    ``unknown`` says what happens to unknown characters in a given text: ``"error"`` raises
    UnknownCharacterError, ``"skip"`` leaves them out, and ``"nearest"`` replaces them by the most
    similar known characters, which ``known`` shows. Where surprisal is measured (``score``,
    ``evaluate``), what is left out has a cost: the surprisal of the least probable character at its
    place.
    """

    def __init__(self, model: ModelFile, path: Path | None = None) -> None:
        self.path = path
        self._model = model

    def __repr__(self) -> str:
        config = self._model.config
        return (
            f"<LanguageModel of {self._model.fingerprint.name}: {config.num_layers} x "
            f"{config.hidden_size}, {config.vocab_size} characters>"
        )

    @property
    def bundled_name(self) -> str | None:
        """The name of a model that comes with the program; None of any other model."""
        return bundled_name(self.path)

    @property
    def card(self) -> dict[str, Any]:
        """The model file without its weights: sizes, layers, vocabulary, corpus, text, training."""
        config = self._model.config
        return {**self._model.describe(), "parameters": config.parameters, "layers": config.layers}

    @property
    def model_file(self) -> ModelFile:
        """All that is in the model file, its weights too."""
        return self._model

    @property
    def vocabulary(self) -> str:
        """The characters that the model knows."""
        return self._model.vocabulary.characters

    def generate(
        self,
        seed: str = "",
        *,
        sample: int = 0,
        unknown: Unknown = "error",
        whole: bool | None = None,
        state: SavedState | None = None,
        **settings: Unpack[GenerationSettings],
    ) -> TextStream:
        """New text that continues ``seed``, without ``seed`` itself: an iterator over characters.

            for character in model.generate("Once upon a time", length=0, temperature=0.5):
                print(character, end="", flush=True)

        The seed phrase is read as the beginning of a line: the network reads a line end first,
        unless the phrase begins with one or the model knows none.

        The same arguments give the same text. One random seed gives many texts, and ``sample`` is
        the number of this one. Without a random seed one is chosen, and the iterator's
        ``random_seed`` has it. With ``state`` that text is continued; without a random seed then,
        its random numbers are continued too.

        With ``whole`` it is an error if no end of the text is possible. That is the default if
        ``lines`` or ``stop`` are given.

        The iterator's ``end`` says why the text ended, and ``stop`` which stop text ended it. The
        stop text is left out, unless ``keep_stop`` is set. With ``measure`` its ``bits_per_char``
        is the mean surprisal. Characters that might have begun a stop text come in one piece.
        Memory does not grow with the text.
        """
        config = generation_config(self._model, settings, whole=whole)
        sample = require_integer("sample", sample)
        phrase, _ = self._known("seed", seed, unknown)
        numbers, random_seed = None, settings.get("random_seed")
        if random_seed is not None or state is None:
            random_seed = checked_seed(random_seed)
            numbers = random_numbers(random_seed, sample)
        start = read(self._model, phrase, config, numbers=numbers, after=state)
        return TextStream(self._model, start, config, random_seed)

    def generate_many(
        self,
        seed: str = "",
        *,
        samples: int,
        unknown: Unknown = "error",
        **settings: Unpack[GenerationSettings],
    ) -> Iterator[Sample]:
        """Texts 0 to ``samples`` - 1, finished and in order, computed side by side on all cores.

        Each is the text that ``generate`` writes with its number as ``sample``.
        """
        from charlstm.generation.batch import write_batch

        config = generation_config(self._model, settings, whole=True)
        count = OPTIONS["samples"].check(samples)
        seed, _ = self._known("seed", seed, unknown)
        random_seed = checked_seed(settings.get("random_seed"))
        if config.line_filter:  # rejected lines of one text would keep the others waiting
            texts = ((self._model, seed, config, random_seed, number) for number in range(count))
            return (finished_text(*text) for text in texts)
        return write_batch(self._model, seed, config, random_seed, count)

    def complete_lines(
        self,
        phrases: Iterable[str | None],
        *,
        unknown: Unknown = "error",
        **settings: Unpack[GenerationSettings],
    ) -> Iterator[tuple[str, Sample]]:
        """Each phrase, as the model reads it, and the text that completes its line without its end.

        The text for phrase i has the random numbers of sample i. None stands for a phrase that
        cannot be read, and its text is empty. Each phrase is requested only after the line before
        it was taken. A phrase with an unknown character raises UnknownCharacterError in its turn.
        """
        config = generation_config(self._model, {**settings, "lines": 1}, whole=True)
        phrases = require_iterable("phrases", phrases)
        OPTIONS["unknown"].check(unknown)
        seed = checked_seed(settings.get("random_seed"))

        def completed() -> Iterator[tuple[str, Sample]]:
            for number, phrase in enumerate(phrases):
                if phrase is None:
                    yield "", Sample(number=number, text="")
                    continue
                known, _ = self._known("phrase", phrase, unknown)
                line = finished_text(self._model, known, config, seed, number)
                yield known, dataclasses.replace(line, text=line.text.removesuffix("\n"))

        return completed()

    def known(self, text: str, *, unknown: Unknown = "nearest") -> tuple[str, str]:
        """``text`` as the model reads it, and the characters that "nearest" left out.

        It leaves out a character if the model knows no similar one.
        """
        return self._known("text", text, unknown)

    def score(self, text: str, *, unknown: Unknown = "error") -> "Score":
        """How surprising each character of ``text`` is, and the whole text.

            model.score("To be, or not to be").bits_per_char

        The text is read as the beginning of a line, as seed phrases are. With "skip" an unknown
        character is not read, and has the surprisal of the least probable one at its place, as one
        without a similar character has it with "nearest". The score's ``unknown`` is their share.
        """
        from charlstm.analysis.score import score

        return score(self._model, self._adapted("text", text, unknown))

    def evaluate(
        self,
        sources: Sources,
        *,
        split: "Split | None" = None,
        window: int | None = None,
        exact: bool = False,
        baselines: bool = False,
        unknown: Unknown = "error",
        encoding: str | None = None,
        glob: str | None = None,
        notes: list[str] | None = None,
        progress: "Progress | None" = None,
    ) -> "Evaluation":
        """How well the model predicts a text: loss, perplexity and accuracy.

            model.evaluate("play.txt").perplexity

        ``sources`` are files and directories that make one text, "-" for standard input, a dataset,
        or a name of the catalogue whose text is on this machine. The text is read as the model's
        own was, with that ``encoding`` and ``glob`` if none are given. ``split`` is the part to
        read: "train", "val" or "all". By default that is what the model has not learned from: the
        validation part of its own text, all of another text.

        With a ``window`` the network forgets all before, every so many characters. Without
        ``exact`` the text is read in segments side by side, which changes the loss by less than
        0.001. ``baselines`` measures simpler predictors on the same characters. A line for each
        kind of change to the text goes to ``notes``. ``progress`` is called with how many
        characters have been read, and of how many. Raises OptionError, CorpusError, and
        ModelFileError for a model that does not say how its text was split.
        """
        from charlstm.analysis.evaluate import Reading, evaluate
        from charlstm.text.dataset import encode_for_model

        reading = Reading(split, window, exact, baselines, progress)
        OPTIONS["unknown"].check(unknown)
        names = source_names(sources)
        if not names:
            raise OptionError("is empty; give a text", "sources")
        text = self._model.text.for_text(encoding=encoding, glob=glob)
        dataset = encode_for_model(
            names, text, self._model.vocabulary, self._model.fingerprint, unknown
        )
        if notes is not None:
            notes += dataset.notes
        return evaluate(self._model, dataset, listed(names), reading)

    def score_many(self, texts: Iterable[str], *, unknown: Unknown = "error") -> "Iterator[Score]":
        """The score of each text, as ``score`` gives it, computed side by side on all cores.

            for score in model.score_many(["To be, or not to be", "that is the question"]):
                print(score.bits_per_char, score.text)

        Scores come in order, and memory does not grow with the number of texts. A text with an
        unknown character raises its error when it is read.
        """
        from charlstm.analysis.score import score_many

        return score_many(self._model, self._adapted_texts("texts", texts, unknown))

    def score_pieces(
        self,
        pieces: Iterable[str],
        *,
        unknown: Unknown = "error",
        progress: "Progress | None" = None,
    ) -> "Iterator[Score]":
        """The score of one text that comes in ``pieces``, for texts larger than memory.

        It comes in parts, one after the other; where they are cut has nothing to do with the
        pieces. A piece with an unknown character raises its error when it is read. ``progress`` is
        called with how many characters have been read, and None.
        """
        from charlstm.analysis.score import score_pieces

        return score_pieces(self._model, self._adapted_pieces(pieces, unknown), progress)

    def predict(
        self,
        seed: str = "",
        *,
        top: int | None = None,
        unknown: Unknown = "error",
        **settings: Unpack[SamplingSettings],
    ) -> "list[Prediction]":
        """The characters that may come next, the most probable first.

            for character, probability, _ in model.predict("To b", top=3):
                print(repr(character), probability)

        Without settings the probabilities are the model's own, at temperature 1, and
        ``model_probability`` has these in any case. The phrase is read as ``generate`` reads it,
        and its characters are those that a repetition penalty knows.

        With ``top`` only the first of them are returned, and also those of the model's own first
        that the settings make impossible: their probability is 0.
        """
        from charlstm.analysis.predict import predict

        if top is not None:
            top = require_integer("top", top, least=1)
        sampling = sampling_of(self._model, settings)
        phrase, _ = self._known("seed", seed, unknown)
        return predict(self._model, phrase, sampling, top)

    def trace(self, text: str, *, unknown: Unknown = "error") -> "Trace":
        """The values inside the network at each character of ``text``: cells, gates, surprisal.

            model.trace("To be, or not to be").cell[:, 0, 6]  # of unit 7 of the first layer

        The text is read as the beginning of a line. ``traces`` is for a long text.
        """
        from charlstm.analysis.trace import trace

        return trace(self._model, self._known("text", text, unknown)[0])

    def traces(self, pieces: Iterable[str], *, unknown: Unknown = "error") -> Iterator["Trace"]:
        """The traces of a text that comes in ``pieces``, one after the other.

        Memory does not grow with the text. A piece with an unknown character raises
        UnknownCharacterError in its turn.
        """
        from charlstm.analysis.trace import traces

        adapted = self._adapted_pieces(pieces, unknown)
        return traces(self._model, (self._known("piece", piece, "skip")[0] for piece in adapted))

    def find_cells(
        self,
        text: str,
        *,
        pattern: str | Sequence[str] = (),
        unknown: Unknown = "error",
        notes: list[str] | None = None,
        progress: "Progress | None" = None,
    ) -> "list[FoundCell]":
        """For each property of a text the cell that tells it best, such as "inside brackets".

        ``pattern`` is a regular expression, or several: the matches of each are a property. A line
        for each property that is left out goes to ``notes``. ``progress`` is called with how many
        characters have been read, and of how many, from the threads that read them. Raises
        OptionError for a wrong pattern, and CorpusError for a text that is too short.
        """
        from charlstm.analysis.cells import find_cells
        from charlstm.analysis.properties import PROPERTIES, matching

        properties = [*PROPERTIES, *map(matching, OPTIONS["pattern"].check(pattern))]
        known, _ = self._known("text", text, unknown)
        return find_cells(self._model, known, properties, notes, progress)

    def save_state(self, text: TextStream, path: str | os.PathLike[str]) -> None:
        """Write the state of a text of this model to a file, for ``load_state``."""
        save_state(text.state(), Path(path), self._model)

    def check_save_state(self, path: str | os.PathLike[str]) -> None:
        """Raise StateError if ``save_state`` could not write there, before a text is begun."""
        check_target(Path(path))

    def load_state(self, path: str | os.PathLike[str]) -> SavedState:
        """The state that ``save_state`` wrote, for ``generate``; raises StateError."""
        return load_state(Path(path), self._model)

    def new_lines_filter(
        self,
        sources: Sequence[str] = (),
        *,
        novel: int | None = None,
        new_lines: bool = False,
        unique: bool = False,
        glob: str = "*.txt",
        notes: list[str] | None = None,
    ) -> "NewLines":
        """A ``line_filter`` that compares lines with a corpus, read as the model's own corpus was.

        ``charlstm.analysis.novelty.NewLines`` describes ``novel``, ``new_lines`` and ``unique``. A
        line for each kind of normalisation of the corpus goes to ``notes``. Raises OptionError and
        CorpusError.
        """
        from charlstm.analysis.novelty import NewLines, read_whole

        if novel is not None:
            OPTIONS["novel"].check(novel)  # before a large corpus is read
        options = self._model.text.for_text(glob=glob)
        corpus = read_whole(open_corpus(sources, options), notes).text if sources else ""
        return NewLines(corpus, novel=novel, new_lines=new_lines, unique=unique)

    def export_onnx(self, path: str | os.PathLike[str]) -> None:
        """Write the model as an ONNX file, which programs in other languages can compute.

        ``charlstm.model.onnx_file.onnx_bytes`` describes its graph, one step of the network. An
        ONNX file that charlstm made is replaced, and OptionError is raised for any other file.
        This needs the package onnx.
        """
        from charlstm.model.onnx_file import write_onnx

        write_onnx(self._model, Path(require_path("path", path)))

    def _known(self, name: str, text: str, unknown: Unknown) -> tuple[str, str]:
        text = self._model.text.cased(require_text(name, text))
        return self._model.vocabulary.known(text, unknown)

    def _adapted(self, name: str, text: str, unknown: Unknown) -> str:
        """``text`` with what can be replaced; what is unknown then is not read, but has a cost."""
        text = self._model.text.cased(require_text(name, text))
        return self._model.vocabulary.adapted(text, unknown)

    def _adapted_texts(self, name: str, texts: Iterable[str], unknown: Unknown) -> Iterator[str]:
        """Several texts, each ``_adapted``; a text that cannot be read is an error later."""
        OPTIONS["unknown"].check(unknown)
        return (self._adapted("text", t, unknown) for t in require_iterable(name, texts))

    def _adapted_pieces(self, pieces: Iterable[str], unknown: Unknown) -> Iterator[str]:
        """The pieces of one text, ``_adapted``; where it is cut makes no difference."""
        several = (require_text("piece", piece) for piece in require_iterable("pieces", pieces))
        whole = whole_clusters(several) if unknown == "nearest" else several
        return self._adapted_texts("pieces", whole, unknown)
