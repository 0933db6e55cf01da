"""The errors that charlstm raises for its users.

A message says what is wrong, with the value. The command line adds what to do about it, chosen by
the error's ``code`` or ``name`` (``charlstm.cli.hints``). Other programs can use these too.
"""

import shlex
import sys
from typing import Any

MOST_LISTED = 8  # characters named in a message


class CharLSTMError(Exception):
    """Something outside the program failed: a file, a text, a device.

    ``code`` names the fault if the user can do something about it, and ``values`` are the details
    for such a hint.
    """

    exit_code = 1

    def __init__(self, message: str, code: str = "", **values: Any) -> None:
        super().__init__(message)
        self.message, self.code, self.values = message, code, values


class OptionError(CharLSTMError, ValueError):
    """A given value is wrong.

    ``name`` is the Python name of the option, if one option is wrong. The message then begins with
    it, and ``fault`` is the rest.
    """

    exit_code = 2

    def __init__(self, fault: str, name: str = "", code: str = "", **values: Any) -> None:
        super().__init__(f"{name} {fault}" if name else fault, code, **values)
        self.name, self.fault = name, fault


class CorpusError(CharLSTMError):
    """A text cannot be read, or no model can learn from it."""


class EncodingError(CorpusError):
    """The bytes of a text cannot be decoded: ``label`` is its name, and ``fault`` what is wrong."""

    def __init__(self, label: str, fault: str, code: str, **values: Any) -> None:
        super().__init__(f"{label}: {fault}", code, **values)
        self.label, self.fault = label, fault

    def on_line(self, line: int) -> "EncodingError":
        """The same error with the number of the line."""
        return EncodingError(f"{self.label}: line {line}", self.fault, self.code, **self.values)


class ModelFileError(CharLSTMError):
    """A model file is missing, damaged, or the file of another program."""


class StateError(CharLSTMError):
    """The saved state of a text is missing, damaged, of another model, or cannot be saved."""


class TrainingError(CharLSTMError):
    """A training run cannot start or cannot continue."""


class UnknownCharacterError(OptionError):
    """A text has characters that are not in the vocabulary; ``characters`` has each once.

    ``source`` is the name of the text, if it is from a file. Then the command line is right and the
    text is wrong, and the exit code says so. ``measured`` says that the text is to be measured.
    """

    def __init__(self, characters: str, source: str = "", *, measured: bool = False) -> None:
        fault = f"the model never saw {listed(characters)}"
        super().__init__(
            f"{source}: {fault}" if source else fault,
            code="unknown character to measure" if measured else "unknown character",
        )
        self.characters, self.source = characters, source
        if source:
            self.exit_code = CorpusError.exit_code


def listed(characters: str) -> str:
    """The first characters of ``characters`` with their code points, and how many more there are.

    >>> listed("é€")
    "'é' (U+00E9) '€' (U+20AC)"
    """
    shown = " ".join(f"{c!r} (U+{ord(c):04X})" for c in characters[:MOST_LISTED])
    more = len(characters) - MOST_LISTED
    return f"{shown} and {more} more" if more > 0 else shown


def unknown_note(share: float, characters: str) -> str:
    """What to say of a measured text of which a ``share`` are unknown ``characters``.

    >>> unknown_note(0.996, "€")[:46]
    '99.6 % of the characters are unknown to the mo'
    """
    return (
        f"{100 * share:.3g} % of the characters are unknown to the model ({listed(characters)}); "
        f"each counts as the least probable one"
    )


def incomplete(error: ImportError) -> str:
    """What to say of a package that charlstm needs, and that is missing or broken."""
    reason = " ".join(str(error).split())
    python = shlex.quote(sys.executable)
    again = f"{python} -m pip install --force-reinstall ."
    return f"{reason}; install charlstm again, in a copy of its repository: {again}"
