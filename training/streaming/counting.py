"""Counts a column's values in bounded memory, exactly for those that are frequent enough to matter.

Of few different values all are counted as they come. Of many, a first reading adds up buckets that values share by
their hash, which gives each value an upper bound, and a second counts only those whose bound is high enough: Cormode
and Muthukrishnan's count-min sketch (2005) with one row, as a filter before exact counts.
"""

from collections.abc import Callable, Iterable

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

MAX_COUNTED = 200_000  # different values; a vocabulary holds half as many
MAX_COUNTED_BYTES = 1 << 25
BUCKETS = 1 << 24  # 64 MB while one column is counted

Chunks = Callable[[], Iterable[pa.Array]]


class ValueCounts:
    """The counts of values, as long as there are not too many."""

    def __init__(self) -> None:
        self._counts = pd.Series(dtype=np.int64)
        self.is_exact = True

    def add(self, values: pa.Array) -> None:
        """Count more values, nulls left out."""
        if not self.is_exact:
            return
        self._counts = self._counts.add(count(values), fill_value=0).astype(np.int64)
        if is_too_much(self._counts):
            self.is_exact, self._counts = False, pd.Series(dtype=np.int64)

    def finish(self) -> pd.Series:
        """Return value → rows, the most frequent first."""
        return order(self._counts)


def count_frequent(chunks: Chunks, min_rows: int) -> pd.Series:
    """Return how often those values stand that do so in `min_rows`, the most frequent first.

    If these are too many for memory, the rarest of them are left out, as the longest vocabulary would leave them out.
    """
    bounds = np.zeros(BUCKETS, np.uint32)
    for values in chunks():
        counted = count(values)
        np.add.at(bounds, _hash(counted.index), counted.to_numpy(np.uint32))
    kept = pd.Series(dtype=np.int64)
    least = min_rows
    for values in chunks():
        counted = count(values)
        kept = kept.add(counted[bounds[_hash(counted.index)] >= least], fill_value=0).astype(np.int64)
        while is_too_much(kept):
            least *= 2
            kept = kept[bounds[_hash(kept.index)] >= least]
    return order(kept[kept >= min_rows])


def count(values: pa.Array) -> pd.Series:
    """Return value → rows; nulls are left out."""
    found = pc.value_counts(values.drop_null())
    return pd.Series(found.field(1).to_numpy(zero_copy_only=False), found.field(0).to_pylist(), dtype=np.int64)


def order(counts: pd.Series) -> pd.Series:
    """Return the counts, the highest first, and of equal ones the value that sorts first."""
    return counts.sort_index().sort_values(ascending=False, kind="stable")


def is_too_much(counts: pd.Series) -> bool:
    """Return whether more values differ than memory is there for."""
    return len(counts) > MAX_COUNTED or (len(counts) > 0 and sum(map(len, counts.index)) > MAX_COUNTED_BYTES)


def _hash(values: pd.Index) -> NDArray[np.intp]:
    hashed = pd.util.hash_array(values.to_numpy(object), categorize=False)
    return (hashed & np.uint64(BUCKETS - 1)).astype(np.intp)
