"""Columns: what the rows of every request become at its protocol's edge."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from operator import itemgetter, ne
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ekiben.contract.feature import Value

BLOCK_ROWS = 512  # transposed or encoded at once: about a millisecond, of which 3% are the block's
MIN_ARRAY_ROWS = 16  # fewer numbers are cheaper as Python's
Column = Sequence[Any] | NDArray[Any]


@dataclass(slots=True)
class Distinct:
    """A category's column: its different values, and which of them each row has, (rows,), -1 where it is missing."""

    values: list[str]
    indices: NDArray[np.integer[Any]]

    def __len__(self) -> int:
        return len(self.indices)


@dataclass(slots=True)
class Columns:
    """The rows of a request by column; in an array, which holds a number feature's values, NaN stands for null."""

    names: tuple[str, ...]
    values: Sequence[Column]  # of one length
    rows: int

    def __len__(self) -> int:
        return self.rows

    def __getitem__(self, rows: slice) -> "Columns":
        return Columns(self.names, [column[rows] for column in self.values], len(range(self.rows)[rows]))

    def to_rows(self) -> list[dict[str, Value]]:
        """Return the rows as objects, to name what is wrong with them."""
        return [dict(zip(self.names, row, strict=True)) for row in zip(*map(to_list, self.values), strict=True)]


class OneRow(Columns):
    """A request's only row: it becomes columns together with others that arrive at the same time."""

    __slots__ = ("row",)

    def __init__(self, names: tuple[str, ...], row: tuple[Any, ...]) -> None:
        self.names, self.row, self.rows = names, row, 1

    @property
    def values(self) -> Sequence[Column]:  # type: ignore[override]
        """The row's columns."""
        return list(zip(self.row, strict=True))


NO_ROWS = Columns((), (), 0)
Rows = Columns | list[Any]  # JSON's rows become columns once, with those that arrive together or in blocks


class Transposer:
    """Makes columns of JSON's rows, which hold the fields of one schema."""

    def __init__(self, names: tuple[str, ...]) -> None:
        self._names = names
        self._sizes = {len(names)}
        pick = itemgetter(*names)
        self._pick: Any = pick if len(names) > 1 else lambda row: (pick(row),)

    def transpose(self, rows: Sequence[Any]) -> Columns | None:
        """Return the rows as columns, or None if there are none, or one is no object of exactly the fields."""
        try:
            if set(map(len, rows)) != self._sizes:
                return None
            return Columns(self._names, list(zip(*map(self._pick, rows), strict=True)), len(rows))
        except (KeyError, TypeError):
            return None


def merge(parts: Sequence[Columns]) -> Columns:
    """Return the rows of all parts, which have the same names, one after the other."""
    if len(parts) == 1:
        return parts[0]
    if set(map(type, parts)) == {OneRow}:
        return Columns(parts[0].names, list(zip(*[part.row for part in parts], strict=True)), len(parts))  # type: ignore[attr-defined]
    values = [_join(columns) for columns in zip(*[part.values for part in parts], strict=True)]
    return Columns(parts[0].names, values, sum(map(len, parts)))


def from_array(values: NDArray[Any]) -> Column:
    """Return numbers as a column."""
    if len(values) >= MIN_ARRAY_ROWS:
        return values
    few: list[Any] = values.tolist()
    return few


def widen_bfloat16(bits: NDArray[np.uint16]) -> NDArray[np.float32]:
    """Return the numbers whose upper half is given: NumPy has no such type."""
    return (bits.astype(np.uint32) << 16).view(np.float32)


def to_distinct(column: Any) -> Distinct:
    """Return a pandas column of a category's values."""
    categorical = column.astype("category").cat
    return Distinct(list(categorical.categories), categorical.codes)


def to_list(column: Column) -> Sequence[Any]:
    """Return a column as Python's values."""
    return null_nans(column.tolist()) if isinstance(column, np.ndarray) else column


def null_nans(column: Sequence[Any]) -> Sequence[Any]:
    """Return a column with null where NaN stands, which alone differs from itself."""
    if any(map(ne, column, column)):
        return [None if value != value else value for value in column]
    return column


def _join(columns: Sequence[Column]) -> Column:
    kinds = set(map(type, columns))
    if np.ndarray not in kinds:
        return list(chain.from_iterable(columns))
    if len(kinds) == 1:  # where integers and floats meet they become float64, as Python's integers do
        return np.concatenate(columns)
    return list(chain.from_iterable(map(to_list, columns)))
