"""The one queue: whatever arrives while a batch runs, or in one tick of the event loop, is the next batch."""

import asyncio
import logging
import math
import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from ekiben.contract.answers import Answers
from ekiben.contract.encoding import Encoded
from ekiben.contract.errors import FieldError
from ekiben.model.engine import MAX_BATCH_ROWS, Engine
from ekiben.service.batching.cost_model import CostModel
from ekiben.service.errors import DeadlineExceeded, EngineFailed, Overloaded
from ekiben.service.telemetry import metrics
from ekiben.service.telemetry.statistics import Recorder

Part = tuple["Work", int, int]  # the rows of one request that go into one batch: work, start, stop in its source

logger = logging.getLogger("bentoml.service")

INLINE_LIMIT_S = 0.001  # a batch shorter than this runs on the event loop; a thread's hand-over costs 0.1 ms
MAX_BATCH_COMPUTE_S = 0.1  # of a batch, besides its fixed cost: a large request must not hold up all others
DEADLINE_MARGIN = 1.25  # batches of one size differ by about that much
WARM_UP_ROWS = (1, 1, 8, 64, 512, 1, 64, 512)


class Work:
    """The rows of one request on their way through the queue: `source[start:stop]` once encoded."""

    __slots__ = (
        "answered",
        "arrived",
        "deadline",
        "future",
        "next",
        "rows",
        "source",
        "start",
        "stop",
        "timer",
        "unseen",
    )

    source: Encoded  # often shared with the requests that arrived together
    start: int
    stop: int
    next: int  # the first row that no batch has taken yet

    def __init__(self, rows: Sequence[Any], deadline: float, loop: asyncio.AbstractEventLoop) -> None:
        self.rows = rows  # as they came
        self.arrived = time.monotonic()
        self.deadline = deadline  # as time.monotonic() counts; uvloop's own clock only knows milliseconds
        self.future: asyncio.Future[Answers] = loop.create_future()
        self.unseen: list[FieldError] = []
        self.answered: list[Answers] = []
        self.timer: asyncio.TimerHandle | None = None

    def set_encoded(self, source: Encoded, start: int, stop: int) -> None:
        """Store where the encoded rows are."""
        self.source = source
        self.start = self.next = start
        self.stop = stop


