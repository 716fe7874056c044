"""How good the answers are: metrics, slices and plots on rows the network never saw.

`labels` are (rows,): 0 and 1, the positions of the classes, or numbers, as the task of the target
has them. `answers` are (rows, outputs) as `ekiben.contract.answers` describes them.
"""

from collections.abc import Mapping
from typing import Protocol

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ekiben.contract.errors import UserError
from ekiben.contract.schema import Target, Task
from ekiben.training.evaluate import binary, multiclass, regression, slices
from ekiben.training.evaluate.drawing import Panel, plot_rows
from ekiben.training.evaluate.slices import MAX_SLICES, period_keys, slice_keys
from ekiben.training.evaluate.text import drawable, format_number
from ekiben.training.evaluate.weights import Weights
from ekiben.training.problem import TargetColumn

__all__ = [
    "Diverged", "format_number", "format_scores", "gate", "headline", "period_keys",
    "plot", "plot_slices", "score", "score_slices", "slice_keys",
]  # fmt: skip


class Diverged(UserError):
    """The network answers with what is not a number."""


class Evaluation(Protocol):
    """What there is to say of the answers to one task."""

    PROMOTION_METRIC: str
    HEADLINE: tuple[str, ...]
    PANELS: tuple[Panel, ...]

    def score(
        self, target: Target, labels: np.ndarray, answers: np.ndarray, weights: Weights = None, /
    ) -> dict[str, float]:
        """Return the metrics that are defined for these rows, all of them finite."""

    def score_slice(self, labels: np.ndarray, answers: np.ndarray, weights: Weights = None, /) -> dict[str, float]:
        """Return the columns of PANELS for a part of the rows; NaN is what is undefined."""

    def plot(self, target: Target, labels: np.ndarray, answers: np.ndarray, /) -> dict[str, Figure]:
        """Return plots by name."""


_TASKS: Mapping[Task, Evaluation] = {"binary": binary, "multiclass": multiclass, "regression": regression}


def score(target: Target, labels: np.ndarray, answers: np.ndarray, weights: Weights = None) -> dict[str, float]:
    """Return the metrics of the task; one that is undefined for these rows is left out.

    `weights`, (rows,), are how many rows each stands for. Raises Diverged if an answer is NaN or infinite.
    """
    broken = int(np.count_nonzero(~np.isfinite(answers).all(axis=1)))
    if broken:
        raise Diverged(
            f"the network has no finite answer to {broken:,} of {len(answers):,} rows: its training diverged; "
            f"try another seed, and look for extreme values in the table"
        )
    return _TASKS[target.task].score(target, labels, answers, weights)


def promotion_metric(target: Target | TargetColumn) -> str:
    """Return the metric by which two versions are compared; lower is better."""
    return _TASKS[target.task].PROMOTION_METRIC


def headline(target: Target | TargetColumn) -> tuple[str, ...]:
    """Return the few metrics that a list of runs shows; `score` may leave one out."""
    return _TASKS[target.task].HEADLINE


def plot(target: Target, labels: np.ndarray, answers: np.ndarray) -> dict[str, Figure]:
    """Return the plots of the task by name."""
    return _TASKS[target.task].plot(target, labels, answers)


def score_slices(
    target: Target, labels: np.ndarray, answers: np.ndarray, keys: pd.Series, weights: Weights = None
) -> pd.DataFrame:
    """Return the scores for each value of `keys`, (rows,); see `ekiben.training.evaluate.slices`."""
    return slices.score_slices(_TASKS[target.task].score_slice, labels, answers, keys, weights)


def plot_slices(target: Target, name: str, scored: pd.DataFrame) -> Figure:
    """Return the scores of slices by what is called `name`."""
    left_out = scored.attrs["left_out"]
    which = f": the {MAX_SLICES} most frequent of {MAX_SLICES + left_out:,} values" if left_out else ""
    return plot_rows(f"Test rows by {drawable(name)}{which}", scored, _TASKS[target.task].PANELS)


def format_scores(scores: Mapping[str, float]) -> str:
    """Return the metrics as the terminal shows them."""
    width = max(18, *map(len, scores)) if scores else 0
    return "\n".join(f"  {name:<{width}} {format_number(value)}" for name, value in scores.items())
