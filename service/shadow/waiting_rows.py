"""The rows that the champion has answered and the challenger has not yet.

While there is room a request costs a tuple in a list. Once there is none, as under overload, one in 64 requests takes
random places of what is here: so this becomes a sample of the latest requests (Aggarwal's biased reservoir, VLDB 2006)
and not the oldest ones. Only of those the rows are copied, as the arrays they lie in are shared with others that go; to
copy those of every request would be a quarter of what it costs.
"""

import math
import random
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from ekiben.contract.answers import Answers
from ekiben.contract.encoding import Encoded
from ekiben.service.batching.work import Work
from ekiben.service.row_log.sampling import Sampler

MAX_ROWS, MAX_VALUES = 65_536, 2**21  # 8 MiB of values; of single rows the objects around them take twice as much
CHUNK_ROWS = 2048  # of a larger request each chunk is compared by itself
SAMPLED = 1 / 64  # of the requests for which there is no room
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


_Fields = tuple[bytes, int, bool, Encoded, int, int, Answers]  # a piece's; to name them takes as long as all the rest


class WaitingRows:
    """Keeps pieces while there is room; belongs to one event loop."""

    def __init__(self, values: int, min_rows: int, ready: Callable[[], None]) -> None:
        """`values`: of a row, its answers included; `ready` is called, once, when so many rows wait."""
        self._max_rows = max(CHUNK_ROWS, min(MAX_ROWS, MAX_VALUES // values))
        self._pieces: list[_Fields] = []
        self._sampler = Sampler(SAMPLED)
        self._min_rows, self._ready = min_rows, ready
        self._wanted: float = min_rows
        self.rows = 0
        self.dropped = 0  # rows for which there was no room
        self._taken = 0

    @property
    def answered(self) -> int:
        """How many rows ever came."""
        return self._taken + self.rows + self.dropped

    def add(self, prediction_id: bytes, work: Work, answers: Answers) -> None:
        """Keep the rows of an answered request, if there is room or it is drawn."""
        start, stop = work.start, work.stop
        rows = stop - start
        after = self.rows + rows
        if rows > CHUNK_ROWS:
            self._add_chunks(prediction_id, work, answers)
        elif after <= self._max_rows:
            self.rows = after
            self._pieces.append((prediction_id, 0, rows == 1, work.source, start, stop, answers))
            if after >= self._wanted:
                self._call()
        elif self._sampler.pick_one():
            self._replace(rows, (prediction_id, 0, rows == 1, work.source, start, stop, answers))
        else:
            self.dropped += rows

    def wait(self) -> None:
        """Call `ready` again, when there are rows enough or now."""
        self._wanted = self._min_rows
        if self.rows >= self._wanted:
            self._call()

    def take(self, max_rows: int) -> list[Piece]:
        """Return the oldest pieces: one at least, if there is any, and others while they have no more rows together."""
        rows = 0
        taken: list[Piece] = []
        for piece in map(Piece._make, self._pieces[:MAX_PIECES]):
            if taken and rows + piece.rows > max_rows:
                break
            rows += piece.rows
            taken.append(piece)
        del self._pieces[: len(taken)]
        self.rows -= rows
        self._taken += rows
        return taken

    def _call(self) -> None:
        self._wanted = math.inf
        self._ready()

    def _add_chunks(self, prediction_id: bytes, work: Work, answers: Answers) -> None:
        for chunk, first in enumerate(range(work.start, work.stop, CHUNK_ROWS)):
            stop = min(first + CHUNK_ROWS, work.stop)
            some = answers[first - work.start : stop - work.start]
            fields = (prediction_id, chunk, False, work.source, first, stop, some)
            if self.rows + stop - first <= self._max_rows:
                self.rows += stop - first
                self._pieces.append(fields)
            elif self._sampler.pick_one():
                self._replace(stop - first, fields)
            else:
                self.dropped += stop - first
        if self.rows >= self._wanted:
            self._call()

    def _replace(self, rows: int, fields: _Fields) -> None:
        """Let rows for which there is no room take the place of others, if that is large enough."""
        place = random.randrange(len(self._pieces))
        replaced = Piece._make(self._pieces[place]).rows
        if self.rows - replaced + rows <= self._max_rows:
            self._pieces[place] = _own(Piece._make(fields))
            self.rows += rows - replaced
            self.dropped += replaced
        else:
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
