"""Encodes raw values as numbers; training and serving both call it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ekiben.contract.errors import FieldError
from ekiben.contract.feature import NULL_SPELLINGS, Category, Number, accepted_types
from ekiben.contract.schema import Schema
from ekiben.contract.timestamps import encode_cycles, to_seconds
from ekiben.contract.validation import MAX_FIELD_ERRORS, show, validate_rows

UNSEEN = 0  # the code of a value that is not in the vocabulary
MISSING = ""  # how a vocabulary spells null
BLOCK_ROWS = 512  # encoded at once: about a millisecond, of which 3% are the block's


@dataclass(slots=True)
class Encoded:
    """Rows as the network takes them."""

    numbers: NDArray[np.float32]  # (rows, numbers), NaN where missing
    codes: NDArray[np.int32]  # (rows, categories), 0 where the value was never seen

    def __len__(self) -> int:
        return len(self.numbers)

    def __getitem__(self, rows: slice) -> "Encoded":
        return Encoded(self.numbers[rows], self.codes[rows])


class Encoder:
    """Turns rows or columns of one schema into arrays."""

    def __init__(self, schema: Schema) -> None:
        self.schema = schema
        self._accepted = [accepted_types(feature) for feature in schema.features]
        self._codes = {feature.name: _number_codes(feature) for feature in schema.categories}
        lows, highs = _bounds(schema)
        self._lows, self._highs = lows, highs  # (numbers,) float32
        wide = {feature.name: 2 * len(feature.cycles) for feature in schema.timestamps}
        wide |= {feature.name: 1 for feature in schema.plain}
        self._nullable = [(i, wide[f.name]) for i, f in enumerate(schema.features) if f.nullable and f.name in wide]
        self._row_sizes = {len(schema.names)}
        self._pick = _row_picker(schema.names)

    def encode(self, columns: Any) -> Encoded:
        """Encode trusted columns without checking their values: a pandas table, or a mapping to tuples."""
        rows = len(columns[self.schema.names[0]])
        numbers = np.empty((rows, len(self.schema.number_names)), np.float32)
        codes = np.empty((rows, len(self.schema.categories)), np.int32)
        index = len(self.schema.plain)
        if index:
            numbers[:, :index] = _to_floats([columns[feature.name] for feature in self.schema.plain])
        for moment in self.schema.timestamps:
            end = index + 2 * len(moment.cycles)
            numbers[:, index:end] = encode_cycles(to_seconds(moment, columns[moment.name]), moment.cycles)
            index = end
        for index, category in enumerate(self.schema.categories):
            codes[:, index] = self._encode_category(category, columns[category.name])
        return Encoded(numbers, codes)

    def encode_rows(self, rows: Sequence[Any], check_time: Callable[[], object] = lambda: None) -> Encoded:
        """Encode a caller's rows; raise InvalidInput naming every row and field of a block that doesn't fit.

        The usual case is checked a column at a time; only when that finds something is each value of the block looked
        at on its own, to say what is wrong. `check_time` may raise: it is called before each block.
        """
        blocks = []
        for first in range(0, len(rows) or 1, BLOCK_ROWS):
            check_time()
            block = rows[first : first + BLOCK_ROWS]
            encoded = self.try_encode(block)
            if encoded is None:
                validate_rows(self.schema, block, first)
                raise AssertionError("the column-wise check rejected rows in which no value is wrong")
            blocks.append(encoded)
        if len(blocks) == 1:
            return blocks[0]
        numbers = np.concatenate([block.numbers for block in blocks])
        return Encoded(numbers, np.concatenate([block.codes for block in blocks]))

    def unseen(self, rows: Sequence[Mapping[str, Any]], encoded: Encoded) -> list[FieldError]:
        """Return the category values that were never seen in training, up to MAX_FIELD_ERRORS."""
        found = np.argwhere(encoded.codes == UNSEEN)[:MAX_FIELD_ERRORS]
        categories = self.schema.categories
        return [_unseen_error(int(row), categories[column], rows[row]) for row, column in found]

    def try_encode(self, rows: Sequence[Any]) -> Encoded | None:
        """Return the rows encoded, or None if any value doesn't fit the schema or there are no rows."""
        try:
            if set(map(len, rows)) != self._row_sizes:
                return None
            columns = list(zip(*map(self._pick, rows), strict=True))
            for column, accepted in zip(columns, self._accepted, strict=True):
                if not accepted.issuperset(map(type, column)):
                    return None
            encoded = self.encode(dict(zip(self.schema.names, columns, strict=True)))
        except (KeyError, TypeError, ValueError, OverflowError):
            return None  # a field is missing, a row is not an object, a string is not a date, an integer is not a float
        return None if self.find_out_of_range(encoded).any() or self._has_unexpected_nan(encoded, columns) else encoded

    def find_out_of_range(self, encoded: Encoded) -> NDArray[np.bool_]:
        """Return which numbers, (rows, numbers), are out of their range; a missing one is not."""
        beyond: NDArray[np.bool_] = (encoded.numbers < self._lows) | (encoded.numbers > self._highs)
        return beyond

    def _has_unexpected_nan(self, encoded: Encoded, columns: Sequence[tuple[Any, ...]]) -> bool:
        """Return whether any NaN is more than a null's."""
        found = np.count_nonzero(np.isnan(encoded.numbers))
        if not found:
            return False
        return bool(found != sum(width * columns[index].count(None) for index, width in self._nullable))

    def _encode_category(self, feature: Category, column: Any) -> Any:
        code_of = self._codes[feature.name].get
        if isinstance(column, tuple):
            return [code_of(MISSING if value is None else value, UNSEEN) for value in column]
        categorical = column.astype("category").cat  # each value is looked up once
        codes = [code_of(value, UNSEEN) for value in categorical.categories]
        return np.array([*codes, code_of(MISSING, UNSEEN)], np.int32)[categorical.codes]  # of a missing value it is -1


def _number_codes(feature: Category) -> dict[str | int, int]:
    """Return the code of each value a caller may send."""
    codes: dict[str | int, int] = {value: code for code, value in enumerate(feature.vocabulary, start=UNSEEN + 1)}
    if feature.nullable and MISSING in codes:
        # What a table may write where nothing is known, a caller may write too.
        codes = {**dict.fromkeys(NULL_SPELLINGS, codes[MISSING]), **codes}
    if feature.integers:
        codes |= {int(value): codes[value] for value in feature.vocabulary if value != MISSING}
    return codes


def _row_picker(names: tuple[str, ...]) -> Any:
    pick = itemgetter(*names)
    return pick if len(names) > 1 else lambda row: (pick(row),)


def _to_floats(columns: Sequence[Any]) -> NDArray[np.float32]:
    """Return the columns side by side, (rows, columns)."""
    if isinstance(columns[0], tuple):
        with np.errstate(over="ignore"):  # an infinity is found to be out of range
            return np.array(columns, np.float32).T  # None becomes NaN
    return np.stack([column.to_numpy(np.float32, na_value=np.nan) for column in columns], axis=1)


def _bounds(schema: Schema) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the lowest and highest value of each number, (numbers,)."""
    pairs = [(f.low, f.high) if isinstance(f, Number) else (0.0, 1.0) for f in schema.plain]
    pairs += [(-1.0, 1.0)] * (len(schema.number_names) - len(pairs))
    lows, highs = np.array(pairs, np.float64).reshape(-1, 2).T
    return lows.astype(np.float32), highs.astype(np.float32)


def _unseen_error(row: int, feature: Category, values: Mapping[str, Any]) -> FieldError:
    return FieldError(row, feature.name, f"{show(values[feature.name])} was not seen in training")
