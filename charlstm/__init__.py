"""charlstm learns the style of a text, one character at a time, and writes more of it.

    import charlstm

    model = charlstm.load("runs/play")
    print("".join(model.generate("Is this a dagger", length=400)))

To import this package takes no time: a module is imported when one of its names below is first
used, and torch is never imported.
"""

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from charlstm.analysis.cells import FoundCell
    from charlstm.analysis.evaluate import Evaluation
    from charlstm.analysis.predict import Prediction
    from charlstm.analysis.score import Score
    from charlstm.analysis.trace import Trace
    from charlstm.errors import CharLSTMError
    from charlstm.generation.text_stream import Sample, TextStream
    from charlstm.language_model import LanguageModel, load
    from charlstm.model.listing import ListedModel, list_models
    from charlstm.model.locate import model_names, run_names

__all__ = ["CharLSTMError", "Evaluation", "FoundCell", "LanguageModel", "ListedModel", "Prediction"]
__all__ += ["Sample", "Score", "TextStream", "Trace", "__version__", "list_models", "load"]
__all__ += ["model_names", "run_names"]
__version__ = "0.1.0"
_HOMES = {
    "CharLSTMError": "errors",
    "Evaluation": "analysis.evaluate",
    "FoundCell": "analysis.cells",
    "LanguageModel": "language_model",
    "ListedModel": "model.listing",
    "Prediction": "analysis.predict",
    "Sample": "generation.text_stream",
    "Score": "analysis.score",
    "TextStream": "generation.text_stream",
    "Trace": "analysis.trace",
    "list_models": "model.listing",
    "load": "language_model",
    "model_names": "model.locate",
    "run_names": "model.locate",
}


def lazily(package: str, homes: dict[str, str]) -> Callable[[str], Any]:
    """The ``__getattr__`` of a package whose names are imported when they are first used (PEP 562).

    ``homes`` has the module of each name, below the package.
    """

    def find(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        from importlib import import_module

        value = getattr(import_module(f"{package}.{homes[name]}"), name)
        setattr(sys.modules[package], name, value)
        return value

    return find


__getattr__ = lazily(__name__, _HOMES)


def __dir__() -> list[str]:
    return __all__
