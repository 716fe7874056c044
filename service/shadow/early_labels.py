"""Labels that came before the pair of answers they are for."""

from collections.abc import Iterable, Sequence
from itertools import islice

from ekiben.service.shadow.waiting_rows import CHUNK_ROWS, Piece

MAX_EARLY = 2**14  # labels: of rows that are still to be scored, or gone, or another worker's


class EarlyLabels:
    """The latest of them by id; belongs to one event loop."""

    def __init__(self) -> None:
        self._labels: dict[bytes, float] = {}  # the oldest first
        self._requests: dict[bytes, int] = {}  # how many of them are for rows of a request of several

    def add(self, ids: Iterable[bytes], labels: Iterable[float]) -> None:
        """Keep the first label of each id, and of all the latest MAX_EARLY."""
        kept, requests = self._labels, self._requests
        for one, label in zip(ids, labels, strict=True):
            if one not in kept:
                kept[one] = label
                if b"/" in one:
                    request = one.rpartition(b"/")[0]
                    requests[request] = requests.get(request, 0) + 1
        for one in list(islice(kept, max(len(kept) - MAX_EARLY, 0))):
            self._pop(one)

    def take(self, pieces: Sequence[Piece]) -> tuple[list[bytes], list[float]]:
        """Return the ids and the labels of rows of these pieces; they wait no more."""
        ids: list[bytes] = []
        labels: list[float] = []
        for piece in pieces if self._labels else ():
            for one in self._list_ids(piece):
                if one in self._labels:
                    ids.append(one)
                    labels.append(self._pop(one))
        return ids, labels

    def _list_ids(self, piece: Piece) -> list[bytes]:
        """Return the ids of a piece's rows, none if no label waits for any row of its request."""
        name = piece.prediction_id
        if piece.single:
            return [name]
        if name not in self._requests:
            return []
        first = piece.chunk * CHUNK_ROWS
        return [b"%b/%d" % (name, row) for row in range(first, first + piece.rows)]

    def _pop(self, one: bytes) -> float:
        if b"/" in one:
            request = one.rpartition(b"/")[0]
            left = self._requests.pop(request) - 1
            if left:
                self._requests[request] = left
        return self._labels.pop(one)
