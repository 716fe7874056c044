"""The cut by time: no moment in two parts, and none left out."""

from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import pytest

from contract.errors import InvalidTable
from training.problem import Split
from training.split import Parts, split_by_time

SPLIT = Split(time="when", validate_from=date(2013, 10, 1), test_from=date(2013, 11, 1))
MOMENTS = [
    "2013-01-01T00:00:00",
    "2013-09-30T23:59:59",
    "2013-10-01T00:00:00",
    "2013-10-31T23:59:59",
    "2013-11-01T00:00:00",
    "2013-12-31T23:59:59",
]


def make_table(moments: list[str], unit: str = "s") -> pd.DataFrame:
    return pd.DataFrame({"when": pd.to_datetime(moments).astype(f"datetime64[{unit}]"), "x": range(len(moments))})


def rows_of(parts: Parts) -> list[list[Any]]:
    return [part["x"].tolist() for part in (parts.train, parts.validation, parts.test)]


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_midnight_belongs_to_the_part_it_begins(unit: str) -> None:
    assert rows_of(split_by_time(make_table(MOMENTS, unit), SPLIT)) == [[0, 1], [2, 3], [4, 5]]


def test_the_order_of_rows_is_kept() -> None:
    assert rows_of(split_by_time(make_table(MOMENTS[::-1]), SPLIT)) == [[4, 5], [2, 3], [0, 1]]


def test_every_row_is_in_one_part() -> None:
    days = pd.Series(np.arange("2013-01-01", "2014-01-01", dtype="datetime64[D]")).astype(str).tolist()
    rows = [row for part in rows_of(split_by_time(make_table(days), SPLIT)) for row in part]
    assert rows == list(range(365))


@pytest.mark.parametrize(
    ("left_out", "place"),
    [
        (slice(0, 2), "before the validation date"),
        (slice(2, 4), "between the validation and the test date"),
        (slice(4, 6), "from the test date on"),
    ],
)
def test_a_part_without_rows_is_named(left_out: slice, place: str) -> None:
    moments = [moment for moment in MOMENTS if moment not in MOMENTS[left_out]]
    with pytest.raises(InvalidTable) as caught:
        split_by_time(make_table(moments), SPLIT)
    assert str(caught.value) == f"`when`: no rows {place}: move the dates of the split"


def test_dates_in_the_wrong_order_leave_no_rows_between() -> None:
    turned = Split(time="when", validate_from=SPLIT.test_from, test_from=SPLIT.validate_from)
    with pytest.raises(InvalidTable, match="no rows between"):
        split_by_time(make_table(MOMENTS), turned)


def test_a_missing_time_column_is_named() -> None:
    with pytest.raises(InvalidTable, match="`when`"):
        split_by_time(pd.DataFrame({"x": [1]}), SPLIT)
