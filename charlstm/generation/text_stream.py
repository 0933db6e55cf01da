"""One text, from a seed phrase to its end: draw a character, let the network read it, and repeat.

The network, the sampling and the stop rule meet here. Nothing is printed, and torch is not needed.
"""

import copy
import random
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from charlstm.errors import CharLSTMError
from charlstm.generation.sampling import Sampling, sample, surprisal
from charlstm.generation.saved_state import SavedState
from charlstm.generation.stopping import EndReason, StopRule, TextEnd
from charlstm.model.lstm import LSTMState
from charlstm.model.model_file import ModelFile
from charlstm.options import OPTIONS
from charlstm.text.vocabulary import Ids

TRIES = 100  # after so many rejected lines in a row the text ends with an error
LONGEST_LINE = 4000  # longer lines are filtered in pieces, so that memory does not grow


class LineFilter(Protocol):
    """Rejects lines of a text. It may remember the lines that it accepted.

    It is called after each character with at least the last ``length`` characters. It returns
    the reason why the last line is rejected, or None.
    """

    length: int

    def __call__(self, text: str) -> str | None:
        """The reason why the last line of ``text`` is rejected, or None."""


@dataclass(frozen=True, kw_only=True)
class GenerationConfig:
    """How a character is drawn, where a text ends, and which lines are rejected.

    With ``measure`` the surprisal of each character is computed.
    """

    sampling: Sampling
    stop_rule: StopRule
    line_filter: LineFilter | None = None
    measure: bool = False

    @property
    def remembered(self) -> int:
        """How many of the last characters a penalty, a stop text or a line filter needs."""
        filtered = self.line_filter.length if self.line_filter else 0
        longest = max(self.sampling.repetition_window, filtered, *map(len, self.stop_rule.stop))
        return min(int(OPTIONS["repetition_window"].most), longest)


def random_numbers(random_seed: int, number: int = 0) -> random.Random:
    """The random number generator of text ``number`` of a random seed.

    Python promises that the sequence of its ``random()`` never changes, so neither do the texts.
    """
    return random.Random(random_seed if number == 0 else f"{random_seed}/{number}")


def opening(model: ModelFile, text: str) -> LSTMState:
    """The network's state before the first character of ``text``.

    The network has read what ``before_line`` says; that is no part of the text.
    """
    state = LSTMState(model.lstm)
    with np.errstate(all="ignore"):
        for i in before_line(model, text):
            state.read(i)
    return state


def before_line(model: ModelFile, text: str) -> Ids:
    """What the network reads before ``text``, the beginning of a line: a line end, (1,).

    That is nothing, (0,), if the text begins with a line end itself, or if the model knows none.
    """
    starts_line = "\n" in model.vocabulary and not text.startswith("\n")
    return model.vocabulary.encode("\n" if starts_line else "")


def read(
    model: ModelFile,
    seed: str,
    config: GenerationConfig,
    *,
    numbers: random.Random | None = None,
    after: SavedState | None = None,
) -> SavedState:
    """The state of a text that begins with ``seed``, or of the text ``after`` and then ``seed``.

    Its characters are drawn from ``numbers``; without them, from the random numbers that follow in
    ``after``. Raises UnknownCharacterError.
    """
    ids = model.vocabulary.encode(seed).tolist()
    if after is None:
        after = SavedState(opening(model, seed), random_state=())
    lstm = after.lstm.copy()
    with np.errstate(all="ignore"):
        for i in ids:
            lstm.read(i)
    recent = (*after.recent, *ids)[-config.remembered :]
    random_state = numbers.getstate() if numbers else after.random_state
    generated = 0 if ids else after.generated
    return SavedState(lstm, random_state, recent, after.characters + len(ids), generated)


@dataclass(frozen=True, kw_only=True)
class Sample:
    """A finished text without its seed phrase; ``number`` counts the texts of a random seed.

    ``bits_per_char`` is the mean surprisal of its characters; it is None for an empty text, or if
    it was not measured. ``end`` says why the text ended; it is None for a text that never began.
    ``stop`` is the stop text that ended it, if one did.
    """

    number: int
    text: str
    bits_per_char: float | None = None
    end: EndReason | None = None
    stop: str | None = None


