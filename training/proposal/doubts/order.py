"""Whether two columns put the rows in the same order."""

import numpy as np
from numpy.typing import NDArray
from scipy.stats import kendalltau

Values = NDArray[np.float64]  # (rows,)
ALIKE = 0.998  # of 1: one pair of rows of a thousand is in another order; a rising measurement has noise
MIN_ROWS = 20


def compare_order(one: Values, other: Values) -> float:
    """Return 1 if one column never falls where the other rises, −1 if it never rises, near 0 if they are unrelated.

    It is Goodman and Kruskal's gamma, of the pairs of rows that differ in both: 1 also for a month beside its days.
    """
    kept = ~(np.isnan(one) | np.isnan(other))
    one, other = one[kept], other[kept]
    if len(one) < MIN_ROWS:
        return 0.0
    both = np.unique(np.column_stack([one, other]), axis=0, return_counts=True)[1]
    same, other_same = (np.unique(column, return_counts=True)[1] for column in (one, other))
    pairs = _pairs(np.array([len(one)]))
    differ, other_differ = pairs - _pairs(same), pairs - _pairs(other_same)
    differ_in_both = pairs - _pairs(same) - _pairs(other_same) + _pairs(both)
    if not differ or not other_differ or not differ_in_both:
        return 0.0
    tau = float(kendalltau(one, other).statistic)  # of variant b
    return float(np.clip(tau * np.sqrt(differ * other_differ) / differ_in_both, -1, 1))


def _pairs(counts: NDArray[np.int64]) -> float:
    return float((counts.astype(np.float64) * (counts - 1) / 2).sum())
