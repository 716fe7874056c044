"""Checks and encodes the rows of all requests that arrive together.

Encoding has a fixed cost of about 30 µs and then 1.6 µs a row: shared by what arrives at once,
a single row costs a tenth. Rows enter the queue only once they fit the schema.

Over HTTP what arrives together is read in one tick of the event loop. gRPC hands over one call a
turn, however many wait in its core: batches would be of one row each. So its calls are gathered
until as many are there as the last time, COALESCE_S at most; a lone caller never waits.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ekiben.contract.columns import NO_ROWS, Columns, Rows
from ekiben.contract.encoding import Encoded, Encoder
from ekiben.contract.errors import FieldError
from ekiben.contract.field_fitting import Ignored
from ekiben.service.batching.queue import BatchQueue
from ekiben.service.batching.work import Work
from ekiben.service.row_log.kept_rows import Kept
from ekiben.service.telemetry import metrics
from ekiben.service.telemetry.statistics import Recorder
from ekiben.service.tracing.process import get_tracing

logger = logging.getLogger("bentoml.service")

COALESCE_S = 0.002  # once, when callers have left; 64 calls arrive within that


@dataclass(slots=True)
class PreparedRows:
    """Rows that were checked and encoded elsewhere."""

    encoded: Encoded
    unseen: list[FieldError]
    kept: Kept | None = None  # those for the row log
    ignored: Ignored = ()  # fields that were left out of them

    def __len__(self) -> int:
        return len(self.encoded)


class RequestCoalescer:
    """Turns rows into queued work; belongs to one event loop."""

    def __init__(self, encoder: Encoder, queue: BatchQueue, recorder: Recorder) -> None:
        self._recorder = recorder
        self._encoder = encoder
        self._queue = queue
        self._arrivals: list[Work] = []
        self._loop = asyncio.get_running_loop()
        self._seen_last_tick = 0  # of the arrivals, by the turn before
        self._expected = 1  # as many gRPC calls came together the last time
        self._timer: asyncio.TimerHandle | None = None
        self.keep: Callable[[Sequence[Work], Rows], None] | None = None  # is given what was encoded together
        self._flush_scheduled = False  # the next turn encodes, whoever is still expected
        self._rejected = 0  # of those that are being encoded
        self._tracing = get_tracing()

    def prepare(self, rows: Rows, check_time: Callable[[], object]) -> PreparedRows:
        """Check and encode many rows, off the event loop; raise InvalidInput, or what `check_time` raises."""
        encoded = self._encoder.encode_rows(rows, check_time)
        return PreparedRows(encoded, [] if encoded.codes.all() else self._encoder.unseen(rows, encoded))

    def submit(self, rows: Rows | PreparedRows, deadline: float, wait_for_more: bool = False) -> Work:
        """Take one request's rows; its future gets the answers, an InvalidInput or a RequestRejected.

        `wait_for_more`: others may be about to arrive that have been sent already.
        Raises Overloaded if the queue has no room for the rows.
        """
        self._queue.admit(len(rows), deadline)
        if isinstance(rows, PreparedRows):
            return self._submit_prepared(rows, deadline)
        work = Work(rows, deadline, self._loop)
        self._arrivals.append(work)
        if not wait_for_more:
            if not self._flush_scheduled:
                self._flush_scheduled = True
                self._loop.call_soon(self._encode_arrivals)
        elif len(self._arrivals) == 1 or (self._timer and len(self._arrivals) >= self._expected):
            self._stop_timer()
            self._loop.call_soon(self._wait_for_more)
        return work

    def _submit_prepared(self, prepared: PreparedRows, deadline: float) -> Work:
        work = Work(NO_ROWS, deadline, self._loop)
        work.set_encoded(prepared.encoded, 0, len(prepared))
        work.unseen, work.kept = prepared.unseen, prepared.kept
        self._queue.submit(work)
        self._loop.call_soon(self._queue.dispatch)
        return work

    def _wait_for_more(self) -> None:
        """Go on while a turn brings more; then wait for those that are still expected."""
        count = len(self._arrivals)
        if not count:  # a request over HTTP took them along
            return
        if count > self._seen_last_tick:
            self._seen_last_tick = count
            self._loop.call_soon(self._wait_for_more)
        elif count >= self._expected:
            self._encode_waiting()
        else:
            self._timer = self._loop.call_later(COALESCE_S, self._encode_waiting)

    def _encode_waiting(self) -> None:
        self._expected = len(self._arrivals)
        self._encode_arrivals()

    def _stop_timer(self) -> None:
        if self._timer:
            self._timer.cancel()
            self._timer = None

    def _encode_arrivals(self) -> None:
        self._stop_timer()
        self._flush_scheduled, self._seen_last_tick = False, 0
        if not self._arrivals:
            return
        started = time.perf_counter()
        arrivals, self._arrivals, self._rejected = self._arrivals, [], 0
        columns = [work for work in arrivals if isinstance(work.rows, Columns)]
        self._encode([work for work in arrivals if isinstance(work.rows, list)])
        self._encode(columns)
        encoded_s = time.perf_counter() - started
        metrics.encoded.observe(encoded_s)
        self._recorder.record_encoding(encoded_s, len(arrivals) - self._rejected)
        if self._tracing is not None:
            self._tracing.record_encoding(arrivals, encoded_s)
        self._queue.dispatch()

    def _encode(self, works: Sequence[Work]) -> None:
        """Encode requests together; if that fails, halve them until only the guilty one is rejected."""
        if len(works) <= 1:
            for work in works:
                self._encode_alone(work)
            return
        try:
            columns = self._encoder.unite([work.rows for work in works])
            encoded = None if columns is None else self._encoder.try_encode_columns(columns)
        except Exception:
            logger.exception("encoding failed")
            encoded = None
        if encoded is not None and columns is not None:
            self._enqueue(works, encoded, columns)
            return
        middle = len(works) // 2
        self._encode(works[:middle])
        self._encode(works[middle:])

    def _encode_alone(self, work: Work) -> None:
        """Encode one request, or fail it with the errors in its rows."""
        try:
            encoded = self._encoder.encode_rows(work.rows)
        except Exception as error:  # whatever it is, this caller hears of it and the others go on
            self._queue.release(len(work.rows))
            self._rejected += 1
            if not work.future.done():
                work.future.set_exception(error)
        else:
            self._enqueue((work,), encoded, work.rows)

    def _enqueue(self, works: Sequence[Work], encoded: Encoded, rows: Rows) -> None:
        all_seen = bool(encoded.codes.all())
        start = 0
        for work in works:
            stop = start + len(work.rows)
            work.set_encoded(encoded, start, stop)
            if not all_seen:
                work.unseen = self._encoder.unseen(work.rows, encoded[start:stop])
            work.rows = NO_ROWS  # a row is a kilobyte, encoded it is a tenth of that
            self._queue.submit(work)
            start = stop
        if self.keep is not None:
            self.keep(works, self._encoder.keep_doubles(rows, encoded) if isinstance(rows, Columns) else rows)
        encoded.doubles = None
