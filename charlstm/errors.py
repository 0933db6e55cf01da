"""The errors that charlstm raises for its users; imports nothing.

Every message says what is wrong, with the value, and what to do about it. ``charlstm.cli.main``
prints it as one line and ends with ``exit_code``.
"""

MOST_LISTED = 8  # characters named in a message


class CharLSTMError(Exception):
    """Something outside the program's control failed: a file, a text, a device."""

    exit_code = 1


class OptionError(CharLSTMError, ValueError):
    """A value that was asked for makes no sense, whatever the files hold."""

    exit_code = 2


class CorpusError(CharLSTMError):
    """A text cannot be read, or cannot be learned from."""


class EncodingError(CorpusError):
    """A text's bytes are none in its encoding; ``fault`` says so without advice.

    The advice is for commands that can be told the encoding; another gives its own.
    """

    def __init__(self, fault: str, advice: str) -> None:
        self.fault = fault
        super().__init__(f"{fault}; {advice}")


class ModelFileError(CharLSTMError):
    """A model file is absent, damaged, or not one of ours."""


class PlaceError(CharLSTMError):
    """A saved place in a text is absent, damaged, of another model, or cannot be saved."""


class TrainingError(CharLSTMError):
    """A training run cannot start or cannot go on."""


class UnknownCharacterError(OptionError):
    """A text holds characters that the vocabulary lacks; ``characters`` has them, each once."""

    def __init__(self, characters: str) -> None:
        self.characters = characters
        super().__init__(
            f"the model never saw {listed(characters)}; leave out what it does not know with "
            f"--unknown skip, or take the closest it knows with --unknown nearest"
        )


def listed(characters: str) -> str:
    """The first characters of a text, each with its code point, and how many more there are.

    >>> listed("é€")
    "'é' (U+00E9) '€' (U+20AC)"
    """
    shown = " ".join(f"{c!r} (U+{ord(c):04X})" for c in characters[:MOST_LISTED])
    more = len(characters) - MOST_LISTED
    return f"{shown} and {more} more" if more > 0 else shown
