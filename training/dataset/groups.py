"""Keeps the rows of a group in one part of the split: a network that knows a customer is tested on others."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ekiben.contract.errors import InvalidTable
from ekiben.contract.validation import show
from ekiben.training.dataset.spreading import spread
from ekiben.training.split_config import Split

PARTS = ("to train on", "to validate on", "to test on")
TRAIN, VALIDATION, TEST = range(3)
Codes = NDArray[np.int64]


def number_groups(column: pd.Series) -> Codes:
    """Return the number of each row's group, (rows,); a row without one is a group of its own."""
    codes = pd.factorize(column)[0].astype(np.int64)
    alone = codes < 0
    codes[alone] = codes.max(initial=-1) + 1 + np.arange(np.count_nonzero(alone))
    return codes


def find_groups(part: pd.DataFrame, group: str | None) -> Codes | None:
    """Return which rows of a part belong together, (rows,); None: every row stands alone."""
    return number_groups(part[group]) if group else None


def draw_groups(column: pd.Series, split: Split, strata: np.ndarray | None, seed: int) -> Codes:
    """Return the part of each row, (rows,), drawn at random by groups; raise InvalidTable if a part has no rows.

    The shares are of the rows. Groups of one size, and of one class that most of their rows are of, are spread evenly.
    A group that is larger than the part to test on is trained on.
    """
    groups = number_groups(column)
    sizes = np.bincount(groups)
    rows = len(groups)
    order = np.random.default_rng(seed).permutation(len(sizes))
    order = order[np.lexsort((-sizes[order], _find_most_frequent(groups, strata)[order]))]
    order = order[sizes[order] <= min(split.test, split.validation) * rows]
    order = order[np.argsort(spread(len(order)), kind="stable")]
    middles = np.cumsum(sizes[order]) - sizes[order] / 2
    small = int(sizes[order].sum())
    scale = min(1.0, small / ((split.test + split.validation) * rows))
    part_of = np.full(len(sizes), TRAIN)
    part_of[order[middles < split.test * rows * scale]] = TEST
    part_of[order[middles > small - split.validation * rows * scale]] = VALIDATION
    parts = part_of[groups]
    if len(np.unique(parts)) < len(PARTS):
        _reject(column, sizes)
    return parts


def keep_together(column: pd.Series, parts: Codes) -> NDArray[np.bool_]:
    """Return which rows stay, (rows,): those of the part, cut by time, that has most rows of their group."""
    groups = number_groups(column)
    counts = np.bincount(groups * len(PARTS) + parts, minlength=(groups.max() + 1) * len(PARTS)).reshape(-1, len(PARTS))
    home = len(PARTS) - 1 - counts[:, ::-1].argmax(axis=1)  # of equal counts the later part's
    kept: NDArray[np.bool_] = home[groups] == parts
    for part, name in enumerate(PARTS):
        if not kept[parts == part].any():
            raise InvalidTable(
                f"`{column.name}`: no rows are left {name}: each group that has some has more in another part; "
                "split by time alone, or by group alone"
            )
    return kept


def _find_most_frequent(groups: Codes, strata: np.ndarray | None) -> Codes:
    """Return the stratum that most rows of each group are of, (groups,)."""
    if strata is None:
        return np.zeros(groups.max() + 1, np.int64)
    pairs, counts = np.unique(np.column_stack([groups, strata.astype(np.int64)]), axis=0, return_counts=True)
    found = np.zeros(groups.max() + 1, np.int64)
    ascending = np.argsort(counts, kind="stable")
    found[pairs[ascending, 0]] = pairs[ascending, 1]  # the last, of most rows, stays
    return found


def _reject(column: pd.Series, sizes: NDArray[np.int64]) -> None:
    if len(sizes) == 1:
        told = f"all {len(column):,} rows are of one group, {show(column.iloc[0])}"
    elif len(sizes) < len(PARTS):
        told = f"there are only {len(sizes)} groups"
    else:
        largest = column.value_counts().index[0]
        told = f"the group {show(largest)} has {sizes.max() / len(column):.0%} of the {len(column):,} rows"
    raise InvalidTable(f"`{column.name}`: {told}: none would be left to validate and test on; split by another column")
