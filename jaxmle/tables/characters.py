"""Characters as a terminal shows them: what can be printed, how wide it is, and where it is broken."""

import unicodedata
from collections.abc import Iterator


def printable(text: str) -> str:
    """The text on one line: white space becomes a space, a control character its escape.

    Args:
        text: any text.

    Returns:
        A text in which every character can be printed.

    >>> printable("age\\tgroup"), printable("bell\\x07")
    ('age group', 'bell\\\\x07')
    """
    return "".join(_shown(character) for character in text)


def width(text: str) -> int:
    """The number of terminal columns of a text: two for East Asian wide characters, none for combining marks.

    Args:
        text: a printable text.

    Returns:
        The number of columns.

    >>> width("beta"), width("\u65e5\u672c"), width("e\u0301")
    (4, 4, 1)
    """
    return sum(_columns(character) for character in text)


def left(text: str, columns: int) -> str:
    """The text padded on the right to a number of terminal columns.

    >>> left("GPA", 5) + "|"
    'GPA  |'
    """
    return text + " " * (columns - width(text))


def right(text: str, columns: int) -> str:
    """The text padded on the left to a number of terminal columns.

    >>> right("GPA", 5)
    '  GPA'
    """
    return " " * (columns - width(text)) + text


def wrap(text: str, columns: int) -> list[str]:
    """The text broken between words into lines of at most so many terminal columns; longer words are cut.

    Args:
        text: any text; runs of white space count as one space.
        columns: the width to keep within, at least 2 (the widest character).

    Returns:
        The lines, at least one.

    >>> wrap("Standard errors from the observed information.", 20)
    ['Standard errors from', 'the observed', 'information.']
    """
    lines = [""]
    for word in text.split():
        for piece in _pieces(printable(word), columns):
            joined = f"{lines[-1]} {piece}" if lines[-1] else piece
            lines = [*lines[:-1], joined] if width(joined) <= columns else [*lines, piece]
    return lines


def _shown(character: str) -> str:
    if character.isprintable():
        return character
    return " " if character.isspace() else character.encode("unicode_escape").decode("ascii")


def _columns(character: str) -> int:
    if unicodedata.category(character) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in ("W", "F") else 1


def _pieces(word: str, columns: int) -> Iterator[str]:
    """The word cut into pieces that each fit."""
    piece = ""
    for character in word:
        if width(piece + character) > columns:
            yield piece
            piece = ""
        piece += character
    yield piece
