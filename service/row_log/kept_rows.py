"""Rows that were picked, as arrays of their own: of what they came in nothing is kept but values.

Numbers are copied. Of all else a row has an index into a dictionary, in which each distinct value stands once, as it
came: so do Arrow and Parquet encode columns of few values. Kept as they came, the rows would lie scattered among those
of later requests, and would have to be fetched from memory one value at a time: that was most of what logging cost.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain
from operator import itemgetter
from sys import getsizeof
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ekiben.contract.answers import Answers
from ekiben.contract.columns import Column, Columns, to_list
from ekiben.contract.feature import Number
from ekiben.contract.schema import Schema
from ekiben.service.row_log.waiting import Waiting

REQUEST_BYTES = 300  # its id, time and answers, and the objects that hold them
ANSWER_BYTES = 4
ENTRY_BYTES = 100  # of a dictionary, besides the value
MAX_ENTRIES, MAX_DICTIONARY_BYTES = 1024, 2**20
SUFFIXES = tuple(f"/{index}" for index in range(256))
Select = Callable[[Any], Any]


class Distinct(dict[Any, int]):
    """The index of each distinct value."""

    size = 0  # bytes

    def __missing__(self, value: Any) -> int:
        index = self[value] = len(self)
        self.size += ENTRY_BYTES + getsizeof(value)
        return index


class Dictionary:
    """The distinct values of each feature that is not copied as a number; belongs to one thread."""

    def __init__(self, features: int, waiting: Waiting) -> None:
        self.features = tuple(Distinct() for _ in range(features))
        self.taken = 0  # bytes
        self._waiting = waiting

    def __del__(self) -> None:
        self._waiting.give(self.taken)

    @property
    def size(self) -> int:
        """The bytes of all values."""
        return sum([distinct.size for distinct in self.features])

    @property
    def full(self) -> bool:
        """Whether a new one is to be begun: most of the values may be none of the latest rows'."""
        return self.taken > MAX_DICTIONARY_BYTES or max(map(len, self.features), default=0) > MAX_ENTRIES

    def find(self, columns: Sequence[Sequence[Any]], rows: int) -> NDArray[np.int32]:
        """Return the index of each value, (features, rows); one that is new is added."""
        found = chain.from_iterable(
            map(distinct.__getitem__, column) for distinct, column in zip(self.features, columns, strict=True)
        )
        return np.fromiter(found, np.int32, len(columns) * rows).reshape(len(columns), rows)


@dataclass(eq=False, slots=True)
class KeptRows:
    """Rows of requests that were encoded together; their bytes are given back as they go, whatever became of them."""

    numbers: NDArray[np.float64]  # (features, rows), NaN where missing
    indices: NDArray[np.int32]  # (features, rows)
    dictionary: Dictionary
    waiting: Waiting
    taken: int = 0  # bytes

    def __len__(self) -> int:
        return int(self.numbers.shape[1])

    def __del__(self) -> None:
        self.waiting.give(self.taken)


class Kept:
    """The rows of one request among those: `rows[start:stop]`."""

    __slots__ = ("answered", "answers", "chosen", "prediction_id", "rows", "start", "stop", "total")

    prediction_id: str
    answered: float  # seconds since 1970
    answers: bytes  # (rows, outputs) float32

    def __init__(
        self, rows: KeptRows, start: int, stop: int, total: int, chosen: Sequence[int] | None = None
    ) -> None:  # fmt: skip
        self.rows, self.start, self.stop = rows, start, stop
        self.total = total  # rows of the request
        self.chosen = chosen  # those that are kept; None: all

    def __len__(self) -> int:
        return self.stop - self.start

    def answer(self, prediction_id: bytes, answers: Answers) -> None:
        """Add what all rows of the request were answered, (rows, outputs); a copy keeps no batch alive."""
        self.prediction_id, self.answered = prediction_id.decode(), time.time()
        self.answers = (answers if self.chosen is None else answers[list(self.chosen)]).tobytes()

    def list_ids(self) -> list[str]:
        """Return the id of each row."""
        if self.total == 1:
            return [self.prediction_id]
        if self.chosen is None and self.total <= len(SUFFIXES):
            return list(map(self.prediction_id.__add__, SUFFIXES[: self.total]))
        return [f"{self.prediction_id}/{index}" for index in self.chosen or range(self.total)]


class Layout:
    """Which features are copied as numbers, which are in a dictionary, and which are left out."""

    def __init__(self, schema: Schema) -> None:
        features = list(enumerate(schema.features))
        self.numbers = [index for index, one in features if isinstance(one, Number) and not one.log]
        self.others = [index for index, one in features if one.log != "drop" and index not in self.numbers]

        self.row_bytes = 8 * len(self.numbers) + 4 * len(self.others) + ANSWER_BYTES * len(schema.target.outputs)

    def copy(self, columns: Columns, select: Select | None, dictionary: Dictionary, waiting: Waiting) -> KeptRows:
        """Copy the rows that are selected, or all."""
        values = columns.values
        pick = select or (lambda column: column)
        rows = len(pick(values[0]))
        numbers = _to_floats([pick(values[index]) for index in self.numbers], rows)
        found = dictionary.find([to_list(pick(values[index])) for index in self.others], rows)
        return KeptRows(numbers, found, dictionary, waiting)


def select_rows(indices: Sequence[int]) -> Select:
    """Return what takes the rows at some rising indices out of a column."""
    first, last = indices[0], indices[-1]
    if last - first + 1 == len(indices):
        return itemgetter(slice(first, last + 1))
    pick, chosen = itemgetter(*indices), list(indices)
    return lambda column: column[chosen] if isinstance(column, np.ndarray) else pick(column)


def _to_floats(columns: Sequence[Column], rows: int) -> NDArray[np.float64]:
    if not any(isinstance(column, np.ndarray) for column in columns):
        return np.array(columns, np.float64).reshape(len(columns), rows)  # None becomes NaN
    numbers = np.empty((len(columns), rows))
    for index, column in enumerate(columns):
        numbers[index] = np.array(column, np.float64) if isinstance(column, tuple | list) else column
    return numbers
