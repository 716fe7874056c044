"""Reads dates and times: ISO 8601, or any form `strptime` knows."""

from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

FIRST_SECOND = int(np.datetime64("0001-01-01T00:00:00", "s").astype(np.int64))
LAST_SECOND = int(np.datetime64("9999-12-31T23:59:59", "s").astype(np.int64))
TICKS = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}  # of a second


def timestamp_type(zoned: bool) -> pa.DataType:
    """Return the type of a timestamp column: whole seconds, in UTC if zoned."""
    return pa.timestamp("s", "UTC" if zoned else None)


def cast_timestamps(strings: pa.Array, zoned: bool = False) -> pa.Array:
    """Return ISO 8601 strings as `timestamp_type`; raise ArrowInvalid if any is not in a usual form of it."""
    return to_seconds(strings.cast(pa.timestamp("us", "UTC" if zoned else None)), zoned)


def read_timestamps(strings: pa.Array, format: str = "", zoned: bool = False) -> pa.Array:
    """Return strings as `timestamp_type`, null where a string is not such a date; fractions of a second are cut.

    Without a `format` a string is read as ISO 8601. `zoned` wants a UTC offset in each text, any
    other column rejects one.
    """
    if format:
        return _within_years(_read_format(strings, format, zoned), zoned)
    moments = [text and _parse_iso(text) for text in strings.to_pylist()]
    return pa.array([_fit(moment, zoned) if moment else None for moment in moments], timestamp_type(zoned))


def to_seconds(values: pa.Array, zoned: bool = False) -> pa.Array:
    """Return dates or timestamps of any unit as `timestamp_type`; all null where `zoned` is not what they are."""
    if pa.types.is_date(values.type):
        values = values.cast(pa.timestamp("s" if pa.types.is_date32(values.type) else "ms"))
    if (values.type.tz is not None) != zoned:
        return pa.nulls(len(values), timestamp_type(zoned))
    ticks = values.cast(pa.int64()).fill_null(0).to_numpy() // TICKS[values.type.unit]  # the floor, before 1970 too
    return _within_years(_from_seconds(ticks, values.is_null(), zoned), zoned)


def _parse_iso(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text.strip())
    except ValueError:
        return None


def _fit(moment: datetime, zoned: bool) -> datetime | None:
    """Return the moment in whole seconds, in UTC if zoned, or None if it is not what `zoned` says."""
    if (moment.tzinfo is not None) != zoned:
        return None
    try:
        return (moment.astimezone(UTC) if zoned else moment).replace(microsecond=0)
    except OverflowError:
        return None  # beyond the years 1 and 9999 in UTC


def _read_format(strings: pa.Array, format: str, zoned: bool) -> pa.Array:
    if zoned != ("%z" in format):
        return pa.nulls(len(strings), timestamp_type(zoned))
    strings = pc.utf8_trim_whitespace(strings)
    strings = pc.if_else(pc.match_substring_regex(strings, r"\d"), strings, None)  # pandas takes "now" for a date
    moments = pd.to_datetime(strings.to_pandas(), format=format, errors="coerce", utc=zoned)
    seconds = moments.to_numpy("datetime64[s]").astype(np.int64)
    return _from_seconds(seconds, moments.isna().to_numpy(), zoned)


def _from_seconds(seconds: NDArray[np.int64], missing: NDArray[np.bool_], zoned: bool) -> pa.Array:
    return pa.array(seconds, pa.int64(), mask=np.asarray(missing)).cast(timestamp_type(zoned))


def _within_years(values: pa.Array, zoned: bool) -> pa.Array:
    """Return the values, null outside of the years 1 to 9999."""
    seconds = values.cast(pa.int64())
    beyond = pc.or_(pc.less(seconds, FIRST_SECOND), pc.greater(seconds, LAST_SECOND))
    return pc.if_else(beyond, pa.scalar(None, timestamp_type(zoned)), values)
