"""What chance does to a metric: the test rows drawn anew many times, with replacement (the bootstrap, Efron 1979).

A draw is how often each row was drawn, so the same draws serve every metric, every slice and every pair of models. Of
more than MAX_ROWS rows as many are drawn from, and intervals are as much narrower as there are more rows than these
(Bickel, Götze and van Zwet, "Resampling fewer than n observations", 1997).
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm, t

from ekiben.training.evaluate.fairness import Interval

DRAWS = 400  # the ends of a 95% interval are then off by about 7% of its half width
MAX_ROWS = 20_000  # drawn from: 32 MB of counts
MAX_CELLS = 2**21  # rows × outputs, where there are many classes
MIN_ROWS = 20  # of fewer an interval holds the truth too rarely: of ten an AUC's in 81% of the cases
SEED = 11
TAIL = 0.025


@dataclass(frozen=True)
class Draws:
    """Rows that are drawn from, and how often each draw has each of them."""

    rows: NDArray[np.intp]  # (drawn from,) positions among the test rows
    counts: NDArray[np.float32]  # (draws, drawn from)
    of: int  # test rows

    @cached_property
    def narrowing(self) -> float:
        """By how much an interval of all rows is narrower than one of those that are drawn from."""
        return float(np.sqrt(len(self.rows) / self.of))

    def find_interval(self, value: float, usual: float, drawn: NDArray[np.float64], rows: int) -> Interval | None:
        """Return a metric's value with its 95% interval; None if it is undefined in many draws, or of too few rows.

        `usual` is the metric of the `rows` that are drawn from, each once, and `drawn`, (draws,), those of the draws.
        Few rows vary less than they should: percentiles are taken further out (Hesterberg, "What Teachers Should Know
        About the Bootstrap", 2015).
        """
        known = drawn[np.isfinite(drawn)]
        if rows < MIN_ROWS or len(known) < 0.9 * len(drawn) or not np.isfinite(usual):
            return None
        tail = float(norm.cdf(np.sqrt(rows / (rows - 1)) * t.ppf(TAIL, rows - 1)))
        low, high = (np.quantile(known, (tail, 1 - tail)) - usual) * self.narrowing + value
        return Interval(value, float(min(low, value)), float(max(high, value)))


def draw(rows: int, outputs: int = 1) -> Draws:
    """Draw from so many test rows, or from MAX_ROWS that are spread evenly over them; the same ones every time."""
    most = max(1, min(rows, MAX_ROWS, MAX_CELLS // outputs))
    chosen = np.unique(np.linspace(0, rows - 1, most).astype(np.intp))
    random = np.random.default_rng(SEED)
    counts = np.empty((DRAWS, len(chosen)), np.float32)
    for row in counts:
        row[:] = np.bincount(random.integers(0, len(chosen), len(chosen)), minlength=len(chosen))
    return Draws(chosen, counts, rows)
