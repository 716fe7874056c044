"""What quotes are in CSV, where two programs have to agree: `\\"`, quotes that are inches, and rows within a value."""

import re
from collections.abc import Iterator, Mapping, Sequence

_ESCAPED = re.compile(rb'\\[\\"]')
PIECE = 2**16  # characters
_LINES = 3  # of rows without numbers: text has lines with as many commas as there are columns, but not three


def undo_escapes(text: bytes) -> bytes:
    """Return a text with `""` for `\\"`, and one backslash for two."""
    return _ESCAPED.sub(lambda found: b'""' if found[0] == b'\\"' else b"\\", text)


def has_value_in_quotes(text: str, delimiter: str) -> bool:
    """Return whether a whole value stands in quotes: if none does, they may be a part of the values, such as inches."""
    part = re.escape(delimiter)
    whole = re.compile(rf'(?:^|\r|{part}) *"[^"\r\n]*" *(?:{part}|\r|$)', re.MULTILINE)
    return any(whole.search(piece) for piece in _cut(text))


def _cut(text: str) -> Iterator[str]:
    """Yield a text in pieces of whole lines: a search holds Python's lock as long as it lasts, 50 ms in a megabyte."""
    start = 0
    while start < len(text):
        end = text.find("\n", start + PIECE) + 1 or len(text)
        yield text[start:end]
        start = end


def has_swallowed(value: str, place: int, others: Mapping[int, str], columns: int, delimiter: str) -> bool:
    """Return whether a value at that place of its row has lines that are rows: its quote was not meant to be opened.

    `others` are the values of the row at other places.
    """
    lines = value.split("\n")[0 if place == 0 else 1 : None if place == columns - 1 else -1]
    return bool(lines) and columns > 1 and _are_rows([line.split(delimiter) for line in lines], others, columns)


def _are_rows(lines: Sequence[Sequence[str]], others: Mapping[int, str], columns: int) -> bool:
    """Return whether all lines are rows: numbers stand where the row itself has numbers."""
    if any(len(values) != columns for values in lines):
        return False
    numbers = [place for place, value in others.items() if _is_number(value)]
    if numbers and (columns > 2 or len(lines) > 1):  # one line with one comma may be any text
        return all(_is_number(values[place]) for values in lines for place in numbers)
    return len(lines) >= _LINES


def _is_number(value: str) -> bool:
    digits = sum(character.isdigit() for character in value)
    return 2 * digits >= len(value.strip(' "')) > 0
