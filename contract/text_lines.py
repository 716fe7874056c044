"""Reports as lines for a terminal."""

from collections.abc import Iterable, Sequence

JOINERS = frozenset("\u200c\u200d")  # part of Persian words and of emoji, though Python doesn't print them


def printable(text: str) -> str:
    """Return a string with what can't be printed written as an escape: a name can make no line and no colour."""
    return "".join(c if c.isprintable() or c in JOINERS else c.encode("unicode_escape").decode() for c in text)


def align(title: str, columns: Sequence[str], cells: Iterable[Sequence[str]]) -> list[str]:
    """Return the lines of a table: the title stands over the first column, the others are as wide as they must be."""
    rows = [(title, *columns[1:]), *cells]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]).rstrip() for row in rows]
