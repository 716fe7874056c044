"""A column read as one kind in one spelling: what doesn't fit it, and in which order the values come."""

import copy
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ekiben.contract.feature import Kind
from ekiben.contract.spellings.spelling import PLAIN, Spelling
from ekiben.training.tables.conversion import convert, to_double
from ekiben.training.tables.strings import to_strings

DISORDER = 0.02  # of the rows may stand before one that is earlier, in a table that is in the order of its times


class Reading:
    """A column read as one kind in one spelling."""

    def __init__(self, kind: Kind, spelling: Spelling = PLAIN) -> None:
        self.kind = kind
        self.spelling = spelling
        self.unparsed: dict[str, int] = {}  # string → rows
        self.missed = 0  # rows
        self.first_unparsed = ("", 0)  # and its row, counted from 1
        self.low, self.high = math.inf, -math.inf  # of timestamps: seconds since 1970
        self.low_rows = self.high_rows = 0  # that have just these values
        self.whole = True
        self.ups = self.downs = self.ones = 0  # how often a value is above, below or one above that before it
        self._last: float | None = None

    @property
    def fits(self) -> bool:
        """Whether all values can be read so."""
        return not self.missed

    @property
    def is_in_order(self) -> bool:
        """Whether hardly any row is out of the order of the values, up or down."""
        return min(self.ups, self.downs) <= DISORDER * (self.ups + self.downs)

    def spelled(self, **facts: Any) -> "Reading":
        """Return what was found so far as that of another spelling."""
        other = copy.copy(self)
        other.spelling, other.unparsed = replace(self.spelling, **facts), dict(self.unparsed)
        return other

    def add(self, plain: pa.Array, first_row: int) -> None:
        """Read the next batch, as `to_plain` makes it."""
        values = self.read(plain)
        missed = pc.and_(plain.is_valid(), values.is_null())
        if pc.any(missed).as_py():
            self._miss(plain, missed, first_row)
        if self.kind != "boolean":
            self._order(values.drop_null())

    def read(self, plain: pa.Array) -> pa.Array:
        """Return the values as float64, null where missing or unreadable."""
        if self.kind == "number":
            return to_double(plain, self.spelling)
        return convert(plain, self.kind, self.spelling).values.cast(pa.int64()).cast(pa.float64())

    def _miss(self, plain: pa.Array, missed: pa.Array, first_row: int) -> None:
        counts = pc.value_counts(plain.filter(missed))
        strings = to_strings(counts.field(0)).to_pylist()
        for text, rows in zip(strings, counts.field(1).to_pylist(), strict=True):
            self.unparsed[text] = self.unparsed.get(text, 0) + rows
            self.missed += rows
        if not self.first_unparsed[1]:
            index = int(missed.to_numpy(zero_copy_only=False).argmax())
            self.first_unparsed = (to_strings(plain.slice(index, 1))[0].as_py(), first_row + index + 1)

    def _order(self, values: pa.Array) -> None:
        if not len(values):
            return
        numbers = values.to_numpy()
        self._find_ends(numbers)
        steps = np.diff(numbers, prepend=numbers[0] if self._last is None else self._last)
        self._last = float(numbers[-1])
        self.whole = self.whole and bool((numbers == np.trunc(numbers)).all())
        self.ups += int(np.count_nonzero(steps > 0))
        self.downs += int(np.count_nonzero(steps < 0))
        self.ones += int(np.count_nonzero(steps == 1))

    def _find_ends(self, numbers: np.ndarray) -> None:
        low, high = float(numbers.min()), float(numbers.max())
        if low < self.low:
            self.low, self.low_rows = low, 0
        if high > self.high:
            self.high, self.high_rows = high, 0
        self.low_rows += int(np.count_nonzero(numbers == self.low))
        self.high_rows += int(np.count_nonzero(numbers == self.high))
