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


def search_slices(schema: Schema, table: pd.DataFrame, labels: np.ndarray, answers: np.ndarray) -> Search | None:
    """Search test rows for slices in which losses are higher than elsewhere; None where there are too few rows."""
    if len(labels) < MIN_ROWS:
        return None
    spread = np.unique(np.linspace(0, len(labels) - 1, MAX_ROWS).astype(np.intp))
    rows = np.random.default_rng(SEED).permutation(spread)
    half = len(rows) // 2
    table, labels, answers = table.iloc[rows], labels[rows], answers[rows]
    losses = lose(schema.target, labels, answers)
    conditions = sorted(list_conditions(schema, table), key=lambda one: -int(one.rows.sum()))[:MAX_CONDITIONS]
    masks = np.array([condition.rows for condition in conditions])
    found = find_worst(masks[:, :half], losses[:half])
    slices = []
    for chosen in found.slices:
        here = join(masks, chosen)[half:]
        if gap := measure_gap(here, losses[half:]):
            means = compare_means(schema.target, labels[half:][here], answers[half:][here])
            named = tuple(conditions[index] for index in chosen)
            slices.append(WorstSlice(named, int(here.sum()), gap, *means, gap.p_value))
    return Search(tuple(_rank(slices)), found.searched, len(rows) - half)


def _rank(slices: list[WorstSlice]) -> Iterator[WorstSlice]:
    corrected = correct([one.p_value for one in slices])
    for place in np.argsort(corrected, kind="stable"):
        one = slices[place]
        yield WorstSlice(one.conditions, one.rows, one.gap, one.observed, one.predicted, corrected[place])
