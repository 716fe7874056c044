"""Least squares over all columns, scored on rows they were not fitted to, and the few columns that suffice."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lstsq, solve

from ekiben.training.proposal.doubts.order import Values

GIVEN_AWAY = 0.99  # R²
NEARLY_EXACT = 0.9999
ROUNDING = 1e-9  # of sums of many numbers
FITTED_SHARE = 0.7  # of the rows
MOST_COLUMNS = 0.7  # of so many rows as are fitted to
FEW_COLUMNS = 50
FEW_ENOUGH = 200  # columns for an orthogonal decomposition
RIDGE = 1e-10
CENTRE = (0.05, 0.95)  # quantiles: one enormous row is no relation
MAX_TRIED = 40  # columns that are left out one by one


@dataclass(frozen=True)
class Table:
    """Columns without gaps, each of mean 0 and deviation 1, and a target alike."""

    names: tuple[str, ...]
    columns: NDArray[np.float64]  # (rows, columns)
    target: Values

    @classmethod
    def of(cls, values: Mapping[str, Values], target: Values, known_share: float) -> "Table":
        """Take the rows with a target and the columns that differ and mostly have a value, their mean in the gaps."""
        there = np.isfinite(target)
        kept = {}
        for name, column in values.items():
            column = column[there]
            known = ~np.isnan(column)
            if known.sum() > known_share * len(column) and np.ptp(column[known]) > 0:
                kept[name] = _standardize(np.where(known, column, column[known].mean()))
        columns = np.column_stack(list(kept.values())) if kept else np.empty((int(there.sum()), 0))
        return cls(tuple(kept), columns, _standardize(target[there]))

    def score(self, chosen: Sequence[int]) -> float:
        """Return the R² of some columns on the rows left out, of all of these or of the central ones: the lower."""
        return self.fit(chosen)[1]

    def fit(self, chosen: Sequence[int]) -> tuple[NDArray[np.float64], float]:
        """Return the weight of each chosen column, and the R²."""
        rows = len(self.target)
        fitted = int(FITTED_SHARE * rows)
        design = np.column_stack([self.columns[:, list(chosen)], np.ones(rows)])
        weights = _solve(design[:fitted], self.target[:fitted])
        left_out = self.target[fitted:]
        errors = left_out - design[fitted:] @ weights
        low, high = np.quantile(left_out, CENTRE)
        central = (left_out >= low) & (left_out <= high)
        return weights[:-1], min(_r2(left_out, errors), _r2(left_out[central], errors[central]))


def find_sum(table: Table, given_away: float = GIVEN_AWAY) -> tuple[tuple[str, ...], float] | None:
    """Return the columns whose weighted sum is the target, as few as suffice, and their R²; None if there are none."""
    limit = int(MOST_COLUMNS * FITTED_SHARE * len(table.target))
    for most in dict.fromkeys((limit, min(limit, FEW_COLUMNS))):
        tried = _choose_related(table, most)
        weights, score = table.fit(tried)
        if score > given_away:
            goal = 1 - max(4 * (1 - score), ROUNDING) if score > NEARLY_EXACT else given_away
            chosen = _choose_few(table, [tried[index] for index in np.argsort(-np.abs(weights))], goal)
            return tuple(table.names[index] for index in sorted(chosen)), table.score(chosen)
    return None


def _choose_related(table: Table, most: int) -> list[int]:
    """Return all columns, or of too many those that are most like the target."""
    if len(table.names) <= most:
        return list(range(len(table.names)))
    likeness = np.abs(table.target @ table.columns)
    return [int(index) for index in np.sort(np.argsort(-likeness, kind="stable")[:most])]


def _choose_few(table: Table, ordered: list[int], goal: float) -> list[int]:
    """Return the first columns that reach the goal, without those that it is reached without."""
    low, high = 1, len(ordered)
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if table.score(ordered[:middle]) > goal else (middle + 1, high)
    chosen = ordered[:low]
    for index in reversed(chosen[-MAX_TRIED:]):
        fewer = [other for other in chosen if other != index]
        if fewer and table.score(fewer) > goal:
            chosen = fewer
    return chosen


def _solve(design: NDArray[np.float64], target: Values) -> Values:
    """Return the weights of least squares; of many columns by the normal equations, at a tenth of the cost.

    These can't tell columns apart that differ by less than a millionth, such as begin and end.
    """
    if design.shape[1] <= FEW_ENOUGH:
        weights: Values = lstsq(design, target, lapack_driver="gelsy", check_finite=False)[0]
        return weights
    gram = design.T @ design
    gram.flat[:: len(gram) + 1] += RIDGE * len(target)
    return np.asarray(solve(gram, design.T @ target, assume_a="pos", check_finite=False))


def _standardize(column: Values) -> Values:
    deviation = column.std()
    standard: Values = (column - column.mean()) / (deviation or 1.0)
    return standard


def _r2(target: Values, errors: Values) -> float:
    spread = float(((target - target.mean()) ** 2).sum()) if len(target) else 0.0
    return 1 - float((errors**2).sum()) / spread if spread else 1.0
