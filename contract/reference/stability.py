"""How far counts have moved from others over the same bins."""

import math
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ekiben.contract.reference.counting import Counts

MODERATE, LARGE = 0.1, 0.25  # PSI, as Siddiqi has them
SMOOTHING = 0.5  # rows added to every bin, so that an empty one has a logarithm
MIN_SHARE = 1e-4  # or so much of all rows: of millions, half a row would make a mountain of a new value
NORMAL_99 = 2.3263  # the 99% quantile of a normal distribution
Verdict = Literal["stable", "moderate", "large"]


def population_stability_index(then: Counts, now: Counts) -> float:
    """Return Σ (q − p) ln(q / p) over the shares p and q of the bins, then and now.

    E. Lewis, An Introduction to Credit Scoring, 1994; N. Siddiqi, Credit Risk Scorecards, 2006,
    reads less than 0.1 as no change and more than 0.25 as a large one.
    """
    return float(list_contributions(then, now).sum())


def list_contributions(then: Counts, now: Counts) -> NDArray[np.float64]:
    """Return what each bin adds to the index."""
    p, q = smooth(then), smooth(now)
    return np.asarray((q - p) * np.log(q / p))


def chance_level(then: Counts, now: Counts) -> float:
    """Return the index that 99% of samples as large as these stay below when nothing has moved.

    B. Yurdakul and J. Naranjo, Statistical properties of the population stability index, Journal of Risk Model
    Validation 14(4), 2020; its chi-square quantile as in E. B. Wilson and M. M. Hilferty, PNAS 17, 1931.
    """
    rows, other_rows = int(then.sum()), int(now.sum())
    free = int(np.count_nonzero(then + now)) - 1
    if free < 1 or not rows or not other_rows:
        return math.inf
    width = 2 / (9 * free)
    return float(free * (1 - width + NORMAL_99 * math.sqrt(width)) ** 3 * (1 / rows + 1 / other_rows))


def smooth(counts: Counts) -> NDArray[np.float64]:
    """Return the share of each bin, none of them 0."""
    added = max(SMOOTHING, MIN_SHARE * counts.sum())
    return np.asarray((counts + added) / (counts.sum() + added * len(counts)))
