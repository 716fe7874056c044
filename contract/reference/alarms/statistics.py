"""The statistics that are watched, each with its noise; all are made of sums that add up over rows.

Every function takes the sums of several windows at once, (windows, …), in time order.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ekiben.contract.reference.alarms.calibration import PMI_STEPS, STEPS, Edge
from ekiben.contract.reference.stability import smooth

Floats = NDArray[np.float64]
NOISE = 3.0  # standard errors that a value must be beyond an edge to count
MIN_SHARE = 0.005  # is added to both ends of a share: between 0 and as much there is no difference to alarm about


@dataclass(frozen=True)
class Measured:
    """One statistic of each window, and its standard error; NaN where there is nothing to measure."""

    values: Floats  # (windows,)
    errors: Floats  # (windows,)

    def __getitem__(self, windows: slice) -> "Measured":
        return Measured(self.values[windows], self.errors[windows])

    def exceed(self, low: float, high: float) -> Floats:
        """Return by how much each value is beyond the edges for certain; 0 where there is none."""
        margin = NOISE * self.errors
        beyond = np.maximum(self.values - margin - high, low - self.values - margin)
        return np.where(np.isfinite(beyond), np.maximum(beyond, 0.0), 0.0)

    def score(self, edge: Edge) -> Floats:
        """Return the scores: from 1 on a window is farther out than any of training's was."""
        return self.exceed(edge.low, edge.high) / edge.unit


def measure_share(counts: Any, rows: Floats) -> Measured:
    """Measure a share as its log odds, which see 99% and 100% as far apart."""
    added = 0.5 + MIN_SHARE * rows
    inside, outside = counts + added, rows - counts + added
    errors = np.sqrt(1 / inside + 1 / outside)
    return Measured(np.where(rows > 0, np.log(inside / outside), np.nan), errors)


def measure_drift(then: Any, counts: Floats) -> Measured:
    """Measure the square root of the population stability index against the reference."""
    rows = counts.sum(axis=1)
    p, q = smooth(np.asarray(then)), _smooth_each(counts)
    index = ((q - p) * np.log(q / p)).sum(axis=1)
    return _of_index(index, rows, _count_free(then))


def measure_jump(then: Any, counts: Floats) -> Measured:
    """Measure the same against the window before; of the first there is none."""
    rows, shares = counts.sum(axis=1), _smooth_each(counts)
    index = np.full(len(counts), np.nan)
    index[1:] = ((shares[1:] - shares[:-1]) * np.log(shares[1:] / shares[:-1])).sum(axis=1)
    fewer = rows.copy()
    fewer[1:] = np.minimum(rows[1:], rows[:-1])
    return _of_index(index, fewer / 2, _count_free(then))


def measure_mean(sums: Floats, rows: Floats) -> Measured:
    """Measure the mean, in training's standard deviations from its mean; `sums` are of steps."""
    known = np.where(rows > 0, rows, np.nan)
    mean = sums[:, 0] / known
    deviation = np.sqrt(np.maximum(sums[:, 1] / known - mean**2, 0.0)) / STEPS
    # A small window may have less spread by chance than what it comes from.
    return Measured(mean / STEPS, np.maximum(deviation, 1.0) / np.sqrt(known))


def measure_spread(sums: Floats, rows: Floats) -> Measured:
    """Measure the logarithm of the standard deviation: of a stuck value it is far below any other."""
    known = np.where(rows > 1, rows, np.nan)
    variance = np.maximum(sums[:, 1] / known - (sums[:, 0] / known) ** 2, 0.0)
    return Measured(0.5 * np.log(variance + 1) - np.log(STEPS), 1 / np.sqrt(known))


def measure_fit(sums: Floats, rows: Floats, deviation: float) -> Measured:
    """Measure how well two features' values fit: the mean pointwise mutual information."""
    known = np.where(rows > 0, rows, np.nan)
    return Measured(sums / known / PMI_STEPS, deviation / np.sqrt(known))


def _smooth_each(counts: Floats) -> Floats:
    totals = counts.sum(axis=1, keepdims=True)
    added = np.maximum(0.5, 1e-4 * totals)
    return np.asarray((counts + added) / (totals + added * counts.shape[1]))


def _count_free(then: Any) -> int:
    return max(int(np.count_nonzero(then)) - 1, 1)


def _of_index(index: Floats, rows: Floats, free: int) -> Measured:
    """Return the root of an index, and of what chance alone makes of it: `free` / rows on average."""
    known = np.where(rows > 0, rows, np.nan)
    return Measured(np.sqrt(index), np.sqrt(free / known))
