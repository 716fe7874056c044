"""What a package keeps of the evaluation, for live scores to be compared with."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from ekiben.contract.schema import Target
from ekiben.model.training_scores import TrainingScores
from ekiben.training.dataset.split import describe_split
from ekiben.training.evaluate import score, slice_keys
from ekiben.training.evaluate.coverage import cover_periods
from ekiben.training.evaluate.estimates import learn_calibration
from ekiben.training.evaluate.fairness import GroupRates
from ekiben.training.evaluate.slices import cut
from ekiben.training.evaluate.weights import Weights
from ekiben.training.problem import ProblemConfig


def describe_scores(
    problem: ProblemConfig,
    target: Target,
    test: pd.DataFrame,
    labels: np.ndarray,
    answers: np.ndarray,
    scores: Mapping[str, float],
    groups: Mapping[str, Sequence[GroupRates]],
    weights: Weights = None,
) -> TrainingScores:
    """Return the scores of the test rows, and of the slices and groups that the problem names.

    `labels`, `weights`, (rows,), and `answers`, (rows, outputs), are those of the test rows.
    """
    slices = {
        name: _score_slices(target, test[name], labels, answers, weights) for name in dict.fromkeys(problem.slices)
    }
    return TrainingScores(
        rows=len(labels),
        tested=describe_split(problem.split),
        weight=problem.weight or "",
        scores=dict(scores),
        slices=slices,
        slice_rows={name: _count_slices(test[name]) for name in slices},
        fairness={name: [group.flatten() for group in compared] for name, compared in groups.items()},
        calibration=learn_calibration(target, labels, answers),
        **_cover_periods(problem, target, test, labels, answers, weights),
    )


def _cover_periods(
    problem: ProblemConfig,
    target: Target,
    test: pd.DataFrame,
    labels: np.ndarray,
    answers: np.ndarray,
    weights: Weights,
) -> dict[str, Any]:
    """Return how often intervals held by period, where there are both."""
    if target.task != "regression" or problem.split.moment is None:
        return {}
    period, covered = cover_periods(labels, answers, test[problem.split.moment], weights)
    return {"coverage_by": period, "coverage": covered}


def _score_slices(
    target: Target, column: pd.Series, labels: np.ndarray, answers: np.ndarray, weights: Weights
) -> dict[str, dict[str, float]]:
    return {
        name: score(target, labels[here], answers[here], None if weights is None else weights[here])
        for name, here in _cut(column)
    }


def _count_slices(column: pd.Series) -> dict[str, int]:
    return {name: int(here.sum()) for name, here in _cut(column)}


def _cut(column: pd.Series) -> Iterator[tuple[str, np.ndarray]]:
    """Yield each slice's name and which rows, (rows,), are in it."""
    names, slice_of, left_out = cut(slice_keys(column))
    kept = names[:-1] if left_out else names  # the others are not the same ones elsewhere
    for index, name in enumerate(kept):
        yield "(missing)" if name is None else name, slice_of == index
