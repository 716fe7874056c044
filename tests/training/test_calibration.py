"""Intervals hold their share of the rows that come next, also where these are unlike those of a while ago."""

import numpy as np
import pytest

from ekiben.training.calibration import LATEST_SHARE, MIN_ROWS, choose_latest, find_margin

WANTED = 0.8
random = np.random.default_rng(11)


def cover(margin: float, outside: np.ndarray) -> float:
    return float(np.mean(outside <= margin))


@pytest.mark.parametrize("by_time", [False, True])
def test_rows_like_those_before_are_held(by_time: bool) -> None:
    past, future = random.normal(size=6000), random.normal(size=50_000)
    assert cover(find_margin(past, WANTED, by_time), future) == pytest.approx(WANTED, abs=0.025)


def test_where_errors_grow_the_latest_rows_say_by_how_much() -> None:
    spread = np.linspace(1, 3, 9000)
    outside = np.abs(random.normal(size=9000)) * spread
    past, future = outside[:6000], outside[6000:]
    by_time, at_random = (cover(find_margin(past, WANTED, one), future) for one in (True, False))
    assert at_random < 0.68
    assert at_random + 0.05 < by_time < 0.85


def test_of_few_rows_all_count() -> None:
    few = random.normal(size=MIN_ROWS)
    assert find_margin(few, WANTED, by_time=True) == find_margin(few, WANTED, by_time=False)
    assert len(choose_latest(np.arange(MIN_ROWS + 1))) == MIN_ROWS
    assert choose_latest(np.arange(30_000))[0] == 30_000 - int(30_000 * LATEST_SHARE)


def test_of_very_few_rows_the_farthest_is_held() -> None:
    assert find_margin(np.array([0.1, 0.5, -1.0]), WANTED, by_time=False) == 0.5
