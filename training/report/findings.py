"""All that a report shows, measured: nothing here is a page yet."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ekiben.contract.answers import Answers
from ekiben.contract.encoding import Encoded, Encoder
from ekiben.contract.schema import Schema
from ekiben.model.importance import Importance
from ekiben.model.training_scores import Covered
from ekiben.training.dataset.groups import find_groups
from ekiben.training.dataset.split import describe_split
from ekiben.training.evaluate import score
from ekiben.training.evaluate.coverage import cover_periods
from ekiben.training.preparation import Prepared
from ekiben.training.problem import ProblemConfig
from ekiben.training.registry.run_logging import slice_test
from ekiben.training.report.baselines import find_baselines
from ekiben.training.report.by_slice import Slice, measure_slices
from ekiben.training.report.comparison import Drawing, Scored
from ekiben.training.report.counting import Counting
from ekiben.training.report.draws import draw
from ekiben.training.report.learning_curve import LearningCurve
from ekiben.training.report.permutation import Increase, permute_features
from ekiben.training.report.worst_slices import Search, search_slices


@dataclass(frozen=True)
class Compared:
    """A baseline's name and what it scores on the same draws."""

    name: str
    scored: Scored


@dataclass(frozen=True)
class Findings:
    """What a report shows."""

    schema: Schema
    tested: str  # which rows, for a person
    group: str | None  # the column whose rows belong together
    weight: str | None  # the column that says for how many rows each stands
    scores: dict[str, float]  # as the run has them
    scored: Scored
    baselines: tuple[Compared, ...]
    slices: tuple[tuple[str, tuple[Slice, ...]], ...]
    search: Search | None  # None of too few rows
    increases: tuple[Increase, ...]
    importance: Importance | None
    curve: LearningCurve | None = None
    coverage_by: str = ""
    coverage: tuple[Covered, ...] = ()  # of a regression whose rows are split by time


def draw_test_rows(problem: ProblemConfig, prepared: Prepared) -> Drawing:
    """Draw the test rows as often as intervals need, or their groups if the split is by these."""
    target, labels, counting = prepared.schema.target, prepared.labels[2], count_test_rows(problem, prepared)
    return Drawing(target, labels, draw(len(labels), len(target.outputs), counting.groups), counting)


def count_test_rows(problem: ProblemConfig, prepared: Prepared) -> Counting:
    """Return how the test rows count."""
    return Counting(prepared.weights[2], find_groups(prepared.parts.test, problem.split.group))


def find_all(
    problem: ProblemConfig,
    prepared: Prepared,
    answers: Answers,
    run: Callable[[Encoded], Answers],
    importance: Importance | None,
    drawing: Drawing,
    curve: LearningCurve | None = None,
) -> Findings:
    """Measure a model by its answers to the test rows, and by those that `run` gives to altered ones."""
    schema, test, labels, counting = prepared.schema, prepared.parts.test, prepared.labels[2], drawing.counting
    scored = Scored(drawing, answers)
    compared = (Compared(one.name, Scored(drawing, one.answers)) for one in find_baselines(prepared))
    coverage = _cover(problem, schema, test, labels, answers)
    names = [one.feature for one in importance.features] if importance else list(schema.names)
    return Findings(
        schema,
        describe_split(problem.split),
        problem.split.group,
        problem.weight,
        score(schema.target, labels, answers, counting.weights),
        scored,
        tuple(compared),
        tuple(_measure_slices(problem, test, scored)),
        search_slices(schema, test, labels, answers, counting),
        tuple(permute_features(schema, names, Encoder(schema).encode(test), labels, run, counting)),
        importance,
        curve,
        *coverage,
    )


def _cover(
    problem: ProblemConfig, schema: Schema, test: pd.DataFrame, labels: np.ndarray, answers: Answers
) -> tuple[str, tuple[Covered, ...]]:
    if schema.target.task != "regression" or problem.split.moment is None:
        return "", ()
    return cover_periods(labels, answers, test[problem.split.moment])


def _measure_slices(
    problem: ProblemConfig, test: pd.DataFrame, scored: Scored
) -> Iterator[tuple[str, tuple[Slice, ...]]]:
    for name, keys in slice_test(problem, test):
        yield name, tuple(measure_slices(scored, keys))
