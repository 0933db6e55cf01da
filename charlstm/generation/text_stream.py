"""From a seed phrase to new text, a character at a time, until it ends for one of three reasons.

Puts network, sampler and vocabulary together; it prints nothing and never needs torch.
"""

import copy
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from charlstm.analysis.line_filter import LineFilter
from charlstm.errors import CharLSTMError, OptionError
from charlstm.generation.sampling import LONGEST_WINDOW, PLAIN, Sampling
from charlstm.generation.stopping import End, Ending
from charlstm.generation.stream import Reading, Stream, network_of, random_numbers
from charlstm.model.lstm import Network
from charlstm.model.model_file import ModelFile
from charlstm.options import require_integer, shown

DEFAULT_LENGTH = 1000
TRIES = 100  # lines thrown away in a row before it is said that nothing new comes
LONGEST_LINE = 4000  # what is longer is filtered in pieces, so that memory stays bounded


@dataclass(frozen=True)
class Place:
    """Where a text can be taken up again: what was read, and the random generator's state."""

    reading: Reading
    numbers: tuple[object, ...]  # as random.Random.getstate gives it


class Generation(Iterator[str]):
    """A text as it comes: pieces of it, each a character, or more where some were held back.

    ``end`` says why it ended: its ``length`` is reached, a ``stop`` text was found, or all its
    ``lines`` are written; it is None before. ``random_seed`` is the draws', None where they go
    on with those of an earlier text.
    """

    def __init__(
        self,
        model: ModelFile,
        network: Network,
        reading: Reading,
        numbers: random.Random,
        *,
        sampling: Sampling,
        length: int | None,
        stop: Sequence[str],
        lines: int | None,
        line_filter: LineFilter | None,
        measure: bool,
        random_seed: int | None = None,
    ) -> None:
        self.random_seed = random_seed
        self._network, self._sampling, self._numbers = network, sampling, numbers
        self._window = _remembered(line_filter, stop)
        self._stream = Stream(network, sampling, numbers, reading, window=self._window)
        self._letters = model.vocabulary.characters
        self._measure = measure
        before = model.vocabulary.decode(reading.recent)
        drawn = before[max(0, len(before) - reading.generated) :]  # an earlier call's
        self._ending = Ending(length=length, stop=stop, lines=lines, before=drawn)
        if line_filter:
            self._pieces = self._filtered(line_filter, before)
        else:
            self._pieces = self._drawn()

    def __next__(self) -> str:
        return next(self._pieces)

    @property
    def end(self) -> End | None:
        """Why the text ended; None before."""
        return self._ending.end

    @property
    def held(self) -> str:
        """What was drawn and not given out, since it may be the beginning of a stop text."""
        return self._ending.held

    @property
    def bits_per_char(self) -> float | None:
        """The mean surprise of what was given out; None for nothing, or if not measured.

        -log2 of the model's own probability, at temperature 1 and without filters.
        """
        return self._ending.bits_per_char if self._measure else None

    def place(self) -> Place:
        """Where the text stands now; all that was drawn counts as read, held back or not."""
        reading = self._stream.reading()
        if self.end == "stop":  # what comes after a stop text is another text
            reading = replace(reading, generated=0)
        return Place(reading, self._numbers.getstate())

    def _drawn(self) -> Iterator[str]:
        """Pieces as they are drawn, to the end of the text."""
        stream, ending, letters, measure = self._stream, self._ending, self._letters, self._measure
        while ending.end is None:
            piece = ending.feed(letters[stream.draw(measure=measure)], stream.bits)
            if piece:
                yield piece

    def _filtered(self, line_filter: LineFilter, before: str) -> Iterator[str]:
        """Whole lines that the filter lets pass; one that it refuses is drawn again.

        ``before`` is what was read before, as much of it as is remembered.
        """
        while self.end is None:
            reading, ending = self._stream.reading(), self._ending
            for _ in range(TRIES):
                self._stream = Stream(
                    self._network, self._sampling, self._numbers, reading, window=self._window
                )
                self._ending = copy.deepcopy(ending)
                shown, drawn = self._new_line(line_filter, before)
                text = before + drawn
                fault = line_filter.fault(text)
                if fault is None:
                    break
            else:
                raise CharLSTMError(
                    f"{TRIES} lines in a row were thrown away, the last since it {fault}; ask for "
                    f"fewer lines, allow more (--novel, --new-lines, --unique), or draw more "
                    f"boldly (--temperature)"
                )
            line_filter.take(text)
            before = text[-self._window :]
            if shown:
                yield shown

    def _new_line(self, line_filter: LineFilter, before: str) -> tuple[str, str]:
        """What is shown of a line, and what was drawn; the line ends where it copies."""
        ending = self._ending
        shown, drawn = [], ""
        text = before[-line_filter.memory :]
        while ending.end is None and len(drawn) < LONGEST_LINE and not drawn.endswith("\n"):
            character = self._letters[self._stream.draw(measure=self._measure)]
            text, drawn = (text + character)[-self._window :], drawn + character
            shown.append(ending.feed(character, self._stream.bits))
            if line_filter.copies(text):
                break
        return "".join(shown), drawn


