"""How often the truth lies in a regression's interval, period by period, and where that can't be chance.

The share of a period has Wilson's interval. Of many periods some lie far off by chance alone: to be called so one must
lie there with the interval that all of them together hold with 95% (Bonferroni), by more than TOLERATED.
"""

from collections.abc import Iterator, Sequence
from statistics import NormalDist

import numpy as np
import pandas as pd

from ekiben.model.training_scores import Covered
from ekiben.training.evaluate.fairness import find_wilson
from ekiben.training.evaluate.regression import WANTED_COVERAGE, is_inside
from ekiben.training.evaluate.weights import Weights, mean
from ekiben.training.wording import count, format_share

TOLERATED = 0.02  # of the rows: calibration is off by as much by itself (training/calibration)
ALPHA = 0.05
PERIODS = {"day": "D", "week": "W-SUN", "month": "M", "quarter": "Q", "year": "Y"}
NAMES = {"day": "%Y-%m-%d", "week": "%Y-%m-%d", "month": "%Y-%m", "quarter": "%Y-Q%q", "year": "%Y"}
MAX_PERIODS = 30
FEW_ROWS = 100  # of which a share of 80% is off by 8% of the rows; in the median a period has more


def cut_time(times: pd.Series) -> tuple[str, pd.Series]:
    """Return what the periods are, such as `week`, and the first day of each row's, which orders them.

    They are the shortest of which there are not too many, and which are not too small.
    """
    naive = times.dt.tz_convert("UTC").dt.tz_localize(None) if times.dt.tz is not None else times
    period = next((name for name in PERIODS if _is_readable(naive.dt.to_period(PERIODS[name]))), "year")
    keys = naive.dt.to_period(PERIODS[period])
    starts = keys.dt.start_time if period == "week" else keys
    return period, starts.dt.strftime(NAMES[period])


def _is_readable(keys: pd.Series) -> bool:
    rows = keys.value_counts()
    return len(rows) <= MAX_PERIODS and bool(rows.median() >= FEW_ROWS)


def cover_periods(
    labels: np.ndarray, answers: np.ndarray, times: pd.Series, weights: Weights = None
) -> tuple[str, tuple[Covered, ...]]:
    """Return what the periods are, and how many labels, (rows,), lay in the intervals of answers, (rows, 3), in each.

    Rows without a time are left out.
    """
    period, names = cut_time(times)
    covered = (
        cover(name, labels[here], answers[here], None if weights is None else weights[here])
        for name in sorted(names.dropna().unique())
        for here in [(names == name).to_numpy()]
    )
    return period, tuple(covered)


def cover(name: str, labels: np.ndarray, answers: np.ndarray, weights: Weights = None) -> Covered:
    """Return how many of some rows, one at least, lay in their intervals; weighted ones count as Kish (1965) has it."""
    bounds = answers.astype(np.float64)
    share = mean(is_inside(labels, bounds), weights)
    worth = count_worth(len(labels), weights)
    found, width = find_wilson(share, worth), mean(bounds[:, 2] - bounds[:, 1], weights)
    return Covered(name, len(labels), worth, share, found.low, found.high, width)


def count_worth(rows: int, weights: Weights) -> float:
    """Return as how many rows of one weight these say as much."""
    return float(rows) if weights is None else float(weights.sum() ** 2 / (weights**2).sum())


def find_off(parts: Sequence[Covered]) -> list[Covered]:
    """Return the periods whose share can't be as promised by chance: too low, or too high."""
    z = NormalDist().inv_cdf(1 - ALPHA / 2 / max(1, len(parts)))
    off = []
    for part in parts:
        found = find_wilson(part.share, part.worth, z)
        if is_short(found.high) or found.low > WANTED_COVERAGE + TOLERATED:
            off.append(part)
    return off


def is_short(share: float) -> bool:
    """Return whether a share is less than promised by more than is tolerated."""
    return share < WANTED_COVERAGE - TOLERATED


def describe_off(parts: Sequence[Covered], period: str, what: str) -> Iterator[str]:
    """Yield a sentence if periods of the rows that are called `what` are off, of the farthest below, or else above."""
    off = find_off(parts)
    if not off:
        return
    worst = min(off, key=lambda part: part.share)
    if not is_short(worst.share):
        worst = max(off, key=lambda part: part.share)
    where = f" (in {len(off)} of {count(len(parts), period)} the share is off beyond chance)"
    yield (
        f"80% intervals held {describe(worst)} of the {count(worst.rows, what)} of the {period} {worst.name}"
        f"{where if len(parts) > 1 else ''}"
    )


def describe(part: Covered) -> str:
    """Return a share with its interval."""
    return f"{format_share(part.share)} ({format_share(part.low)} to {format_share(part.high)})"
