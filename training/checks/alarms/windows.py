"""Cuts a table's rows into windows in time order: its days, or blocks of rows where it has no time."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

MIN_DAYS = 21  # of fewer, a week can't be told from a season
MAX_DAYS = 1100  # the latest
MAX_BLOCKS, MIN_BLOCKS, MIN_BLOCK_ROWS = 64, 12, 50
FIRST_SHARE, HORIZON, STEPS = 0.25, 0.25, 12  # of the windows: where the first cut is, and how far ahead each looks


@dataclass(frozen=True)
class Windows:
    """Rows in time order, and the window of each."""

    rows: NDArray[np.intp]  # their positions in the table
    of_row: NDArray[np.intp]  # from 0, rising
    count: int
    time: str | None  # the column whose days they are; None if they are blocks

    @property
    def cuts(self) -> list[tuple[int, int]]:
        """Where the past could have ended, and how far from there a future is looked at, in windows."""
        horizon = max(1, round(HORIZON * self.count))
        first = round(FIRST_SHARE * STEPS)
        cuts = sorted({round(self.count * step / STEPS) for step in range(first, STEPS - 1)})
        return [(cut, min(self.count, cut + horizon)) for cut in cuts if cut > 1]


def cut_windows(frame: pd.DataFrame, time: str | None, max_rows: int) -> Windows | None:
    """Return the windows of at most so many rows, spread evenly over the table; None if they are too few."""
    every = max(1, -(-len(frame) // max_rows))
    rows = np.arange(0, len(frame), every)
    if time is not None:
        moments = to_utc(frame[time].iloc[rows])
        known = np.flatnonzero(moments.notna().to_numpy())
        rows = rows[known][np.argsort(moments.to_numpy()[known], kind="stable")]
        days = to_utc(frame[time].iloc[rows]).dt.floor("D")
        of_row, found = pd.factorize(days, sort=True)
        if len(found) >= MIN_DAYS:
            return _keep_latest(rows, of_row.astype(np.intp), len(found), time)
    blocks = min(MAX_BLOCKS, len(rows) // MIN_BLOCK_ROWS)
    if blocks < MIN_BLOCKS:
        return None
    return Windows(rows, np.arange(len(rows)) * blocks // len(rows), blocks, None)


def _keep_latest(rows: NDArray[np.intp], of_row: NDArray[np.intp], count: int, time: str) -> Windows:
    dropped = max(0, count - MAX_DAYS)
    kept = of_row >= dropped
    return Windows(rows[kept], of_row[kept] - dropped, count - dropped, time)


def to_utc(moments: "pd.Series[pd.Timestamp]") -> "pd.Series[pd.Timestamp]":
    """Return moments without a zone; a service's days are UTC's, and times without a zone are taken as they are."""
    return moments.dt.tz_convert("UTC").dt.tz_localize(None) if moments.dt.tz is not None else moments
