"""What the network must know of the training rows before it is built: where numbers lie, and the target."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from ekiben.contract.schema import Target
from ekiben.training.network import ordinal
from ekiben.training.network.links import LINEAR, Link

SAMPLE_ROWS = 100_000  # enough for quantiles
LABEL_ROWS = 1_000_000
MIN_RATE = 1e-4  # a class may be missing from the training rows
MAX_BEYOND = 0.01  # of later rows, outside the training rows' range, where bins are full and tell no rows apart


@dataclass(frozen=True)
class NumberScale:
    """Centre and spread of each number, (numbers,), and its bins by centre and spread, (numbers, bins).

    A bin begins at `starts` and is 1 / `slopes` wide; a bin of slope 0 is none.
    """

    centre: np.ndarray
    spread: np.ndarray
    starts: np.ndarray
    slopes: np.ndarray


@dataclass(frozen=True)
class TargetScale:
    """Where an untrained tower's outputs lie, (outputs,), and what a regression's outputs are multiples of.

    Centre and spread are those of the labels on the scale of the `link`, beyond whose `reach` from the centre nothing
    is answered: a step that is small there may be any in the target's units.
    """

    start: np.ndarray
    centre: float = 0.0
    spread: float = 1.0
    link: Link = LINEAR
    reach: tuple[float, float] | None = None

    def learn(self, labels: np.ndarray) -> np.ndarray:
        """Return labels in the target's units as outputs."""
        return np.asarray((self.link.learn(labels) - self.centre) / self.spread)

    def restore(self, outputs: Any, math: Any = np) -> Any:
        """Return outputs in the target's units; `math` is `numpy` or `keras.ops`."""
        apart = outputs * self.spread
        return self.link.restore(math.clip(apart, *self.reach) if self.reach else apart, self.centre, math)


def scale_numbers(numbers: np.ndarray, bins: int, later: np.ndarray | None = None) -> NumberScale:
    """Measure each column of numbers, (rows, n), missing values left out.

    A number gets no bins if `later` rows, (rows, n), leave the range that it has here.
    """
    sample = _sample(numbers)
    columns = [_scale_column(column[~np.isnan(column)], bins) for column in sample.T]
    centre, spread, starts, slopes = zip(*columns, strict=True) if columns else ((), (), (), ())
    shape = (len(columns), bins)
    scale = NumberScale(
        np.array(centre, np.float32),
        np.array(spread, np.float32),
        np.array(starts, np.float32).reshape(shape),
        np.array(slopes, np.float32).reshape(shape),
    )
    if later is not None:
        scale.slopes[_leave_range(sample, _sample(later))] = 0
    return scale


def _sample(numbers: np.ndarray) -> np.ndarray:
    return numbers[:: max(1, len(numbers) // SAMPLE_ROWS)].astype(np.float64)


def _leave_range(numbers: np.ndarray, later: np.ndarray) -> np.ndarray:
    """Return which columns, (n,), have values in `later` rows that lie beyond these."""
    lows, highs = np.fmin.reduce(numbers, axis=0), np.fmax.reduce(numbers, axis=0)
    beyond: np.ndarray = ((later < lows) | (later > highs)).mean(axis=0) > MAX_BEYOND
    return beyond


def _scale_column(values: np.ndarray, bins: int) -> tuple[float, float, np.ndarray, np.ndarray]:
    starts, slopes = np.zeros(bins), np.zeros(bins)
    if not len(values):
        return 0.0, 1.0, starts, slopes
    centre, spread = float(values.mean()), float(values.std()) or 1.0
    edges = np.unique(np.quantile((values - centre) / spread, np.linspace(0, 1, bins + 1)))
    used = len(edges) - 1
    if used > 1:
        starts[:used], slopes[:used] = edges[:-1], 1 / np.diff(edges)
    return centre, spread, starts, slopes


def scale_target(
    target: Target, labels: np.ndarray, weights: np.ndarray | None = None, link: Link = LINEAR
) -> TargetScale:
    """Measure the training rows' labels, (rows,), each by its weight, (rows,); a regression's on the link's scale."""
    step = max(1, len(labels) // LABEL_ROWS)
    labels = link.learn(labels[::step])
    weights = np.ones(len(labels)) if weights is None else weights[::step].astype(np.float64)
    mean = float(np.average(labels, weights=weights))
    if target.task == "regression":
        spread = float(np.sqrt(np.average(np.square(labels - mean), weights=weights)))
        ends = float(labels.min()) - mean - spread, float(labels.max()) - mean + spread
        reach = None if link.scale == "linear" else ends
        return TargetScale(np.array([0.0, -1.28, 1.28]), mean, spread or 1.0, link, reach)
    if target.task == "binary":
        rate = min(max(mean, MIN_RATE), 1 - MIN_RATE)
        return TargetScale(np.array([np.log(rate / (1 - rate))]))
    rates = np.bincount(labels.astype(np.int64), weights, minlength=len(target.classes)) / weights.sum()
    rates = np.maximum(rates, MIN_RATE)
    return TargetScale(ordinal.find_start(rates) if target.ordered else np.log(rates))
