"""What a shell may complete: the names of models, runs and texts, and files where a text is taken.

A shell asks at each press of the tab key, so nothing slow is imported here, numpy neither. It
completes the names of files itself where nothing is offered.
"""

import os
import re

PLAIN = re.compile(r"[\w./,+@%-]*")  # a name that no shell must quote


def models(incomplete: str) -> list[str]:
    """The models that begin so: bundled ones, and the runs that have a model."""
    from charlstm import model_names

    return _begun(model_names(), incomplete)


def bases(incomplete: str) -> list[str]:
    """What a training may begin from: a model, the program's choice, or nothing."""
    return [*_begun(["auto", "none"], incomplete), *models(incomplete)]


def runs(incomplete: str) -> list[str]:
    """The runs that begin so and have losses, or a state to go on from."""
    from charlstm import run_names

    return _begun(run_names(), incomplete)


def texts(incomplete: str) -> list[str]:
    """The names of the catalogue that begin so."""
    from charlstm.text.catalogue import catalogue

    return _begun([*catalogue()], incomplete)


def sources(incomplete: str) -> list[str]:
    """What a corpus may be read from: names of the catalogue, files and directories.

    Nothing is offered if the shell would have to quote what is the same in all of them.
    """
    offered = [*texts(incomplete), *_files(incomplete)]
    return offered if PLAIN.fullmatch(os.path.commonprefix(offered)) else []  # noqa: RUF071


def _begun(names: list[str], incomplete: str) -> list[str]:
    return [name for name in names if name.startswith(incomplete)]


def _files(incomplete: str) -> list[str]:
    """The paths that begin so; a directory ends with a slash."""
    begun = incomplete.rpartition("/")[2]
    before = incomplete.removesuffix(begun)
    try:
        with os.scandir(before or ".") as entries:
            found = sorted(
                f"{before}{entry.name}{'/' if entry.is_dir() else ''}"
                for entry in entries
                if entry.name.startswith(begun) and (begun or not entry.name.startswith("."))
            )
    except OSError:
        return []
    if len(found) == 1 and found[0].endswith("/"):  # what is in it, so that no space follows
        found += _files(found[0])
    return found
