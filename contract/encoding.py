"""Encodes raw values as numbers; training and serving both call it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from ekiben.contract.category_codes import UNSEEN, find_codes, number_codes
from ekiben.contract.columns import BLOCK_ROWS, Column, Columns, Distinct, Rows, Transposer, merge, to_distinct
from ekiben.contract.errors import FieldError
from ekiben.contract.feature import Category, Number, accepted_types
from ekiben.contract.schema import Schema
from ekiben.contract.timestamps import encode_cycles, to_seconds
from ekiben.contract.validation import MAX_FIELD_ERRORS, show, validate_rows

NUMERIC = frozenset("fiu")  # the kinds of arrays that hold numbers


@dataclass(slots=True)
class Encoded:
    """Rows as the network takes them."""

    numbers: NDArray[np.float32]  # (rows, numbers), NaN where missing
    codes: NDArray[np.int32]  # (rows, categories), 0 where the value was never seen
    doubles: NDArray[np.float64] | None = None  # (plain, rows), as they came, if they came as Python's

    def __len__(self) -> int:
        return len(self.numbers)

    def __getitem__(self, rows: slice) -> "Encoded":
        return Encoded(self.numbers[rows], self.codes[rows])


class Encoder:
    """Turns rows or columns of one schema into arrays."""

    def __init__(self, schema: Schema) -> None:
        self.schema = schema
        self._transposer = Transposer(schema.names)
        self._accepted = [accepted_types(feature) for feature in schema.features]
        self._arrays = [isinstance(feature, Number) for feature in schema.features]  # that may be one
        plain = [feature.name for feature in schema.plain]
        self._numbers = [(i, plain.index(f.name)) for i, f in enumerate(schema.features) if isinstance(f, Number)]
        self._codes = {feature.name: number_codes(feature) for feature in schema.categories}
        self._lows, self._highs = _bounds(schema)  # (numbers,) float32
        wide = {feature.name: 2 * len(feature.cycles) for feature in schema.timestamps}
        wide |= {feature.name: 1 for feature in schema.plain}
        self._nullable = [(i, wide[f.name]) for i, f in enumerate(schema.features) if f.nullable and f.name in wide]

    def encode(self, columns: Any) -> Encoded:
        """Encode trusted columns by name without checking their values: pandas', Python's, arrays and Distinct."""
        rows = len(columns[self.schema.names[0]])
        numbers = np.empty((rows, len(self.schema.number_names)), np.float32)
        codes = np.empty((rows, len(self.schema.categories)), np.int32)
        index = len(self.schema.plain)
        doubles = _fill(numbers[:, :index], [columns[feature.name] for feature in self.schema.plain]) if index else None
        for moment in self.schema.timestamps:
            end = index + 2 * len(moment.cycles)
            numbers[:, index:end] = encode_cycles(to_seconds(moment, columns[moment.name]), moment.cycles)
            index = end
        for index, category in enumerate(self.schema.categories):
            codes[:, index] = self._encode_category(category, columns[category.name])
        return Encoded(numbers, codes, doubles)

    def encode_rows(self, rows: Rows, check_time: Callable[[], object] = lambda: None) -> Encoded:
        """Encode a caller's rows; raise InvalidInput naming every row and field of a block that doesn't fit.

        The usual case is checked a column at a time; only when that finds something is each value of the block looked
        at on its own, to say what is wrong. `check_time` may raise: it is called before each block.
        """
        blocks = []
        for first in range(0, len(rows) or 1, BLOCK_ROWS):
            check_time()
            block = rows if len(rows) <= BLOCK_ROWS else rows[first : first + BLOCK_ROWS]
            encoded = self.try_encode([block])
            if encoded is None:
                validate_rows(self.schema, block.to_rows() if isinstance(block, Columns) else block, first)
                raise AssertionError("the column-wise check rejected rows in which no value is wrong")
            blocks.append(encoded)
        if len(blocks) == 1:
            return blocks[0]
        numbers = np.concatenate([block.numbers for block in blocks])
        return Encoded(numbers, np.concatenate([block.codes for block in blocks]))

    def unseen(self, rows: Rows, encoded: Encoded) -> list[FieldError]:
        """Return the category values that were never seen in training, up to MAX_FIELD_ERRORS."""
        found = np.argwhere(encoded.codes == UNSEEN)[:MAX_FIELD_ERRORS]
        categories = self.schema.categories
        return [_unseen_error(int(row), categories[column], rows) for row, column in found]

    def try_encode(self, requests: Sequence[Rows]) -> Encoded | None:
        """Return the rows of requests encoded, or None if there are none or anything in them doesn't fit the schema.

        They are all columns or all lists, which are transposed together: a row alone would cost 5 µs.
        """
        columns = self.unite(requests)
        return None if columns is None else self.try_encode_columns(columns)

    def try_encode_columns(self, columns: Columns) -> Encoded | None:
        """Return the columns of `unite` encoded, or None as `try_encode` does."""
        if not columns.rows or not self._have_right_types(columns.values):
            return None
        try:
            encoded = self.encode(dict(zip(columns.names, columns.values, strict=True)))
        except (TypeError, ValueError, OverflowError):
            return None  # a string is not a date, an integer is not a float
        if self.find_out_of_range(encoded).any() or self._has_unexpected_nan(encoded, columns.values):
            return None
        return encoded

    def keep_doubles(self, columns: Columns, encoded: Encoded) -> Columns:
        """Return columns that were encoded with arrays in place of their numbers, where encoding has made such."""
        if encoded.doubles is None:
            return columns
        values = list(columns.values)
        for index, position in self._numbers:
            values[index] = encoded.doubles[position]
        return Columns(columns.names, values, columns.rows)

    def find_out_of_range(self, encoded: Encoded) -> NDArray[np.bool_]:
        """Return which numbers, (rows, numbers), are out of their range; a missing one is not."""
        beyond: NDArray[np.bool_] = (encoded.numbers < self._lows) | (encoded.numbers > self._highs)
        return beyond

    def unite(self, requests: Sequence[Rows]) -> Columns | None:
        """Return the rows of all requests as columns of the schema, or None if they make none."""
        columns = [rows for rows in requests if isinstance(rows, Columns)]
        if not columns:
            lists = cast("Sequence[list[Any]]", requests)
            return self._transposer.transpose([row for rows in lists for row in rows])
        return merge(columns) if {part.names for part in columns} == {self.schema.names} else None

    def _have_right_types(self, columns: Sequence[Column]) -> bool:
        for column, accepted, arrays in zip(columns, self._accepted, self._arrays, strict=True):
            if isinstance(column, np.ndarray):
                if not arrays or column.dtype.kind not in NUMERIC:
                    return False
            elif not accepted.issuperset(map(type, column)):
                return False
        return True

    def _has_unexpected_nan(self, encoded: Encoded, columns: Sequence[Column]) -> bool:
        """Return whether any NaN is more than a null's."""
        found = np.count_nonzero(np.isnan(encoded.numbers))
        if not found:
            return False
        return bool(found != sum(width * _count_nulls(columns[index]) for index, width in self._nullable))

    def _encode_category(self, feature: Category, column: Any) -> Any:
        code_of = self._codes[feature.name].get
        if isinstance(column, tuple | list):
            return find_codes(feature, column, code_of)
        distinct = column if isinstance(column, Distinct) else to_distinct(column)  # each value is looked up once
        codes = find_codes(feature, distinct.values, code_of)
        return np.array([*codes, code_of(None, UNSEEN)], np.int32)[distinct.indices]


