"""What to do about an error, in the words of the command line, by the error's code or name."""

from charlstm.errors import CharLSTMError, OptionError
from charlstm.options import OPTIONS

HINTS = {
    "unknown character": "leave out what it does not know with --unknown skip, or take the closest "
    "that it knows with --unknown nearest",
}


def explained(error: CharLSTMError) -> str:
    """The message of an error, with options as the command line spells them, and what to do."""
    message = error.message
    if isinstance(error, OptionError) and error.name:
        option = OPTIONS.get(error.name)
        message = f"{option.flag if option else error.name.upper()} {error.fault}"
    hint = HINTS.get(error.code)
    return f"{message}; {hint.format(**error.values)}" if hint else message
