"""The one queue: whatever arrives while a batch runs, or in one tick of the event loop, is the next batch.

So batches need no size and no timer: the busier the engine, the more arrives meanwhile and the larger the next batch,
which costs hardly more than a small one; an idle engine computes a single row at once. This is natural batching, as in
a database's group commit. What a batch will take is known from `cost_model`, whose line has the parameters of Nexus'
(Shen et al., SOSP 2019), fitted while serving. From it follow three decisions: whether the event loop computes it or
the thread, how many rows it may have so that the oldest deadline in it is kept, and at arrival, whether an answer can
come in time at all; what can't is rejected before anything is spent on it.
"""

import asyncio
import math
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from ekiben.contract.answers import Answers
from ekiben.contract.encoding import Encoded
from ekiben.model.engine import MAX_BATCH_ROWS, Engine
from ekiben.service.batching.batch import Computed, compute, deliver, list_answered, merge
from ekiben.service.batching.cost_model import CostModel
from ekiben.service.batching.work import Part, Work
from ekiben.service.errors import DeadlineExceeded, Overloaded
from ekiben.service.telemetry import metrics
from ekiben.service.telemetry.statistics import Recorder

INLINE_LIMIT_S = 0.001  # a batch shorter than this runs on the event loop; a thread's hand-over costs 0.1 ms
MAX_BATCH_COMPUTE_S = 0.1  # of a batch, besides its fixed cost: a large request must not hold up all others
DEADLINE_MARGIN = 1.25  # batches of one size differ by about that much


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
        self.record: Callable[[Encoded, Answers], None] | None = None  # is given what was answered

    @property
    def busy(self) -> bool:
        """Whether new work would wait for longer than this tick of the event loop."""
        return self._running or self.cost.predict(self.waiting_rows) > INLINE_LIMIT_S

    @property
    def idle(self) -> bool:
        """Whether there is nothing to compute."""
        return not self._running and not self.waiting_rows

    @property
    def backlog_s(self) -> float:
        """What the rows that wait will take.

        A batch's fixed cost and the batch that runs don't count: however dear they are, more rows in
        the next batch hardly add to them, and rejecting those would only waste it.
        """
        return self.cost.row_s * self.waiting_rows

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
        merged = merge(parts)
        predicted_s = self.cost.predict(len(merged))
        if predicted_s <= INLINE_LIMIT_S:
            self._finish(parts, merged, compute(self._engine, parts, merged))
            return
        self._running = True
        self._free_at = time.monotonic() + predicted_s
        for work in [work for work, _, _ in parts] + list(self._waiting):
            self._schedule_timeout(work)
        computing = self._loop.run_in_executor(self._thread, compute, self._engine, parts, merged)
        computing.add_done_callback(lambda done: self._finish(parts, merged, done.result()))

    def close(self) -> None:
        """Stop the engine's thread after the batch it is computing."""
        self._thread.shutdown(wait=True)

    def _finish(self, parts: Sequence[Part], merged: Encoded, computed: Computed) -> None:
        self._running = False
        if computed.answers is not None:
            rows, seconds = len(computed.answers), computed.seconds
            self.cost.observe(rows, seconds)
            metrics.observe_batch(rows, seconds)
            self._recorder.record_batch(rows, seconds)
        deliver(parts, computed.results)
        if self.record is not None:
            for encoded, answers in list_answered(parts, merged, computed):
                self.record(encoded, answers)
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

    def _schedule_timeout(self, work: Work) -> None:
        """Answer at the deadline even if the engine is still busy then."""
        if work.timer is None:
            left_s = work.deadline - time.monotonic()
            timer = work.timer = self._loop.call_later(left_s, self._expire, work, math.inf)
            work.future.add_done_callback(lambda _: timer.cancel())
