"""The errors that charlstm raises for its users; imports nothing.

A message says what is wrong, with the value. What to do about it depends on how the program is
used: the command line adds that by the error's ``code`` or ``name`` (``charlstm.cli.hints``), and
a program can look at them too.
"""

from typing import Any

MOST_LISTED = 8  # characters named in a message


class CharLSTMError(Exception):
    """Something that the program does not control failed: a file, a text, a device.

    ``code`` names the fault where there is something to be done about it, and ``values`` are what
    that needs to know.
    """

    exit_code = 1

    def __init__(self, message: str, code: str = "", **values: Any) -> None:
        super().__init__(message)
        self.message, self.code, self.values = message, code, values


class OptionError(CharLSTMError, ValueError):
    """A value was asked for that makes no sense, whatever the files hold.

    ``name`` is the option's name in Python, where the fault is that of one option; the message
    then begins with it, and ``fault`` is the rest.
    """

    exit_code = 2

    def __init__(self, fault: str, name: str = "", code: str = "", **values: Any) -> None:
        super().__init__(f"{name} {fault}" if name else fault, code, **values)
        self.name, self.fault = name, fault


class CorpusError(CharLSTMError):
    """A text cannot be read, or a model cannot learn from it."""


class EncodingError(CorpusError):
    """The bytes of a text are not text in its encoding."""


class ModelFileError(CharLSTMError):
    """A model file is absent, damaged, or the file of another program."""


class StateError(CharLSTMError):
    """The saved state of a text is absent, damaged, of another model, or cannot be saved."""


class TrainingError(CharLSTMError):
    """A training run cannot start or cannot go on."""


class UnknownCharacterError(OptionError):
    """A text holds characters that the vocabulary lacks; ``characters`` has them, each once."""

    def __init__(self, characters: str) -> None:
        super().__init__(f"the model never saw {listed(characters)}", code="unknown character")
        self.characters = characters


def listed(characters: str) -> str:
    """The first characters of a text, each with its code point, and how many more there are.

    >>> listed("é€")
    "'é' (U+00E9) '€' (U+20AC)"
    """
    shown = " ".join(f"{c!r} (U+{ord(c):04X})" for c in characters[:MOST_LISTED])
    more = len(characters) - MOST_LISTED
    return f"{shown} and {more} more" if more > 0 else shown
