"""The Python face: a model on disk as an object that writes, scores and predicts.

Names here are stable; the modules below them may change. Torch is never imported.
"""

import os
from collections.abc import Iterable, Sequence
from typing import Any

from charlstm.analysis.score import Score, score
from charlstm.errors import OptionError
from charlstm.generation.sampling import PLAIN, Sampling, probabilities
from charlstm.generation.stream import Stream, drawn_seed, network_of, random_numbers
from charlstm.generation.text_stream import Generation, begin, generate, length_of
from charlstm.model.locate import find_model
from charlstm.model.model_file import ModelFile, load_model
from charlstm.options import require_flag, require_integer, require_text, shown
from charlstm.text.seeds import Unknown, read_seed


def load(path: str | os.PathLike[str] | None = None) -> "LanguageModel":
    """The model in a file or a run directory; without a path that of the newest run.

    Raises CharLSTMError where there is none, or one that cannot be used. At a character a call
    numpy is fastest with one thread (``OPENBLAS_NUM_THREADS=1`` before it is imported), which is
    also what the command computes with, to the last bit.
    """
    try:
        place = None if path is None else os.fsdecode(path)
    except TypeError as error:
        raise OptionError(f"path is {shown(path)}; it must be a text or a path") from error
    return LanguageModel(load_model(find_model(place)))


class LanguageModel:
    """A trained model, ready to use; made by ``load``.

    Errors are CharLSTMError. Wrong values, and characters that the model never saw, are found
    when a method is called, and are a ValueError, too. Numbers may be numpy's. ``unknown`` says
    what becomes of unknown characters in a text that is given: ``"error"``, ``"skip"`` or
    ``"nearest"``, as on the command line; ``known`` shows it.
    """

    def __init__(self, model: ModelFile) -> None:
        self._model = model
        self._network = network_of(model)

    def __repr__(self) -> str:
        config = self._model.config
        return (
            f"<LanguageModel of {self._model.fingerprint.name}: {config.num_layers} x "
            f"{config.hidden_size}, {config.vocab_size} characters>"
        )

    @property
    def card(self) -> dict[str, Any]:
        """What ``charlstm inspect --json`` prints: sizes, vocabulary, corpus, training."""
        return {**self._model.describe(), "parameters": self._model.config.parameters}

    @property
    def vocabulary(self) -> str:
        """The characters that the model knows."""
        return self._model.vocabulary.characters

    def generate(
        self,
        seed: str = "",
        *,
        length: int | None = None,
        temperature: float = 0.7,
        top_k: int = 0,
        top_p: float = 1.0,
        min_p: float = 0.0,
        repetition_penalty: float = 1.0,
        repetition_window: int = 64,
        ban: str = "",
        stop: str | Sequence[str] = (),
        lines: int | None = None,
        random_seed: int | None = None,
        sample: int = 0,
        unknown: Unknown = "error",
        measure: bool = False,
    ) -> Generation:
        """New text after ``seed``, which is not repeated: an iterator over its characters.

        The phrase is read as the beginning of a line: the network reads a line end first, unless
        the phrase begins with one or the model knows none.

        Names, defaults and meanings are those of ``charlstm generate``: ``length`` 0 is without
        end, and by default 1000, or 1000 for each of ``lines``. Where it is 0 and other ends are
        named, one of them must be able to come. Text ``sample`` of a random seed is the same
        however many are made. Without a random seed one is drawn; it is the iterator's
        ``random_seed``. Its ``end`` says why the text ended and, with ``measure``, its
        ``bits_per_char`` how surprising it was. Pieces are single characters but where the
        beginning of a stop text came to nothing. Memory does not grow with the text.

            for character in model.generate("Once upon a time", length=0, temperature=0.5):
                print(character, end="", flush=True)
        """
        if length is not None:
            length = require_integer("length", length, least=0)
        if lines is not None:
            lines = require_integer("lines", lines, least=1)
        require_flag("measure", measure)
        sampling = Sampling(
            temperature=temperature,
            top_k=top_k,
            top_p=top_p,
            min_p=min_p,
            repetition_penalty=repetition_penalty,
            repetition_window=repetition_window,
        )
        cased = self._model.text.cased
        stops = [cased(text) for text in _texts("stop", stop)]
        return generate(
            self._model,
            read_seed(self._model, require_text("seed", seed), unknown),
            random_seed=drawn_seed() if random_seed is None else random_seed,
            sample=sample,
            length=length_of(length, lines),
            sampling=sampling.banning(cased(require_text("ban", ban)), self.vocabulary),
            stop=stops,
            lines=lines,
            measure=measure,
            whole=bool(stops) or lines is not None,  # who names an end waits for it
            network=self._network,
        )

    def known(self, text: str, *, unknown: Unknown = "nearest") -> tuple[str, str]:
        """``text`` as the model reads it, and the characters that "nearest" left out.

        It leaves out what has nothing near it among the characters that the model knows.
        """
        left_out: list[str] = []
        read = read_seed(self._model, require_text("text", text), unknown, left_out)
        return read, "".join(left_out)

    def score(self, text: str, *, unknown: Unknown = "error") -> Score:
        """How surprising each character of ``text`` is, and the text as a whole.

            model.score("To be, or not to be").bits_per_char

        The text is read as the beginning of a line, as seed phrases are.
        """
        read = read_seed(self._model, require_text("text", text), unknown)
        return score(self._model, read, network=self._network)

    def predict(
        self, seed: str = "", *, top: int | None = None, unknown: Unknown = "error"
    ) -> list[tuple[str, float]]:
        """Each character with the probability that it comes next, the most probable first.

        ``top`` limits how many. The probabilities are the model's own, at temperature 1. The
        phrase is read as ``generate`` reads it.
        """
        if top is not None:
            top = require_integer("top", top, least=1)
        phrase = read_seed(self._model, require_text("seed", seed), unknown)
        reading = begin(self._model, self._network, phrase, window=1)
        stream = Stream(self._network, PLAIN, random_numbers(0), reading)
        shares = probabilities(stream.logits(), PLAIN).tolist()
        ranked = sorted(zip(self.vocabulary, shares, strict=True), key=lambda pair: -pair[1])
        return ranked[:top]


def _texts(name: str, value: object) -> list[str]:
    """A text, or several, as a list; OptionError for anything else."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, Iterable) and not isinstance(value, bytes):
        texts = list(value)
        if all(isinstance(text, str) for text in texts):
            return texts
    raise OptionError(f"{name} is {shown(value)}; it must be a text or a list of texts")
