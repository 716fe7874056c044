"""The rows that were picked, on their way to a file, and the memory that they may take."""

import threading
import time
from collections.abc import Sequence
from operator import itemgetter
from sys import getsizeof
from typing import Any

import numpy as np

from ekiben.contract.answers import Answers
from ekiben.contract.columns import Column, Columns, Rows, Transposer
from ekiben.contract.feature import Category, Number, Timestamp
from ekiben.contract.schema import Schema
from ekiben.service.row_log.sampling import Sampler

PICKED_BYTES = 400  # of the object itself, its indices and answers
VALUE_BYTES = 100  # of a value in a row, without its text: its place in the row, and a number
MAX_CHARACTER_BYTES = 4
FEW_ROWS = 256


class Waiting:
    """The bytes of all that waits to be written; any thread may take and give."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.taken = 0
        self._lock = threading.Lock()

    def take(self, size: int) -> bool:
        """Take that many bytes; return whether they are there."""
        with self._lock:
            if self.taken + size > self.limit:
                return False
            self.taken += size
            return True

    def give(self, size: int) -> None:
        """Give back bytes; fewer than none are taken where what was picked became larger."""
        with self._lock:
            self.taken -= size


class Picked:
    """Rows of one request; their bytes are given back as it goes, whatever became of the request."""

    __slots__ = ("answered", "answers", "indices", "prediction_id", "rows", "size", "total", "waiting")

    prediction_id: str
    answered: float  # seconds since 1970
    answers: Answers

    def __init__(self, rows: Rows, indices: Sequence[int], total: int, size: int, waiting: Waiting) -> None:
        self.rows = rows
        self.indices = indices  # of the rows among the `total` of the request
        self.total = total
        self.size = size  # bytes that were taken
        self.waiting = waiting

    def __len__(self) -> int:
        return len(self.indices)

    def __del__(self) -> None:
        self.waiting.give(self.size)

    def answer(self, prediction_id: bytes, answers: Answers) -> None:
        """Add what all rows of the request were answered, (rows, outputs); a copy keeps no batch alive."""
        self.prediction_id, self.answered = prediction_id.decode(), time.time()
        self.answers = answers.copy() if len(self.indices) == self.total else answers[list(self.indices)]

    def list_ids(self) -> list[str]:
        """Return the id of each row."""
        if self.total == 1:
            return [self.prediction_id]
        return [f"{self.prediction_id}/{index}" for index in self.indices]


class Picker:
    """Picks rows while there is memory for them; belongs to one thread.

    Of requests with few rows all are kept or none, which costs a third of picking among them. Of others rows are picked
    one by one.
    """

    def __init__(self, schema: Schema, share: float, waiting: Waiting) -> None:
        self._schema = schema
        self._requests, self._rows = Sampler(share), Sampler(share)
        self._waiting = waiting
        self._row_bytes = VALUE_BYTES * len(schema.features)
        texts = [feature.name for feature in schema.features if isinstance(feature, Category | Timestamp)]
        pick = itemgetter(*texts) if texts else None
        self._pick_texts: Any = pick if len(texts) > 1 else (lambda row: (pick(row),) if pick else ())
        self.dropped = 0  # rows for which there was none

    def pick(self, rows: Rows) -> Picked | None:
        """Return the rows of a request that are kept, None if there are none."""
        return self.take(rows) if self.wants(len(rows)) else None

    def wants(self, rows: int) -> bool:
        """Return whether some of the rows of a request of so many may be kept."""
        return rows > FEW_ROWS or self._requests.pick_one()

    def take(self, rows: Rows) -> Picked | None:
        """Return the rows of such a request that are kept, None if there are none."""
        total = len(rows)
        return (
            self._pick_of_many(rows) if total > FEW_ROWS else self._take(rows, range(total), total, self._measure(rows))
        )

    def _pick_of_many(self, rows: Rows) -> Picked | None:
        indices = self._rows.pick(len(rows))
        if not indices:
            return None
        kept = compact(self._schema, select(rows, indices))
        return self._take(kept, indices, len(rows), _measure_columns(kept))

    def _take(self, rows: Rows, indices: Sequence[int], total: int, size: int) -> Picked | None:
        size += PICKED_BYTES
        if self._waiting.take(size):
            return Picked(rows, indices, total, size, self._waiting)
        self.dropped += len(indices)
        return None

    def _measure(self, rows: Rows) -> int:
        """Return the bytes that rows take at most, which fit their schema."""
        texts = filter(_is_list, rows.values) if isinstance(rows, Columns) else map(self._pick_texts, rows)
        characters = sum([len(text) for some in texts for text in some if type(text) is str])
        return self._row_bytes * len(rows) + MAX_CHARACTER_BYTES * characters


def _is_list(column: Column) -> bool:
    return not isinstance(column, np.ndarray)


def select(rows: Rows, indices: Sequence[int]) -> Rows:
    """Return some of the rows, in a list or columns of their own."""
    if isinstance(rows, Columns):
        return Columns(rows.names, [_select_values(column, indices) for column in rows.values], len(indices))
    return [rows[index] for index in indices]


def compact(schema: Schema, rows: Rows) -> Columns:
    """Return rows that fit their schema as columns: numbers in arrays, equal strings once."""
    columns = rows if isinstance(rows, Columns) else Transposer(schema.names).transpose(rows)
    assert columns is not None  # they fit
    values: list[Column] = []
    for feature, column in zip(schema.features, columns.values, strict=True):
        if isinstance(column, np.ndarray):
            values.append(column)
        elif isinstance(feature, Number):
            values.append(np.array(column, np.float64))  # None becomes NaN
        else:
            known: dict[Any, Any] = {}
            values.append([known.setdefault(value, value) for value in column])
    return Columns(columns.names, values, len(columns))


def _select_values(column: Column, indices: Sequence[int]) -> Column:
    return column[list(indices)] if isinstance(column, np.ndarray) else [column[index] for index in indices]


def _measure_columns(columns: Columns) -> int:
    return sum(map(_measure_values, columns.values))


def _measure_values(column: Column) -> int:
    if isinstance(column, np.ndarray):
        return column.nbytes
    return getsizeof(column) + sum({id(value): getsizeof(value) for value in column}.values())
