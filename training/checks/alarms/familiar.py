"""The numbers that stand most often in a column: where they are most of all, a change of unit leaves their grid."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ekiben.contract.reference.alarms.statistics import Measured, measure_share
from ekiben.training.checks.alarms.growth import Fold

MAX_FAMILIAR = 256
MIN_COVERED = 0.5  # of the values


class ValueCounts:
    """How often each distinct value of a number stands in each part of the rows."""

    def __init__(self, values: NDArray[np.float32], of_row: NDArray[np.intp], windows: int) -> None:
        """Take values in time order, NaN where missing, and their windows."""
        present = ~np.isnan(values)
        self._distinct, self._which = np.unique(values[present], return_inverse=True)
        self._of_row, self._windows = of_row[present], windows
        self._present = np.bincount(self._of_row, minlength=windows).astype(float)

    def choose(self, windows: int) -> NDArray[np.intp]:
        """Return which values are familiar after so many windows, the most frequent first."""
        rows = int(np.searchsorted(self._of_row, windows))
        counts = np.bincount(self._which[:rows], minlength=len(self._distinct))
        frequent = np.argsort(-counts, kind="stable")[:MAX_FAMILIAR]
        return frequent[counts[frequent] > 0]

    def list_familiar(self) -> tuple[float, ...]:
        """Return the familiar values; none if they are not most of all."""
        chosen = self.choose(self._windows)
        covered = np.isin(self._which, chosen).mean() if len(self._which) else 0.0
        return tuple(self._distinct[chosen].tolist()) if covered >= MIN_COVERED else ()

    def fold(self, cuts: Sequence[tuple[int, int]]) -> list[Fold]:
        """Return the share of values that are familiar before and after each cut, to those who knew what was before."""
        folds = []
        for cut, stop in cuts:
            measured = self._measure(cut, stop)
            folds.append(Fold(cut, measured[:cut], measured[cut:stop]))
        return folds

    def _measure(self, known: int, stop: int) -> Measured:
        familiar = np.zeros(len(self._distinct))
        familiar[self.choose(known)] = 1
        rows = int(np.searchsorted(self._of_row, stop))
        found = np.bincount(self._of_row[:rows], familiar[self._which[:rows]], minlength=stop)
        return measure_share(found, self._present[:stop])
