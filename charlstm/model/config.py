"""The sizes that define a network."""

import math
from dataclasses import dataclass

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
