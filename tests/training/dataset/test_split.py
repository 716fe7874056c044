"""The cut by time: no moment in two parts, and none left out."""

from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ekiben.contract.errors import InvalidTable
from ekiben.training.dataset.split import Parts, split_table
from ekiben.training.split_config import Split

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
    assert rows_of(split_table(make_table(MOMENTS, unit), SPLIT)) == [[0, 1], [2, 3], [4, 5]]


def test_the_order_of_rows_is_kept() -> None:
    assert rows_of(split_table(make_table(MOMENTS[::-1]), SPLIT)) == [[4, 5], [2, 3], [0, 1]]


def test_every_row_is_in_one_part() -> None:
    days = pd.Series(np.arange("2013-01-01", "2014-01-01", dtype="datetime64[D]")).astype(str).tolist()
    rows = [row for part in rows_of(split_table(make_table(days), SPLIT)) for row in part]
    assert rows == list(range(365))


@pytest.mark.parametrize(
    ("left_out", "place"), [(slice(0, 2), "train on"), (slice(2, 4), "validate on"), (slice(4, 6), "test on")]
)
def test_a_part_without_rows_is_named(left_out: slice, place: str) -> None:
    moments = [moment for moment in MOMENTS if moment not in MOMENTS[left_out]]
    with pytest.raises(InvalidTable) as caught:
        split_table(make_table(moments), SPLIT)
    assert str(caught.value) == f"`when`: no rows are left to {place}: move the dates of the split"


def test_dates_in_the_wrong_order_leave_no_rows_between() -> None:
    turned = Split(time="when", validate_from=SPLIT.test_from, test_from=SPLIT.validate_from)
    with pytest.raises(InvalidTable, match="no rows are left to validate on"):
        split_table(make_table(MOMENTS), turned)


def test_zoned_moments_are_cut_at_midnight_in_utc() -> None:
    table = make_table(MOMENTS)
    table["when"] = table["when"].dt.tz_localize("UTC")
    assert rows_of(split_table(table, SPLIT)) == [[0, 1], [2, 3], [4, 5]]


def test_shares_of_time_are_the_last_rows() -> None:
    days = pd.Series(np.arange("2013-01-01", "2013-04-11", dtype="datetime64[D]")).astype(str)
    shuffled = make_table(days.sample(frac=1, random_state=0).tolist())
    parts = split_table(shuffled, Split(time="when", validation=0.2, test=0.1))
    assert [len(part) for part in (parts.train, parts.validation, parts.test)] == [70, 20, 10]
    assert parts.train["when"].max() < parts.validation["when"].min()
    assert parts.validation["when"].max() < parts.test["when"].min()


def test_rows_of_one_moment_stay_together() -> None:
    parts = split_table(make_table(["2013-01-01"] * 50 + ["2013-01-02"] * 30 + ["2013-01-03"] * 20), Split(time="when"))
    assert [len(part) for part in (parts.train, parts.validation, parts.test)] == [50, 30, 20]


def test_too_few_moments_are_said() -> None:
    with pytest.raises(InvalidTable, match="too many rows are of one moment"):
        split_table(make_table(["2013-01-01"] * 100), Split(time="when"))


@given(
    rows=st.integers(1, 400),
    shares=st.tuples(st.floats(0.05, 0.4), st.floats(0.05, 0.4)),
    classes=st.integers(1, 5),
)
def test_a_cut_at_random_loses_and_repeats_no_row(rows: int, shares: tuple[float, float], classes: int) -> None:
    table = pd.DataFrame({"x": range(rows)})
    split = Split(validation=shares[0], test=shares[1])
    found = rows_of(split_table(table, split, np.arange(rows) % classes))
    assert sorted(row for part in found for row in part) == list(range(rows))
    for part, share in zip(found[1:], shares, strict=True):
        assert abs(len(part) - rows * share) < 3


def test_every_class_is_in_every_part_by_its_share() -> None:
    labels = np.repeat([0, 1, 2], [900, 80, 20])
    parts = split_table(pd.DataFrame({"x": labels}), Split(validation=0.2, test=0.2), labels)
    for part in (parts.validation, parts.test):
        counts = part["x"].value_counts()
        assert [abs(counts[label] - wanted) <= 2 for label, wanted in ((0, 180), (1, 16), (2, 4))] == [True] * 3


def test_the_cut_is_the_same_every_time_and_not_the_tables_order() -> None:
    table = pd.DataFrame({"x": range(100)})
    first, second = rows_of(split_table(table, Split())), rows_of(split_table(table, Split()))
    assert first == second
    assert first[2] != list(range(85, 100))
