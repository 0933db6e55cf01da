"""One text, from a seed phrase to its end: the network reads, a character is drawn, and so on.

Puts network, sampling and stop rule together. It prints nothing and never needs torch.
"""

import copy
import random
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from charlstm.errors import CharLSTMError, OptionError
from charlstm.generation.sampling import Sampling, sample, surprisal
from charlstm.generation.saved_state import SavedState
from charlstm.generation.stopping import EndReason, StopRule, TextEnd
from charlstm.model.lstm import LSTMState
from charlstm.model.model_file import ModelFile
from charlstm.options import OPTIONS, shown

TRIES = 100  # lines refused in a row before it is an error
LONGEST_LINE = 4000  # longer ones are filtered in pieces, so that memory stays bounded


class LineFilter(Protocol):
    """Refuses lines; it belongs to one text, since it may remember the lines that it let pass.

    It is called after each character with the text so far, as much of it as ``length`` says. Its
    answer is why the last line must not stand, or None.
    """

    length: int  # how many characters back it looks

    def __call__(self, text: str) -> str | None:
        """Why the last line of ``text`` is refused; None where it is not."""


@dataclass(frozen=True, kw_only=True)
class GenerationConfig:
    """How texts are written: how a character is drawn, where a text ends, which lines may stand.

    With ``measure`` the surprisal of each character is computed. A text that is kept until it is
    ``whole`` must have an end that can come.
    """

    sampling: Sampling
    stop_rule: StopRule
    line_filter: LineFilter | None = None
    measure: bool = False
    whole: bool = False

    @property
    def remembered(self) -> int:
        """How many characters back a penalty, a stop text or a line filter looks."""
        filtered = self.line_filter.length if self.line_filter else 0
        longest = max(self.sampling.repetition_window, filtered, *map(len, self.stop_rule.stop))
        return min(int(OPTIONS["repetition_window"].most), longest)

    def check(self, model: ModelFile) -> None:
        """Raise OptionError for ends that can never come where one must.

        One must come where texts are whole, and where lines are all that ends a text.
        """
        rule, banned = self.stop_rule, self.sampling.banned
        self.sampling.check_vocabulary(len(model.vocabulary))
        never = {model.vocabulary.characters[i] for i in banned}

        def can_come(text: str) -> bool:
            return not model.vocabulary.unknown(text) and never.isdisjoint(text)

        if rule.length or any(map(can_come, rule.stop)) or (rule.lines and can_come("\n")):
            return
        if rule.lines and (self.whole or not rule.stop):
            raise OptionError(f"is {rule.lines}, but the model writes no line end", "lines", "end")
        if self.whole and rule.stop:
            stops = " or ".join(map(shown, rule.stop))
            raise OptionError(f"the model never writes {stops}, so that no text ends", code="end")
        if self.whole:
            raise OptionError(
                "is 0, which is without end, but a text that is written whole needs an end",
                "length",
                "end",
            )


def random_numbers(random_seed: int, number: int = 0) -> random.Random:
    """The generator from which text ``number`` of a random seed draws.

    Python promises to keep the sequence of its ``random()``, so that seeded texts last.
    """
    return random.Random(random_seed if number == 0 else f"{random_seed}/{number}")


def opening(model: ModelFile, text: str) -> LSTMState:
    """What the network knows before the first character of ``text``.

    A text is read as the beginning of a line: the network has read a line end, where the
    vocabulary has one. That line end is no part of the text. A text that begins with a line end
    is read from the network's zero state.
    """
    state = LSTMState(model.lstm)
    if "\n" in model.vocabulary and not text.startswith("\n"):
        with np.errstate(all="ignore"):
            state.read(int(model.vocabulary.encode("\n")[0]))
    return state


def read(
    model: ModelFile,
    seed: str,
    config: GenerationConfig,
    *,
    numbers: random.Random | None = None,
    after: SavedState | None = None,
) -> SavedState:
    """The state of a text that begins with ``seed``, or that goes on with it ``after`` another.

    Its characters are drawn from ``numbers``, or where the other text stopped drawing. Raises
    UnknownCharacterError.
    """
    ids = model.vocabulary.encode(seed).tolist()
    lstm = after.lstm.copy() if after else opening(model, seed)
    recent = deque(after.recent if after else (), maxlen=config.remembered)
    with np.errstate(all="ignore"):
        for i in ids:
            lstm.read(i)
    recent.extend(ids)
    if numbers is None:
        assert after is not None
        numbers = random.Random()
        numbers.setstate(after.random_state)
    characters = after.characters if after else 0
    generated = after.generated if after and not ids else 0
    return SavedState(lstm, numbers.getstate(), tuple(recent), characters + len(ids), generated)


