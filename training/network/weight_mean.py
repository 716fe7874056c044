"""The running mean of a network's weights, which is steadier than the weights after any one step.

A step is taken for a few rows, and leaves the weights to one side of where all rows pull them; the mean of the last
steps lies nearer to that. Polyak and Juditsky, Acceleration of Stochastic Approximation by Averaging (1992); for
networks Izmailov and others, Averaging Weights Leads to Wider Optima and Better Generalization (2018).
"""

from collections.abc import Iterator
from contextlib import contextmanager

import keras
import numpy as np

STEPS = 200  # that the mean reaches back
MAX_SHARE = 0.25  # of all steps so far: at first weights move far


class WeightMean:
    """The exponential mean of a model's weights."""

    def __init__(self) -> None:
        self._mean: list[np.ndarray] = []
        self._steps = 0

    def add(self, model: keras.Model, steps: int) -> None:
        """Take the weights as they are after so many more steps."""
        self._steps += steps
        weights = _read(model)
        reach = max(1.0, min(STEPS, MAX_SHARE * self._steps))
        share = np.float32(1 - (1 - 1 / reach) ** steps)
        self._mean = self._mean or weights
        for mean, last in zip(self._mean, weights, strict=True):
            mean += share * (last - mean)

    @contextmanager
    def put_into(self, model: keras.Model) -> Iterator[None]:
        """Let a model have the mean for a while."""
        last = _read(model)
        self.keep_in(model)
        yield
        _assign(model, last)

    def keep_in(self, model: keras.Model) -> None:
        """Give a model the mean for good."""
        _assign(model, self._mean)


def _read(model: keras.Model) -> list[np.ndarray]:
    return [variable.numpy() for variable in model.trainable_variables]


def _assign(model: keras.Model, weights: list[np.ndarray]) -> None:
    for variable, value in zip(model.trainable_variables, weights, strict=True):
        variable.assign(value)
