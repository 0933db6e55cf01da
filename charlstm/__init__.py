"""charlstm learns the style of a text, one character at a time, and writes more of it.

    import charlstm

    model = charlstm.load("runs/play")
    print("".join(model.generate("Is this a dagger", length=400)))

Nothing is imported before one of the names below is asked for, and torch never.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from charlstm.analysis.score import Score
    from charlstm.errors import CharLSTMError
    from charlstm.generation.text_stream import Generation
    from charlstm.language_model import LanguageModel, load

__all__ = ["CharLSTMError", "Generation", "LanguageModel", "Score", "__version__", "load"]
__version__ = "0.1.0"

_HOMES = {
    "CharLSTMError": "charlstm.errors",
    "Generation": "charlstm.generation.text_stream",
    "Score": "charlstm.analysis.score",
    "LanguageModel": "charlstm.language_model",
    "load": "charlstm.language_model",
}


def __getattr__(name: str) -> Any:
    """The public names, imported when they are first asked for (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module 'charlstm' has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
