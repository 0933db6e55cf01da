"""The public object: all that can be done with a trained model, from Python.

Names here are stable; the modules below may change. Torch is never imported.
"""

import dataclasses
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

import numpy as np

from charlstm.errors import OptionError
from charlstm.generation.sampling import Sampling, probabilities
from charlstm.generation.stopping import StopRule
from charlstm.generation.text_stream import (
    GenerationConfig,
    LineFilter,
    Sample,
    TextStream,
    opening,
    random_numbers,
    read,
)
from charlstm.model.locate import find_model
from charlstm.model.model_file import ModelFile, load_model
from charlstm.options import OPTIONS, fields_of, require_flag, require_integer, require_text, shown
from charlstm.text.vocabulary import Unknown

if TYPE_CHECKING:
    from charlstm.analysis.novelty import NewLines
    from charlstm.analysis.score import Score
    from charlstm.generation.saved_state import SavedState


class GenerationSettings(TypedDict, total=False):
    """How a text is written; the table in ``charlstm.options`` has defaults and meanings."""

    length: int | None
    lines: int | None
    stop: str | Sequence[str]
    temperature: float
    top_k: int
    top_p: float
    min_p: float
    repetition_penalty: float
    repetition_window: int
    ban: str


def load(path: str | os.PathLike[str] | None = None) -> "LanguageModel":
    """The model in a file or a run directory; without a path, that of the newest run.

    Raises CharLSTMError where there is none, or one that cannot be used. At a character a call
    numpy is fastest with one thread: set ``OPENBLAS_NUM_THREADS=1`` before it is imported. The
    command does that, and its texts are the same to the last bit only then.
    """
    try:
        name = None if path is None else os.fsdecode(path)
    except TypeError as error:
        raise OptionError(f"is {shown(path)}; it must be a text or a path", "path") from error
    file = find_model(name)
    return LanguageModel(load_model(file), file)


