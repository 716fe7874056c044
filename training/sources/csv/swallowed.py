"""Rows that stand within one value of a CSV file: a quote before them was never meant to be opened."""

import re
from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from ekiben.contract.spellings.quotes import has_swallowed


def find_swallowed(table: pa.Table, places: Sequence[int], columns: int, delimiter: str) -> tuple[int, int, str] | None:
    """Return row, place and value of the first one with lines that are rows, None if there is none.

    The columns are those at the places of a file that has so many.
    """
    for index, place in enumerate(places if columns > 1 else ()):
        for row in _find_suspects(table.column(index), columns - 1, delimiter):
            value = table.column(index)[row].as_py()
            others = {place: table.column(other)[row].as_py() for other, place in enumerate(places) if other != index}
            if has_swallowed(value, place, others, columns, delimiter):
                return row, place, value
    return None


def _find_suspects(column: pa.ChunkedArray, separators: int, delimiter: str) -> list[int]:
    """Return the rows whose value has lines, and delimiters enough for a row: fast where no value has lines."""
    if not any(re.search(b"\n", buffer) for chunk in column.chunks if (buffer := chunk.buffers()[2])):
        return []
    has_enough = pc.greater_equal(pc.count_substring(column, delimiter), separators)
    return list(pc.indices_nonzero(pc.and_(pc.match_substring(column, "\n"), has_enough)).to_pylist())
