"""Which columns follow the time of the split: none of the values that are tested on is one that was trained on.

A date that is also written as a number, `2013.42`, costs gradient boosting a quarter of its R² on a real table.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ekiben.training.proposal.doubts.order import ALIKE, Values, compare_order
from ekiben.training.proposal.features import Feature
from ekiben.training.split_config import TEST_SHARE, VALIDATION_SHARE

BEYOND = 0.95  # of the test rows
FEW_VALUES = 3
SAME = 0.999  # of the rows
CHANGES = 0.02  # of the rows: where a value ends that comes again
LEVELS = 20  # values that are compared with those before and behind them in time
FEW_LEVELS = 8  # of fewer nothing is told
# How far a level is off, of the way between its neighbours: dates 0 … 0.02, the sum of 300 random steps 0.04 … 0.06.
SMOOTH = 0.03


@dataclass(frozen=True)
class Followers:
    """Features that put the rows in the order of the time, and what there is to say of them."""

    copies: dict[str, str]  # of the time itself
    rising: dict[str, str]  # measurements that never fall


def find_time_followers(
    features: Mapping[str, Feature], values: Mapping[str, Values], moments: Values, time: str
) -> Followers:
    """Return the features whose values of test rows are those of no training row, because they follow the time.

    `values` are those of `read_values`, `moments`, (rows,), the seconds of each row.
    """
    order = np.argsort(moments, kind="stable")
    order = order[~np.isnan(moments[order])]
    found = Followers({}, {})
    for name, feature in features.items():
        kind, ordered = feature.facts["kind"], values[name][order]
        if kind == "category" and _is_new_in_test(ordered):
            found.copies[name] = f"it follows `{time}`: hardly a test row has a value that any training row has"
        elif kind == "number" and _are_years(ordered, moments[order]):
            found.copies[name] = (
                f"it is the year of `{time}`: that of rows to come is beyond those of the training rows"
            )
        elif kind == "number" and _is_beyond(ordered, moments[order]):
            if _is_smooth(ordered, moments[order]):
                found.copies[name] = f"it orders the rows as `{time}` does: every test row is beyond the training rows"
            else:
                turn = "rises" if compare_order(ordered, moments[order]) > 0 else "falls"
                found.rising[name] = f"it only {turn} with `{time}`: test rows are beyond the training rows"
    return found


def _is_beyond(numbers: Values, moments: Values) -> bool:
    """Return whether numbers only rise or only fall with the time, and leave the training rows' behind them."""
    train, test = _cut(numbers)
    if len(np.unique(numbers)) < FEW_VALUES or not len(test) or not len(train):
        return False
    beyond = np.mean((test > train.max()) | (test < train.min()))
    return bool(beyond >= BEYOND and abs(compare_order(moments, numbers)) >= ALIKE)


def _is_smooth(numbers: Values, moments: Values) -> bool:
    """Return whether each of some numbers lies where the time between its neighbours says, as a date's does."""
    known = ~np.isnan(numbers)
    levels, first = np.unique(numbers[known], return_index=True)  # rows are in the order of time
    if len(levels) < FEW_LEVELS:
        return True
    chosen = np.linspace(0, len(levels) - 1, min(LEVELS, len(levels))).astype(int)
    value, moment = levels[chosen], moments[known][first[chosen]]
    before, behind = slice(None, -2), slice(2, None)
    there = moment[behind] != moment[before]
    share = (moment[1:-1] - moment[before])[there] / (moment[behind] - moment[before])[there]
    off = (value[1:-1] - value[before])[there] / (value[behind] - value[before])[there] - share
    return bool(len(off) and np.median(np.abs(off)) <= SMOOTH)


def _are_years(numbers: Values, moments: Values) -> bool:
    known = ~np.isnan(numbers)
    if len(np.unique(numbers[known])) < 2:
        return False
    years = moments[known].astype("datetime64[s]").astype("datetime64[Y]").astype(np.int64) + 1970
    return bool(np.mean(numbers[known] == years) >= SAME)


def _is_new_in_test(codes: Values) -> bool:
    """Return whether hardly a value of the test rows stands in a training row, and none comes back."""
    train, test = _cut(codes)
    if not len(test) or np.mean(np.isin(test, train)) > 1 - BEYOND:
        return False
    present = codes[~np.isnan(codes)]
    changes = np.count_nonzero(np.diff(present))
    return bool(changes < len(np.unique(present)) + CHANGES * len(present))


def _cut(ordered: NDArray[np.float64]) -> tuple[Values, Values]:
    """Return the values of the training and of the test rows, but for those that have none."""
    rows = len(ordered)
    train, test = ordered[: int(rows * (1 - TEST_SHARE - VALIDATION_SHARE))], ordered[int(rows * (1 - TEST_SHARE)) :]
    return train[~np.isnan(train)], test[~np.isnan(test)]
