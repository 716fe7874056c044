"""Remembers the latest ids by their hashes: so that of a label it is known whether its row was logged."""

import time
from collections import deque
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

KEPT = 2**17  # 1 MiB; of 100 logged rows a second those of 20 minutes
FEW = 32  # ids that are compared with each one: to sort them all takes 8 ms


class IdsSeen:
    """The latest KEPT ids of one process. One thread adds to it, another may ask."""

    def __init__(self) -> None:
        self._hashes = np.zeros(KEPT, np.int64)
        self._count = 0
        self._marks = deque([(0, time.time())])  # how many there were at which time

    @property
    def since(self) -> float:
        """Since when every id is remembered, in seconds since 1970."""
        return self._marks[0][1]

    def add(self, ids: Sequence[str]) -> None:
        """Remember ids; the oldest are forgotten."""
        hashes = _hash(ids)[-KEPT:]
        first = self._count % KEPT
        split = min(len(hashes), KEPT - first)
        self._hashes[first : first + split] = hashes[:split]
        self._hashes[: len(hashes) - split] = hashes[split:]
        self._count += len(hashes)
        self._marks.append((self._count, time.time()))
        while len(self._marks) > 1 and self._marks[0][0] < self._count - KEPT:
            self._marks.popleft()

    def find(self, ids: Sequence[str]) -> NDArray[np.bool_]:
        """Return which ids are remembered."""
        kept, wanted = self._hashes[: min(self._count, KEPT)], _hash(ids)
        if len(wanted) <= FEW:
            return np.array([bool((kept == one).any()) for one in wanted], np.bool_)
        found: NDArray[np.bool_] = np.isin(wanted, kept)
        return found


def _hash(ids: Sequence[str]) -> NDArray[np.int64]:
    return np.fromiter(map(hash, ids), np.int64, len(ids))
