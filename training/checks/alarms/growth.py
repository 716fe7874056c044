"""How far a statistic may go: as far as it went in training's windows, and as much farther as it used to go later.

A later window goes beyond all before it the less often, the more there are: after k windows without a trend the next is
the highest once in k + 1 times. So what was seen beyond the first part of the windows counts by the share of that part.
Where a statistic follows the seasons, as temperature does, later windows went far beyond, and it is hardly watched;
where it does not, as the share of familiar values, any move is seen.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ekiben.contract.reference.alarms.calibration import Edge, Statistic
from ekiben.contract.reference.alarms.statistics import NOISE, Floats, Measured

MARGIN = 0.25  # of the span
FIRST_SCORED = 0.45  # of the windows must be before a cut whose future is judged
# A unit is never less: changes of so little are no matter, whatever training's windows did.
MIN_UNITS: dict[Statistic, float] = {
    "drift": 0.05, "jump": 0.05, "missing": 0.5, "never seen": 0.5, "familiar": 0.5, "mean": 0.1, "spread": 0.1,
    "fit": 0.1,
}  # fmt: skip


@dataclass(frozen=True)
class Fold:
    """A statistic before and after a cut, both measured by what was known before it."""

    cut: int
    before: Measured
    after: Measured


@dataclass(frozen=True)
class Settled:
    """The edge of a statistic, and the scores its windows would have had without knowing what came."""

    edge: Edge
    scores: dict[int, Floats]  # by cut, of the windows after it


def cut_measured(measured: Measured, cuts: Sequence[tuple[int, int]]) -> list[Fold]:
    """Return the folds of a statistic that takes nothing from the past."""
    return [Fold(cut, measured[:cut], measured[cut:stop]) for cut, stop in cuts]


def settle(statistic: Statistic, measured: Measured, folds: Sequence[Fold]) -> Settled | None:
    """Return what was learned of a statistic; None if it was never measured."""
    low, high = _find_edges(measured)
    if not np.isfinite(low):
        return None
    least, windows = MIN_UNITS[statistic], len(measured.values)
    seen: list[tuple[int, float]] = []  # cuts, and how far the windows after them went beyond
    scores = {}
    for fold in folds:
        first, last = _find_edges(fold.before)
        beyond = fold.after.exceed(first, last) if np.isfinite(first) else np.zeros(len(fold.after.values))
        span = max(last - first, least / 4) if np.isfinite(first) else least
        if fold.cut >= FIRST_SCORED * windows:
            scores[fold.cut] = beyond / _choose_unit(span, least, seen, fold.cut)
        seen.append((fold.cut, float(beyond.max(initial=0.0)) / span))
    unit = _choose_unit(max(high - low, least / 4), least, seen, windows)
    return Settled(Edge(statistic=statistic, low=_round(low), high=_round(high), unit=_round(unit)), scores)


def _choose_unit(span: float, least: float, seen: Sequence[tuple[int, float]], windows: int) -> float:
    growth = max((grown * cut / windows for cut, grown in seen), default=0.0)
    return max(span * (MARGIN + growth), least)


def _find_edges(measured: Measured) -> tuple[float, float]:
    """Return the least and the greatest value that windows had for certain; NaN if there is none."""
    margin = NOISE * measured.errors
    certain = np.isfinite(measured.values) & np.isfinite(margin)
    if not certain.any():
        return np.nan, np.nan
    high = float((measured.values - margin)[certain].max())
    low = float((measured.values + margin)[certain].min())
    return min(low, high), max(low, high)


def _round(value: float) -> float:
    return float(f"{value:.6g}")
