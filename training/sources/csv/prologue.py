"""What stands before a CSV file's header: blank lines, Excel's `sep=;`, and comments."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

_LINE = re.compile(r"[^\r\n]*(?:\r\n|\n|\r|\Z)")
_SEPARATOR = re.compile(r'"?sep=(.)"?', re.IGNORECASE)
_COMMENT = "#"


@dataclass(frozen=True)
class Prologue:
    """The lines that are no part of the table, and what they say of it."""

    text: str = ""
    delimiter: str | None = None
    notes: tuple[str, ...] = ()


def split_prologue(text: str, delimiters: Sequence[str]) -> Prologue:
    """Find what stands before the header.

    A line that begins with # is the header if it has as many values as the next.
    """
    passed: list[str] = []
    comments: list[str] = []
    delimiter, header = None, ""
    for found in _LINE.finditer(text):
        line = found[0].strip(" \r\n")
        said = _SEPARATOR.fullmatch(line)
        if said and not comments:
            delimiter = said[1]
        elif line.startswith(_COMMENT):
            comments.append(found[0])
        elif line or not found[0]:
            header = line
            break
        passed.append(found[0])
    if comments and header and passed[-1] == comments[-1] and _is_header(comments[-1].strip(), header, delimiters):
        passed.pop()
        comments.pop()
    return Prologue("".join(passed), delimiter, _describe(len(comments)))


def _is_header(line: str, following: str, delimiters: Sequence[str]) -> bool:
    """Return whether a line names the columns of the one that follows it."""
    used = [delimiter for delimiter in delimiters if delimiter in following]
    if not used:
        return not line[1:2].isspace() and line.strip(_COMMENT) != ""
    return any(line.count(delimiter) == following.count(delimiter) for delimiter in used)


def _describe(comments: int) -> tuple[str, ...]:
    if not comments:
        return ()
    lines = "1 line that begins" if comments == 1 else f"{comments:,} lines that begin"
    return (f"left out: {lines} with {_COMMENT} before the header",)
