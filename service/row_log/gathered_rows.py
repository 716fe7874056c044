"""Rows of small JSON requests, until a few hundred make a block.

Their numbers go into one buffer, and their objects go. Kept among those of the requests under way they would scatter
what comes later over the memory, and have to be fetched again: that was a third of what logging cost. A few rows are
packed at once, for code that runs only now and then must be fetched, too.
"""

import math
import struct
import time
from itertools import chain, starmap
from operator import itemgetter
from sys import getsizeof
from typing import Any, NamedTuple

import numpy as np

from ekiben.contract.answers import Answers
from ekiben.contract.columns import Column, Columns
from ekiben.contract.feature import Number
from ekiben.contract.schema import Schema
from ekiben.service.row_log.picking import VALUE_BYTES, Waiting

ROW_BYTES = 300  # of its id, time and answers
TOGETHER_ROWS, TOGETHER_BYTES = 16, 2**16  # packed at once


class Gathered(NamedTuple):
    """Rows on their way into a block."""

    ids: list[str]
    times: list[float]  # when each was answered, in seconds since 1970
    rows: Columns
    answers: Answers
    size: int  # bytes that were taken


class GatheredRows:
    """Collects rows while there is memory for them; belongs to one thread."""

    def __init__(self, schema: Schema, waiting: Waiting) -> None:
        self._schema, self._waiting = schema, waiting
        numbers = [feature.name for feature in schema.features if isinstance(feature, Number)]
        others = [feature.name for feature in schema.features if not isinstance(feature, Number)]
        self._pick_numbers, self._pick_others = _pick(numbers), _pick(others)
        self._pack = struct.Struct(f"{len(numbers)}d").pack
        self._row_bytes = ROW_BYTES + VALUE_BYTES * len(schema.features)
        self._recent: list[tuple[bytes, float, list[Any], Answers]] = []
        self._recent_rows = self._recent_bytes = 0
        self.dropped = 0  # rows for which there was no memory
        self._clear()

    def _clear(self) -> None:
        self._ids: list[str] = []
        self._times: list[float] = []
        self._numbers, self._answers = bytearray(), bytearray()
        self._others: list[tuple[Any, ...]] = []
        self.size = 0  # bytes that were taken

    def __len__(self) -> int:
        return len(self._ids) + self._recent_rows

    def add(self, prediction_id: bytes, rows: list[Any], answers: Answers) -> None:
        """Take the rows of a request and what they were answered, (rows, outputs)."""
        self._recent.append((prediction_id, time.time(), rows, answers))
        self._recent_rows += len(rows)
        for row in rows:
            self._recent_bytes += self._row_bytes + sum(map(getsizeof, self._pick_others(row)))
        if self._recent_rows >= TOGETHER_ROWS or self._recent_bytes >= TOGETHER_BYTES:
            self._gather()

    def take(self) -> Gathered | None:
        """Return all rows, None if there are none; the caller gives their bytes back."""
        if self._recent:
            self._gather()
        if not self._ids:
            return None
        rows = len(self._ids)
        numbers = iter(np.frombuffer(self._numbers).reshape(rows, -1).T)
        others = zip(*self._others, strict=True)
        values: list[Column] = [
            next(numbers) if isinstance(feature, Number) else next(others) for feature in self._schema.features
        ]
        answers = np.frombuffer(self._answers, np.float32).reshape(rows, -1)
        columns = Columns(self._schema.names, values, rows)
        gathered = Gathered(self._ids, self._times, columns, answers, self.size)
        self._clear()
        return gathered

    def _gather(self) -> None:
        """Pack the recent rows."""
        recent, count, size = self._recent, self._recent_rows, self._recent_bytes
        self._recent, self._recent_rows, self._recent_bytes = [], 0, 0
        if not self._waiting.take(size):
            self.dropped += count
            return
        self.size += size
        ids, times, requests, answers = zip(*recent, strict=True)
        rows = list(chain.from_iterable(requests))
        numbers = self._pack_numbers(rows)
        self._others += map(self._pick_others, rows)
        self._numbers += numbers
        self._answers += b"".join(map(np.ndarray.tobytes, answers))
        if count == len(ids):
            self._times += times
            self._ids += map(bytes.decode, ids)
            return
        for prediction_id, answered, request in zip(ids, times, requests, strict=True):
            first = prediction_id.decode()
            self._times += [answered] * len(request)
            self._ids += [first] if len(request) == 1 else [f"{first}/{index}" for index in range(len(request))]

    def _pack_numbers(self, rows: list[Any]) -> bytes:
        try:
            return b"".join(starmap(self._pack, map(self._pick_numbers, rows)))
        except struct.error:
            known = ([math.nan if one is None else one for one in self._pick_numbers(row)] for row in rows)
            return b"".join(starmap(self._pack, known))


def _pick(names: list[str]) -> Any:
    pick = itemgetter(*names) if names else None
    return pick if len(names) > 1 else lambda row: (pick(row),) if pick else ()
