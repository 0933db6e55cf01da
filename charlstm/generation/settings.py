"""How a text is written, as keywords for callers, and the records that are made of them."""

from collections.abc import Mapping, Sequence
from typing import Any, TypedDict

from charlstm.checks import require_flag
from charlstm.generation.sampling import Sampling
from charlstm.generation.stopping import StopRule
from charlstm.generation.text_stream import GenerationConfig, LineFilter
from charlstm.model.model_file import ModelFile
from charlstm.options import OPTIONS, fields_of, new_random_seed


class SamplingSettings(TypedDict, total=False):
    """How a character is chosen; the table in ``charlstm.options`` has defaults and meanings."""

    temperature: float
    top_k: int
    top_p: float
    min_p: float
    repetition_penalty: float
    repetition_window: int
    ban: str


class GenerationSettings(SamplingSettings, total=False):
    """How a text is written."""

    length: int | None
    lines: int | None
    stop: str | Sequence[str]
    keep_stop: bool
    random_seed: int | None
    measure: bool  # the surprisal of the text, too
    line_filter: LineFilter | None  # lines that it rejects are drawn again


def generation_config(
    model: ModelFile, settings: GenerationSettings, *, whole: bool | None
) -> GenerationConfig:
    """The settings as records; raises OptionError, and TypeError for an unknown name.

    With ``whole`` it is an error if no end of the text is possible. None means that it is one if
    an end is asked for by ``lines`` or ``stop``.
    """
    _check_names(settings, GenerationSettings)
    stop = tuple(map(model.text.cased, OPTIONS["stop"].check(settings.get("stop", ()))))
    sampling = _sampling(model, {"temperature": OPTIONS["temperature"].default, **settings})
    rule = StopRule(**fields_of(StopRule, {**settings, "stop": stop}))
    if whole is None:
        whole = bool(rule.stop) or rule.lines is not None
    characters = model.vocabulary.characters
    banned = {characters[i] for i in sampling.banned}
    rule.check_end(set(characters) - banned, whole=require_flag("whole", whole))
    return GenerationConfig(
        sampling=sampling,
        stop_rule=rule,
        line_filter=settings.get("line_filter"),
        measure=require_flag("measure", settings.get("measure", False)),
    )


def sampling_of(model: ModelFile, settings: SamplingSettings) -> Sampling:
    """The settings as a record, at temperature 1 if none is given.

    Raises OptionError, and TypeError for an unknown name.
    """
    _check_names(settings, SamplingSettings)
    return _sampling(model, settings)


def checked_seed(given: int | None) -> int:
    """The random seed, or a new one if none is given; raises OptionError."""
    seed: int = new_random_seed() if given is None else OPTIONS["random_seed"].check(given)
    return seed


def _sampling(model: ModelFile, settings: Mapping[str, Any]) -> Sampling:
    ban = model.text.cased(OPTIONS["ban"].check(settings.get("ban", "")))
    return Sampling(**fields_of(Sampling, settings)).banning(ban, model.vocabulary.characters)


def _check_names(settings: Mapping[str, Any], known: type) -> None:
    """Raise TypeError for a name that the keywords in ``known``, a TypedDict, do not have."""
    if other := sorted(settings.keys() - known.__annotations__):
        raise TypeError(f"got an unexpected keyword argument {other[0]!r}")
