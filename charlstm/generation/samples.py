"""Many texts, from one seed phrase or one from each, finished before they are handed on."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from charlstm.analysis.line_filter import LineFilter
from charlstm.generation.batch import Batch, written
from charlstm.generation.sampling import PLAIN, Sampling
from charlstm.generation.stopping import End, Ending
from charlstm.generation.stream import network_of
from charlstm.generation.text_stream import Generation, begin, check_ends, generate
from charlstm.model.lstm import Network
from charlstm.model.model_file import ModelFile
from charlstm.options import require_integer


@dataclass(frozen=True, kw_only=True)
class Sample:
    """A finished text; ``number`` counts the texts of a random seed from 0.

    ``text`` is without its seed phrase, ``bits_per_char`` the mean surprise of its characters
    (None for an empty text, or if not measured), ``end`` why it ended (None for a line that
    was not begun, since its phrase could not be read).
    """

    number: int
    text: str
    bits_per_char: float | None
    end: End | None


def samples(
    model: ModelFile,
    seed: str = "",
    *,
    count: int,
    random_seed: int,
    length: int | None = None,
    sampling: Sampling = PLAIN,
    stop: Sequence[str] = (),
    lines: int | None = None,
    line_filter: LineFilter | None = None,
    measure: bool = False,
    network: Network | None = None,
) -> Iterator[Sample]:
    """Texts 0 to ``count`` - 1, in order, as ``generate`` writes them one by one.

    Each depends on the model, the seed phrase, the random seed, the settings and its number
    alone: it is the same whatever the count. Raises OptionError and UnknownCharacterError at
    once, also for texts that might have no end.
    """
    count = require_integer("samples", count, least=1)
    random_seed = require_integer("random_seed", random_seed, least=0)
    check_ends(model, sampling, length=length, stop=stop, lines=lines, whole=True)
    network = network or network_of(model)
    if line_filter is None:
        batch = Batch(
            network=network,
            letters=model.vocabulary.characters,
            reading=begin(model, network, seed, window=sampling.repetition_window),
            random_seed=random_seed,
            sampling=sampling,
            length=length,
            stop=stop,
            lines=lines,
            measure=measure,
        )
        return (_sample(i, *text, measure) for i, text in enumerate(written(batch, count)))

    # Lines that are thrown away would leave the others of a batch waiting.
    def alone(number: int) -> Generation:
        return generate(
            model,
            seed,
            random_seed=random_seed,
            sample=number,
            length=length,
            sampling=sampling,
            stop=stop,
            lines=lines,
            line_filter=line_filter,
            measure=measure,
            network=network,
        )

    first = alone(0)
    return (finished(alone(i) if i else first, i) for i in range(count))


def completed_lines(
    model: ModelFile,
    phrases: Iterable[str | None],
    *,
    random_seed: int,
    length: int | None = None,
    sampling: Sampling = PLAIN,
    stop: Sequence[str] = (),
    line_filter: LineFilter | None = None,
    measure: bool = False,
    network: Network | None = None,
) -> Iterator[tuple[str, Sample]]:
    """Each phrase with the text that ends its line, the line end left out, as phrases come.

    Phrase i draws as sample i does; None is a phrase that cannot be read, and its line is empty.
    The next phrase is asked for only when the line before it
    was taken. Raises OptionError at once, and UnknownCharacterError at its phrase.
    """
    require_integer("random_seed", random_seed, least=0)
    check_ends(model, sampling, length=length, stop=[*stop, "\n"], lines=None, whole=True)
    network = network or network_of(model)

    def lines() -> Iterator[tuple[str, Sample]]:
        for number, phrase in enumerate(phrases):
            if phrase is None:
                yield "", Sample(number=number, text="", bits_per_char=None, end=None)
                continue
            text = generate(
                model,
                phrase,
                random_seed=random_seed,
                sample=number,
                length=length,
                sampling=sampling,
                stop=stop,
                lines=1,
                line_filter=line_filter,
                measure=measure,
                network=network,
            )
            line = finished(text, number)
            yield phrase, replace(line, text=line.text.removesuffix("\n"))

    return lines()


def _sample(number: int, text: str, ending: Ending, measure: bool) -> Sample:
    assert ending.end is not None
    surprise = ending.bits_per_char if measure else None
    return Sample(number=number, text=text, bits_per_char=surprise, end=ending.end)


def finished(generation: Generation, number: int = 0) -> Sample:
    """The whole of a text that has an end."""
    text = "".join(generation)
    assert generation.end is not None
    return Sample(
        number=number, text=text, bits_per_char=generation.bits_per_char, end=generation.end
    )