def _count_nulls(column: Column) -> int:
    if isinstance(column, np.ndarray):
        return int(np.count_nonzero(column != column))
    return column.count(None)


def _fill(numbers: NDArray[np.float32], columns: Sequence[Any]) -> NDArray[np.float64] | None:
    """Write columns side by side into an array, (rows, columns); an infinity is found to be out of range later.

    Returns what Python's numbers became on the way, (columns, rows).
    """
    with np.errstate(over="ignore"):
        if all(isinstance(column, tuple | list) for column in columns):
            doubles = np.array(columns, np.float64)  # None becomes NaN
            numbers[:] = doubles.T
            return doubles
        for index, column in enumerate(columns):
            numbers[:, index] = _to_floats(column)
    return None


def _to_floats(column: Any) -> NDArray[Any]:
    if isinstance(column, np.ndarray):  # an integer is rounded as Python's is, which becomes a double first
        return column if column.dtype.kind == "f" else column.astype(np.float64)
    if isinstance(column, tuple | list):
        return np.array(column, np.float32)
    floats: NDArray[np.float32] = column.to_numpy(np.float32, na_value=np.nan)
    return floats


def _bounds(schema: Schema) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the lowest and highest value of each number, (numbers,)."""
    pairs = [(f.low, f.high) if isinstance(f, Number) else (0.0, 1.0) for f in schema.plain]
    pairs += [(-1.0, 1.0)] * (len(schema.number_names) - len(pairs))
    lows, highs = np.array(pairs, np.float64).reshape(-1, 2).T
    return lows.astype(np.float32), highs.astype(np.float32)


def _unseen_error(row: int, feature: Category, rows: Rows) -> FieldError:
    values = rows[row : row + 1].to_rows()[0] if isinstance(rows, Columns) else rows[row]
    return FieldError(row, feature.name, f"{show(values[feature.name])} was not seen in training")
