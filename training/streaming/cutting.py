"""Cuts a table on disk into training, validation and test rows, a group at a time.

By time the rows of each part are those of a table in memory. At random they are others, since nobody can shuffle what
is larger than memory: each row's number is hashed, so that every part has its share of each class but for chance.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ekiben.training.dataset.groups import TEST, TRAIN, VALIDATION
from ekiben.training.dataset.split import SEED, place_by_dates, place_in_order
from ekiben.training.split_config import Split
from ekiben.training.streaming.ranking import find_ranked
from ekiben.training.tables.on_disk import TableOnDisk


@dataclass(frozen=True)
class Cut:
    """Which part each row belongs to."""

    split: Split
    moments: tuple[int, int] | None = None  # seconds since 1970 from which rows are validated and tested on
    seed: int = SEED

    def place(self, frame: pd.DataFrame, first: int) -> NDArray[np.int8]:
        """Return the part of each of the rows, (rows,), of which the first has that number in the table."""
        if self.split.moment is None:
            return self._draw(first, len(frame))
        if self.moments is None:
            return place_by_dates(frame[self.split.moment], self.split).astype(np.int8)
        seconds = to_seconds(frame[self.split.moment])
        return sum((seconds >= moment).astype(np.int8) for moment in self.moments)  # type: ignore[return-value]

    def _draw(self, first: int, rows: int) -> NDArray[np.int8]:
        drawn = _hash(np.arange(first, first + rows, dtype=np.uint64), self.seed) / 2.0**64
        parts = np.full(rows, TRAIN, np.int8)
        parts[drawn < self.split.test] = TEST
        parts[drawn >= 1 - self.split.validation] = VALIDATION
        return parts


def learn_cut(table: TableOnDisk, split: Split, seed: int = SEED) -> Cut:
    """Return the cut; where it is by shares of the order of time, find the moments."""
    time = split.moment
    if time is None or (split.validate_from and split.test_from):
        return Cut(split, seed=seed)

    def read() -> Iterator[NDArray[np.int64]]:
        return (to_seconds(frame[time]) for frame in table.frames([time]))

    validate_from, test_from = find_ranked(read, place_in_order(split, table.rows))
    return Cut(split, (validate_from, test_from), seed)


def to_seconds(times: pd.Series) -> NDArray[np.int64]:
    """Return moments as seconds since 1970; a table on disk holds no others."""
    plain = times.dt.tz_localize(None) if times.dt.tz is not None else times
    return plain.to_numpy().astype("datetime64[s]").astype(np.int64)


def _hash(numbers: NDArray[np.uint64], seed: int) -> NDArray[np.uint64]:
    """Return SplitMix64 of numbers: Steele, Lea and Flood, Fast Splittable Pseudorandom Number Generators (2014)."""
    with np.errstate(over="ignore"):
        mixed = (numbers + np.uint64(seed + 1)) * np.uint64(0x9E3779B97F4A7C15)
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return mixed ^ (mixed >> np.uint64(31))
