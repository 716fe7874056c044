"""How rows count: for how many each stands, and which belong together, and so are no evidence of their own."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ekiben.training.evaluate.weights import Weights

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Counting:
    """The weight and the group of each row, (rows,) each; None: every row counts as itself, and alone."""

    weights: Weights = None
    groups: NDArray[np.int64] | None = None

    def take(self, rows: Any) -> "Counting":
        """Return how some of the rows count, by an index as NumPy takes it."""
        weights = None if self.weights is None else self.weights[rows]
        return Counting(weights, None if self.groups is None else self.groups[rows])

    def count_units(self, rows: int) -> int:
        """Return how many of so many rows are independent of each other: the groups, if there are any."""
        return rows if self.groups is None else len(np.unique(self.groups))

    def add_up(self, values: Floats) -> Floats:
        """Return the sums of values, (..., rows), over what is independent of each other, (..., units)."""
        if self.groups is None:
            return values
        unit_of = np.unique(self.groups, return_inverse=True)[1]
        return np.apply_along_axis(lambda row: np.bincount(unit_of, row), -1, values)


EACH_AS_ITSELF = Counting()


def find_mean(values: Floats, counting: Counting = EACH_AS_ITSELF) -> tuple[float, Floats]:
    """Return the mean of values, (rows,), and how far each row moves it, (rows,)."""
    weights = np.ones(len(values)) if counting.weights is None else counting.weights
    mean = float(np.average(values, weights=weights))
    return mean, weights * (values - mean) / weights.sum()


def find_error(moves: Floats, counting: Counting = EACH_AS_ITSELF) -> float:
    """Return the standard error of what rows move so far, (rows,); those of a group move it together.

    Without groups and weights it is the deviation through the root of the rows; with groups Liang and Zeger's (1986).
    """
    sums = counting.add_up(moves)
    return float(np.sqrt((sums**2).sum() * len(sums) / (len(sums) - 1)))
