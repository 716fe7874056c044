"""The slices that a problem declares, and the months of a split by time: each with intervals."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ekiben.contract.schema import Target
from ekiben.training.evaluate.slices import cut
from ekiben.training.evaluate.weights import Weights, mean
from ekiben.training.report.comparison import Measured, Scored


@dataclass(frozen=True)
class Slice:
    """Rows of one value: what was observed and predicted of them on average, and the metrics."""

    name: str
    rows: int
    observed: float
    predicted: float
    values: Mapping[str, float]
    measured: Measured


def measure_slices(scored: Scored, keys: pd.Series) -> Iterator[Slice]:
    """Yield each slice that `keys`, (rows,), make, as `ekiben.training.evaluate.slices` does."""
    names, slice_of, _ = cut(keys)
    drawing, answers = scored.drawing, scored.answers
    for index, name in enumerate(names):
        here = slice_of == index
        weights = drawing.counting.take(here).weights
        means = compare_means(drawing.target, drawing.labels[here], answers[here], weights)
        own = Scored(drawing, answers, here)
        yield Slice("(missing)" if name is None else name, int(here.sum()), *means, own.values, own.measure())


def compare_means(
    target: Target, labels: np.ndarray, answers: np.ndarray, weights: Weights = None
) -> tuple[float, float]:
    """Return what was observed on average, and what was predicted: of several classes of the likeliest one."""
    if target.task != "multiclass":
        return mean(labels.astype(np.float64), weights), mean(answers[:, 0].astype(np.float64), weights)
    right = answers.argmax(axis=1) == labels
    return mean(right, weights), mean(answers.max(axis=1).astype(np.float64), weights)