class TextStream(Iterator[str]):
    """A text while it is written: an iterator over its characters.

    Characters that were held back, because they might begin a stop text, come in one piece, and so
    does a line that a filter accepted. For each line that it rejected comes an empty piece, after
    which the text can be left as after any other. Memory does not grow with the text.
    """

    def __init__(
        self,
        model: ModelFile,
        state: SavedState,
        config: GenerationConfig,
        random_seed: int | None = None,
    ) -> None:
        """Continue from ``state``; ``random_seed`` is only kept for the caller."""
        self.random_seed = random_seed
        self._config = config
        self._characters = model.vocabulary.characters
        self._numbers = random.Random()
        self._numbers.setstate(state.random_state)
        self._resume(state)
        before = model.vocabulary.decode(state.recent)
        drawn = before[max(0, len(before) - state.generated) :]  # in an earlier call
        self._end = TextEnd(config.stop_rule, drawn)
        filtered = config.line_filter
        self._pieces = self._filtered(filtered, before) if filtered else self._drawn()

    def __next__(self) -> str:
        return next(self._pieces)

    @property
    def end(self) -> EndReason | None:
        """Why the text ended; None until then.

        Its ``length`` is reached, a ``stop`` text was found, or all its ``lines`` are written.
        """
        return self._end.reason

    @property
    def stop(self) -> str | None:
        """The stop text that ended the text; None if none did."""
        return self._end.stop

    @property
    def held(self) -> str:
        """What was drawn but not given out, because it may be the beginning of a stop text."""
        return self._end.held

    @property
    def bits_per_char(self) -> float | None:
        """The mean surprisal of what was given out; None if that is nothing, or not measured.

        It is computed from the model's own probabilities, at temperature 1 and without filters.
        """
        return self._end.bits_per_char if self._config.measure else None

    def finish(self, number: int = 0) -> Sample:
        """Write a text to its end and return it all, as text ``number`` of a random seed."""
        text = "".join(self)
        return Sample(
            number=number,
            text=text,
            bits_per_char=self.bits_per_char,
            end=self.end,
            stop=self.stop,
        )

    def state(self) -> SavedState:
        """The state of the text now, after all that was drawn, also what is held back."""
        generated = 0 if self.end == "stop" else self._generated  # no stop text reaches over one
        return SavedState(
            self._lstm.copy(), self._numbers.getstate(), tuple(self._recent), self._read, generated
        )

    def _resume(self, state: SavedState) -> None:
        self._lstm = state.lstm.copy()
        self._recent = deque(state.recent, maxlen=self._config.remembered)
        self._read, self._generated = state.characters, state.generated

    def _draw(self) -> tuple[str, str]:
        """Draw and read the next character; return it, and what now surely is in the text."""
        sampling = self._config.sampling
        recent: tuple[int, ...] = ()
        if sampling.repetition_penalty != 1:
            recent = tuple(self._recent)[-sampling.repetition_window :]
        with np.errstate(all="ignore"):  # too large weights become an error in sample
            logits = self._lstm.logits()
            chosen = sample(logits, sampling, uniform=self._numbers.random(), recent=recent)
            bits = float(surprisal(logits, chosen)) if self._config.measure else 0.0
            self._lstm.read(chosen)
        self._recent.append(chosen)
        self._read += 1
        self._generated += 1
        character = self._characters[chosen]
        return character, self._end.feed(character, bits)

    def _drawn(self) -> Iterator[str]:
        """The pieces of the text as they are drawn."""
        while self.end is None:
            piece = self._draw()[1]
            if piece:
                yield piece

    def _filtered(self, rejects: LineFilter, before: str) -> Iterator[str]:
        """Whole lines that the filter accepts; a line that it rejects is drawn again.

        ``before`` holds the characters read before, as far as they are remembered.
        """
        while self.end is None:
            state, end = self.state(), copy.deepcopy(self._end)
            for _ in range(TRIES):
                text, fault = before, None
                pieces: list[str] = []
                while self.end is None and fault is None and len(pieces) < LONGEST_LINE:
                    character, piece = self._draw()
                    pieces.append(piece)
                    text += character
                    fault = rejects(text)
                    if character == "\n":
                        break
                if fault is None:
                    break
                self._resume(state)
                self._end = copy.deepcopy(end)
                yield ""
            else:
                raise CharLSTMError(
                    f"{TRIES} lines in a row were rejected, the last because it {fault}",
                    "lines rejected",
                )
            before = text[-rejects.length :]
            yield "".join(pieces)


def finished_text(
    model: ModelFile, seed: str, config: GenerationConfig, random_seed: int, number: int
) -> Sample:
    """Text ``number`` of a random seed, written to its end; raises UnknownCharacterError."""
    start = read(model, seed, config, numbers=random_numbers(random_seed, number))
    return TextStream(model, start, config).finish(number)
