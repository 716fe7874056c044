"""Remembers the latest label of each id, so that the same label sent again is not written again."""

from collections.abc import Iterable

from ekiben.service.row_log.labels import Kept

KEPT = 2**15  # ids, by their hashes: 4 MiB


class LatestLabels:
    """The labels of the latest KEPT ids of one process; belongs to one thread."""

    def __init__(self) -> None:
        self._labels: dict[int, Kept] = {}

    def find(self, prediction_id: str) -> Kept | None:
        """Return the label of an id, None if it is not remembered."""
        return self._labels.get(hash(prediction_id))

    def add(self, pairs: Iterable[tuple[str, Kept]]) -> None:
        """Remember labels by their ids; the oldest are forgotten."""
        for prediction_id, label in pairs:
            self._labels.pop(hash(prediction_id), None)
            self._labels[hash(prediction_id)] = label
        while len(self._labels) > KEPT:
            del self._labels[next(iter(self._labels))]
