"""Rows that stand for several: a log that keeps a tenth of the rows has each stand for ten.

Without weights every function is NumPy's own, so that scores of a log without sampling are training's to the last bit.
"""

import numpy as np

Weights = np.ndarray | None  # (rows,) how many rows each stands for; None: itself


def mean(values: np.ndarray, weights: Weights = None) -> float:
    """Return the mean of values, (rows,)."""
    return float(values.mean() if weights is None else np.average(values, weights=weights))


def median(values: np.ndarray, weights: Weights = None) -> float:
    """Return the median of values, (rows,); with weights the least that half of the weight does not exceed."""
    if weights is None:
        return float(np.median(values))
    return float(np.quantile(values, 0.5, weights=weights, method="inverted_cdf"))
