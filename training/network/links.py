"""The scales that a number is learned on: from labels to what is learned, and from there back to the target's units.

The way back is written once, for NumPy and for the packed graph: `math` is `numpy` or `keras.ops`, with the same names.
"""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

Scale = Literal["linear", "log", "sqrt", "logit"]


@dataclass(frozen=True)
class Link:
    """A scale, and the bounds that no answer leaves, in the target's units.

    On a log scale `added` is added to each label, 1 where there are counts of 0; for a logit scale labels from 0 to 1
    are squeezed between `edge` and 1 - `edge`, so that 0 and 1 have a place.
    """

    scale: Scale = "linear"
    added: float = 0.0
    edge: float = 0.0
    low: float = -np.inf
    high: float = np.inf

    def learn(self, labels: np.ndarray) -> np.ndarray:
        """Return labels on the scale, as float64."""
        labels = labels.astype(np.float64)
        if self.scale == "log":
            return np.asarray(np.log(labels + self.added))
        if self.scale == "sqrt":
            return np.asarray(np.sqrt(labels))
        if self.scale == "logit":
            inner = self.edge + (1 - 2 * self.edge) * labels
            return np.asarray(np.log(inner) - np.log1p(-inner))
        return labels

    def restore(self, apart: Any, centre: float, math: Any = np) -> Any:
        """Return numbers in the target's units, from how far they lie from a centre on the scale."""
        return self._bound(self._invert(apart, centre, math), math)

    def _invert(self, apart: Any, centre: float, math: Any) -> Any:
        if self.scale == "log":  # a product: a float32 of 16 is rounded by 1e-6, and e to its power by that share
            return math.exp(apart) * float(np.exp(centre)) - self.added
        values = apart + centre
        if self.scale == "sqrt":
            return math.square(math.maximum(values, 0.0))
        if self.scale == "logit":
            return (1 / (1 + math.exp(-values)) - self.edge) / (1 - 2 * self.edge)
        return values

    def _bound(self, values: Any, math: Any) -> Any:
        values = math.maximum(values, self.low) if np.isfinite(self.low) else values
        return math.minimum(values, self.high) if np.isfinite(self.high) else values


LINEAR = Link()
