"""What chance does to a metric: the test rows drawn anew many times, with replacement (the bootstrap, Efron 1979).

A draw is how often each row was drawn, so the same draws serve every metric, every slice and every pair of models. Of
more than MAX_ROWS rows as many are drawn from, and intervals are as much narrower as there are more rows than these
(Bickel, Götze and van Zwet, "Resampling fewer than n observations", 1997). Where rows come in groups, whole groups are
drawn: ten rows of one customer are not ten customers (Davison and Hinkley, "Bootstrap Methods", 3.8, 1997).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm, t

from ekiben.training.evaluate.fairness import Interval

DRAWS = 400  # the ends of a 95% interval are then off by about 7% of its half width
MAX_ROWS = 20_000  # drawn from: 32 MB of counts
MAX_CELLS = 2**21  # rows × outputs, where there are many classes
MIN_ROWS = 20  # or groups: of fewer an interval holds the truth too rarely: of ten an AUC's in 81% of the cases
FEW_GROUPS = 1000  # of which all are drawn from, with fewer rows of each where they are large
SEED = 11
TAIL = 0.025


@dataclass(frozen=True)
class Draws:
    """Rows that are drawn from, and how often each draw has each of them."""

    rows: NDArray[np.intp]  # (drawn from,) positions among the test rows
    counts: NDArray[np.float32]  # (draws, drawn from)
    narrowing: float = 1.0  # by how much an interval of all rows is narrower than one of those that are drawn from

    def find_interval(self, value: float, usual: float, drawn: NDArray[np.float64], units: int) -> Interval | None:
        """Return a metric's value with its 95% interval; None if it is undefined in many draws, or of too few units.

        `usual` is the metric of the rows that are drawn from, each once, `drawn`, (draws,), those of the draws, and
        `units` how many of the rows, or groups of them, are independent. Few vary less than they should: percentiles
        are taken further out (Hesterberg, "What Teachers Should Know About the Bootstrap", 2015).
        """
        known = drawn[np.isfinite(drawn)]
        if units < MIN_ROWS or len(known) < 0.9 * len(drawn) or not np.isfinite(usual):
            return None
        tail = float(norm.cdf(np.sqrt(units / (units - 1)) * t.ppf(TAIL, units - 1)))
        low, high = (np.quantile(known, (tail, 1 - tail)) - usual) * self.narrowing + value
        return Interval(value, float(min(low, value)), float(max(high, value)))


def draw(rows: int, outputs: int = 1, groups: NDArray[np.int64] | None = None) -> Draws:
    """Draw from so many test rows, or from MAX_ROWS that are spread evenly over them; the same ones every time.

    With `groups`, (rows,), each draw has all rows of a group as often as it has the group.
    """
    most = max(1, min(rows, MAX_ROWS, MAX_CELLS // outputs))
    if groups is None:
        chosen = _spread(rows, most)
        return Draws(chosen, _count_draws(len(chosen)), float(np.sqrt(len(chosen) / rows)))
    there = np.unique(groups)
    taken = there[_spread(len(there), max(FEW_GROUPS, len(there) * most // rows))]
    chosen = np.flatnonzero(np.isin(groups, taken))
    chosen = chosen[_spread(len(chosen), most)]
    unit_of = np.unique(groups[chosen], return_inverse=True)[1]
    counts = _count_draws(int(unit_of.max()) + 1)[:, unit_of]
    return Draws(chosen, counts, float(np.sqrt(len(taken) / len(there))))


def _spread(rows: int, most: int) -> NDArray[np.intp]:
    """Return the positions of so many of the rows, spread evenly."""
    return np.unique(np.linspace(0, rows - 1, min(rows, most)).astype(np.intp))


def _count_draws(units: int) -> NDArray[np.float32]:
    """Return how often each draw has each unit, (draws, units)."""
    random = np.random.default_rng(SEED)
    counts = np.empty((DRAWS, units), np.float32)
    for row in counts:
        row[:] = np.bincount(random.integers(0, units, units), minlength=units)
    return counts
