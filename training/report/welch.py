"""Whether losses are higher in a slice than elsewhere, and how sure that is of one slice among several."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t

from ekiben.training.evaluate.fairness import Interval

MIN_ROWS = 20  # in the slice and elsewhere: of fewer, means of losses are not yet normal
TAIL = 0.025  # of a 95% interval


@dataclass(frozen=True)
class Gap:
    """The mean loss in a slice and elsewhere, their difference, and how often chance makes it as far from 0."""

    here: float
    elsewhere: float
    interval: Interval
    p_value: float


def measure_gap(here: NDArray[np.bool_], losses: NDArray[np.float64]) -> Gap | None:
    """Compare losses, (rows,), in a slice, (rows,), with the others (Welch 1947); None if there are too few of one."""
    parts = losses[here], losses[~here]
    if min(map(len, parts)) < MIN_ROWS:
        return None
    (mean, other), variances = map(np.mean, parts), [part.var(ddof=1) / len(part) for part in parts]
    error = float(np.sqrt(sum(variances)))
    value = float(mean - other)
    if error == 0:
        return Gap(float(mean), float(other), Interval(value, value, value), 0.0 if value > 0 else 1.0)
    freedom = error**4 / sum(v**2 / (len(part) - 1) for v, part in zip(variances, parts, strict=True))
    reach = float(-t.ppf(TAIL, freedom) * error)
    interval = Interval(value, value - reach, value + reach)
    return Gap(float(mean), float(other), interval, float(2 * t.sf(value / error, freedom)) if value > 0 else 1.0)


def correct(p_values: Sequence[float]) -> list[float]:
    """Return p values for as many tests as there are (Holm 1979)."""
    order = np.argsort(p_values, kind="stable")
    factors = np.arange(len(order), 0, -1)
    corrected = np.empty(len(order))
    corrected[order] = np.minimum(np.maximum.accumulate(np.asarray(p_values)[order] * factors), 1)
    return corrected.tolist()
