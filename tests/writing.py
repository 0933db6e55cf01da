"""Small models with drawn weights, and texts from them, as many tests want them."""

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import numpy as np

from charlstm.generation.sampling import Sampling
from charlstm.generation.text_stream import Sample, TextStream
from charlstm.language_model import LanguageModel
from charlstm.model.config import ModelConfig
from charlstm.model.model_file import ModelFile
from charlstm.text.corpus import Fingerprint
from charlstm.text.decoding import TextOptions
from charlstm.text.vocabulary import Vocabulary


def make_model(characters: str, *, seed: int = 0, lowercase: bool = False) -> ModelFile:
    """A model with drawn weights: any text from it is as good as any other."""
    config = ModelConfig(
        vocab_size=len(characters), embedding_size=4, hidden_size=8, num_layers=2, dropout=0.0
    )
    rng = np.random.default_rng(seed)
    return ModelFile(
        config=config,
        weights={
            name: rng.normal(size=shape).astype(np.float32)
            for name, shape in config.parameter_shapes().items()
        },
        vocabulary=Vocabulary(characters),
        fingerprint=Fingerprint(name="drawn", sha256="0" * 64, characters=1),
        text=TextOptions(lowercase=lowercase),
        training={},
        command="charlstm train",
    )


def _settings(model: ModelFile, sampling: Sampling, length: int | None) -> dict[str, Any]:
    """The record as the keywords of a LanguageModel; a length of None is without end."""
    settings = asdict(sampling)
    banned = [model.vocabulary.characters[i] for i in settings.pop("banned")]
    return {**settings, "ban": "".join(banned), "length": length or 0}


def generate(
    model: ModelFile,
    seed: str = "",
    *,
    sampling: Sampling = Sampling(),  # noqa: B008 (frozen)
    length: int | None = None,
    **how: Any,
) -> TextStream:
    """A text at temperature 1, without end if no length is given."""
    settings = _settings(model, sampling, length)
    return LanguageModel(model).generate(seed, **{"whole": False, **settings, **how})


def generate_many(
    model: ModelFile,
    seed: str = "",
    *,
    sampling: Sampling = Sampling(),  # noqa: B008 (frozen)
    length: int | None = None,
    **how: Any,
) -> Iterator[Sample]:
    """Many of them."""
    settings = _settings(model, sampling, length)
    return LanguageModel(model).generate_many(seed, **{**settings, **how})


def complete_lines(
    model: ModelFile,
    phrases: Any,
    *,
    sampling: Sampling = Sampling(),  # noqa: B008 (frozen)
    length: int | None = None,
    **how: Any,
) -> Iterator[tuple[str, Sample]]:
    """Lines completed."""
    settings = _settings(model, sampling, length)
    return LanguageModel(model).complete_lines(phrases, **{**settings, **how})
