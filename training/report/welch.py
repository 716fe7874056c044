"""Whether losses are higher in a slice than elsewhere, and how sure that is of one slice among several."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t

from ekiben.training.evaluate.fairness import Interval
from ekiben.training.report.counting import EACH_AS_ITSELF, Counting, find_error, find_mean

MIN_ROWS = 20  # or groups, in the slice and elsewhere: of fewer, means of losses are not yet normal
TAIL = 0.025  # of a 95% interval


@dataclass(frozen=True)
class Gap:
    """The mean loss in a slice and elsewhere, their difference, and how often chance makes it as far from 0."""

    here: float
    elsewhere: float
    interval: Interval
    p_value: float


def measure_gap(
    here: NDArray[np.bool_], losses: NDArray[np.float64], counting: Counting = EACH_AS_ITSELF
) -> Gap | None:
    """Compare losses, (rows,), in a slice, (rows,), with the others (Welch 1947); None if there are too few of one.

    Rows count by their weights, and those of a group as one: it may lie on both sides.
    """
    masks = here, ~here
    units = [counting.take(mask).count_units(int(mask.sum())) for mask in masks]
    if min(units) < MIN_ROWS:
        return None
    (mean, moves), (other, other_moves) = (find_mean(losses[mask], counting.take(mask)) for mask in masks)
    errors = [find_error(part, counting.take(mask)) for part, mask in zip((moves, other_moves), masks, strict=True)]
    value, error = mean - other, math.hypot(*errors)
    if counting.groups is not None:
        together = np.empty(len(losses))
        together[here], together[~here] = moves, -other_moves
        error = find_error(together, counting)
    if error == 0:
        return Gap(mean, other, Interval(value, value, value), 0.0 if value > 0 else 1.0)
    freedom = math.hypot(*errors) ** 4 / sum(one**4 / (size - 1) for one, size in zip(errors, units, strict=True))
    reach = float(-t.ppf(TAIL, freedom) * error)
    interval = Interval(value, value - reach, value + reach)
    return Gap(mean, other, interval, float(2 * t.sf(value / error, freedom)) if value > 0 else 1.0)


def correct(p_values: Sequence[float]) -> list[float]:
    """Return p values for as many tests as there are (Holm 1979)."""
    order = np.argsort(p_values, kind="stable")
    factors = np.arange(len(order), 0, -1)
    corrected = np.empty(len(order))
    corrected[order] = np.minimum(np.maximum.accumulate(np.asarray(p_values)[order] * factors), 1)
    return corrected.tolist()
