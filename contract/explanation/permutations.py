"""Orders in which features take the explained row's values, drawn from the row: every replica draws the same."""

import hashlib
from functools import cache

import numpy as np
from numpy.typing import NDArray

from ekiben.contract.encoding import Encoded


class Permutations:
    """The orders of one row's features, and the background row that each begins at."""

    def __init__(self, row: Encoded, features: int, background_rows: int) -> None:
        self._features = features
        # Its raw integers are the same in all versions of NumPy, which is not promised of its permutations.
        self._bits = np.random.PCG64(_digest(row))
        self._background_order = _spread(background_rows, int(self._bits.random_raw()))
        self._drawn = 0

    def draw(self, pairs: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Return the next orders, (pairs, features), and background rows, (pairs,); drawn in parts they are the same.

        An order holds the position of each feature in it.
        """
        orders = self._bits.random_raw((pairs, self._features)).argsort(axis=1, kind="stable")
        turns = np.arange(self._drawn, self._drawn + pairs) % len(self._background_order)
        self._drawn += pairs
        return orders, self._background_order[turns]


def _digest(row: Encoded) -> int:
    """Return a number that follows from a row's encoded values alone."""
    numbers = np.where(np.isnan(row.numbers), np.float32(np.nan), row.numbers) + np.float32(0)  # one NaN, one zero
    content = numbers.astype("<f4").tobytes() + row.codes.astype("<i4").tobytes()
    return int.from_bytes(hashlib.sha256(content).digest()[:16], "little")


def _spread(rows: int, chance: int) -> NDArray[np.intp]:
    """Return an order of rows of which every beginning is spread evenly over all of them.

    It is van der Corput's sequence from a random start on: 0, ½, ¼, ¾, ⅛ … of the way. As background rows are ordered
    by their answers, ten of them answer on average nearly what all do, which ten at random would not.
    """
    order: NDArray[np.intp] = (_reverse_bits(rows) + chance % rows) % rows
    return order


@cache  # there are as many sizes as backgrounds, at most 64
def _reverse_bits(rows: int) -> NDArray[np.intp]:
    bits = max(1, (rows - 1).bit_length())
    reversed_bits = (int(f"{turn:0{bits}b}"[::-1], 2) for turn in range(1 << bits))
    return np.array([step for step in reversed_bits if step < rows], np.intp)
