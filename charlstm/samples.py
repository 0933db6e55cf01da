"""Several texts from one seed phrase, each finished before it is handed on."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from charlstm.checkpoint import Model
from charlstm.config import require_integer
from charlstm.errors import OptionError
from charlstm.generate import PLAIN, End, Generation, Judge, generate
from charlstm.lstm import Network
from charlstm.sampling import Sampling


@dataclass(frozen=True, kw_only=True)
class Sample:
    """A finished text; ``number`` counts the texts of a random seed from 0.

    ``text`` is without its seed phrase, ``bits_per_char`` the mean surprise of its characters
    (None for an empty text, or if not measured), ``end`` why it ended.
    """

    number: int
    text: str
    bits_per_char: float | None
    end: End


def samples(
    model: Model,
    seed: str = "",
    *,
    count: int,
    random_seed: int,
    length: int | None = None,
    sampling: Sampling = PLAIN,
    stop: Sequence[str] = (),
    lines: int | None = None,
    judge: Judge | None = None,
    measure: bool = False,
    network: Network | None = None,
) -> Iterator[Sample]:
    """Texts 0 to ``count`` - 1, in order, as ``generate`` writes them one by one.

    Each depends on the model, the seed phrase, the random seed, the settings and its number
    alone: it is the same whatever the count. Raises OptionError and UnknownCharacterError at
    once, also for texts that might have no end.
    """
    require_integer("samples", count, least=1)
    check_finite(length, stop, lines)
    network = network or Network(model.weights, model.config)

    def text(number: int) -> Generation:
        return generate(
            model,
            seed,
            random_seed=random_seed,
            sample=number,
            length=length,
            sampling=sampling,
            stop=stop,
            lines=lines,
            judge=judge,
            measure=measure,
            network=network,
        )

    first = text(0)
    return (finished(text(i) if i else first, i) for i in range(count))


def finished(generation: Generation, number: int = 0) -> Sample:
    """The whole of a text that has an end."""
    text = "".join(generation)
    assert generation.end is not None
    return Sample(
        number=number, text=text, bits_per_char=generation.bits_per_char, end=generation.end
    )


def check_finite(length: int | None, stop: Sequence[str], lines: int | None) -> None:
    """Raise OptionError where a text that is wanted whole might have no end."""
    if length is None and not stop and lines is None:
        raise OptionError(
            "length is 0, which is without end, but a text that is written whole needs one; "
            "give a length, --lines or --stop"
        )
