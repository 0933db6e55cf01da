"""Variables of the environment that look like settings of the program, but are not."""

import os
from collections.abc import Iterator
from typing import Any

from charlstm.cli.settings_file import nearest

PREFIX = "CHARLSTM_"


def misspelt(tree: Any) -> Iterator[str]:
    """A message for each variable that begins with ``PREFIX`` and that no option reads."""
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
