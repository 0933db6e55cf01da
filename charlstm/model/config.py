"""The sizes that define a network."""

import math
from dataclasses import dataclass
from typing import Any

from charlstm.checks import require_integer
from charlstm.options import check_record


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """The sizes that define a network, under torch's names if torch has one.

    With ``residual`` each layer after the first adds its input to its output, so that it only has
    to learn the difference (He et al. 2015, arXiv 1512.03385).
    """

    vocab_size: int
    embedding_size: int
    hidden_size: int
    num_layers: int
    dropout: float = 0.0
    residual: bool = True

    def __post_init__(self) -> None:
        vocab_size = require_integer("vocab_size", self.vocab_size, least=2)
        object.__setattr__(self, "vocab_size", vocab_size)
        check_record(self)

    def parameter_shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of every weight by its name in torch."""
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

    @property
    def layers(self) -> list[dict[str, Any]]:
        """Each layer from the first to the last: its name, and how many values and parameters.

        >>> config = ModelConfig(vocab_size=10, embedding_size=4, hidden_size=8, num_layers=1)
        >>> [(layer["name"], layer["values"], layer["parameters"]) for layer in config.layers]
        [('embedding', 4, 40), ('lstm 1', 8, 448), ('output', 10, 90)]
        """
        names = ["embedding", *(f"layers.{i}" for i in range(self.num_layers)), "output"]
        sizes = [self.embedding_size, *[self.hidden_size] * self.num_layers, self.vocab_size]
        shapes = self.parameter_shapes().items()
        counts = [
            sum(math.prod(shape) for key, shape in shapes if key.startswith(f"{name}."))
            for name in names
        ]
        shown = ["embedding", *(f"lstm {i}" for i in range(1, self.num_layers + 1)), "output"]
        return [
            {"name": name, "values": size, "parameters": count}
            for name, size, count in zip(shown, sizes, counts, strict=True)
        ]