class LanguageModel:
    """A trained model, ready to use; made by ``load``.

    Errors are CharLSTMError. Wrong values, and characters that the model never saw, are found
    when a method is called, and are a ValueError, too. Numbers may be numpy's.

    ``unknown`` says what becomes of unknown characters in a text that is given: with ``"error"``
    they are an error, with ``"skip"`` they are left out, with ``"nearest"`` the most similar known
    character takes their place; ``known`` shows it.
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
    def card(self) -> dict[str, Any]:
        """What the model file says of itself: sizes, vocabulary, corpus, text, training."""
        return {**self._model.describe(), "parameters": self._model.config.parameters}

    @property
    def vocabulary(self) -> str:
        """The characters that the model knows."""
        return self._model.vocabulary.characters

    def generate(
        self,
        seed: str = "",
        *,
        random_seed: int | None = None,
        sample: int = 0,
        unknown: Unknown = "error",
        measure: bool = False,
        whole: bool | None = None,
        line_filter: LineFilter | None = None,
        state: "SavedState | None" = None,
        **settings: Unpack[GenerationSettings],
    ) -> TextStream:
        """New text after ``seed``, which is not repeated: an iterator over its characters.

            for character in model.generate("Once upon a time", length=0, temperature=0.5):
                print(character, end="", flush=True)

        The seed phrase is read as the beginning of a line: the network reads a line end first,
        unless the phrase begins with one or the model knows none.

        The same arguments give the same text. Text ``sample`` of a random seed is the same however
        many are made. Without a random seed one is chosen; it is the iterator's ``random_seed``.
        With ``state`` the text goes on from there, and unless there is a random seed, with the
        random numbers that follow there.

        A text that has ends must have one that can come if it is ``whole``, which it is by default
        where ``lines`` or ``stop`` are given. Lines that ``line_filter`` refuses are drawn again.

        The iterator's ``end`` says why the text ended and, with ``measure``, its ``bits_per_char``
        how surprising it was. Pieces are single characters, but for a beginning of a stop text
        that came to nothing. Memory does not grow with the text.
        """
        config = self._config(settings, measure=measure, whole=whole, line_filter=line_filter)
        sample = require_integer("sample", sample)
        phrase, _ = self._known("seed", seed, unknown)
        numbers = None
        if random_seed is not None or state is None:
            random_seed = _random_seed(random_seed)
            numbers = random_numbers(random_seed, sample)
        start = read(self._model, phrase, config, numbers=numbers, after=state)
        return TextStream(self._model, start, config, random_seed)

    def generate_many(
        self,
        seed: str = "",
        *,
        samples: int,
        random_seed: int | None = None,
        unknown: Unknown = "error",
        measure: bool = False,
        line_filter: LineFilter | None = None,
        **settings: Unpack[GenerationSettings],
    ) -> Iterator[Sample]:
        """Texts 0 to ``samples`` - 1, finished and in order, computed side by side on all cores.

        Each is the text that ``generate`` writes with its number as ``sample``.
        """
        from charlstm.generation.batch import Batch, write_batch

        config = self._config(settings, measure=measure, whole=True, line_filter=line_filter)
        count = OPTIONS["samples"].check(samples)
        seed, _ = self._known("seed", seed, unknown)
        return write_batch(Batch(self._model, seed, config, _random_seed(random_seed)), count)

    def complete_lines(
        self,
        phrases: Iterable[str | None],
        *,
        random_seed: int | None = None,
        measure: bool = False,
        line_filter: LineFilter | None = None,
        **settings: Unpack[GenerationSettings],
    ) -> Iterator[tuple[str, Sample]]:
        """Each phrase with the text that completes its line, without the line end.

        Phrase i draws as sample i does. None stands for a phrase that cannot be read; its line is
        empty. The next phrase is asked for only when the line before it was taken. Raises
        UnknownCharacterError when a phrase with an unknown character comes.
        """
        # One line each, which a stop text or the length may end too.
        config = self._config(
            {**settings, "lines": 1}, measure=measure, whole=True, line_filter=line_filter
        )
        seed = _random_seed(random_seed)

        def completed() -> Iterator[tuple[str, Sample]]:
            for number, phrase in enumerate(phrases):
                if phrase is None:
                    yield "", Sample(number=number, text="")
                    continue
                start = read(self._model, phrase, config, numbers=random_numbers(seed, number))
                line = TextStream(self._model, start, config).finish(number)
                yield phrase, dataclasses.replace(line, text=line.text.removesuffix("\n"))

        return completed()

    def known(self, text: str, *, unknown: Unknown = "nearest") -> tuple[str, str]:
        """``text`` as the model reads it, and the characters that "nearest" left out.

        It leaves out what has nothing similar among the characters that the model knows.
        """
        return self._known("text", text, unknown)

    def score(self, text: str, *, unknown: Unknown = "error") -> "Score":
        """How surprising each character of ``text`` is, and the text as a whole.

            model.score("To be, or not to be").bits_per_char

        The text is read as the beginning of a line, as seed phrases are.
        """
        from charlstm.analysis.score import score

        return score(self._model, self._known("text", text, unknown)[0])

    def predict(
        self, seed: str = "", *, top: int | None = None, unknown: Unknown = "error"
    ) -> list[tuple[str, float]]:
        """Each character with the probability that it comes next, the most probable first.

        ``top`` limits how many. The probabilities are the model's own, at temperature 1. The
        phrase is read as ``generate`` reads it.
        """
        if top is not None:
            top = require_integer("top", top, least=1)
        phrase, _ = self._known("seed", seed, unknown)
        lstm = opening(self._model, phrase)
        with np.errstate(all="ignore"):
            for i in self._model.vocabulary.encode(phrase).tolist():
                lstm.read(i)
            shares = probabilities(lstm.logits(), Sampling()).tolist()
        ranked = sorted(zip(self.vocabulary, shares, strict=True), key=lambda pair: -pair[1])
        return ranked[:top]

    def save_state(self, text: TextStream, path: str | os.PathLike[str]) -> None:
        """Write the state of a text of this model to a file, from which ``load_state`` goes on."""
        from charlstm.generation.saved_state import save_state

        save_state(text.state(), Path(path), self._model)

    def check_save_state(self, path: str | os.PathLike[str]) -> None:
        """Raise StateError where ``save_state`` could not write: before a text is begun."""
        from charlstm.generation.saved_state import check_target

        check_target(Path(path))

    def load_state(self, path: str | os.PathLike[str]) -> "SavedState":
        """The state that ``save_state`` wrote, for ``generate``; raises StateError."""
        from charlstm.generation.saved_state import load_state

        return load_state(Path(path), self._model)

    def new_lines_filter(
        self, sources: Sequence[str] = (), *, glob: str = "*.txt", **how: Any
    ) -> "NewLines":
        """A ``line_filter`` for a corpus, read as the model's own corpus was.

        ``how`` is what ``charlstm.analysis.novelty.new_lines_filter`` takes: ``novel``,
        ``new_lines``, ``unique``, ``notes``.
        """
        from charlstm.analysis.novelty import new_lines_filter

        options = dataclasses.replace(self._model.text, glob=glob)
        return new_lines_filter(sources, options, **how)

    def _known(self, name: str, text: str, unknown: Unknown) -> tuple[str, str]:
        text = self._model.text.cased(require_text(name, text))
        return self._model.vocabulary.known(text, unknown)

    def _config(
        self,
        settings: GenerationSettings,
        *,
        measure: bool,
        whole: bool | None,
        line_filter: LineFilter | None,
    ) -> GenerationConfig:
        """The settings as records; raises OptionError, and TypeError for a name that is none."""
        known = GenerationSettings.__optional_keys__
        if other := sorted(settings.keys() - known):
            raise TypeError(f"got an unexpected keyword argument {other[0]!r}")
        cased = self._model.text.cased
        values = {"temperature": OPTIONS["temperature"].default, **settings}
        values["stop"] = tuple(map(cased, OPTIONS["stop"].check(settings.get("stop", ()))))
        ban = cased(OPTIONS["ban"].check(settings.get("ban", "")))
        sampling = Sampling(**fields_of(Sampling, values)).banning(ban, self.vocabulary)
        rule = StopRule(**fields_of(StopRule, values))
        if whole is None:
            whole = bool(rule.stop) or rule.lines is not None
        config = GenerationConfig(
            sampling=sampling,
            stop_rule=rule,
            line_filter=line_filter,
            measure=require_flag("measure", measure),
            whole=require_flag("whole", whole),
        )
        config.check(self._model)
        return config


def _random_seed(given: int | None) -> int:
    """The random seed, or one from the system that is short enough to be copied by hand."""
    if given is None:
        return int.from_bytes(os.urandom(4), "big")
    checked: int = OPTIONS["random_seed"].check(given)
    return checked
