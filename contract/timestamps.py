"""From a date and time to points on circles: the hour, the weekday and the day of the year."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ekiben.contract.feature import Cycle, Timestamp

SECONDS_PER_DAY = 86_400
DAYS_PER_WEEK = 7
DAYS_PER_YEAR = 366  # a leap year's, so that 31 December stays a day short of a whole turn
EPOCH_WEEKDAY = 3  # 1 January 1970 was a Thursday; Monday is 0
NAT = np.datetime64("NaT").astype(np.int64)


def parse_timestamp(feature: Timestamp, text: str) -> datetime:
    """Read one string in ISO 8601 or the feature's own format; raise ValueError saying what was expected."""
    moment = _read_format(text, feature.format) if feature.format else None
    if moment is None:
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            raise ValueError("expected an ISO 8601 date and time such as 2013-07-04T17:30:00") from None
    if (moment.tzinfo is not None) != feature.zoned:
        want = "a UTC offset, such as +00:00 or Z" if feature.zoned else "local time without a UTC offset"
        raise ValueError(f"expected {want}")
    try:
        return moment.astimezone(UTC) if feature.zoned else moment
    except OverflowError:
        raise ValueError("expected a date between the years 1 and 9999 in UTC") from None


def to_seconds(feature: Timestamp, column: Any) -> NDArray[np.int64]:
    """Return a sequence of strings or a pandas column of datetimes as seconds since 1970, NAT where missing."""
    if isinstance(column, tuple | list):
        # 6 times faster than letting NumPy convert the datetimes
        plain = not (feature.format or feature.zoned)  # then a UTC offset is found below, as a TypeError
        parse = datetime.fromisoformat if plain else partial(parse_timestamp, feature)
        epoch = datetime(1970, 1, 1, tzinfo=UTC if feature.zoned else None)
        return np.array([NAT if text is None else _count_seconds(parse(text) - epoch) for text in column])
    if column.dt.tz is not None:
        column = column.dt.tz_convert("UTC").dt.tz_localize(None)
    seconds: NDArray[np.int64] = column.to_numpy().astype("datetime64[s]").astype(np.int64)
    return seconds


def encode_cycles(seconds: NDArray[np.int64], cycles: Sequence[Cycle]) -> NDArray[np.float32]:
    """Return the sine and cosine of each cycle, (rows, 2 × cycles); NaN where the moment is missing."""
    angles = np.empty((len(seconds), len(cycles)))
    for index, cycle in enumerate(cycles):
        angles[:, index] = _turns(seconds, cycle)
    angles *= 2 * np.pi
    missing = seconds == NAT
    if missing.any():
        angles[missing] = np.nan
    points = np.empty((len(seconds), 2 * len(cycles)), np.float32)
    points[:, 0::2] = np.sin(angles)
    points[:, 1::2] = np.cos(angles)
    return points


def _turns(seconds: NDArray[np.int64], cycle: Cycle) -> NDArray[np.float64]:
    """Return which part of its circle each moment has gone, from 0 to 1."""
    if cycle == "hour":
        return seconds % SECONDS_PER_DAY / SECONDS_PER_DAY
    days = seconds // SECONDS_PER_DAY
    if cycle == "weekday":
        return (days + EPOCH_WEEKDAY) % DAYS_PER_WEEK / DAYS_PER_WEEK
    dates = days.astype("datetime64[D]")
    since_new_year: NDArray[np.float64] = (dates - dates.astype("datetime64[Y]")).astype(np.float64)
    return since_new_year / DAYS_PER_YEAR


def _read_format(text: str, style: str) -> datetime | None:
    try:
        return datetime.strptime(text, style)
    except ValueError:
        return None


def _count_seconds(since_epoch: timedelta) -> int:
    return since_epoch.days * SECONDS_PER_DAY + since_epoch.seconds
