"""Error analysis: the slices in which the model errs most, of all values of a feature and of pairs of features.

Of thousands of slices some look bad by chance. So half of the test rows is searched, and the few slices that are found
are measured on the other half, which was not looked at: these numbers are unbiased, and p is corrected for the number
of slices that are measured.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ekiben.contract.schema import Schema
from ekiben.training.report.by_slice import compare_means
from ekiben.training.report.conditions import Condition, list_conditions
from ekiben.training.report.counting import EACH_AS_ITSELF, Counting
from ekiben.training.report.drawn_metrics import lose
from ekiben.training.report.searching import find_worst, join
from ekiben.training.report.welch import Gap, correct, measure_gap

MAX_ROWS = 20_000  # of the test rows, spread evenly
MIN_ROWS = 200  # of which a half is searched
MAX_CONDITIONS = 1000  # those with the most rows
SURE = 0.05
SEED = 7


@dataclass(frozen=True)
class WorstSlice:
    """A slice that was found on one half of the rows, as the other half has it."""

    conditions: tuple[Condition, ...]
    rows: int
    gap: Gap  # of the losses
    observed: float
    predicted: float
    p_value: float  # corrected

    @property
    def sure(self) -> bool:
        """Whether chance alone would hardly make one of the measured slices as bad."""
        return self.p_value < SURE


@dataclass(frozen=True)
class Search:
    """What was found, the surest slices first, in how many it was searched, and on how many rows it was measured."""

    found: tuple[WorstSlice, ...]
    searched: int
    rows: int

    @property
    def sure(self) -> int:
        """How many of them are no chance."""
        return sum(one.sure for one in self.found)


def search_slices(
    schema: Schema,
    table: pd.DataFrame,
    labels: np.ndarray,
    answers: np.ndarray,
    counting: Counting = EACH_AS_ITSELF,
) -> Search | None:
    """Search test rows for slices in which losses are higher than elsewhere; None where there are too few rows.

    A group's rows are all searched, or all measured on.
    """
    if len(labels) < MIN_ROWS:
        return None
    spread = np.unique(np.linspace(0, len(labels) - 1, MAX_ROWS).astype(np.intp))
    rows, half = _halve(spread, counting.take(spread).groups)
    if min(half, len(rows) - half) < MIN_ROWS // 4:  # one group has nearly all rows
        return None
    table, labels, answers, counting = table.iloc[rows], labels[rows], answers[rows], counting.take(rows)
    losses = lose(schema.target, labels, answers)
    conditions = sorted(list_conditions(schema, table), key=lambda one: -int(one.rows.sum()))[:MAX_CONDITIONS]
    masks = np.array([condition.rows for condition in conditions])
    found = find_worst(masks[:, :half], losses[:half])
    slices = []
    for chosen in found.slices:
        here = join(masks, chosen)[half:]
        measured = counting.take(slice(half, None))
        if gap := measure_gap(here, losses[half:], measured):
            weights = measured.take(here).weights
            means = compare_means(schema.target, labels[half:][here], answers[half:][here], weights)
            named = tuple(conditions[index] for index in chosen)
            slices.append(WorstSlice(named, int(here.sum()), gap, *means, gap.p_value))
    return Search(tuple(_rank(slices)), found.searched, len(rows) - half)


def _halve(rows: np.ndarray, groups: np.ndarray | None) -> tuple[np.ndarray, int]:
    """Return the rows in random order, those of a group together, and how many the first half has."""
    order = np.random.default_rng(SEED).permutation(len(rows))
    if groups is None:
        return rows[order], len(rows) // 2
    codes = np.unique(groups, return_inverse=True)[1]
    turn = np.random.default_rng(SEED).permutation(int(codes.max()) + 1)[codes]
    order = order[np.argsort(turn[order], kind="stable")]
    middle = turn[order][len(rows) // 2]
    return rows[order], int(np.count_nonzero(turn < middle))


def _rank(slices: list[WorstSlice]) -> Iterator[WorstSlice]:
    corrected = correct([one.p_value for one in slices])
    for place in np.argsort(corrected, kind="stable"):
        one = slices[place]
        yield WorstSlice(one.conditions, one.rows, one.gap, one.observed, one.predicted, corrected[place])
