"""Answers whose labels have come, as far as intervals are concerned."""

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Answered:
    """Labelled rows with their intervals in the order of the answers; everything is (rows,)."""

    times: NDArray[np.int64]  # of the answers, microseconds since 1970 UTC
    came: NDArray[np.int64]  # the labels; never before the answers
    labels: Floats
    value: Floats
    low: Floats
    high: Floats
    margins: Floats  # by which low and high are moved apart already
    worth: Floats  # rows that each stands for

    def __len__(self) -> int:
        return len(self.times)

    def take(self, rows: NDArray[Any]) -> "Answered":
        """Return the rows at some positions."""
        return Answered(*(getattr(self, field.name)[rows] for field in fields(self)))

    @property
    def outside(self) -> Floats:
        """How far each label lies outside of its interval without any margin, below 0 inside; −∞ at the value.

        A bound never crosses the value. So above it only the upper bound matters, and below it only the lower one. One
        that a margin below 0 moved to the value may have been nearer to it: then that is the least it can have been.
        """
        beyond = np.where(self.labels > self.value, self.labels - self.high, self.low - self.labels)
        return np.where(self.labels == self.value, -np.inf, beyond + self.margins)

    @property
    def least(self) -> float:
        """The margin from which on every interval is its value alone."""
        reach = np.maximum(self.value - self.low, self.high - self.value) - self.margins
        return -max(float(reach.max()), 0.0)

    def move(self, margin: float) -> Floats:
        """Return value, low and high, (rows, 3), if this had been the margin."""
        by = margin - self.margins
        low, high = np.minimum(self.value, self.low - by), np.maximum(self.value, self.high + by)
        return np.column_stack([self.value, low, high])
