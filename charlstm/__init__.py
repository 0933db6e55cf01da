"""charlstm learns the style of a text, one character at a time, and writes more of it.

    import charlstm

    model = charlstm.load("runs/play")
    print("".join(model.generate("Is this a dagger", length=400)))

To import this package takes no time: a module is imported when one of its names below is first
used, and torch is never imported.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from charlstm.analysis.score import Score
    from charlstm.errors import CharLSTMError
    from charlstm.generation.text_stream import Sample, TextStream
    from charlstm.language_model import LanguageModel, load
    from charlstm.model.locate import ListedModel, list_models

__all__ = [
    "CharLSTMError",
    "LanguageModel",
    "ListedModel",
    "Sample",
    "Score",
    "TextStream",
    "__version__",
    "list_models",
    "load",
]
__version__ = "0.1.0"

_HOMES = {
    "CharLSTMError": "charlstm.errors",
    "LanguageModel": "charlstm.language_model",
    "ListedModel": "charlstm.model.locate",
    "Sample": "charlstm.generation.text_stream",
    "Score": "charlstm.analysis.score",
    "TextStream": "charlstm.generation.text_stream",
    "list_models": "charlstm.model.locate",
    "load": "charlstm.language_model",
}


def __getattr__(name: str) -> Any:
    """A public name, imported when it is first used (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module 'charlstm' has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
