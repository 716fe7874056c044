"""From the spellings of a table to the types of the schema."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ekiben.contract.feature import FALSE, NULL_SPELLINGS, TRUE, Kind
from ekiben.training.tables.dates import cast_timestamps, read_timestamps, timestamp_type, to_seconds
from ekiben.training.tables.number_formats import cast_numbers, read_numbers

_Reader = Callable[[pa.Array], pa.Array]
EXACT_INTEGERS = 2.0**53  # below it a float holds every integer


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


@dataclass(frozen=True)
class _Spelling:
    format: str
    zoned: bool
    decimal: str


def convert(raw: pa.Array, kind: Kind, *, format: str = "", zoned: bool = False, decimal: str = ".") -> Converted:
    """Return a column as `kind`, whatever its type; where a value can't be read as that it is a misfit and null.

    Of a string NULL_SPELLINGS are missing. `format` and `zoned` say how timestamps are written,
    `decimal` is the decimal point of numbers in strings.
    """
    plain = to_plain(raw)
    return _mark_parse_failures(plain, _READERS[kind](plain, _Spelling(format, zoned, decimal)))


def convert_exactly(raw: pa.Array, decimal: str = ".") -> Converted:
    """Return a column of numbers as `convert` does, but as float64: float32 takes 16,777,217 for 16,777,216."""
    plain = to_plain(raw)
    return _mark_parse_failures(plain, to_double(plain, decimal))


def to_plain(raw: pa.Array) -> pa.Array:
    """Return the same values without what an encoding adds, null where a string or a NaN stands for missing."""
    if isinstance(raw, pa.ExtensionArray):
        raw = raw.storage
    if pa.types.is_dictionary(raw.type):
        raw = raw.dictionary_decode()
    if pa.types.is_large_string(raw.type) or pa.types.is_string_view(raw.type):
        raw = raw.cast(pa.string())
    if pa.types.is_string(raw.type):
        missing = pc.is_in(pc.utf8_trim_whitespace(raw), pa.array(sorted(NULL_SPELLINGS)))
    elif pa.types.is_floating(raw.type):
        missing = raw.is_null(nan_is_null=True)
    else:
        return raw
    return pc.if_else(missing, pa.scalar(None, raw.type), raw) if pc.any(missing).as_py() else raw


def to_double(plain: pa.Array, decimal: str = ".") -> pa.Array:
    """Return what `to_plain` made as float64, null where it is not a number or float32 can't hold it."""
    if pa.types.is_string(plain.type):
        wide = _read(plain, partial(cast_numbers, decimal=decimal), partial(read_numbers, decimal=decimal))
    elif _is_numeric(plain.type) or pa.types.is_boolean(plain.type):
        wide = plain.cast(pa.float64(), safe=False)
    else:
        return pa.nulls(len(plain), pa.float64())
    return pc.if_else(pc.is_finite(wide.cast(pa.float32(), safe=False)), wide, None)


def _mark_parse_failures(plain: pa.Array, values: pa.Array) -> Converted:
    parse_failure = pc.and_(plain.is_valid(), values.is_null()).to_numpy(zero_copy_only=False)
    return Converted(values, parse_failure if parse_failure.any() else None)


def _to_number(plain: pa.Array, how: _Spelling) -> pa.Array:
    return to_double(plain, how.decimal).cast(pa.float32(), safe=False)


def _to_boolean(plain: pa.Array, _: _Spelling) -> pa.Array:
    if pa.types.is_boolean(plain.type):
        return plain
    if pa.types.is_string(plain.type):
        word = pc.utf8_lower(pc.utf8_trim_whitespace(plain))
        yes, no = (pc.is_in(word, pa.array(words)) for words in (TRUE, FALSE))
    elif _is_numeric(plain.type):
        wide = plain.cast(pa.float64(), safe=False)
        yes, no = pc.equal(wide, 1.0), pc.equal(wide, 0.0)
    else:
        return pa.nulls(len(plain), pa.bool_())
    return pc.if_else(pc.or_(yes, no), yes, None)


def _to_timestamp(plain: pa.Array, how: _Spelling) -> pa.Array:
    if pa.types.is_integer(plain.type) and how.format:
        plain = plain.cast(pa.string())  # 20130704
    if pa.types.is_string(plain.type):
        at_once = None if how.format else partial(cast_timestamps, zoned=how.zoned)
        return _read(plain, at_once, partial(read_timestamps, format=how.format, zoned=how.zoned))
    if pa.types.is_timestamp(plain.type) or pa.types.is_date(plain.type):
        return to_seconds(plain, how.zoned)
    return pa.nulls(len(plain), timestamp_type(how.zoned))


def _to_category(plain: pa.Array, _: _Spelling) -> pa.Array:
    return to_strings(plain).dictionary_encode()


def has_text(given: pa.DataType) -> bool:
    """Return whether values of this type can be categories or labels."""
    return _is_numeric(given) or any(is_such(given) for is_such in _WITH_TEXT)


def to_strings(plain: pa.Array) -> pa.Array:
    """Return what `to_plain` made as a caller would write it: `3` for 3.0, `true`, `2013-07-04T17:30:00`.

    All null if the type has no strings.
    """
    given = plain.type
    if pa.types.is_floating(given):
        whole = pc.and_(pc.equal(plain, pc.trunc(plain)), pc.less(pc.abs(plain), EXACT_INTEGERS))
        digits = pc.if_else(whole, plain, None).cast(pa.int64()).cast(pa.string())
        return pc.coalesce(digits, plain.cast(pa.string()))
    if pa.types.is_decimal(given):
        return pc.replace_substring_regex(plain.cast(pa.string()), r"\.0+$", "")
    if pa.types.is_timestamp(given):
        zoned = given.tz is not None
        return pc.strftime(to_seconds(plain, zoned), "%Y-%m-%dT%H:%M:%S" + ("+00:00" if zoned else ""))
    return plain.cast(pa.string()) if has_text(given) else pa.nulls(len(plain), pa.string())


def _read(strings: pa.Array, at_once: _Reader | None, with_care: _Reader) -> pa.Array:
    """Read all strings at once, or if that can't be each one once: columns repeat themselves."""
    if at_once:
        with suppress(pa.ArrowInvalid):  # a string is odd
            return at_once(strings)
    encoded = strings.dictionary_encode()
    return with_care(encoded.dictionary).take(encoded.indices)


def _is_numeric(given: pa.DataType) -> bool:
    return pa.types.is_integer(given) or pa.types.is_floating(given) or pa.types.is_decimal(given)


_WITH_TEXT = (
    pa.types.is_string,
    pa.types.is_boolean,
    pa.types.is_timestamp,
    pa.types.is_date,
    pa.types.is_time,
    pa.types.is_null,
)
_READERS: Mapping[Kind, Callable[[pa.Array, _Spelling], pa.Array]] = {
    "number": _to_number,
    "category": _to_category,
    "boolean": _to_boolean,
    "timestamp": _to_timestamp,
}
