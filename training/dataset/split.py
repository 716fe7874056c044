"""Cuts the table into training, validation and test rows: in the order of time, or at random."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from ekiben.contract.errors import InvalidTable
from ekiben.training.split_config import Split

GOLDEN_RATIO = (5**0.5 - 1) / 2
SEED = 0  # the cut is the same for every run: runs differ in their weights, not in their test rows


@dataclass(frozen=True)
class Parts:
    """The three parts of a table."""

    train: pd.DataFrame
    validation: pd.DataFrame
    test: pd.DataFrame


def split_table(table: pd.DataFrame, split: Split, strata: np.ndarray | None = None, seed: int = SEED) -> Parts:
    """Cut the table as the split says; raise InvalidTable if a part has no rows.

    Of each of the `strata`, (rows,) such as the classes, a cut at random gives every part its share.
    """
    if split.time is None:
        return _cut(table, *_draw_positions(len(table), split, strata, seed))
    times = table[split.time]
    if split.validate_from and split.test_from:
        moments = times.dt.tz_localize(None) if times.dt.tz is not None else times
        before, after = (moments < np.datetime64(day) for day in (split.validate_from, split.test_from))
        indices = np.arange(len(table))
        validated = indices[~before & after]
        latest_last = validated[
            np.argsort(moments.to_numpy()[validated], kind="stable")
        ]  # intervals are fitted to those
        parts = _cut(table, indices[before], latest_last, indices[~after])
        hint = "move the dates of the split"
    else:
        parts = _cut(table, *_order_positions(times.to_numpy(), split))
        hint = "too many rows are of one moment: split by another column or at random"
    names = ("to train on", "to validate on", "to test on")
    for name, part in zip(names, (parts.train, parts.validation, parts.test), strict=True):
        if part.empty:
            raise InvalidTable(f"`{split.time}`: no rows are left {name}: {hint}")
    return parts


def describe_split(split: Split) -> str:
    """Return which rows are tested on, for a person."""
    if split.time is None:
        return "drawn at random"
    return f"from {split.test_from} on" if split.test_from else f"the last by `{split.time}`"


def _cut(table: pd.DataFrame, train: np.ndarray, validation: np.ndarray, test: np.ndarray) -> Parts:
    return Parts(table.iloc[train], table.iloc[validation], table.iloc[test])


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
    # Steps of the golden ratio spread evenly over any stretch, so each stratum is cut by the same shares.
    turn = np.arange(rows) * GOLDEN_RATIO % 1
    tested, validated = turn < split.test, turn >= 1 - split.validation
    train, validation, test = shuffled[~tested & ~validated], shuffled[validated], shuffled[tested]
    return np.sort(train), np.sort(validation), np.sort(test)
