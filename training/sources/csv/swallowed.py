"""Rows that stand within one value of a CSV file: a quote before them was never meant to be opened."""

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

_LINES = 3  # of rows without numbers: text has lines with as many commas as there are columns, but not three


def find_swallowed(table: pa.Table, places: Sequence[int], columns: int, delimiter: str) -> tuple[int, int, str] | None:
    """Return row, place and value of the first one with lines that are rows, None if there is none.

    The columns are those at the places of a file that has so many.
    """
    for index, place in enumerate(places if columns > 1 else ()):
        for row in _find_suspects(table.column(index), columns - 1, delimiter):
            value = table.column(index)[row].as_py()
            lines = value.split("\n")[0 if place == 0 else 1 : None if place == columns - 1 else -1]
            others = {place: table.column(other)[row].as_py() for other, place in enumerate(places) if other != index}
            if lines and _are_rows([line.split(delimiter) for line in lines], others, columns):
                return row, place, value
    return None


def _find_suspects(column: pa.ChunkedArray, separators: int, delimiter: str) -> list[int]:
    """Return the rows whose value has lines, and delimiters enough for a row: fast where no value has lines."""
    if not any(b"\n" in buffer.to_pybytes() for chunk in column.chunks if (buffer := chunk.buffers()[2])):
        return []
    has_enough = pc.greater_equal(pc.count_substring(column, delimiter), separators)
    return list(pc.indices_nonzero(pc.and_(pc.match_substring(column, "\n"), has_enough)).to_pylist())


def _are_rows(lines: list[list[str]], others: dict[int, str], columns: int) -> bool:
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
