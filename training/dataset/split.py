"""Cuts the table into training, validation and test rows: in the order of time, or at random."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from ekiben.contract.errors import InvalidTable
from ekiben.training.dataset.groups import PARTS, draw_groups, keep_together
from ekiben.training.dataset.spreading import spread
from ekiben.training.split_config import Split

SEED = 0  # the cut is the same for every run: runs differ in their weights, not in their test rows


TOO_MANY = "too many rows are of one moment: split by another column or at random"


@dataclass(frozen=True)
class Parts:
    """The three parts of a table."""

    train: pd.DataFrame
    validation: pd.DataFrame
    test: pd.DataFrame


def split_table(table: pd.DataFrame, split: Split, strata: np.ndarray | None = None, seed: int = SEED) -> Parts:
    """Cut the table as the split says; raise InvalidTable if a part has no rows.

    Of each of the `strata`, (rows,) such as the classes, a cut at random gives every part its share. Rows of one group
    are in one part; by time the parts may leave some out.
    """
    if split.moment is None:
        if split.group is None:
            return _cut(table, *_draw_positions(len(table), split, strata, seed))
        return _cut_parts(table, draw_groups(table[split.group], split, strata, seed))
    parts = _cut(table, *_find_positions(table[split.moment], split))
    dated = bool(split.validate_from and split.test_from)
    hint = "move the dates of the split" if dated else TOO_MANY
    for name, part in zip(PARTS, (parts.train, parts.validation, parts.test), strict=True):
        if part.empty:
            raise InvalidTable(f"`{split.moment}`: no rows are left {name}: {hint}")
    return keep_groups(parts, split.group) if split.group else parts


def keep_groups(parts: Parts, group: str) -> Parts:
    """Return the parts without the rows whose group has most of its rows in another."""
    cut = [parts.train, parts.validation, parts.test]
    part_of = np.repeat(np.arange(len(cut)), [len(part) for part in cut])
    kept = keep_together(pd.concat([part[group] for part in cut]), part_of)
    return Parts(*(part[kept[part_of == index]] for index, part in enumerate(cut)))


def describe_split(split: Split) -> str:
    """Return which rows are tested on, for a person."""
    if split.moment is None:
        return f"drawn at random by `{split.group}`" if split.group else "drawn at random"
    return f"from {split.test_from} on" if split.test_from else f"the last by `{split.moment}`"


def _cut(table: pd.DataFrame, train: np.ndarray, validation: np.ndarray, test: np.ndarray) -> Parts:
    return Parts(table.iloc[train], table.iloc[validation], table.iloc[test])


def _cut_parts(table: pd.DataFrame, part_of: np.ndarray) -> Parts:
    return _cut(table, *(np.flatnonzero(part_of == part) for part in range(len(PARTS))))


def _find_positions(times: pd.Series, split: Split) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the positions of each part's rows: cut at the dates, or by shares."""
    if not (split.validate_from and split.test_from):
        return _order_positions(times.to_numpy(), split)
    moments = times.dt.tz_localize(None) if times.dt.tz is not None else times
    before, after = (np.asarray(moments < np.datetime64(day)) for day in (split.validate_from, split.test_from))
    indices = np.arange(len(times))
    return indices[before], indices[~before & after], indices[~after]


def _order_positions(times: np.ndarray, split: Split) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the positions of each part's rows by time; rows of one moment stay together."""
    order = np.argsort(times, kind="stable")
    ordered = times[order]
    cuts = [int(len(times) * share) for share in (1 - split.validation - split.test, 1 - split.test)]
    validate_from, test_from = (int(np.searchsorted(ordered, ordered[cut], "left")) for cut in cuts)
    return order[:validate_from], order[validate_from:test_from], order[test_from:]


def _draw_positions(
    rows: int, split: Split, strata: np.ndarray | None, seed: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the positions of each part's rows, drawn at random from each stratum, in the table's order."""
    shuffled = np.random.default_rng(seed).permutation(rows)
    if strata is not None:
        shuffled = shuffled[np.argsort(strata[shuffled], kind="stable")]
    turn = spread(rows)  # so each stratum is cut by the same shares
    tested, validated = turn < split.test, turn >= 1 - split.validation
    train, validation, test = shuffled[~tested & ~validated], shuffled[validated], shuffled[tested]
    return np.sort(train), np.sort(validation), np.sort(test)
