"""Evidence that a candidate is worse, which may be looked at every few seconds for days.

An *e-value* is a number whose mean is at most 1 if nothing is wrong: a bet at fair odds that something is. Each look
makes one of what came since the last. Multiplied they are a gambler's fortune; who begins with 1 reaches 10,000,000
with a chance of 1 in 10,000,000, whenever he looks. A candidate may be fine for hours and then break, so a new gambler
begins at each look (Page's CUSUM keeps the richest): of T looks the chance that any of them ever has A is at most T/A.
J. Shin, A. Ramdas and A. Rinaldo, E-detectors, New England Journal of Statistics in Data Science 2(2), 2024.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Rate:
    """How many of so many; either may have been divided by a design effect."""

    hits: float
    total: float

    @property
    def misses(self) -> float:
        """How many of them not."""
        return self.total - self.hits


class Detector:
    """Adds up evidence for several sizes of a fault at once, and knows since when there is any."""

    def __init__(self, sizes: int, max_fortune: float) -> None:
        self._logs = np.zeros(sizes)
        self._since = np.zeros(sizes)
        self._seen = np.zeros((sizes, 4))
        self._limit = math.log(max_fortune)

    def add(self, log_evidence: Floats, first: Rate, second: Rate, since: float) -> bool:
        """Take the logarithms of this look's e-values, one a size; return whether it is enough.

        `first`, `second`: what they are of, for people; `since`: when that began.
        """
        fresh = self._logs <= 0
        self._since[fresh], self._seen[fresh] = since, 0.0
        self._seen += (first.hits, first.total, second.hits, second.total)
        self._logs = np.where(fresh, 0.0, self._logs) + log_evidence
        return self.progress >= 1

    @property
    def progress(self) -> float:
        """How far the evidence is on its way, from 0 to 1."""
        fortune = float(np.logaddexp.reduce(self._logs)) - math.log(len(self._logs))
        return max(0.0, fortune / self._limit)

    @property
    def since(self) -> float:
        """When the strongest evidence began."""
        return float(self._since[self._logs.argmax()])

    @property
    def seen(self) -> tuple[Rate, Rate]:
        """What it is of."""
        first_hits, first_total, second_hits, second_total = self._seen[self._logs.argmax()].tolist()
        return Rate(first_hits, first_total), Rate(second_hits, second_total)


def bet_on_rates(first: Rate, second: Rate, expected: float, sizes: Sequence[float]) -> Floats:
    """Return the logarithm of an e-value for each size: that the second's chance is not above the first's.

    Each bets that the first's chance is the `expected` one and the second's farther towards 1 by that part. If both
    have one chance, whichever, or the second a smaller one, the mean is at most 1: the odds are those of the mixture of
    both bets. R. Turner, A. Ly and P. Grünwald, Generic E-variables for exact sequential k-sample tests that allow for
    optional stopping, Journal of Statistical Planning and Inference 230, 2024.
    """
    total = first.total + second.total
    if not first.total or not second.total:
        return np.zeros(len(sizes))
    raised = 1 - (1 - expected) * (1 - np.asarray(sizes))
    mixed = (first.total * expected + second.total * raised) / total
    return np.asarray(_log_odds(first, expected, mixed) + _log_odds(second, raised, mixed))


def bet_above(rate: Rate, limit: float, sizes: Sequence[float]) -> Floats:
    """Return the logarithm of an e-value for each size: that the chance is not above the limit."""
    raised = 1 - (1 - limit) * (1 - np.asarray(sizes))
    return np.asarray(_log_odds(rate, raised, limit))


def _log_odds(rate: Rate, bet: Floats | float, mixed: Floats | float) -> Floats:
    hits = rate.hits * np.log(np.divide(bet, mixed))
    return np.asarray(hits + rate.misses * np.log(np.divide(np.subtract(1, bet), np.subtract(1, mixed))))
