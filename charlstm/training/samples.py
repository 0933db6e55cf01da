"""A sample of what the network writes, made with each evaluation; in numpy, without torch."""

import numpy as np

from charlstm.errors import ModelFileError, OptionError, listed
from charlstm.generation.sampling import Sampling
from charlstm.generation.stopping import StopRule
from charlstm.generation.text_stream import GenerationConfig, finished_text
from charlstm.model.lstm import Array
from charlstm.model.model_file import ModelFile
from charlstm.options import OPTIONS
from charlstm.text.dataset import Dataset
from charlstm.training.config import Common, TrainConfig

CHARACTERS = 140  # two lines of a terminal


def prompt_in(dataset: Dataset, config: Common) -> str:
    """The text that samples begin with, as the network reads it.

    Raises OptionError if it has characters that the network will not know.
    """
    prompt = dataset.text.cased(config.sample_prompt)
    missing = dataset.vocabulary.unknown(prompt)
    if missing and config.sample:
        fault = f"has {listed(missing)}, which the text does not have"
        raise OptionError(fault, "sample_prompt", "sample prompt")
    return prompt


def sample_of(
    weights: dict[str, Array], dataset: Dataset, config: TrainConfig, step: int
) -> str | None:
    """What a network of these weights writes: the last line of the prompt, and CHARACTERS more.

    Line ends around the text are left out. It is the same for the same weights, random seed and
    step; no other random numbers are used. None if the weights are too large to compute with, or
    nothing but line ends was written.
    """
    model = ModelFile(
        config=config.network,
        weights=weights,
        vocabulary=dataset.vocabulary,
        fingerprint=dataset.fingerprint,
        text=dataset.text,
        training={},
        command="",
    )
    sampling = Sampling(temperature=OPTIONS["temperature"].default)
    how = GenerationConfig(sampling=sampling, stop_rule=StopRule(length=CHARACTERS))
    prompt = prompt_in(dataset, config)
    try:
        with np.errstate(all="ignore"):
            written = finished_text(model, prompt, how, config.random_seed, step).text
    except ModelFileError:
        return None
    begun = prompt.rpartition("\n")[2]
    return (begun + written).strip("\n") or None
