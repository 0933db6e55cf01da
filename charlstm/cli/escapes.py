r"""Escape sequences in options: ``\n`` and others that are hard to type in a shell."""

import re

from charlstm.errors import OptionError

SINGLE = {"n": "\n", "t": "\t", "r": "\r", "0": "\0", "\\": "\\"}
SEQUENCE = re.compile(
    r"\\(?:([ntr0\\])|x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(.?))", re.DOTALL
)


def unescaped(text: str, option: str) -> str:
    r"""``text`` with characters instead of escape sequences; OptionError names an unknown one.

    >>> unescaped(r"a\tb\\n\u00e9\x21", "--seed")
    'a\tb\\né!'
    """

    def character(found: re.Match[str]) -> str:
        single, *codes, wrong = found.groups()
        if single:
            return SINGLE[single]
        point = int(next((code for code in codes if code), "110000"), 16)
        if wrong is not None or point > 0x10FFFF or 0xD800 <= point < 0xE000:
            sequence = found[0] if wrong is None else text[found.start() :][:10]
            raise OptionError(
                f"{option}: {sequence} at character {found.start() + 1} is not an escape sequence; "
                rf"write \n \t \r \0 \xHH \uHHHH or \UHHHHHHHH, and \\ for a backslash"
            )
        return chr(point)

    return SEQUENCE.sub(character, text)
