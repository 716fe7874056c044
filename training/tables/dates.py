"""Reads columns of dates and times, by the very formats that read a cell."""

from contextlib import suppress
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ekiben.contract.feature import COUNTS, EXCEL, TICKS
from ekiben.contract.spellings.calendar import SECONDS_PER_DAY
from ekiben.contract.spellings.formats import list_directives, to_pattern
from ekiben.contract.spellings.moments import (
    CLOCK_SECOND,
    EXCEL_EPOCH,
    FIRST_SECOND,
    LAST_SECOND,
    assemble,
    read_moment,
    read_offset,
)
from ekiben.contract.spellings.months import MONTHS
from ekiben.contract.spellings.spelling import PLAIN, Spelling
from ekiben.training.tables.distinct import read_distinct
from ekiben.training.tables.number_formats import read_numbers
from ekiben.training.tables.plain_types import TICKS_OF

_NUMBERS = "YymdHIMSj"
Fields = dict[str, NDArray[np.int64]]


def timestamp_type(zoned: bool) -> pa.DataType:
    """Return the type of a timestamp column: whole seconds, in UTC if zoned."""
    return pa.timestamp("s", "UTC" if zoned else None)


def read_timestamps(strings: pa.Array, spelling: Spelling) -> pa.Array:
    """Return strings without blanks around them as `timestamp_type`, null where one is no such moment."""
    found = read_at_once(strings, spelling)
    missed = pc.and_(strings.is_valid(), found.is_null())
    if not pc.any(missed).as_py():
        return found
    rest = read_distinct(strings.filter(missed), partial(_read_cell, spelling=spelling), pa.int64())
    return pc.replace_with_mask(found, missed, rest.cast(found.type))


def read_at_once(strings: pa.Array, spelling: Spelling) -> pa.Array:
    """Do the same with what kernels can read: all in usual forms of ISO 8601, or each that is in the format."""
    if spelling.format in COUNTS:
        return count_seconds(read_numbers(strings, PLAIN), spelling)
    if spelling.format:
        return _read_format(strings, spelling)
    with suppress(pa.ArrowInvalid):
        return to_seconds(strings.cast(pa.timestamp("us", "UTC" if spelling.zoned else None)), spelling.zoned)
    return pa.nulls(len(strings), timestamp_type(spelling.zoned))


def count_seconds(numbers: pa.Array, spelling: Spelling) -> pa.Array:
    """Return float64 counts of days or of ticks as `timestamp_type`."""
    if spelling.zoned:
        return pa.nulls(len(numbers), timestamp_type(True))
    wide = numbers.fill_null(0).to_numpy(zero_copy_only=False)
    if spelling.format == EXCEL:
        seconds = EXCEL_EPOCH + np.rint(wide * SECONDS_PER_DAY)
    else:
        seconds = wide // TICKS[spelling.format]
    exists = numbers.is_valid().to_numpy(zero_copy_only=False) & (seconds >= FIRST_SECOND) & (seconds <= LAST_SECOND)
    return _from_seconds(np.where(exists, seconds, 0).astype(np.int64), exists, False)


def to_seconds(values: pa.Array, zoned: bool = False) -> pa.Array:
    """Return dates, times or timestamps as `timestamp_type`; all null where `zoned` is not what they are."""
    if pa.types.is_time(values.type):
        ticks = values.cast(pa.int32() if pa.types.is_time32(values.type) else pa.int64()).cast(pa.int64())
        values = pc.add(pc.divide(ticks, TICKS_OF[values.type.unit]), CLOCK_SECOND).cast(pa.timestamp("s"))
    if pa.types.is_date(values.type):
        values = values.cast(pa.timestamp("s" if pa.types.is_date32(values.type) else "ms"))
    if (values.type.tz is not None) != zoned:
        return pa.nulls(len(values), timestamp_type(zoned))
    seconds = values.cast(pa.int64()).fill_null(0).to_numpy() // TICKS_OF[values.type.unit]  # before 1970 too
    exists = values.is_valid().to_numpy(zero_copy_only=False) & (seconds >= FIRST_SECOND) & (seconds <= LAST_SECOND)
    return _from_seconds(seconds, exists, zoned)


def _read_cell(text: str, spelling: Spelling) -> int | None:
    try:
        return read_moment(text, spelling)
    except ValueError:
        return None


def _read_format(strings: pa.Array, spelling: Spelling) -> pa.Array:
    directives = list_directives(spelling.format)
    if ("z" in directives) != spelling.zoned or not directives:
        return pa.nulls(len(strings), timestamp_type(spelling.zoned))
    found = pc.extract_regex(strings, f"^(?:{to_pattern(spelling.format)})$")
    matched = found.is_valid().to_numpy(zero_copy_only=False)
    rows = found.filter(found.is_valid())
    values, exists_of_rows = assemble(_to_fields(rows), spelling.first_year)
    exists_of_rows &= (values >= FIRST_SECOND) & (values <= LAST_SECOND)
    seconds, exists = np.zeros(len(strings), np.int64), np.zeros(len(strings), bool)
    seconds[matched], exists[matched] = values, exists_of_rows
    return _from_seconds(seconds, exists, spelling.zoned)


def _to_fields(rows: pa.StructArray) -> Fields:
    """Return what a format's groups hold, as `to_fields` does of one string."""
    fields: dict[str, Any] = {}
    for group, texts in zip(rows.type, rows.flatten(), strict=True):
        if group.name in _NUMBERS:
            fields[group.name] = texts.cast(pa.int64())
        elif group.name in "bB":
            index = pc.index_in(pc.utf8_lower(texts), pa.array(list(MONTHS)))
            fields["month"] = pc.fill_null(pa.array(list(MONTHS.values())).take(index), 0)
        elif group.name == "p":
            fields["p"] = pc.match_substring_regex(texts, "^[pP]").cast(pa.int64())
        elif group.name == "z":
            fields["offset"] = read_distinct(texts, read_offset, pa.int64())
    return {name: np.asarray(values) for name, values in fields.items()}


def _from_seconds(seconds: NDArray[np.int64], exists: NDArray[np.bool_], zoned: bool) -> pa.Array:
    return pa.array(seconds, pa.int64(), mask=~exists).cast(timestamp_type(zoned))
