"""How often intervals hold by period: which periods, the share's interval, and what is off beyond chance."""

import numpy as np
import pandas as pd
import pytest

from ekiben.training.evaluate.coverage import cover, cover_periods, cut_time, describe_off, find_off
from ekiben.training.evaluate.fairness import Share

random = np.random.default_rng(0)


def spread(rows: int, days: float, zone: str | None = None) -> pd.Series:
    times = pd.Timestamp("2026-11-02", tz=zone) + pd.to_timedelta(np.linspace(0, days, rows, endpoint=False), unit="D")
    return pd.Series(times)


def answer(rows: int, reach: float = 1.0) -> np.ndarray:
    return np.tile(np.array([0.0, -reach, reach], np.float32), (rows, 1))


@pytest.mark.parametrize(
    ("rows", "days", "period", "first"),
    [
        (5000, 20, "day", "2026-11-02"),
        (5000, 90, "week", "2026-11-02"),
        (5000, 500, "month", "2026-11"),
        (5000, 2000, "quarter", "2026-Q4"),
        (500_000, 7000, "year", "2026"),
        (90, 20, "year", "2026"),  # too few for anything
    ],
)
def test_periods_are_short_but_neither_many_nor_small(rows: int, days: float, period: str, first: str) -> None:
    found, names = cut_time(spread(rows, days))
    assert (found, names.iloc[0]) == (period, first)


def test_weeks_begin_on_monday_and_zones_are_read_in_utc() -> None:
    period, names = cut_time(spread(5000, 50, "America/New_York"))
    assert period == "week"
    assert set(pd.to_datetime(names).dt.dayofweek) == {0}


def test_the_share_of_each_period_and_its_interval() -> None:
    labels = np.where(np.arange(4000) < 1000, 2.0, 0.5)  # of the first week all lie outside
    period, parts = cover_periods(labels, answer(4000), spread(4000, 28 * 4).iloc[:4000])
    assert period == "week"
    assert [part.share for part in parts[:5]] == [0.0, 0.0, 0.0, 0.0, 1.0]
    assert sum(part.rows for part in parts) == 4000
    wilson = Share(0, parts[0].rows).rate
    assert wilson is not None
    assert (parts[0].low, parts[0].high) == (wilson.low, wilson.high)
    assert parts[0].width == 2.0


def test_rows_without_a_time_are_left_out() -> None:
    times = spread(2000, 10)
    times.iloc[:100] = pd.NaT
    _, parts = cover_periods(np.zeros(2000), answer(2000), times)
    assert sum(part.rows for part in parts) == 1900


def test_weighted_rows_are_worth_less() -> None:
    labels, weights = np.repeat([0.0, 5.0], 500), np.repeat([3.0, 1.0], 500)
    part = cover("all", labels, answer(1000), weights)
    assert part.share == 0.75
    assert part.worth == pytest.approx(800)  # Kish: 2000² / (500 × 10)
    plain = cover("all", np.repeat([0.0, 5.0], [600, 200]), answer(800))
    assert (part.share, part.low, part.high) == (plain.share, plain.low, plain.high)


def test_chance_is_not_called_off() -> None:
    rows = 30 * 300
    found = 0
    for seed in range(20):
        labels = np.random.default_rng(seed).normal(size=rows)
        _, parts = cover_periods(labels, answer(rows, 1.2816), spread(rows, 30))
        found += bool(find_off(parts))
    assert found == 0


def test_what_is_off_is_one_sentence_with_the_worst_period() -> None:
    scale = np.repeat([1.0, 1.0, 2.0, 3.0], 1000)
    labels = random.normal(size=4000) * scale
    weeks = [cover(f"w{week}", labels[week * 1000 :][:1000], answer(1000, 1.2816)) for week in range(4)]
    (said,) = describe_off(weeks, "week", "test row")
    share = (np.abs(labels[3000:]) <= np.float32(1.2816)).mean()
    assert f"{share:.1%}" in said
    assert "1,000 test rows of the week w3 (in 2 of 4 weeks" in said


def test_intervals_that_are_too_wide_are_off_too() -> None:
    parts = [cover("all", random.normal(size=2000), answer(2000, 3.0))]
    (said,) = describe_off(parts, "week", "labelled row")
    assert said.startswith("80% intervals held 99.")


def test_of_no_period_nothing_is_said() -> None:
    assert list(describe_off([], "week", "test row")) == []
