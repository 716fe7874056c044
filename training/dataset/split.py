"""Cuts the table into training, validation and test rows: in the order of time, or at random."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ekiben.contract.errors import InvalidTable
from ekiben.training.dataset.groups import PARTS, TEST, TRAIN, VALIDATION, draw_groups, keep_together
from ekiben.training.dataset.spreading import spread
from ekiben.training.split_config import Split

SEED = 0  # the cut is the same for every run: runs differ in their weights, not in their test rows


@dataclass(frozen=True)
class Parts:
    """The three parts of a table."""

    train: pd.DataFrame
    validation: pd.DataFrame
    test: pd.DataFrame
    whole: tuple[int, int, int] | None = None  # rows of each, where these are samples of a table on disk

    @property
    def sizes(self) -> tuple[int, int, int]:
        """How many rows each has."""
        return self.whole or (len(self.train), len(self.validation), len(self.test))


def split_table(table: pd.DataFrame, split: Split, strata: np.ndarray | None = None, seed: int = SEED) -> Parts:
    """Cut the table as the split says; raise InvalidTable if a part has no rows.

    Of each of the `strata`, (rows,) such as the classes, a cut at random gives every part its share. Rows of one group
    are in one part; by time the parts may leave some out.
    """
    if split.moment is None:
        if split.group is None:
            return _cut(table, *_draw_positions(len(table), split, strata, seed))
        return _cut_parts(table, draw_groups(table[split.group], split, strata, seed))
    times = table[split.moment]
    if split.validate_from and split.test_from:
        parts = _cut_parts(table, place_by_dates(times, split))
    else:
        parts = _cut(table, *_order_positions(times.to_numpy(), split))
    reject_empty(split, parts.sizes)
    return keep_groups(parts, split.group) if split.group else parts


def keep_groups(parts: Parts, group: str) -> Parts:
    """Return the parts without the rows whose group has most of its rows in another."""
    cut = [parts.train, parts.validation, parts.test]
    part_of = np.repeat(np.arange(len(cut)), parts.sizes)
    kept = keep_together(pd.concat([part[group] for part in cut]), part_of)
    return Parts(*(part[kept[part_of == index]] for index, part in enumerate(cut)))


def place_by_dates(times: pd.Series, split: Split) -> np.ndarray:
    """Return the part of each row, (rows,), by the dates of the split."""
    moments = times.dt.tz_localize(None) if times.dt.tz is not None else times
    validated, tested = (
        (moments >= np.datetime64(day)).to_numpy() for day in (split.validate_from, split.test_from) if day
    )
    return np.select([tested, validated], [TEST, VALIDATION], TRAIN)


def place_in_order(split: Split, rows: int) -> tuple[int, int]:
    """Return the positions in the order of time at whose moments the validation and the test rows begin."""
    validate_at, test_at = (int(rows * share) for share in (1 - split.validation - split.test, 1 - split.test))
    return validate_at, test_at


def reject_empty(split: Split, sizes: Sequence[int]) -> None:
    """Raise InvalidTable if a part of a split by time has no rows."""
    hint = "too many rows are of one moment: split by another column or at random"
    if split.validate_from and split.test_from:
        hint = "move the dates of the split"
    for name, rows in zip(PARTS, sizes, strict=True):
        if not rows:
            raise InvalidTable(f"`{split.moment}`: no rows are left {name}: {hint}")


def describe_split(split: Split) -> str:
    """Return which rows are tested on, for a person."""
    if split.moment is None:
        return f"drawn at random by `{split.group}`" if split.group else "drawn at random"
    return f"from {split.test_from} on" if split.test_from else f"the last by `{split.moment}`"


def _cut(table: pd.DataFrame, train: np.ndarray, validation: np.ndarray, test: np.ndarray) -> Parts:
    return Parts(table.iloc[train], table.iloc[validation], table.iloc[test])


def _cut_parts(table: pd.DataFrame, part_of: np.ndarray) -> Parts:
    return _cut(table, *(np.flatnonzero(part_of == part) for part in range(len(PARTS))))


def _order_positions(times: np.ndarray, split: Split) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the positions of each part's rows by time; rows of one moment stay together."""
    order = np.argsort(times, kind="stable")
    ordered = times[order]
    cuts = place_in_order(split, len(times))
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
