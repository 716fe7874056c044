"""Learns a margin as labels come: by how much the bounds of intervals have to be moved apart to hold their share.

Adaptive conformal inference (Gibbs and Candès 2021): each label outside its interval widens the next ones by a step,
each label inside narrows them by a quarter of it, so that in the long run 80% lie inside, whatever the rows do. Small
steps are exact while nothing changes, large ones follow what does; which are right, nobody knows beforehand. So several
learn beside each other, and their mean is weighted by how well each would have done lately (Gibbs and Candès 2024,
DtACI). That mean is not promised 80% itself: of errors that walk at random it held 78.4%. They adapt the share that is
asked of a set of scores; no such set is packed, so here it is the margin itself, in the unit of the answers, that steps
by shares of the intervals' width. For normal errors both steps are as long.
"""

import numpy as np
from numpy.typing import NDArray

from ekiben.training.evaluate.regression import WANTED_COVERAGE

STEPS = (0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128)  # of the width, as the authors choose them
LATELY = 500  # labels, over which the best step is to be as good as any
MISSED = 1 - WANTED_COVERAGE
# How much a loss counts, and how much of all weight is given to each step anew: the authors' equations.
_MOMENT = WANTED_COVERAGE**2 * MISSED**3 + MISSED**2 * WANTED_COVERAGE**3
ETA = float(np.sqrt(3 / LATELY * (np.log(LATELY * len(STEPS)) + 2) / _MOMENT))
SHARED = 1 / (2 * LATELY)


class MarginLearner:
    """The margin after the labels that have come so far."""

    def __init__(self, width: float, least: float, start: float = 0.0) -> None:
        """`width`: of the intervals, above 0; below `least` the margin changes nothing any more."""
        self._width, self._least = width, least
        self._steps = width * np.array(STEPS)
        self._margins = np.full(len(STEPS), start)
        self._weights = np.full(len(STEPS), 1 / len(STEPS))

    @property
    def margin(self) -> float:
        """By how much bounds have to be moved apart, in the unit of the answers."""
        return float(self._weights @ self._margins)

    def learn(self, outside: float) -> None:
        """Take a label that lay so far outside of its interval without any margin, below 0 inside."""
        margins = self._margins
        losses = _find_losses(min(max(outside, margins.min()), margins.max()) - margins)
        weights = self._weights * np.exp(-ETA / self._width * losses)
        weights = (1 - SHARED) * weights + SHARED * weights.mean()
        self._weights = weights / weights.sum()
        self._margins = np.maximum(margins + self._steps * ((outside > margins) - MISSED), self._least)


def _find_losses(beyond: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the quantile's loss of each margin, (margins,)."""
    return beyond * (WANTED_COVERAGE - (beyond < 0))
