"""Metrics with their intervals, and how much better one set of answers to the same rows is than another."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from ekiben.contract.schema import Target
from ekiben.training.evaluate.fairness import Interval
from ekiben.training.report.counting import EACH_AS_ITSELF, Counting
from ekiben.training.report.drawn_metrics import (
    LOWER_IS_BETTER,
    NEITHER_IS_BETTER,
    SIGNED,
    UNBOUNDED,
    Drawn,
    score_draws,
    score_once,
)
from ekiben.training.report.draws import Draws

Measured = Mapping[str, Interval | None]


@dataclass(frozen=True)
class Drawing:
    """Test rows, their labels, (rows,), the draws of them, and how they count."""

    target: Target
    labels: np.ndarray
    draws: Draws
    counting: Counting = EACH_AS_ITSELF


@dataclass(frozen=True)
class Scored:
    """What a model scores on all rows, or on those of a slice, and in each draw."""

    drawing: Drawing
    answers: np.ndarray = field(repr=False)  # (rows, outputs)
    here: np.ndarray | None = field(default=None, repr=False)  # (rows,) booleans: the slice

    @cached_property
    def values(self) -> dict[str, float]:
        """The metrics of all rows; those that are defined."""
        scored = self._score(slice(None) if self.here is None else self.here)
        return {name: value for name, value in scored.items() if np.isfinite(value)}

    @cached_property
    def usual(self) -> dict[str, float]:
        """The metrics of the rows that are drawn from."""
        if self.drawing.draws.narrowing == 1:
            return self.values
        return self._score(self._chosen)

    @cached_property
    def drawn(self) -> Drawn:
        """The metrics of each draw."""
        draws, rows = self.drawing.draws, self._chosen
        counts = draws.counts if self.here is None else draws.counts[:, self.here[draws.rows]]
        weights = self.drawing.counting.take(rows).weights
        return score_draws(self.drawing.target, self.drawing.labels[rows], self.answers[rows], counts, weights)

    @cached_property
    def units(self) -> int:
        """How many of the rows that are drawn from, or groups of them, are independent of each other."""
        return self.drawing.counting.take(self._chosen).count_units(len(self._chosen))

    @cached_property
    def _chosen(self) -> np.ndarray:
        rows = self.drawing.draws.rows
        return rows if self.here is None else rows[self.here[rows]]

    def measure(self) -> Measured:
        """Return the metrics with their intervals."""
        if not len(self._chosen):
            return dict.fromkeys(self.values)
        found = {name: self._find_interval(name, value) for name, value in self.values.items()}
        return {name: interval and _bound(name, interval) for name, interval in found.items()}

    def compare(self, other: "Scored") -> Measured:
        """Return how much better this is than the other on the same rows: above 0 is better, whatever the metric."""
        names = (name for name in self.values if name in other.values and name not in NEITHER_IS_BETTER)
        return {name: self._compare(other, name) for name in names}

    def _find_interval(self, name: str, value: float) -> Interval | None:
        draws = self.drawing.draws
        return draws.find_interval(value, self.usual[name], self.drawn[name], self.units)

    def _compare(self, other: "Scored", name: str) -> Interval | None:
        sign = -1 if name in LOWER_IS_BETTER else 1
        mine, others = (self.values, self.usual), (other.values, other.usual)
        value, usual = (sign * (one[name] - another[name]) + 0.0 for one, another in zip(mine, others, strict=True))
        drawn = sign * (self.drawn[name] - other.drawn[name])
        return self.drawing.draws.find_interval(value, usual, drawn, self.units)

    def _score(self, rows: Any) -> dict[str, float]:
        drawing = self.drawing
        return score_once(drawing.target, drawing.labels[rows], self.answers[rows], drawing.counting.take(rows).weights)


def _bound(name: str, interval: Interval) -> Interval:
    """Return an interval that does not go beyond what the metric can be."""
    low = interval.low if name in SIGNED else max(0.0, interval.low)
    return replace(interval, low=low, high=interval.high if name in UNBOUNDED - SIGNED else min(1.0, interval.high))
