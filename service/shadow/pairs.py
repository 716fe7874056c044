"""The latest pairs of answers by prediction id, so that a label that comes later finds its own."""

from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ekiben.contract.answers import Answers
from ekiben.service.row_ids import split_row_id
from ekiben.service.shadow.early_labels import EarlyLabels
from ekiben.service.shadow.waiting_rows import CHUNK_ROWS, Piece

MAX_PAIRS, MAX_VALUES = 2**17, 2**21  # rows: with their ids 38 MiB; the values of both answers, 8 MiB
Key = bytes | tuple[bytes, int]


class Matched(NamedTuple):
    """What became of labels."""

    places: NDArray[np.intp]  # of the pairs that they are for
    labels: NDArray[np.float64]  # of those
    repeated: int  # had a label before: each pair gets its first one only
    unplaced: list[int]  # the positions of those that found no pair


class Pairs:
    """A ring of pairs; belongs to one event loop."""

    def __init__(self, outputs: int) -> None:
        self.size = max(CHUNK_ROWS, min(MAX_PAIRS, MAX_VALUES // (2 * outputs)))  # rows
        self._answers = np.zeros((2, self.size, outputs), np.float32)  # the champion's and the challenger's
        self._open = np.zeros(self.size, bool)  # both have a finite answer, and no label came
        self._labelled = np.zeros(self.size, bool)
        self._end = 0  # how many rows were ever added
        self._places: dict[Key, tuple[int, int, bool]] = {}  # where a piece begins, its rows, and whether it is single
        self._order: deque[tuple[Key, int]] = deque()  # the same keys and beginnings, the oldest first
        self._early = EarlyLabels()

    def add(self, pieces: Sequence[Piece], champion: Answers, challenger: Answers, finite: NDArray[np.bool_]) -> None:
        """Take the answers to all pieces, (rows, outputs) each; `finite`, (rows,), are those that can be compared."""
        places = np.arange(self._end, self._end + len(finite)) % self.size
        self._answers[0, places], self._answers[1, places] = champion, challenger
        self._open[places], self._labelled[places] = finite, False
        end, known, order = self._end, self._places, self._order
        for name, chunk, single, _, start, stop, _ in pieces:
            key: Key = (name, chunk) if chunk else name
            rows = stop - start
            known[key] = end, rows, single
            order.append((key, end))
            end += rows
        self._end = end
        oldest = self._end - self.size
        while self._order[0][1] < oldest:
            key, begin = self._order.popleft()
            if self._places.get(key, (-1,))[0] == begin:  # an id of a caller's own may have come again
                del self._places[key]

    def match(self, ids: Sequence[bytes], labels: Sequence[float]) -> Matched:
        """Give labels to their pairs; what finds none waits for it, the latest of them."""
        places, values, repeated = [], [], 0
        unplaced: list[int] = []
        for position, (one, label) in enumerate(zip(ids, labels, strict=True)):
            place = self._find(one)
            if place is None:
                unplaced.append(position)
            elif self._open[place]:
                self._open[place], self._labelled[place] = False, True
                places.append(place)
                values.append(label)
            elif self._labelled[place]:
                repeated += 1
        self._early.add([ids[position] for position in unplaced], [labels[position] for position in unplaced])
        return Matched(np.array(places, np.intp), np.array(values, np.float64), repeated, unplaced)

    def take_early(self, pieces: Sequence[Piece]) -> tuple[list[bytes], list[float]]:
        """Return the labels that were here before these pieces."""
        return self._early.take(pieces)

    def read(self, places: NDArray[np.intp]) -> tuple[Answers, Answers]:
        """Return the champion's and the challenger's answers."""
        return self._answers[0, places], self._answers[1, places]

    def _find(self, one: bytes) -> int | None:
        """Return the place of a row's pair, None if it is not there."""
        found = self._places.get(one)
        if found is not None and found[2]:
            return found[0] % self.size
        split = split_row_id(one)
        if split is None:
            return None
        request, number = split
        chunk, row = divmod(number, CHUNK_ROWS)
        found = self._places.get((request, chunk) if chunk else request)
        if found is None or found[2] or row >= found[1]:
            return None
        return (found[0] + row) % self.size
