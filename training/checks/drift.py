"""Value skew: how far the values of a table have moved from those a model was trained on."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.stats import MonteCarloMethod, chi2_contingency
from scipy.stats.contingency import expected_freq

from ekiben.contract.reference.counting import Counts
from ekiben.contract.reference.reference import Distribution, Reference
from ekiben.contract.reference.stability import LARGE, MODERATE, Verdict, list_contributions, population_stability_index
from ekiben.contract.schema import Schema
from ekiben.training.checks.column_types import holds
from ekiben.training.checks.reference_learning import describe

SIGNIFICANCE = 0.01  # a PSI is no drift where chance gives as much this often or more: of few rows it is mostly noise
MIN_EXPECTED = 5  # rows in a cell, from which on the chi-square distribution fits its statistic
RESAMPLES = 1999
NOTABLE = 0.01  # a share of the rows


class Move(NamedTuple):
    """The share of the rows that a bin had, and has."""

    label: str
    then: float
    now: float


@dataclass(frozen=True)
class Drift:
    """How far a column's values have moved; of a moment, those of one of its cycles."""

    then: Distribution
    now: Distribution
    psi: float
    p_value: float

    @property
    def verdict(self) -> Verdict:
        """How much that is: by its PSI, unless chance alone explains it."""
        if self.psi < MODERATE or self.p_value >= SIGNIFICANCE:
            return "stable"
        return "large" if self.psi >= LARGE else "moderate"

    @property
    def moves(self) -> tuple[Move, ...]:
        """The bin that makes up most of the PSI, and besides it missing and unseen values if their share has moved."""
        counts = np.array(self.then.counts), np.array(self.now.counts)
        worst = int(list_contributions(*counts).argmax())
        bins = list(zip(self.then.labels, self.then.shares, self.now.shares, strict=True))
        special = (index for index in self.then.special if index != worst)
        moved = (index for index in special if abs(bins[index][1] - bins[index][2]) >= NOTABLE)
        return tuple(Move(*bins[index]) for index in (worst, *moved))


def find_drifts(schema: Schema, reference: Reference, frame: pd.DataFrame) -> Iterator[Drift]:
    """Yield how far each feature and the target have moved; columns that are missing or of another kind are skipped."""
    named = {entry.name: entry for entry in (*schema.features, schema.target)}
    for then in reference.distributions:
        entry = named.get(then.column)
        if entry is None or then.column not in frame or not holds(entry, frame[then.column].dtype):
            continue
        yield compare(then, describe(then.column, then.bins, frame[then.column], entry))


def compare(then: Distribution, now: Distribution) -> Drift:
    """Compare two distributions over the same bins."""
    counts = np.array(then.counts), np.array(now.counts)
    return Drift(then, now, population_stability_index(*counts), homogeneity_p_value(*counts))


def homogeneity_p_value(then: Counts, now: Counts) -> float:
    """Return the p-value of Pearson's chi-square test that both counts come from one distribution.

    Where too few rows are expected in a cell, it comes from random tables of the same margins:
    W. M. Patefield, Algorithm AS 159, Applied Statistics 30(1), 1981.
    """
    table = np.array([then, now])
    table = table[:, table.any(axis=0)]
    if table.shape[1] < 2:
        return 1.0
    sparse = expected_freq(table).min() < MIN_EXPECTED
    method = MonteCarloMethod(n_resamples=RESAMPLES, rng=np.random.default_rng(0)) if sparse else None
    return float(chi2_contingency(table, correction=False, method=method).pvalue)
