"""From the spellings of a table to the types of the schema."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ekiben.contract.feature import COUNTS, FALSE, NULL_SPELLINGS, TRUE, Kind
from ekiben.contract.spellings.cells import WHOLE
from ekiben.contract.spellings.formats import is_clock
from ekiben.contract.spellings.numbers import marker_numbers
from ekiben.contract.spellings.spelling import PLAIN, Spelling
from ekiben.training.tables.dates import count_seconds, read_timestamps, timestamp_type, to_seconds
from ekiben.training.tables.distinct import repeats_itself
from ekiben.training.tables.number_formats import cast_digits, hold_in_float32, read_numbers
from ekiben.training.tables.plain_types import unpack
from ekiben.training.tables.strings import has_text, is_numeric, to_strings


@dataclass(frozen=True)
class ParseFailure:
    """The values of a column that can't be read as its kind."""

    column: str
    rows: int  # how many
    row: int  # the first, counted from 1 in the table's data rows
    shown: str  # its value as the table writes it
    expected: str  # such as "a number"
    of: int = 0  # rows of the table; 0 if that is not known


@dataclass(frozen=True)
class Converted:
    """A column in the type of its kind.

    A number is float32, a category dictionary<int32, string>, a boolean bool, a timestamp
    timestamp[s], with UTC if zoned; null is missing.
    """

    values: pa.Array
    parse_failure: NDArray[np.bool_] | None  # (rows,) a value is there that can't be read as this kind; None: nowhere


def convert(raw: pa.Array, kind: Kind, spelling: Spelling = PLAIN) -> Converted:
    """Return a column as `kind`, whatever its type; where a value can't be read as that it is a misfit and null.

    `spelling` is what is to be known to read its strings.
    """
    if not pa.types.is_string(raw.type):
        return _convert(raw, kind, spelling)
    if kind == "number" and (wide := cast_digits(raw, spelling)) is not None:
        return Converted(wide.cast(pa.float32(), safe=False), None)
    if kind in ("category", "boolean") and repeats_itself(raw):
        encoded = raw.dictionary_encode()
        return _spread(_convert(encoded.dictionary, kind, spelling), encoded.indices)
    return _convert(raw, kind, spelling)


def convert_exactly(raw: pa.Array, kind: Kind, spelling: Spelling = PLAIN) -> Converted:
    """Return a column of numbers as `convert` does, but as float64: float32 takes 16,777,217 for 16,777,216."""
    plain = _null_markers(to_plain(raw, spelling.null), kind, spelling)
    return _mark_parse_failures(plain, to_double(plain, spelling))


def to_plain(raw: pa.Array, null: Sequence[str] = ()) -> pa.Array:
    """Return the same values without what an encoding adds, and strings without the blanks around them.

    Null is where a string or a NaN stands for missing; `null` are more strings that do, also of other types.
    """
    plain = unpack(raw)
    if pa.types.is_string(plain.type):
        plain = pc.utf8_trim_whitespace(plain)
        missing = pc.is_in(plain, pa.array([*NULL_SPELLINGS, *null]))
    elif null and has_text(plain.type):
        missing = pc.is_in(to_strings(plain), pa.array([*NULL_SPELLINGS, *null]))
    elif pa.types.is_floating(plain.type):
        missing = plain.is_null(nan_is_null=True)
    else:
        return plain
    return pc.if_else(missing, pa.scalar(None, plain.type), plain) if pc.any(missing).as_py() else plain


def to_double(plain: pa.Array, spelling: Spelling = PLAIN) -> pa.Array:
    """Return what `to_plain` made as float64, null where it is not a number or float32 can't hold it."""
    if pa.types.is_string(plain.type):
        return read_numbers(plain, spelling)
    if is_numeric(plain.type) or pa.types.is_boolean(plain.type):
        return hold_in_float32(plain.cast(pa.float64(), safe=False))
    return pa.nulls(len(plain), pa.float64())


def _convert(raw: pa.Array, kind: Kind, spelling: Spelling) -> Converted:
    plain = _null_markers(to_plain(raw, spelling.null), kind, spelling)
    return _mark_parse_failures(plain, _READERS[kind](plain, spelling))


def _spread(distinct: Converted, indices: pa.Array) -> Converted:
    """Return the rows of which only the different values were converted."""
    failed = distinct.parse_failure
    in_rows = None if failed is None else pa.array(failed).take(indices).fill_null(False)
    return Converted(distinct.values.take(indices), None if in_rows is None else in_rows.to_numpy(zero_copy_only=False))


def _null_markers(plain: pa.Array, kind: Kind, spelling: Spelling) -> pa.Array:
    """Return the values, null also where a marker is written otherwise: `-999.0` where `-999` stands for missing."""
    if spelling.null and kind == "number" and (markers := marker_numbers(spelling)):
        wide = to_double(plain, spelling).fill_null(math.nan).to_numpy(zero_copy_only=False)
        return pc.if_else(pa.array(np.isin(wide, list(markers))), pa.scalar(None, plain.type), plain)
    if spelling.null and kind == "category" and spelling.integers:
        missing = pc.is_in(_to_whole(to_strings(plain)), pa.array(spelling.null))
        return pc.if_else(missing, pa.scalar(None, plain.type), plain)
    return plain


def _mark_parse_failures(plain: pa.Array, values: pa.Array) -> Converted:
    parse_failure = pc.and_(plain.is_valid(), values.is_null()).to_numpy(zero_copy_only=False)
    return Converted(values, parse_failure if parse_failure.any() else None)


def _to_number(plain: pa.Array, spelling: Spelling) -> pa.Array:
    return to_double(plain, spelling).cast(pa.float32(), safe=False)


def _to_boolean(plain: pa.Array, _: Spelling) -> pa.Array:
    if pa.types.is_boolean(plain.type):
        return plain
    if pa.types.is_string(plain.type):
        word = pc.utf8_lower(plain)
        yes, no = (pc.is_in(word, pa.array(words)) for words in (TRUE, FALSE))
    elif is_numeric(plain.type):
        wide = plain.cast(pa.float64(), safe=False)
        yes, no = pc.equal(wide, 1.0), pc.equal(wide, 0.0)
    else:
        return pa.nulls(len(plain), pa.bool_())
    return pc.if_else(pc.or_(yes, no), yes, None)


def _to_timestamp(plain: pa.Array, spelling: Spelling) -> pa.Array:
    if is_numeric(plain.type) and spelling.format in COUNTS:
        return count_seconds(to_double(plain), spelling)
    if pa.types.is_integer(plain.type) and spelling.format:
        plain = plain.cast(pa.string())  # 20130704
    if pa.types.is_string(plain.type):
        return read_timestamps(plain, spelling)
    is_day = pa.types.is_timestamp(plain.type) or pa.types.is_date(plain.type)
    if is_day or (pa.types.is_time(plain.type) and is_clock(spelling.format)):
        return to_seconds(plain, spelling.zoned)
    return pa.nulls(len(plain), timestamp_type(spelling.zoned))


def _to_category(plain: pa.Array, spelling: Spelling) -> pa.Array:
    strings = to_strings(plain)
    return (_to_whole(strings) if spelling.integers else strings).dictionary_encode()


def _to_whole(strings: pa.Array) -> pa.Array:
    return pc.replace_substring_regex(strings, WHOLE, r"\1")


_READERS: Mapping[Kind, Callable[[pa.Array, Spelling], pa.Array]] = {
    "number": _to_number,
    "category": _to_category,
    "boolean": _to_boolean,
    "timestamp": _to_timestamp,
}
