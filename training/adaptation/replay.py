"""Replays answers and labels in the order of time: what margins labels would have given, and what these had been worth.

A margin takes effect when a version with it is made, not with each label. So the replay renews it where a period
begins, by the labels that had come until then, and no label counts before it came.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ekiben.model.training_scores import Covered
from ekiben.training.adaptation.answered import Answered
from ekiben.training.adaptation.learning import MarginLearner
from ekiben.training.evaluate.coverage import cover
from ekiben.training.evaluate.regression import WANTED_COVERAGE
from ekiben.training.evaluate.weights import Weights

MIN_LABELS = 500  # of fewer the 80% quantile is off by more than 2% of the rows
MAX_LABELS = 1_000_000  # the latest: 20 seconds


@dataclass(frozen=True)
class Renewed:
    """A period: how often intervals held as they were answered, and under the margin that it would have begun with."""

    margin: float
    answered: Covered
    adapted: Covered


@dataclass(frozen=True)
class Replay:
    """The periods in their order, and the margin after all labels."""

    periods: tuple[Renewed, ...]
    margin: float
    labels: int

    @property
    def missed_answered(self) -> float:
        """The mean distance of the periods' coverage from what is promised, each by its rows, as they were answered."""
        return self._measure_miss([period.answered for period in self.periods])

    @property
    def missed_adapted(self) -> float:
        """The same under the margins."""
        return self._measure_miss([period.adapted for period in self.periods])

    def _measure_miss(self, parts: list[Covered]) -> float:
        distances = [abs(part.share - WANTED_COVERAGE) for part in parts]
        return float(np.average(distances, weights=[part.rows for part in parts]))


def replay(
    answered: Answered, period_of: NDArray[np.int64], starts: Mapping[int, int], names: Mapping[int, str], unit: float
) -> Replay:
    """Learn and judge margins over periods: of each row one of the keys, (rows,), of `starts`, which rise.

    Starts are microseconds since 1970; `unit` is a width to step by where intervals have none.
    """
    outside, learnt = answered.outside, 0
    width = float(np.median(answered.high - answered.low))
    learner = MarginLearner(width if width > 0 else unit, answered.least)
    order = np.lexsort((answered.times, answered.came))[-MAX_LABELS:]
    came = answered.came[order]
    periods = []
    for period, start in starts.items():
        until = int(np.searchsorted(came, start))
        for place in order[learnt:until]:
            learner.learn(float(outside[place]))
        learnt = until
        rows = answered.take(np.flatnonzero(period_of == period))
        periods.append(_judge(rows, names[period], learner.margin))
    for place in order[learnt:]:
        learner.learn(float(outside[place]))
    return Replay(tuple(periods), learner.margin, len(order))


def _judge(rows: Answered, name: str, margin: float) -> Renewed:
    weights, as_answered = _weigh(rows.worth), np.column_stack([rows.value, rows.low, rows.high])
    adapted = cover(name, rows.labels, rows.move(margin), weights)
    return Renewed(margin, cover(name, rows.labels, as_answered, weights), adapted)


def _weigh(worth: NDArray[np.float64]) -> Weights:
    return None if (worth == worth[0]).all() else worth
