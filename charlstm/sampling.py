"""From logits to one id: a sampler is a function of logits and a uniform number, nothing else."""

import numpy as np
import numpy.typing as npt

from charlstm.config import require_number
from charlstm.errors import ModelFileError


def check_temperature(temperature: float) -> None:
    """Raise OptionError unless the temperature is a finite number of at least 0."""
    require_number("temperature", temperature, least=0)


def sample(logits: npt.NDArray[np.floating], *, temperature: float, uniform: float) -> int:
    """One id, drawn from softmax(logits / temperature); logits has shape (V,).

    Temperature 0 is greedy: the most probable id, the lowest among equals. Otherwise the draw is
    by inverse CDF: the first id at which the cumulated probability exceeds ``uniform``, a number
    in [0, 1).

    >>> sample(np.log([0.2, 0.3, 0.5]), temperature=1.0, uniform=0.4)
    1
    """
    if temperature == 0:
        return int(logits.argmax())
    # A tiny temperature may make -inf, which is as it should be; nan is found below.
    with np.errstate(over="ignore", invalid="ignore"):
        scaled = (logits.astype(np.float64) - logits.max()) / temperature
        cumulated = np.exp(scaled).cumsum()
    total = cumulated[-1]  # the likeliest alone adds 1
    if not total >= 1:
        raise ModelFileError("the model's weights are too large to compute with; train it again")
    # Below the total even where the product rounds up to it, so that the id found has a share.
    return int(cumulated.searchsorted(min(uniform * total, np.nextafter(total, 0)), side="right"))
