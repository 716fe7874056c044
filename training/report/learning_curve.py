"""The learning curve: what networks score that are fitted to fewer rows, and whether more rows would help."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ekiben.training.evaluate.fairness import Interval
from ekiben.training.report.comparison import Drawing, Scored

PARTS = ((8, 0), (4, 0), (2, 0), (2, 1))  # an eighth, a quarter, and either half of the rows
HALVES = 2
MIN_ROWS = 200  # to train on: an eighth of fewer is no table
SEED = 9

# From training rows to answers to the test rows; None if the labels of those are all the same.
Fit = Callable[[NDArray[np.intp]], NDArray[np.float32] | None]


@dataclass(frozen=True)
class Point:
    """How many rows were trained on, and what that scored."""

    rows: int
    scored: Scored


@dataclass(frozen=True)
class LearningCurve:
    """The points by the number of rows, and what all rows gain over either half."""

    metric: str
    points: tuple[Point, ...]
    gains: tuple[Interval | None, ...]

    @property
    def more_would_help(self) -> bool:
        """Whether the last doubling was surely a gain, whichever half of the rows it is measured from."""
        return len(self.gains) == HALVES and all(gain is not None and gain.low > 0 for gain in self.gains)


def draw_curve(
    drawing: Drawing, metric: str, groups: NDArray[np.int64], whole: NDArray[np.float32], fit: Fit
) -> LearningCurve:
    """Fit to parts of the training rows; `whole`, (test rows, outputs), is what was answered by all of them.

    `groups`, (training rows,), is the group of each row: fewer rows are fewer groups, not less of each.
    """
    rows = len(groups)
    turn = np.random.default_rng(SEED).permutation(int(groups.max()) + 1)
    order = np.argsort(turn[groups], kind="stable")
    points = []
    for divisor, index in PARTS:
        size = rows // divisor
        answers = fit(np.sort(order[index * size : (index + 1) * size]))
        points += [] if answers is None else [Point(size, Scored(drawing, answers))]
    last = Scored(drawing, whole)
    gains = tuple(last.compare(point.scored).get(metric) for point in points if point.rows == rows // 2)
    return LearningCurve(metric, (*points, Point(rows, last)), gains)
