"""What a column holds, found out batch by batch in bounded memory."""

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from ekiben.training.proposal.candidates import LOOKED_AT, is_likely, list_readings
from ekiben.training.proposal.reading import Reading
from ekiben.training.tables.conversion import to_plain
from ekiben.training.tables.strings import has_text

MAX_DISTINCT = 100_000  # values that are told apart; then there are "many"
MAX_DISTINCT_BYTES = 1 << 25
UNPARSED_SHARE = 0.5  # of the distinct values can't be read: this is no such column
FEW_UNPARSED = 20
MARKS = ".,"  # of decimals or between thousands


class Column:
    """One column of the table: how many values it has, how many differ, and as what they can be read."""

    def __init__(self, name: str, decimal: str | None = None, null: Sequence[str] = ()) -> None:
        self.name = name
        self.type = pa.null()
        self.given = pa.null()  # the type as the source has it
        self.rows = self.values = self.characters = 0
        self.distinct: pa.Array = pa.nulls(0)  # the different values
        self.is_counted = True  # they are all
        self.against: dict[str, tuple[str, int]] = {}  # format → which value, in which row, is not written so
        self._counted_values = 0
        self.decimal = decimal  # as it is said to be; None: to be found out
        self._null = null
        self._readings: list[Reading] | None = None
        self.has_marks = False

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
        """As what all values, or at least half of them, can be read; the first is the likeliest."""
        return self._readings or []

    def add(self, raw: pa.Array) -> None:
        """Look at the next batch."""
        plain = to_plain(raw, self._null)
        self.type, self.given = plain.type, raw.type
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
            self._readings = list_readings(self.distinct, self.decimal, raw.type)
        self._try_comma(plain)
        for reading in self._readings:
            reading.add(plain, first_row)
        self._drop_hopeless()

    def _count(self, plain: pa.Array, present: int) -> None:
        if not self.is_counted:
            return
        found = pc.unique(plain.drop_null())
        self.distinct = pc.unique(pa.concat_arrays([self.distinct, found])) if len(self.distinct) else found
        self._counted_values = self.values + present
        self.is_counted = len(self.distinct) <= MAX_DISTINCT and self.distinct.nbytes <= MAX_DISTINCT_BYTES

    def _try_comma(self, plain: pa.Array) -> None:
        """Read numbers with a decimal comma as well, from the first batch on in which that makes a difference."""
        if self.has_marks or not self.is_text:
            return
        marked = pc.or_(*(pc.match_substring(plain, mark) for mark in MARKS))
        self.has_marks = bool(pc.any(marked).as_py())
        numbers = [reading for reading in self.readings if reading.kind == "number" and not reading.spelling.format]
        if self.has_marks and self.decimal is None and len(numbers) == 1 and numbers[0].spelling.decimal != ",":
            comma = numbers[0].spelled(decimal=",")
            if is_likely(comma, pc.unique(plain.filter(marked).slice(0, LOOKED_AT))):
                self.readings.insert(1, comma)

    def _drop_hopeless(self) -> None:
        for reading in list(self.readings):
            if reading.missed and reading.kind == "timestamp":
                self.against[reading.spelling.format] = reading.first_unparsed
            if self._is_hopeless(reading) or self._is_beaten(reading):
                self.readings.remove(reading)

    def _is_hopeless(self, reading: Reading) -> bool:
        if reading.kind == "boolean":
            return not reading.fits
        return len(reading.unparsed) > max(FEW_UNPARSED, UNPARSED_SHARE * len(self.distinct))

    def _is_beaten(self, reading: Reading) -> bool:
        """Return whether the numbers have the other decimal mark: by it all can be read."""
        if reading.kind != "number" or reading.fits or reading.spelling.format:
            return False
        return any(other.kind == "number" and not other.spelling.format and other.fits for other in self.readings)
