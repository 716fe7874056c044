"""By how much the bounds of an interval are moved apart, so that it holds its share of the rows that come next.

Conformalized quantile regression: Romano, Patterson and Candès (2019). It promises that share of rows like those it
looks at. Where the split is by time, the rows to come are like the latest ones, if like any: it looks at these alone.
"""

import numpy as np

LATEST_SHARE = 1 / 3  # of the validation rows: the older ones are the season before
MIN_ROWS = 500  # of fewer the 80% quantile is off by more than 2% of the rows


def find_margin(outside: np.ndarray, wanted: float, by_time: bool, weights: np.ndarray | None = None) -> float:
    """Return the margin under which the interval holds the wanted share of rows, in the unit of `outside`.

    `outside`, (rows,), is how far each label lies outside of its interval, below 0 inside; by time the latest are last.
    `weights`, (rows,), are for how many rows each stands.
    """
    kept = choose_latest(outside) if by_time else outside
    share = min(1.0, np.ceil((len(kept) + 1) * wanted) / len(kept))
    if weights is None:
        return float(np.quantile(kept, share, method="higher"))
    counted = choose_latest(weights) if by_time else weights
    return float(np.quantile(kept, share, weights=counted, method="inverted_cdf"))


def choose_latest(rows: np.ndarray) -> np.ndarray:
    """Return the last LATEST_SHARE of the rows, MIN_ROWS at least, if there are as many."""
    return rows[-max(MIN_ROWS, int(len(rows) * LATEST_SHARE)) :]
