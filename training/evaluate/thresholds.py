"""What each threshold would decide: precision, recall, F1, balanced accuracy, cost and the share that is selected."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure

from ekiben.contract.schema import Target
from ekiben.training.evaluate.drawing import add_legend, new_plot
from ekiben.training.evaluate.text import drawable, format_number
from ekiben.training.evaluate.weights import Weights

MAX_DIGITS = 17  # that tell two float64 apart
MAX_DRAWN = 2000  # thresholds
Costs = tuple[float, float]


@dataclass(frozen=True)
class Curve:
    """What is decided from each row's probability on, and from above them all; (thresholds,) each, the lowest first."""

    probabilities: np.ndarray
    true: np.ndarray  # rows of the class that are selected
    selected: np.ndarray  # rows
    rows: float
    positives: float  # rows of the class

    @property
    def precision(self) -> np.ndarray:
        """The share of the selected rows that are of the class; NaN where none is selected."""
        return np.divide(self.true, self.selected, out=np.full(len(self.true), np.nan), where=self.selected > 0)

    @property
    def recall(self) -> np.ndarray:
        """The share of the rows of the class that are selected."""
        return np.asarray(self.true / self.positives)

    @property
    def f1(self) -> np.ndarray:
        """The harmonic mean of precision and recall."""
        return np.asarray(2 * self.true / (self.selected + self.positives))

    @property
    def balanced_accuracy(self) -> np.ndarray:
        """The mean of the shares of both classes' rows that are decided right."""
        false_rate = (self.selected - self.true) / (self.rows - self.positives)
        return np.asarray((self.recall + 1 - false_rate) / 2)

    @property
    def selection_rate(self) -> np.ndarray:
        """The share of the rows that are selected."""
        return np.asarray(self.selected / self.rows)

    def cost(self, costs: Costs) -> np.ndarray:
        """Return what a row costs on average, where a false alarm and a miss cost so much."""
        false_alarm, miss = costs
        return np.asarray((false_alarm * (self.selected - self.true) + miss * (self.positives - self.true)) / self.rows)

    def name_threshold(self, index: int) -> float:
        """Return a threshold that decides as the one at the position does, with as few digits as tell it apart.

        It lies in the middle between two rows: engines differ in the last bit, and the rows to come lie between these.
        """
        if index == 0:
            return 0.0
        low, high = float(self.probabilities[index - 1]), float(self.probabilities[index])
        middle = (low + high) / 2
        rounded = (round(middle, digits) for digits in range(2, MAX_DIGITS + 1))
        return next((one for one in rounded if low < one < high), high)


def trace(labels: np.ndarray, probabilities: np.ndarray, weights: Weights = None) -> Curve:
    """Return the curve of labels, (rows,) of 0 and 1 and of both, and probabilities, (rows,), each by its weight."""
    counts = np.ones(len(labels)) if weights is None else weights
    values, places = np.unique(probabilities.astype(np.float64), return_inverse=True)
    rows, true = np.bincount(places, counts), np.bincount(places, counts * labels)
    ends = [] if values[-1] >= 1 else [1.0]  # no threshold is above a row that is certain
    padded = [0] * len(ends)
    return Curve(
        np.array([*values, *ends]),
        np.array([*true[::-1].cumsum()[::-1], *padded]),
        np.array([*rows[::-1].cumsum()[::-1], *padded]),
        float(counts.sum()),
        float((counts * labels).sum()),
    )


def plot_thresholds(target: Target, labels: np.ndarray, probabilities: np.ndarray) -> Figure:
    """Return what each threshold would decide of these rows, and where the one that decides lies."""
    curve = trace(labels, probabilities)
    drawn = np.unique(np.linspace(0, len(curve.true) - 1, MAX_DRAWN).astype(int))
    event = f"{drawable(target.name)} = {drawable(target.classes[-1])}"
    figure, axes = new_plot(f"Decisions: {event}", "decided from this probability on", "rate", (7, 6))
    for name, values in _list_rates(curve):
        axes.plot(curve.probabilities[drawn], values[drawn], label=name)
    axes.axvline(target.threshold, linestyle="--", color="black", label=f"threshold {format_number(target.threshold)}")
    top = min(1.0, 1.05 * max(float(probabilities.max()), target.threshold))
    axes.set(xlim=(-0.02 * top, 1.02 * top), ylim=(-0.03, 1.03))
    if target.costs:
        beside = axes.twinx()
        beside.plot(
            curve.probabilities[drawn],
            curve.cost(target.costs)[drawn],
            color="black",
            linestyle=":",
            label="cost a row",
        )
        beside.set(ylabel="cost a row")
        beside.set_ylim(bottom=0)
    add_legend(figure)
    return figure


def _list_rates(curve: Curve) -> Iterator[tuple[str, np.ndarray]]:
    yield "precision", curve.precision
    yield "recall", curve.recall
    yield "F1", curve.f1
    yield "selected", curve.selection_rate
