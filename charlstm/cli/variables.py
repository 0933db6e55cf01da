"""Variables of the environment that look like settings of the program and are none."""

import functools
import os
from collections.abc import Callable, Iterator
from typing import Any

from charlstm.cli import console
from charlstm.cli.settings_file import nearest

PREFIX = "CHARLSTM_"


def name_misspelt_variables(tree: Any) -> None:
    """Let each command say at its beginning which variables are none of its or of another's."""
    for node in tree.commands.values():
        node.callback = _saying(node.callback, tree)


def _saying(callback: Callable[..., Any], tree: Any) -> Callable[..., Any]:
    @functools.wraps(callback)
    def command(**values: Any) -> Any:
        # Of several processes under torchrun the first alone speaks.
        quiet = values.get("quiet", False) or os.environ.get("RANK", "0") != "0"
        for line in () if quiet else misspelt(tree):
            console.say(line)
        return callback(**values)

    return command


def misspelt(tree: Any) -> Iterator[str]:
    """What to say of each variable with the program's prefix that no option reads."""
    found = sorted(name for name, value in os.environ.items() if name.startswith(PREFIX) and value)
    known = dict.fromkeys(_known(tree)) if found else {}
    for name in found:
        if name not in known:
            advice = nearest(name, known, "did you mean {}?", "it has no effect")
            yield f"{name} is set in the environment, but no setting has this name; {advice}"


def _known(tree: Any) -> Iterator[str]:
    """The variables that options are read from."""
    for parameter in tree.params:
        if parameter.allow_from_autoenv:
            yield f"{PREFIX}{parameter.name.upper()}"
    for name, node in tree.commands.items():
        for parameter in node.params:
            if parameter.param_type_name == "option":
                yield f"{PREFIX}{name}_{parameter.name}".upper()
            if isinstance(parameter.envvar, str):
                yield parameter.envvar