@dataclass(frozen=True, kw_only=True)
class Sample:
    """A finished text without its seed phrase; ``number`` counts the texts of a random seed.

    ``bits_per_char`` is the mean surprisal of its characters, None for an empty text or if it was
    not measured. ``end`` says why the text ended; None where it was never begun.
    """

    number: int
    text: str
    bits_per_char: float | None = None
    end: EndReason | None = None


class TextStream(Iterator[str]):
    """A text as it comes: pieces of it, each a character, or more where some were held back.

    ``end`` says why the text ended: its ``length`` is reached, a ``stop`` text was found, or all
    its ``lines`` are written; it is None before. Memory does not grow with the text.
    """

    def __init__(
        self,
        model: ModelFile,
        state: SavedState,
        config: GenerationConfig,
        random_seed: int | None = None,
    ) -> None:
        """Go on from ``state``; ``random_seed`` is that of the draws, where there is one."""
        self.random_seed = random_seed
        self._config = config
        self._characters = model.vocabulary.characters
        self._numbers = random.Random()
        self._numbers.setstate(state.random_state)
        self._resume(state)
        before = model.vocabulary.decode(state.recent)
        drawn = before[max(0, len(before) - state.generated) :]  # an earlier call's
        self._end = TextEnd(config.stop_rule, drawn)
        filtered = config.line_filter
        self._pieces = self._filtered(filtered, before) if filtered else self._drawn()

    def __next__(self) -> str:
        return next(self._pieces)

    @property
    def end(self) -> EndReason | None:
        """Why the text ended; None before."""
        return self._end.reason

    @property
    def held(self) -> str:
        """What was drawn and not given out, since it may be the beginning of a stop text."""
        return self._end.held

    @property
    def bits_per_char(self) -> float | None:
        """The mean surprisal of what was given out; None for nothing, or if not measured.

        It is -log2 of the model's own probability, at temperature 1 and without filters.
        """
        return self._end.bits_per_char if self._config.measure else None

    def finish(self, number: int = 0) -> Sample:
        """The whole of a text that has an end; ``number`` is for the record."""
        text = "".join(self)
        return Sample(number=number, text=text, bits_per_char=self.bits_per_char, end=self.end)

    def state(self) -> SavedState:
        """The state of the text now; all that was drawn counts as read, held back or not."""
        generated = 0 if self.end == "stop" else self._generated  # after a stop text, another text
        return SavedState(
            self._lstm.copy(),
            self._numbers.getstate(),
            tuple(self._recent),
            self._read,
            generated,
        )

    def _resume(self, state: SavedState) -> None:
        self._lstm = state.lstm.copy()
        self._recent = deque(state.recent, maxlen=self._config.remembered)
        self._read, self._generated = state.characters, state.generated

    def _draw(self) -> tuple[str, str]:
        """The next character, drawn and read, and what of the text is now sure to be given out.

        numpy may warn of weights that are too large before they are an error here; to keep it
        quiet would take a fiftieth of the time.
        """
        sampling = self._config.sampling
        recent: tuple[int, ...] = ()
        if sampling.repetition_penalty != 1:
            recent = tuple(self._recent)[-sampling.repetition_window :]
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
        """Pieces as they are drawn, to the end of the text."""
        while self.end is None:
            piece = self._draw()[1]
            if piece:
                yield piece

    def _filtered(self, refuses: LineFilter, before: str) -> Iterator[str]:
        """Whole lines that the filter lets pass; one that it refuses is drawn again.

        ``before`` is what was read before, as much of it as is remembered.
        """
        while self.end is None:
            state, end = self.state(), self._end
            for _ in range(TRIES):
                self._resume(state)
                self._end = copy.deepcopy(end)
                text, fault = before, None
                pieces: list[str] = []
                while self.end is None and fault is None and len(pieces) < LONGEST_LINE:
                    character, piece = self._draw()
                    pieces.append(piece)
                    text += character
                    fault = refuses(text)
                    if character == "\n":
                        break
                if fault is None:
                    break
            else:
                raise CharLSTMError(
                    f"{TRIES} lines in a row were refused, the last since it {fault}",
                    "lines refused",
                )
            before = text[-refuses.length :]
            yield "".join(pieces)