def opening(model: ModelFile, network: Network, text: str) -> Reading:
    """What the network knows before the first character of ``text``.

    A text is read as the beginning of a line: the network reads a line end first, wherever the
    vocabulary has one. That line end is no part of the text, so that nothing counts it. A text
    that begins with a line end is read as it is, from the network's zero state.
    """
    stream = Stream(network, PLAIN, random.Random(0))
    if "\n" in model.vocabulary and not text.startswith("\n"):
        stream.read(model.vocabulary.encode("\n"))
    return replace(stream.reading(), recent=(), characters=0)


def begin(
    model: ModelFile, network: Network, seed: str, *, window: int, after: Reading | None = None
) -> Reading:
    """What the network knows when it has read ``seed``, as ``opening`` has it or after ``after``.

    The last ``window`` ids of the phrase are remembered. Raises UnknownCharacterError.
    """
    ids = model.vocabulary.encode(seed)
    after = after or opening(model, network, seed)
    stream = Stream(network, PLAIN, random.Random(0), after, window=window)
    stream.read(ids)
    return stream.reading()


def generate(
    model: ModelFile,
    seed: str = "",
    *,
    random_seed: int | None = None,
    sample: int = 0,
    length: int | None = None,
    sampling: Sampling = PLAIN,
    stop: Sequence[str] = (),
    lines: int | None = None,
    place: Place | None = None,
    line_filter: LineFilter | None = None,
    measure: bool = False,
    whole: bool = False,
    network: Network | None = None,
) -> Generation:
    """Text that follows ``seed``: ``length`` characters, or without end.

    It ends before the first ``stop`` text that is generated, and after ``lines`` line ends.
    The same arguments give the same text: text ``sample`` of a random seed has a sequence of
    draws of its own (``random_numbers``). With ``place`` the text goes on from there, and with
    the draws that follow there unless there is a random seed. What ``line_filter`` refuses is
    thrown away and drawn again. A text that is kept until it is ``whole`` must have an end that
    can come. ``network`` is the model's, where one was made already.

    Raises OptionError and UnknownCharacterError at once, not at the first character.
    """
    if random_seed is not None:
        random_seed = require_integer("random_seed", random_seed, least=0)
    elif place is None:
        raise OptionError("no random seed; give a whole number")
    sample = require_integer("sample", sample, least=0)
    check_ends(model, sampling, length=length, stop=stop, lines=lines, whole=whole)
    network = network or network_of(model)
    window = max(sampling.repetition_window, _remembered(line_filter, stop))
    reading = begin(model, network, seed, window=window, after=place.reading if place else None)
    if random_seed is not None:
        numbers = random_numbers(random_seed, sample)
    else:
        assert place is not None
        numbers = random.Random()
        numbers.setstate(place.numbers)
    return Generation(
        model,
        network,
        reading,
        numbers,
        sampling=sampling,
        length=length,
        stop=stop,
        lines=lines,
        line_filter=line_filter,
        measure=measure,
        random_seed=random_seed,
    )


def _remembered(line_filter: LineFilter | None, stop: Sequence[str]) -> int:
    """How many characters back a line, a copied passage or a stop text may begin."""
    longest = max((line_filter.memory if line_filter else 0, *map(len, stop)))
    return min(LONGEST_WINDOW, longest)


def length_of(asked: int | None, lines: int | None) -> int | None:
    """The length that a user means: 0 is without end, nothing the default, or it for each line.

    >>> length_of(None, None), length_of(None, 3), length_of(0, 3), length_of(70, 3)
    (1000, 3000, None, 70)
    """
    if asked is None:
        return DEFAULT_LENGTH * max(1, lines or 1)
    return asked if asked != 0 else None


def check_ends(
    model: ModelFile,
    sampling: Sampling,
    *,
    length: int | None,
    stop: Sequence[str],
    lines: int | None,
    whole: bool = False,
) -> None:
    """Raise OptionError for ends that make no sense, or that can never come where one must.

    One must where the text is kept until it is ``whole``, and where lines are all that ends it.
    """
    sampling.check_vocabulary(len(model.vocabulary))
    if length is not None:
        require_integer("length", length, least=0)
    Ending(length=length, stop=stop, lines=lines)
    if lines is not None:
        require_integer("lines", lines, least=1)
    banned = {model.vocabulary.characters[i] for i in sampling.banned}

    def comes(text: str) -> bool:
        return not model.vocabulary.unknown(text) and banned.isdisjoint(text)

    if length is not None or any(map(comes, stop)) or (lines is not None and comes("\n")):
        return
    if lines is not None and (whole or not stop):
        raise OptionError(f"lines is {lines}, but the model writes no line end; give a length")
    if whole and stop:
        never = " or ".join(map(shown, stop))
        raise OptionError(f"the model never writes {never}, so that no text ends; give a length")
    if whole:
        raise OptionError(
            "length is 0, which is without end, but a text that is written whole needs one; "
            "give a length, --lines or --stop"
        )
