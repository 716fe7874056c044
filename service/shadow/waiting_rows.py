"""The rows that the champion has answered and the challenger has not yet.

While there is room a request costs its tuple in a list. Once there is none, as under overload, those that are here
become a sample of all that came: the k-th takes one of n places with a chance of n / k (Vitter's algorithm R, 1985).
Then its rows are copied, as the arrays they lie in are shared with others that go. Where some of the rows are scored, as
many requests are copied in the long run as are: at most a quarter of all.
"""

import random
from typing import NamedTuple

import numpy as np

from ekiben.contract.answers import Answers
from ekiben.contract.encoding import Encoded
from ekiben.service.batching.work import Work

MAX_ROWS, MAX_VALUES = 65_536, 2**21  # 8 MiB
CHUNK_ROWS = 2048  # of a larger request each chunk is compared by itself
MAX_PIECES = 512  # that are put together at once: a third of a millisecond


class Piece(NamedTuple):
    """Rows of one request, which lie in an array with others."""

    prediction_id: bytes
    chunk: int  # which of the request's
    single: bool  # whether the request has one row, whose id is then the request's
    source: Encoded
    start: int
    stop: int
    answers: Answers  # (rows, outputs)

    @property
    def rows(self) -> int:
        """How many these are."""
        return self.stop - self.start


class WaitingRows:
    """Keeps pieces while there is room; belongs to one event loop."""

    def __init__(self, values: int) -> None:
        """`values`: of a row, its answers included."""
        self._max_rows = max(CHUNK_ROWS, min(MAX_ROWS, MAX_VALUES // values))
        self._pieces: list[Piece] = []
        self._offered = 0.0  # pieces, of which those that are here are a sample
        self.rows = 0
        self.dropped = 0  # rows for which there was no room

    def add(self, prediction_id: bytes, work: Work, answers: Answers) -> None:
        """Keep the rows of an answered request, if there is room or it is drawn."""
        rows = work.stop - work.start
        if rows <= CHUNK_ROWS:
            self._add(Piece(prediction_id, 0, rows == 1, work.source, work.start, work.stop, answers))
            return
        for chunk, first in enumerate(range(0, rows, CHUNK_ROWS)):
            start, stop = work.start + first, work.start + min(first + CHUNK_ROWS, rows)
            some = answers[first : first + CHUNK_ROWS]
            self._add(Piece(prediction_id, chunk, False, work.source, start, stop, some))

    def take(self, max_rows: int) -> list[Piece]:
        """Return the oldest pieces: one at least, if there is any, and others while they have no more rows together."""
        rows = count = 0
        for piece in self._pieces[:MAX_PIECES]:
            if count and rows + piece.rows > max_rows:
                break
            rows += piece.rows
            count += 1
        taken = self._pieces[:count]
        if count:
            self._offered *= 1 - count / len(self._pieces)
        del self._pieces[:count]
        self.rows -= rows
        return taken

    def _add(self, piece: Piece) -> None:
        self._offered += 1
        if self.rows + piece.rows <= self._max_rows:
            self.rows += piece.rows
            self._pieces.append(piece)
            return
        place = int(random.random() * self._offered)
        rows = piece.rows
        if place < len(self._pieces):
            replaced = self._pieces[place].rows
            if self.rows - replaced + rows <= self._max_rows:
                self._pieces[place] = _own(piece)
                self.rows += rows - replaced
                rows = replaced
        self.dropped += rows


def gather(pieces: list[Piece]) -> tuple[Encoded, Answers]:
    """Return the rows of all pieces and their answers; what lies side by side is copied as one."""
    parts: list[Encoded] = []
    source, start, stop = pieces[0].source, pieces[0].start, pieces[0].stop
    for piece in pieces[1:]:
        if piece.source is not source or piece.start != stop:
            parts.append(source[start:stop])
            source, start = piece.source, piece.start
        stop = piece.stop
    parts.append(source[start:stop])
    numbers = np.concatenate([part.numbers for part in parts])
    encoded = Encoded(numbers, np.concatenate([part.codes for part in parts]))
    return encoded, np.concatenate([piece.answers for piece in pieces])


def _own(piece: Piece) -> Piece:
    """Return a piece that keeps no other rows alive."""
    rows = piece.source[piece.start : piece.stop]
    source = Encoded(rows.numbers.copy(), rows.codes.copy())
    return piece._replace(source=source, start=0, stop=len(source), answers=piece.answers.copy())
