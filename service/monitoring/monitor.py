"""Counts the rows that were answered: later, when nobody waits, and thousands at once.

Counting takes 0.3 µs a row, but 75 µs for a row alone. So a batch's arrays are only kept, until enough rows are there
and the queue is empty. If counting still took more than MAX_SHARE of what the process computes, every second batch is
counted, or every fourth and so on, and counts as many times. A process that computes little may spend as much as one
that is half busy: of one that is alone with a row a second, counting is most of the work.
"""

import asyncio
import os
import time
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ekiben.contract.answers import Answers
from ekiben.contract.encoding import Encoded
from ekiben.contract.errors import FieldError
from ekiben.contract.reference.counting import RowCounter
from ekiben.service.batching.queue import BatchQueue
from ekiben.service.monitoring.windows import Windows

COUNTED_ROWS, COUNTED_VALUES = 1024, 25_000  # at once: a third of a millisecond; more are dearer, out of the caches
MAX_PENDING_ROWS, MAX_PENDING_VALUES = 65_536, 2**20  # that wait for a moment without work: 4 MiB
MAX_PENDING_BATCHES = 4096  # each takes half a kilobyte besides its rows
MAX_SHARE = 0.01  # of the CPU time may go into counting: of a busy CPU some 30,000 rows a second
LOW_SHARE = MAX_SHARE / 4
MIN_BUSY = 0.5  # of the time: as much CPU time counts as used, if it was less; nothing is left out of a calm service
MAX_EVERY = 64
TICK_S = 1.0


@dataclass(slots=True)
class Batch:
    """Rows and their answers, which stand for themselves and for those of the batches that were passed over."""

    encoded: Encoded
    answers: Answers
    every: int

    def __len__(self) -> int:
        return len(self.answers)

    def cut(self, rows: int) -> tuple["Batch", "Batch"]:
        """Return the first rows, and the others."""
        first, rest = slice(rows), slice(rows, None)
        return (
            Batch(self.encoded[first], self.answers[first], self.every),
            Batch(self.encoded[rest], self.answers[rest], self.every),
        )


class Monitor:
    """Counts for one process; belongs to one event loop."""

    def __init__(self, counter: RowCounter, queue: BatchQueue) -> None:
        self.counter = counter
        self.windows = Windows(counter.width)
        self.source = os.urandom(8).hex()
        self.every = 1
        values = counter.values
        self._counted_rows = max(1, min(COUNTED_ROWS, COUNTED_VALUES // values))
        self._max_pending_rows = max(1, min(MAX_PENDING_ROWS, MAX_PENDING_VALUES // values))
        self._queue = queue
        queue.record = self.record
        self.loop = asyncio.get_running_loop()
        self._pending: deque[Batch] = deque()
        self.pending_rows = 0
        self._batches = self._rows = 0  # rows: answered since the last count
        self.spent_s = 0.0  # CPU time that went into counting
        self._ticked = time.perf_counter(), time.process_time(), self.spent_s
        self._scheduled = self._was_dear = False
        self._ticking: asyncio.TimerHandle
        self._tick()

    def record(self, encoded: Encoded, answers: Answers) -> None:
        """Take a batch that was answered; its arrays must not change any more."""
        rows = len(answers)
        self._rows += rows
        self._batches += 1
        if self._batches % self.every:
            return
        kept = Encoded(_own(encoded.numbers), _own(encoded.codes))
        self._pending.append(Batch(kept, answers, self.every))
        self.pending_rows += rows
        if self.pending_rows >= self._counted_rows and not self._scheduled:
            self._scheduled = True
            self.loop.call_soon(self._count_some)

    def reject(self, field_errors: Iterable[FieldError]) -> None:
        """Count values that don't fit the schema, by their field."""
        names = self.counter.names
        for tally in self.windows.at(time.time()):
            for field_error in field_errors:
                name = field_error.field if field_error.field in names else ""
                tally.rejected[name] = tally.rejected.get(name, 0) + 1

    def count_all(self) -> None:
        """Count whatever waits."""
        while self._pending:
            self._count(self._take())
        self._add_rows()

    def close(self) -> None:
        """Count what is left, and no more after it."""
        self.count_all()
        self._ticking.cancel()

    def _count_some(self) -> None:
        """Count some rows, unless others wait for the event loop; even then as many as are too many to keep."""
        self._scheduled = False
        while self.pending_rows > self._max_pending_rows or len(self._pending) > MAX_PENDING_BATCHES:
            self._count(self._take())
        if self.pending_rows >= self._counted_rows and self._queue.idle:
            self._count(self._take())
            if self.pending_rows >= self._counted_rows:
                self._scheduled = True
                self.loop.call_soon(self._count_some)

    def _take(self) -> list[Batch]:
        """Return the oldest rows of one weight, as many as are counted at once."""
        taken: list[Batch] = []
        left, every = self._counted_rows, self._pending[0].every
        while left and self._pending and self._pending[0].every == every:
            batch = self._pending.popleft()
            if len(batch) > left:
                batch, rest = batch.cut(left)
                self._pending.appendleft(rest)
            taken.append(batch)
            left -= len(batch)
            self.pending_rows -= len(batch)
        return taken

    def _count(self, batches: list[Batch]) -> None:
        started = time.thread_time()
        encoded = Encoded(
            np.concatenate([batch.encoded.numbers for batch in batches]),
            np.concatenate([batch.encoded.codes for batch in batches]),
        )
        counts = self.counter.count(encoded, np.concatenate([batch.answers for batch in batches]))
        counts *= batches[0].every
        for tally in self.windows.at(time.time()):
            tally.counts += counts
            tally.counted += len(encoded)
        self._add_rows()
        self.spent_s += time.thread_time() - started

    def _add_rows(self) -> None:
        rows, self._rows = self._rows, 0
        if rows:
            for tally in self.windows.at(time.time()):
                tally.rows += rows

    def _tick(self) -> None:
        """Count what is left of a quiet second, and choose how many batches stand for each other in the next."""
        if self._pending and self._queue.idle:
            self._count(self._take())
        self._add_rows()
        now = time.perf_counter(), time.process_time(), self.spent_s
        passed_s, computed_s, spent_s = (after - before for after, before in zip(now, self._ticked, strict=True))
        share = spent_s / max(computed_s, MIN_BUSY * passed_s, 1e-9)
        was_dear, self._was_dear = self._was_dear, share > MAX_SHARE
        if was_dear and self._was_dear:  # one such second may be the first, when nothing is in the caches
            self.every = min(2 * self.every, MAX_EVERY)
        elif share < LOW_SHARE and self.every > 1:
            self.every //= 2
        self._ticked = now
        self._ticking = self.loop.call_later(TICK_S, self._tick)


def _own(values: NDArray[Any]) -> NDArray[Any]:
    """Return an array that keeps no larger one alive: of a large request perhaps one piece of many is counted."""
    return values if values.base is None else values.copy()
