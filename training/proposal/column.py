"""What a column holds, found out batch by batch in bounded memory."""

import math

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ekiben.contract.feature import Kind
from ekiben.training.tables.conversion import convert, has_text, to_double, to_plain, to_strings
from ekiben.training.tables.date_formats import DIGITS_ONLY, find_formats, is_zoned

MAX_DISTINCT = 100_000  # values that are told apart; then there are "many"
MAX_DISTINCT_BYTES = 1 << 25
LOOKED_AT = 1000  # distinct strings, for the format of dates
LIKELY = 0.9  # of them can be read in a format: it is tried on all
UNPARSED_SHARE = 0.1  # of the distinct values can't be read: this is no such column
FEW_UNPARSED = 20
FIRST_DAY, LAST_DAY = 1900_01_01, 2100_12_31  # numbers between them may be dates


class Reading:
    """A column read as one kind in one format: what doesn't fit it, and in which order the values come."""

    def __init__(self, kind: Kind, format: str = "", zoned: bool = False, decimal: str = ".") -> None:
        self.kind = kind
        self.format = format
        self.zoned = zoned
        self._decimal = decimal
        self.unparsed: set[str] = set()
        self.first_unparsed = ("", 0)  # and its row, counted from 1
        self.low, self.high = math.inf, -math.inf  # of timestamps: seconds since 1970
        self.whole = True
        self.ups = self.downs = self.ones = 0  # how often a value is above, below or one above that before it
        self._last: float | None = None

    @property
    def fits(self) -> bool:
        """Whether all values can be read so."""
        return not self.unparsed

    def add(self, plain: pa.Array, first_row: int) -> None:
        """Read the next batch, as `to_plain` makes it."""
        values = self.read(plain)
        missed = pc.and_(plain.is_valid(), values.is_null())
        if pc.any(missed).as_py():
            self.unparsed.update(to_strings(pc.unique(plain.filter(missed))).to_pylist())
            if not self.first_unparsed[1]:
                index = int(missed.to_numpy(zero_copy_only=False).argmax())
                self.first_unparsed = (to_strings(plain.slice(index, 1))[0].as_py(), first_row + index + 1)
        if self.kind != "boolean":
            self._order(values.drop_null())

    def read(self, plain: pa.Array) -> pa.Array:
        """Return the values as float64, null where missing or unreadable."""
        if self.kind == "number":
            return to_double(plain, self._decimal)
        values = convert(plain, self.kind, format=self.format, zoned=self.zoned).values
        return values.cast(pa.int64()).cast(pa.float64())

    def _order(self, values: pa.Array) -> None:
        if not len(values):
            return
        ends = pc.min_max(values).as_py()
        self.low, self.high = min(self.low, ends["min"]), max(self.high, ends["max"])
        numbers = values.to_numpy()
        steps = np.diff(numbers, prepend=numbers[0] if self._last is None else self._last)
        self._last = float(numbers[-1])
        self.whole = self.whole and bool((numbers == np.trunc(numbers)).all())
        self.ups += int(np.count_nonzero(steps > 0))
        self.downs += int(np.count_nonzero(steps < 0))
        self.ones += int(np.count_nonzero(steps == 1))


class Column:
    """One column of the table: how many values it has, how many differ, and as what they can be read."""

    def __init__(self, name: str, decimal: str = ".") -> None:
        self.name = name
        self.type = pa.null()
        self.rows = self.values = self.characters = 0
        self.distinct: pa.Array = pa.nulls(0)  # the different values
        self.is_counted = True  # they are all
        self._counted_values = 0
        self._decimal = decimal
        self._readings: list[Reading] | None = None

    @property
    def share_distinct(self) -> float:
        """How many of the values differ, of those looked at for it."""
        return len(self.distinct) / max(1, self._counted_values)

    @property
    def is_text(self) -> bool:
        """Whether the table gives strings, as a CSV file always does."""
        return bool(pa.types.is_string(self.type))

    @property
    def readings(self) -> list[Reading]:
        """As what all values, or all but a few, can be read; the first is the likeliest."""
        return self._readings or []

    def add(self, raw: pa.Array) -> None:
        """Look at the next batch."""
        plain = to_plain(raw)
        self.type = plain.type
        first_row = self.rows
        self.rows += len(plain)
        present = len(plain) - plain.null_count
        if not present or not has_text(plain.type):
            self.values += present
            return
        self._count(plain, present)
        self.values += present
        if self.is_text:
            self.characters += pc.sum(pc.utf8_length(plain)).as_py()
        if self._readings is None:
            self._readings = self._choose_readings()
        for reading in self._readings:
            reading.add(plain, first_row)
        self._readings = [reading for reading in self._readings if not self._is_hopeless(reading)]

    def _count(self, plain: pa.Array, present: int) -> None:
        if not self.is_counted:
            return
        found = pc.unique(plain.drop_null())
        self.distinct = pc.unique(pa.concat_arrays([self.distinct, found])) if len(self.distinct) else found
        self._counted_values = self.values + present
        self.is_counted = len(self.distinct) <= MAX_DISTINCT and self.distinct.nbytes <= MAX_DISTINCT_BYTES

    def _choose_readings(self) -> list[Reading]:
        if pa.types.is_boolean(self.type):
            return [Reading("boolean")]
        if pa.types.is_date(self.type):
            return [Reading("timestamp")]
        if pa.types.is_timestamp(self.type):
            return [Reading("timestamp", zoned=self.type.tz is not None)]
        number = Reading("number", decimal=self._decimal)
        if self.is_text:
            strings = self.distinct.slice(0, LOOKED_AT)
            formats = [
                Reading("timestamp", format, is_zoned(format, strings)) for format in find_formats(strings, LIKELY)
            ]
            return [number, *formats, Reading("boolean")]
        if pa.types.is_integer(self.type):
            low, high = pc.min_max(self.distinct).as_py().values()
            days = [Reading("timestamp", DIGITS_ONLY)] if low >= FIRST_DAY and high <= LAST_DAY else []
            return [number, *days]
        return [] if pa.types.is_time(self.type) else [number]

    def _is_hopeless(self, reading: Reading) -> bool:
        if reading.kind == "boolean":
            return not reading.fits
        return len(reading.unparsed) > max(FEW_UNPARSED, UNPARSED_SHARE * len(self.distinct))
