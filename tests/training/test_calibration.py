"""Intervals hold their share of the rows that come next, also where these are unlike those of a while ago."""

import numpy as np
import pandas as pd
import pytest

from ekiben.training.calibration import LATEST_SHARE, MIN_ROWS, choose_latest, find_margin
from ekiben.training.fitting import encode_validation
from ekiben.training.preparation import prepare
from ekiben.training.problem import ProblemConfig
from ekiben.training.split_config import Split
from ekiben.training.tables.table import Table

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


@pytest.mark.parametrize("by_time", [False, True])
def test_a_row_of_weight_3_counts_as_three(by_time: bool) -> None:
    outside = random.normal(size=6000)
    heavy = np.where(outside > 1, 3.0, 1.0)
    rows = np.repeat(outside, heavy.astype(int))
    held = find_margin(outside, WANTED, by_time, heavy)
    assert held == pytest.approx(find_margin(rows, WANTED, by_time), abs=0.1)
    assert held > find_margin(outside, WANTED, by_time) + 0.2
    alike = find_margin(outside, WANTED, by_time, np.ones(6000))
    assert alike == pytest.approx(find_margin(outside, WANTED, by_time), abs=0.01)


@pytest.mark.parametrize("weight", [None, "w"])
def test_rows_to_validate_on_are_followed_in_the_order_of_time(weight: str | None) -> None:
    days = np.datetime64("2026-01-01") + random.permutation(300)
    number = (days - days.min()).astype(int)
    frame = pd.DataFrame({"day": days.astype("datetime64[s]"), "x": number, "y": number * 1.0, "w": number + 1.0})
    split = {"time": "day", "validate_from": "2026-04-01", "test_from": "2026-08-01"}
    features = {"x": {"kind": "number"}}
    given = {"name": "t", "source": {"path": "t.csv"}, "target": {"name": "y", "task": "regression"}}
    problem = ProblemConfig.model_validate(given | {"features": features, "split": split, "weight": weight})
    table = Table(frame.astype({"x": "float32"}), tuple(frame), (), (), "t", ())
    rows, unordered = (
        encode_validation(one, prepare(problem, table, say=lambda _: None)) for one in (problem.split, Split())
    )
    assert rows.labels.tolist() == sorted(rows.labels)
    assert rows.encoded.numbers[:, 0].tolist() == rows.labels.tolist()
    assert (None if rows.weights is None else rows.weights.tolist()) == (weight and (rows.labels + 1).tolist())
    assert unordered.labels.tolist() != rows.labels.tolist()
