"""Sums over rows besides the bins' counts: whole numbers, so they add up to the same in any order.

Of a watched number: how many values are familiar, the sum of its steps and that of their squares. Of a pair: the sum of
how well its two bins fit.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from ekiben.contract.reference.alarms.calibration import MAX_STEPS, OF_NUMBER, STEPS, Calibration, Pair
from ekiben.contract.reference.placing import Floats, Places

Sums = NDArray[np.int64]
SLOT_BITS = 12
HASH = np.uint32(2_654_435_769)  # 2³² by the golden ratio: D. Knuth, The Art of Computer Programming 3, 6.4


class SumCounter:
    """Sums up rows; its sums are one array, the numbers' and then the pairs'."""

    def __init__(
        self, calibration: Calibration, columns: Mapping[str, int], placed: Mapping[str, tuple[int, int, int]]
    ) -> None:
        """Take each number's column, and of each feature the row of its places, where they begin, and how many."""
        self.watches = tuple(one for one in calibration.watches if one.scale and one.feature in columns)
        self.pairs = tuple(pair for pair in calibration.pairs if set(pair.features) <= placed.keys())
        self.width = OF_NUMBER * len(self.watches) + len(self.pairs)
        self._columns = [columns[one.feature] for one in self.watches]
        self._centres = np.array([one.centre for one in self.watches], np.float32)[:, None]
        self._factors = np.array([STEPS / one.scale for one in self.watches], np.float32)[:, None]
        self._familiar = FamiliarValues([one.familiar for one in self.watches])
        self._fit = _FitTables(self.pairs, placed)

    def sum(self, numbers: Floats, places: Places) -> Sums:
        """Return the sums, (width,), of numbers, (all columns, rows), and of all places, (features, rows)."""
        values = numbers[self._columns]
        familiar = np.count_nonzero(self._familiar.find(values), axis=1)
        steps = to_steps(values, self._centres, self._factors)
        parts = [familiar, steps.sum(axis=1), np.einsum("ij,ij->i", steps, steps)]
        moments = np.stack([np.asarray(part, np.int64) for part in parts], axis=1).ravel()
        return np.concatenate([moments, self._fit.sum(places)])

    def split(self, sums: Sums) -> dict[str, tuple[int, ...]]:
        """Return the sums by the feature's or the pair's name."""
        names = [one.feature for one in self.watches]
        end = OF_NUMBER * len(names)
        moments = sums[:end].reshape(-1, OF_NUMBER).tolist()
        fits = zip((pair.name for pair in self.pairs), sums[end:].tolist(), strict=True)
        return dict(zip(names, map(tuple, moments), strict=True)) | {name: (total,) for name, total in fits}


class FamiliarValues:
    """Finds out whether numbers are among the familiar ones of their column.

    A value's bits choose one of 4,096 slots, which holds at most one familiar value: 3 ns, where a binary search takes
    20. Of two values with one slot the later is lost: it counts as not familiar, here and at training alike.
    """

    def __init__(self, familiar: Sequence[Sequence[float]]) -> None:
        """Take each column's values."""
        self._slots = np.full((len(familiar), 1 << SLOT_BITS), np.nan, np.float32)
        for row, values in zip(self._slots, familiar, strict=True):
            kept = np.array(values[::-1], np.float32)
            row[_choose_slots(kept)] = kept
        self._starts = (np.arange(len(familiar), dtype=np.intp) << SLOT_BITS)[:, None]

    def find(self, values: Floats) -> NDArray[np.bool_]:
        """Return which values, (columns, rows), are familiar."""
        slots = _choose_slots(values)
        slots += self._starts
        found: NDArray[np.bool_] = self._slots.ravel().take(slots) == values
        return found


class _FitTables:
    """One table of all pairs of bins."""

    def __init__(self, pairs: Sequence[Pair], placed: Mapping[str, tuple[int, int, int]]) -> None:
        firsts, seconds = ([placed[pair.features[which]] for pair in pairs] for which in (0, 1))
        starts = np.cumsum([0, *(len(pair.table) for pair in pairs)])[:-1]
        offsets = [
            start - first[1] * second[2] - second[1]
            for start, first, second in zip(starts.tolist(), firsts, seconds, strict=True)
        ]
        self._first, self._second = [one[0] for one in firsts], [one[0] for one in seconds]
        self._sizes = np.array([one[2] for one in seconds], np.intp)[:, None]
        self._offsets = np.array(offsets, np.intp)[:, None]
        self._table = np.concatenate([np.empty(0, np.int64), *(np.array(pair.table, np.int64) for pair in pairs)])

    def sum(self, places: Places) -> Sums:
        """Return the sum of each pair."""
        cells = places[self._first]
        cells *= self._sizes
        cells += places[self._second]
        cells += self._offsets
        total: Sums = self._table.take(cells).sum(axis=1)
        return total


def to_steps(values: Floats, centres: Floats, factors: Floats) -> NDArray[np.float64]:
    """Return whole numbers of steps from the centre, 0 where a value is missing; their sums are exact.

    The values are overwritten: a new array for each step would take five times as long, for fresh pages.
    """
    with np.errstate(over="ignore"):
        values -= centres
        values *= factors
    np.rint(values, out=values)
    np.clip(values, -MAX_STEPS, MAX_STEPS, out=values)
    np.copyto(values, 0, where=np.isnan(values))
    return values.astype(np.float64)


def _choose_slots(values: Floats) -> Places:
    bits = (values + np.float32(0)).view(np.uint32)  # -0 becomes 0
    bits *= HASH
    bits >>= np.uint32(32 - SLOT_BITS)
    slots: Places = bits.astype(np.intp)
    return slots
