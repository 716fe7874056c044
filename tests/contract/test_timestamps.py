"""Dates and times: which strings are read, and where each stands on its circles."""

import math
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ekiben.contract.encoding import Encoder
from ekiben.contract.feature import Cycle, Timestamp
from ekiben.contract.schema import Schema
from ekiben.contract.validation import validate_value
from tests.every_kind import LATE

LOCAL = Timestamp(name="moment", nullable=True)
ZONED = Timestamp(name="moment", nullable=True, zoned=True)
ISO = "expected an ISO 8601 date and time such as 2013-07-04T17:30:00"
WANTS_LOCAL = "expected local time without a UTC offset"
WANTS_OFFSET = "expected a UTC offset, such as +00:00 or Z"


def index(feature: Timestamp, *strings: str | None) -> np.ndarray:
    """The encoded strings, (rows, 2 × cycles)."""
    schema = Schema(name="times", features=(feature,), target=LATE)
    return Encoder(schema).encode_rows([{"moment": text} for text in strings]).numbers


def expect(moment: datetime) -> np.ndarray:
    """The same three circles by way of `datetime` alone."""
    seconds = moment.hour * 3600 + moment.minute * 60 + moment.second
    turns = [seconds / 86_400, moment.weekday() / 7, (moment.timetuple().tm_yday - 1) / 366]
    return np.array([axis(2 * math.pi * turn) for turn in turns for axis in (math.sin, math.cos)])


@pytest.mark.parametrize(
    "text",
    [
        "1900-02-28T23:59:59",
        "1900-03-01T00:00:00",
        "1969-12-31T23:59:59",
        "1970-01-01T00:00:00",
        "2000-02-29T12:00:00",
        "2000-12-31T23:59:59",
        "2012-02-29T06:30:00",
        "2013-07-04T17:30:00",
        "2100-02-28T18:00:00",
        "2100-12-31T00:00:01",
        "0001-01-01T00:00:00",
        "9999-12-31T23:59:59",
    ],
)
def test_a_moment_stands_where_the_calendar_says(text: str) -> None:
    np.testing.assert_allclose(index(LOCAL, text)[0], expect(datetime.fromisoformat(text)), atol=1e-6)


@given(st.datetimes())
def test_every_moment_stands_where_the_calendar_says(moment: datetime) -> None:
    np.testing.assert_allclose(index(LOCAL, moment.isoformat())[0], expect(moment), atol=1e-6)


@given(st.datetimes(datetime(1, 1, 3), datetime(9999, 12, 29)), st.integers(-1439, 1439))
def test_every_zoned_moment_is_read_in_utc(moment: datetime, offset_min: int) -> None:
    zoned = moment.replace(tzinfo=timezone(timedelta(minutes=offset_min)))
    np.testing.assert_allclose(index(ZONED, zoned.isoformat())[0], expect(zoned.astimezone(UTC)), atol=1e-6)


@pytest.mark.parametrize("text", ["2013-07-04T17:30:00Z", "2013-07-04T19:30:00+02:00", "2013-07-04T13:30-04:00"])
def test_offsets_name_the_same_moment(text: str) -> None:
    assert np.array_equal(index(ZONED, text), index(LOCAL, "2013-07-04T17:30:00"))


def test_an_offset_can_move_the_date() -> None:
    assert np.array_equal(index(ZONED, "2013-01-01T01:00:00+02:00"), index(LOCAL, "2012-12-31T23:00:00"))


@pytest.mark.parametrize("text", ["2013-07-04", "2013-07-04T00:00", "2013-07-04 00:00:00", "20130704T000000"])
def test_parts_of_the_clock_may_be_left_out(text: str) -> None:
    assert np.array_equal(index(LOCAL, text), index(LOCAL, "2013-07-04T00:00:00"))


def test_fractions_of_a_second_are_dropped() -> None:
    assert np.array_equal(index(LOCAL, "2013-07-04T17:30:00.999"), index(LOCAL, "2013-07-04T17:30:00"))


@pytest.mark.parametrize("feature", [LOCAL, ZONED])
def test_a_missing_moment_is_nan(feature: Timestamp) -> None:
    assert np.isnan(index(feature, None)).all()


def test_a_missing_moment_leaves_its_neighbours_alone() -> None:
    placed = index(LOCAL, "2013-07-04", None, "2013-07-04")
    assert np.isnan(placed[1]).all()
    assert not np.isnan(placed[[0, 2]]).any()


@pytest.mark.parametrize(
    ("feature", "text", "message"),
    [
        (LOCAL, "2013-07-04T17:30:00Z", WANTS_LOCAL),
        (LOCAL, "2013-07-04T17:30:00+00:00", WANTS_LOCAL),
        (ZONED, "2013-07-04T17:30:00", WANTS_OFFSET),
        (ZONED, "2013-07-04", WANTS_OFFSET),
        (LOCAL, "yesterday", ISO),
        (LOCAL, "", ISO),
        (LOCAL, "2013-02-29", ISO),
        (LOCAL, "1900-02-29", ISO),
        (LOCAL, "2100-02-29", ISO),
        (LOCAL, "2013-13-01", ISO),
        (LOCAL, "2013-07-04T24:00:01", ISO),
        (LOCAL, "2013-07-04T17:60:00", ISO),
        (LOCAL, "04.07.2013", ISO),
        (LOCAL, "1372959000", ISO),
        (LOCAL, "2013-07-04T17:30:00 x", ISO),
        (LOCAL, "\ud8002013-07-04", ISO),
    ],
)
def test_any_other_text_is_rejected(feature: Timestamp, text: str, message: str) -> None:
    assert validate_value(feature, text) == f"{message}, got {text!r}"


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-01:00"])
def test_a_moment_utc_cannot_hold_is_rejected(text: str) -> None:
    assert validate_value(ZONED, text) == f"expected a date between the years 1 and 9999 in UTC, got {text!r}"


@pytest.mark.parametrize("cycles", [("weekday",), ("day_of_year", "hour")])
def test_only_the_declared_cycles_are_encoded(cycles: tuple[Cycle, ...]) -> None:
    feature = Timestamp(name="moment", cycles=cycles)
    every = dict(zip(LOCAL.cycles, index(LOCAL, "2013-07-04T17:30:00").reshape(3, 2), strict=True))
    assert np.array_equal(index(feature, "2013-07-04T17:30:00").reshape(-1, 2), [every[cycle] for cycle in cycles])


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_pandas_columns_of_every_resolution_are_the_same(unit: str) -> None:
    column = pd.Series(pd.to_datetime(["2013-07-04T17:30:00", None])).astype(f"datetime64[{unit}]")
    schema = Schema(name="times", features=(LOCAL,), target=LATE)
    encoded = Encoder(schema).encode(pd.DataFrame({"moment": column})).numbers
    assert np.array_equal(encoded, index(LOCAL, "2013-07-04T17:30:00", None), equal_nan=True)


@pytest.mark.parametrize("zone", ["UTC", "America/New_York"])
def test_zoned_pandas_columns_are_read_in_utc(zone: str) -> None:
    column: Any = pd.Series(pd.to_datetime(["2013-07-04T17:30:00Z", None])).dt.tz_convert(zone)
    schema = Schema(name="times", features=(ZONED,), target=LATE)
    encoded = Encoder(schema).encode(pd.DataFrame({"moment": column})).numbers
    assert np.array_equal(encoded, index(ZONED, "2013-07-04T17:30:00Z", None), equal_nan=True)