class BatchQueue:
    """Merges the rows of many requests into batches for one engine; belongs to one event loop."""

    def __init__(self, engine: Engine, max_waiting_rows: int, recorder: Recorder, max_wait_s: float = math.inf) -> None:
        self._engine = engine
        self._max_waiting_rows = max_waiting_rows
        self._max_wait_s = max_wait_s  # that the rows which wait may take
        self._recorder = recorder
        self._waiting: deque[Work] = deque()
        self._running = False
        self._free_at = 0.0  # when the running batch should be done
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="engine")
        self._loop = asyncio.get_running_loop()
        self.waiting_rows = 0
        self.cost = CostModel()

    @property
    def busy(self) -> bool:
        """Whether new work would wait for longer than this tick of the event loop."""
        return self._running or self.cost.predict(self.waiting_rows) > INLINE_LIMIT_S

    @property
    def backlog_s(self) -> float:
        """What the rows that wait will take.

        A batch's fixed cost and the batch that runs don't count: however dear they are, more rows in
        the next batch hardly add to them, and rejecting those would only waste it.
        """
        return self.cost.row_s * self.waiting_rows

    def warm_up(self, example: Encoded) -> None:
        """Run batches of several sizes, so that the first callers find the cost known."""
        for rows in WARM_UP_ROWS:
            repeated = Encoded(example.numbers.repeat(rows, axis=0), example.codes.repeat(rows, axis=0))
            started = time.perf_counter()
            self._engine.run(repeated)
            self.cost.observe(rows, time.perf_counter() - started)

    def admit(self, rows: int, deadline: float) -> None:
        """Reserve queue space for that many rows; raise Overloaded if it is full or they would wait too long.

        Raises DeadlineExceeded if that has passed already.
        """
        now, wait_s = time.monotonic(), 0.0
        if now >= deadline:
            raise DeadlineExceeded
        if self._running:
            wait_s = max(self._free_at - now, 0.0) + self.cost.predict(self.waiting_rows + rows)
        full = self.waiting_rows + rows > self._max_waiting_rows
        if full or now + wait_s > deadline or self.backlog_s > self._max_wait_s:
            wait_s = max(wait_s, self.cost.predict(self.waiting_rows))
            raise Overloaded(retry_after_s=max(1, math.ceil(wait_s)))
        self.waiting_rows += rows

    def release(self, rows: int) -> None:
        """Release space that was reserved for rows that will not come."""
        self.waiting_rows -= rows

    def submit(self, work: Work) -> None:
        """Queue the rows of one admitted request; its future gets (rows, outputs) or a RequestRejected.

        `dispatch` must follow, once all that arrived together is submitted.
        """
        self._waiting.append(work)
        if self._running:
            self._schedule_timeout(work)

    def dispatch(self) -> None:
        """Compute the next batch, unless one is being computed: here if it is short, in the thread if it is long."""
        if self._running:
            return
        parts = self._form_batch(time.monotonic())
        if not parts:
            return
        merged = _merge(parts)
        predicted_s = self.cost.predict(len(merged))
        if predicted_s <= INLINE_LIMIT_S:
            self._finish(parts, *self._compute(parts, merged))
            return
        self._running = True
        self._free_at = time.monotonic() + predicted_s
        for work in [work for work, _, _ in parts] + list(self._waiting):
            self._schedule_timeout(work)
        computing = self._loop.run_in_executor(self._thread, self._compute, parts, merged)
        computing.add_done_callback(lambda done: self._finish(parts, *done.result()))

    def close(self) -> None:
        """Stop the engine's thread after the batch it is computing."""
        self._thread.shutdown(wait=True)

    def _finish(self, parts: Sequence[Part], results: Sequence[Answers | EngineFailed], seconds: float | None) -> None:
        self._running = False
        if seconds is not None:
            rows = sum(stop - start for _, start, stop in parts)
            self.cost.observe(rows, seconds)
            metrics.observe_batch(rows, seconds)
            self._recorder.record_batch(rows, seconds)
        self._deliver(parts, results)
        if self._waiting:  # the event loop turns once first, so that new arrivals join the batch
            self._loop.call_soon(self.dispatch)

    def _form_batch(self, now: float) -> list[Part]:
        """Take the oldest live rows, as many as fit and as keep the earliest deadline among them."""
        if self.cost.predict(self.waiting_rows) <= INLINE_LIMIT_S and self.waiting_rows <= MAX_BATCH_ROWS:
            parts = self._take_all(now)
        else:
            parts = self._take_some(now)
        if parts:
            metrics.waited.observe(now - parts[0][0].arrived, len(parts))
        return parts

    def _take_all(self, now: float) -> list[Part]:
        """Take every live row: what is computed in less than INLINE_LIMIT_S need not be chosen from."""
        works, self._waiting = self._waiting, deque()
        self.waiting_rows -= sum([work.stop - work.next for work in works])  # others may be admitted, not yet here
        return [
            (work, work.next, work.stop)
            for work in works
            if not ((work.future.done() or now >= work.deadline) and self._expire(work, now))
        ]

    def _take_some(self, now: float) -> list[Part]:
        parts: list[Part] = []
        rows, earliest = 0, math.inf
        most = min(MAX_BATCH_ROWS, max(1, int(self.cost.rows_in(MAX_BATCH_COMPUTE_S))))
        while self._waiting and rows < most:
            work = self._waiting[0]
            start = work.next
            left = work.stop - start
            if self._expire(work, now):
                self._waiting.popleft()
                self.waiting_rows -= left
                continue
            taking = min(left, most - rows)
            earliest = min(earliest, work.deadline)
            if parts and now + DEADLINE_MARGIN * self.cost.predict(rows + taking) > earliest:
                break
            parts.append((work, start, start + taking))
            work.next += taking
            rows += taking
            self._waiting.popleft()
            if taking < left:  # the rest waits behind the others: they need not wait for all of it
                self._waiting.append(work)
        self.waiting_rows -= rows
        return parts

    def _expire(self, work: Work, now: float) -> bool:
        """Return whether the caller is gone or its deadline has passed; fail its future in that case."""
        if not work.future.done() and now >= work.deadline:
            work.future.set_exception(DeadlineExceeded())
        return work.future.done()

    def _compute(self, parts: Sequence[Part], merged: Encoded) -> tuple[Sequence[Answers | EngineFailed], float | None]:
        """Return each part's answers and the seconds they took; may run in the thread.

        If the batch fails, it is halved until only the guilty part fails; that time says nothing.
        """
        started = time.perf_counter()
        try:
            answers = self._engine.run(merged)
            if len(answers) != len(merged):
                raise RuntimeError(f"the engine gave {len(answers)} answers for {len(merged)} rows")
            return _split(answers, parts), time.perf_counter() - started
        except Exception:
            if len(parts) == 1:
                logger.exception("the engine failed on a request of %d rows", len(merged))
        return self._compute_halves(parts), None

    def _compute_halves(self, parts: Sequence[Part]) -> Sequence[Answers | EngineFailed]:
        if len(parts) == 1 or all(work.future.done() for work, _, _ in parts):  # nobody waits any more
            return [EngineFailed() for _ in parts]
        middle = len(parts) // 2
        halves = parts[:middle], parts[middle:]
        return [result for half in halves for result in self._compute(half, _merge(half))[0]]

    def _deliver(self, parts: Sequence[Part], results: Sequence[Answers | EngineFailed]) -> None:
        """Give each request its answers, once all its rows have them."""
        for (work, _, _), result in zip(parts, results, strict=True):
            if work.future.done():
                continue
            if isinstance(result, EngineFailed):
                work.future.set_exception(result)
            elif len(result) == work.stop - work.start:
                work.future.set_result(result)
            else:
                work.answered.append(result)
                if sum(map(len, work.answered)) == work.stop - work.start:
                    work.future.set_result(np.concatenate(work.answered))

    def _schedule_timeout(self, work: Work) -> None:
        """Answer at the deadline even if the engine is still busy then."""
        if work.timer is None:
            left_s = work.deadline - time.monotonic()
            timer = work.timer = self._loop.call_later(left_s, self._expire, work, math.inf)
            work.future.add_done_callback(lambda _: timer.cancel())


def _merge(parts: Sequence[Part]) -> Encoded:
    """Return the parts' rows as one; what lies side by side in one source is not copied."""
    first, begin, end = parts[0]
    source = first.source
    pieces: list[Encoded] = []
    for work, start, stop in parts[1:]:
        if work.source is not source or start != end:
            pieces.append(source[begin:end])
            source, begin = work.source, start
        end = stop
    if not pieces:  # nearly always: all that arrived together, and nothing else
        return source if begin == 0 and end == len(source) else source[begin:end]
    pieces.append(source[begin:end])
    numbers = np.concatenate([piece.numbers for piece in pieces])
    return Encoded(numbers, np.concatenate([piece.codes for piece in pieces]))


def _split(answers: Answers, parts: Sequence[Part]) -> list[Answers]:
    results, start = [], 0
    for _, begin, stop in parts:
        end = start + stop - begin
        results.append(answers[start:end])
        start = end
    return results
