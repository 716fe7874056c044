"""Numbers that are declared to raise the answer, or to lower it, in a network that can't do otherwise.

The towers don't see them. A tower gives the answer without them, and for each of them slopes, which follow from all
other features and are never below 0: along the number, and through each of its bins. So however the others lie, the
answer only rises (or only falls) with the number; and so does a mean of towers, a probability and a bound of it.
"""

from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from ekiben.contract.feature import FLOAT32_MAX, Number
from ekiben.contract.schema import Schema
from ekiben.training.network.scaling import SAMPLE_ROWS, NumberScale, scale_numbers

BINS = 16
MAX_SLOPES = 256  # of an output
START = -3.0  # softplus makes 0.05 of it: nearly flat, but not so flat that nothing is learned


@dataclass(frozen=True)
class MonotoneNumbers:
    """Where the numbers stand among `count` columns, (m,), their directions, 1 or −1, (m,), and their bins.

    They move the first `moved` outputs of a tower, which has `outputs` without their slopes.
    """

    columns: np.ndarray
    signs: np.ndarray
    count: int
    scale: NumberScale
    outputs: int
    moved: int

    @property
    def slopes(self) -> int:
        """How many there are for each output that they move."""
        return len(self.columns) * (1 + self.scale.starts.shape[1])

    def start(self, outputs: np.ndarray) -> np.ndarray:
        """Return where an untrained tower's outputs lie, its slopes behind them."""
        return np.concatenate([outputs, np.full(self.moved * self.slopes, START)])

    def hide(self, numbers: Any) -> Any:
        """Return all numbers, (rows, n), with these where they always are: of them only what is missing shows."""
        shown, still = np.ones(self.count, np.float32), np.zeros(self.count, np.float32)
        shown[self.columns], still[self.columns] = 0, self.scale.centre
        return numbers * shown + still  # NaN stays NaN

    def move(self, outputs: Any, numbers: Any) -> Any:
        """Return towers' outputs, (rows, towers, outputs), from those with slopes behind them and all numbers."""
        towers = outputs.shape[1]
        slopes = keras.ops.softplus(outputs[:, :, self.outputs :])
        slopes = keras.ops.reshape(slopes, (-1, towers, self.moved, self.slopes))
        reach = keras.ops.reshape(self._reach(numbers), (-1, 1, 1, self.slopes))
        moved = outputs[:, :, : self.moved] + keras.ops.sum(slopes * reach, axis=3)
        if self.moved == self.outputs:
            return moved
        return keras.ops.concatenate([moved, outputs[:, :, self.moved : self.outputs]], axis=2)

    def constrain(self, columns: int) -> np.ndarray:
        """Return the direction of each of a tree's columns, numbers and then codes, 0 where there is none."""
        directions = np.zeros(columns, np.int8)
        directions[self.columns] = self.signs
        return directions

    def _reach(self, numbers: Any) -> Any:
        """Return how far each number goes, (rows, m, 1 + bins), with its sign: along itself, and through its bins.

        The outermost bins go on for ever: beyond what training has seen the answer rises on as at its edge. A missing
        number goes nowhere.
        """
        own = keras.ops.take(numbers, self.columns, axis=1)
        known = keras.ops.logical_not(keras.ops.isnan(own))
        scaled = keras.ops.where(known, (own - self.scale.centre) / self.scale.spread, 0.0)[:, :, None]
        low, high = _limit(self.scale)
        bins = keras.ops.maximum(keras.ops.minimum((scaled - self.scale.starts) * self.scale.slopes, high), low)
        signs = keras.ops.cast(known, "float32") * self.signs
        return keras.ops.concatenate([scaled, bins], axis=2) * signs[:, :, None]


def find_monotone(schema: Schema, numbers: np.ndarray) -> MonotoneNumbers | None:
    """Return what the schema declares, measured in training rows, (rows, n); None if it declares nothing."""
    signs = {
        column: 1 if feature.monotone == "up" else -1
        for column, feature in enumerate(schema.plain)
        if isinstance(feature, Number) and feature.monotone
    }
    if not signs:
        return None
    columns = np.array(list(signs), np.int32)
    bins = int(np.clip(MAX_SLOPES // len(columns) - 1, 1, BINS))
    scale = scale_numbers(numbers[:: max(1, len(numbers) // SAMPLE_ROWS)][:, columns], bins)
    target = schema.target
    outputs = len(target.classes) - 1 if target.ordered else len(target.outputs)
    moved = 1 if target.ordered else outputs  # the score: it moves all of the cut points' logits
    return MonotoneNumbers(columns, np.array(list(signs.values()), np.float32), numbers.shape[1], scale, outputs, moved)


def _limit(scale: NumberScale) -> tuple[np.ndarray, np.ndarray]:
    """Return the limits of the reach through each bin, (m, bins): 0 and 1 but for the outer ends."""
    low, high = np.zeros_like(scale.starts), np.ones_like(scale.starts)
    used = np.count_nonzero(scale.slopes, axis=1)
    low[:, 0] = -FLOAT32_MAX
    high[np.arange(len(used)), np.maximum(used, 1) - 1] = FLOAT32_MAX
    return low, high
