"""Properties of the positions of a text: in a quotation, at a word's beginning, and so on.

Each function returns a value for each character, (characters,): what is true once it has been read.
So an opening quotation mark is inside, and the closing one is outside.
"""

import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from charlstm.checks import shown
from charlstm.errors import OptionError

Values = npt.NDArray[np.float64]

# A mark that opens a quotation: the mark that closes it. Single marks are left out, because most
# of them are apostrophes. Three marks in a row enclose texts in program code.
CLOSING = {'"': '"', '"""': '"""', "\u201c": "\u201d", "\u201e": "\u201c", "\u00ab": "\u00bb"}
CLOSING |= {"\u00bb": "\u00ab"}
QUOTATION_TOKEN = re.compile(
    r'\\.|"""|["\u201c\u201d\u201e\u00ab\u00bb]|\n[^\S\n]*(?=\n)', re.DOTALL
)
BRACKET_TOKEN = re.compile(r"[()\[\]{}]|\n[^\S\n]*(?=\n)")
WORD_BEGINNING = re.compile(r"(?<!\w)(?<!\w['\u2019])[^\W\d_]")
NUMBER = re.compile(r"(?<![^\W\d])\d(?:[\d.,]*\d)?")
INDENTATION = re.compile(r"^[^\S\n]+", re.MULTILINE)
# In plays. A name in capitals ends with a full stop or a colon, at the end of its line or before
# the speech. Another name is a line of its own after an empty line.
SPEAKER = re.compile(
    r"^(?!(?:ACT|SCENE|CHAPTER)\b)[A-Z][A-Z'\u2019 -]*[A-Z'\u2019][.:](?=\s)"
    r"|(?<=\n\n)[A-Z][\w'\u2019 -]{0,30}[.:](?=\n\S)",
    re.MULTILINE,
)


@dataclass(frozen=True)
class Property:
    """A property and how it is computed; ``yes_no`` if all of its values are 0 or 1."""

    name: str
    values: Callable[[str], Values]
    yes_no: bool = True


def in_quotation(text: str) -> Values:
    """1 inside quotation marks; an empty line ends a quotation that was not closed.

    >>> in_quotation('a "b" c').astype(int).tolist()
    [0, 0, 1, 1, 0, 0, 0]
    """
    inside, closing = np.zeros(len(text)), ""
    start = 0
    for token in QUOTATION_TOKEN.finditer(text):
        mark = token[0]
        empty_line = mark[0] == "\n"
        if closing and (mark == closing or (empty_line and closing != '"""')):
            inside[start : token.end() - (not empty_line)] = 1
            closing = ""
        elif not closing and mark in CLOSING:
            start, closing = token.end() - 1, CLOSING[mark]
    if closing:
        inside[start:] = 1
    return inside


def in_brackets(text: str) -> Values:
    """1 inside round, square or curly brackets; an empty line ends what was not closed.

    >>> in_brackets("f(x[1]) + 1").astype(int).tolist()
    [0, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0]
    """
    inside, depth = np.zeros(len(text)), 0
    start = 0
    for token in BRACKET_TOKEN.finditer(text):
        before, empty_line = depth, token[0][0] == "\n"
        depth = 0 if empty_line else depth + 1 if token[0] in "([{" else max(0, depth - 1)
        if depth and not before:
            start = token.start()
        elif before and not depth:
            inside[start : token.end() - (not empty_line)] = 1
    if depth:
        inside[start:] = 1
    return inside


def line_position(text: str) -> Values:
    r"""How many characters of its line have been read: 0 after a line end.

    >>> line_position("ab\nc").astype(int).tolist()
    [1, 2, 0, 1]
    """
    ends = np.concatenate(([-1], np.flatnonzero(after_line_end(text))))
    read = np.arange(len(text))
    return (read - ends[np.searchsorted(ends, read, "right") - 1]).astype(np.float64)


def after_line_end(text: str) -> Values:
    r"""1 for a line end.

    >>> after_line_end("ab\nc").astype(int).tolist()
    [0, 0, 1, 0]
    """
    return np.array([c == "\n" for c in text], np.float64)


def in_upper_case(text: str) -> Values:
    """1 for a capital letter.

    >>> in_upper_case("To BE").astype(int).tolist()
    [1, 0, 0, 1, 1]
    """
    return np.array([c.isupper() for c in text], np.float64)


def at_word_beginning(text: str) -> Values:
    """1 for the first letter of a word.

    >>> at_word_beginning("to be.").astype(int).tolist()
    [1, 0, 0, 1, 0, 0]
    """
    return within(WORD_BEGINNING, text)


def in_speaker(text: str) -> Values:
    r"""1 for the characters of a speaker's name in a play, and for the mark after it.

    >>> in_speaker("\nHAMLET.\nTo be").astype(int).tolist()
    [0, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0]
    """
    return within(SPEAKER, text)


def indentation(text: str) -> Values:
    r"""How many spaces and tabs, of those that begin its line, have been read.

    >>> indentation("  a\nb").astype(int).tolist()
    [1, 2, 2, 0, 0]
    """
    depth = np.zeros(len(text))
    for found in INDENTATION.finditer(text):
        end = text.find("\n", found.end())
        depth[found.start() : end if end >= 0 else len(text)] = found.end() - found.start()
        depth[found.start() : found.end()] = np.arange(1, found.end() - found.start() + 1)
    return depth


def in_number(text: str) -> Values:
    """1 for the digits of a number, and for the marks between them.

    >>> in_number("a1 1,000.").astype(int).tolist()
    [0, 0, 0, 1, 1, 1, 1, 1, 0]
    """
    return within(NUMBER, text)


def within(pattern: re.Pattern[str], text: str) -> Values:
    """1 for the characters of each match of ``pattern``."""
    inside = np.zeros(len(text))
    for found in pattern.finditer(text):
        inside[found.start() : found.end()] = 1
    return inside


PROPERTIES = (
    Property("inside quotation marks", in_quotation),
    Property("inside brackets", in_brackets),
    Property("position in the line", line_position, yes_no=False),
    Property("after a line end", after_line_end),
    Property("in upper case", in_upper_case),
    Property("at a word's beginning", at_word_beginning),
    Property("in a speaker's name", in_speaker),
    Property("depth of indentation", indentation, yes_no=False),
    Property("inside a number", in_number),
)


def matching(pattern: str) -> Property:
    """The property to be within a match of a regular expression; raises OptionError for none.

    ``^`` and ``$`` match at the ends of each line.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what a later Python may read in another way
            compiled = re.compile(pattern, re.MULTILINE)
    except (re.error, OverflowError, RecursionError) as error:
        fault = f"is {shown(pattern)}, which is no regular expression: {error}"
        raise OptionError(fault, "pattern") from error
    return Property(f"within /{pattern}/", lambda text: within(compiled, text))
