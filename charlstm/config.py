"""The records that travel with a model: its sizes, its text and how it was trained.

Frozen, checked when made, and free of imports beyond the standard library, so that every room
can share them.
"""

import codecs
import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Integral, Real

from charlstm.errors import OptionError

TEXT_FILES = "*.txt"  # the files of a directory that are read where no other pattern is given
LONGEST_VALUE = 100  # characters shown of a value in a message


def shown(value: object) -> str:
    """A value in a message: as it would be written, if that is short."""
    try:
        text = repr(value)
    except (ValueError, RecursionError):  # a number of thousands of digits; deep nesting
        return f"too large to show ({type(value).__name__})"
    return text if len(text) <= LONGEST_VALUE else text[:LONGEST_VALUE] + "..."


def is_finite(value: float) -> bool:
    """As ``math.isfinite``, also for a whole number beyond any float."""
    return abs(value) <= sys.float_info.max


def require_integer(name: str, value: object, *, least: int, most: float = math.inf) -> int:
    """``value`` as an int; OptionError unless it is a whole number from ``least`` to ``most``.

    Numbers of numpy are numbers, too; true and false are none.
    """
    if isinstance(value, Integral) and not isinstance(value, bool) and least <= int(value) <= most:
        return int(value)
    limit = "" if most == math.inf else f" and at most {most}"
    raise OptionError(
        f"{name} is {shown(value)}; it must be a whole number of at least {least}{limit}"
    )


def require_number(
    name: str,
    value: object,
    *,
    least: float,
    most: float = math.inf,
    below: float = math.inf,
    open_below: bool = False,
) -> float:
    """``value`` as it is, or as a float; OptionError unless it is finite and within the bounds.

    These are ``least <= value <= most`` and ``value < below``; where ``open_below``, ``least``
    itself is refused too. Numbers of numpy are numbers, too; true and false are none.
    """
    if isinstance(value, Real) and not isinstance(value, bool):
        number = value if isinstance(value, int | float) else float(value)
        above = number > least if open_below else number >= least
        if is_finite(number) and above and number <= most and number < below:
            return number
    bound = f"above {least:g}" if open_below else f"of at least {least:g}"
    limit = "" if below == math.inf else f" and below {below:g}"
    limit = limit if most == math.inf else f" and at most {most:g}"
    raise OptionError(f"{name} is {shown(value)}; it must be a number {bound}{limit}")


def require_flag(name: str, value: object) -> None:
    """Raise OptionError unless ``value`` is true or false."""
    if not isinstance(value, bool):
        raise OptionError(f"{name} is {shown(value)}; it must be true or false")


def require_text(name: str, value: object) -> str:
    """``value``; OptionError unless it is a text."""
    if not isinstance(value, str):
        raise OptionError(f"{name} is {shown(value)}; it must be a text")
    return value


def set_checked(record: object, values: Mapping[str, object]) -> None:
    """Let fields of a frozen record have the values that a check returned."""
    for name, value in values.items():
        object.__setattr__(record, name, value)


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """The sizes that define a network; torch's names where torch has one.

    With ``residual`` each layer after the first adds its input to its output, so that a
    layer learns what to change rather than everything anew (He et al. 2015, arXiv 1512.03385).
    """

    vocab_size: int
    embedding_size: int
    hidden_size: int
    num_layers: int
    dropout: float = 0.0
    residual: bool = True

    def __post_init__(self) -> None:
        set_checked(
            self,
            {
                "vocab_size": require_integer("vocab size", self.vocab_size, least=2),
                "embedding_size": require_integer("embedding size", self.embedding_size, least=1),
                "hidden_size": require_integer("hidden size", self.hidden_size, least=1),
                "num_layers": require_integer("number of layers", self.num_layers, least=1),
                "dropout": require_number("dropout", self.dropout, least=0, below=1),
            },
        )
        require_flag("residual", self.residual)

    def parameter_shapes(self) -> dict[str, tuple[int, ...]]:
        """The name and shape of every weight, as torch names them."""
        V, E, H = self.vocab_size, self.embedding_size, self.hidden_size
        shapes: dict[str, tuple[int, ...]] = {"embedding.weight": (V, E)}
        for layer in range(self.num_layers):
            shapes |= {
                f"layers.{layer}.weight_ih_l0": (4 * H, H if layer else E),
                f"layers.{layer}.weight_hh_l0": (4 * H, H),
                f"layers.{layer}.bias_ih_l0": (4 * H,),
                f"layers.{layer}.bias_hh_l0": (4 * H,),
            }
        return shapes | {"output.weight": (V, H), "output.bias": (V,)}

    @property
    def parameters(self) -> int:
        """How many numbers the network has learned."""
        return sum(math.prod(shape) for shape in self.parameter_shapes().values())


@dataclass(frozen=True, kw_only=True)
class TextOptions:
    """How bytes became the text that was learned."""

    encoding: str = "utf-8"
    lowercase: bool = False
    min_count: int = 1  # characters seen less often are left out of the text

    def __post_init__(self) -> None:
        try:
            codecs.getincrementaldecoder(self.encoding)  # for reading in pieces
            b"text".decode(self.encoding, "ignore")  # refuses codecs that are not for text
        except (LookupError, TypeError, ValueError) as error:
            raise OptionError(
                f"encoding {shown(self.encoding)} is unknown; try utf-8, latin-1, cp1252 or utf-16"
            ) from error
        set_checked(self, {"min_count": require_integer("min count", self.min_count, least=1)})
        require_flag("lowercase", self.lowercase)

    def cased(self, text: str) -> str:
        """``text`` in the case that is learned.

        Each character by itself, so that a text can be read in pieces: a capital sigma at the
        end of a word becomes a plain small one.
        """
        return text.replace("\u03a3", "\u03c3").lower() if self.lowercase else text


@dataclass(frozen=True, kw_only=True)
class Fingerprint:
    """Which text it was: ``sha256`` is that of the normalised text in UTF-8."""

    name: str
    sha256: str
    characters: int

    def __post_init__(self) -> None:
        require_text("name", self.name)
        require_text("sha256", self.sha256)
        set_checked(self, {"characters": require_integer("characters", self.characters, least=1)})
