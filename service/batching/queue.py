"""The one queue: whatever arrives while a batch runs, or in one tick of the event loop, is the next batch.

So batches need no size and no timer: the busier the engine, the more arrives meanwhile and the larger the next batch,
which costs hardly more than a small one; an idle engine computes a single row at once. This is natural batching, as in
a database's group commit. What a batch will take is known from `cost_model`, whose line has the parameters of Nexus'
(Shen et al., SOSP 2019), fitted while serving. From it follow three decisions: whether the event loop computes it or
the thread, how many rows it may have so that the oldest deadline in it is kept, and at arrival, whether an answer can
come in time at all; what can't is rejected before anything is spent on it.

Several queues of a process, one for each model or version of it, take turns (`turns`).
"""

import asyncio
import math
import time
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial

from ekiben.contract.answers import Answers
from ekiben.contract.encoding import Encoded
from ekiben.model.engine import MAX_BATCH_ROWS, Engine
from ekiben.service.batching.batch import Computed, compute, deliver, list_answered, merge, take
from ekiben.service.batching.cost_model import CostModel
from ekiben.service.batching.turns import EngineTurns
from ekiben.service.batching.work import Part, Work
from ekiben.service.errors import DeadlineExceeded, Overloaded
from ekiben.service.telemetry import metrics
from ekiben.service.telemetry.statistics import Recorder
from ekiben.service.tracing.process import get_tracing

INLINE_LIMIT_S = 0.001  # a batch shorter than this runs on the event loop; a thread's hand-over costs 0.1 ms
MAX_BATCH_COMPUTE_S = 0.1  # of a batch, besides its fixed cost: a large request must not hold up all others


class BatchQueue:
    """Merges the rows of many requests into batches for one engine; belongs to one event loop."""

    def __init__(
        self, engine: Engine, max_waiting_rows: int, recorder: Recorder, max_wait_s: float = math.inf,
        turns: EngineTurns | None = None,
    ) -> None:  # fmt: skip
        self._engine = engine
        self._max_waiting_rows = max_waiting_rows
        self._max_wait_s = max_wait_s  # that the rows which wait may take
        self._recorder = recorder
        self._waiting: deque[Work] = deque()
        self._loop = asyncio.get_running_loop()
        self._turns = turns or EngineTurns()
        self.finish_tag = 0.0
        self.waiting_rows = 0
        self.cost = CostModel()
        self.record: Callable[[Encoded, Answers], None] | None = None  # is given what was answered
        self._tracing = get_tracing()
        self._turns.join(self)

    @property
    def busy(self) -> bool:
        """Whether new work would wait for longer than this tick of the event loop."""
        return self._turns.busy or self.cost.predict(self.waiting_rows) > INLINE_LIMIT_S

    @property
    def idle(self) -> bool:
        """Whether there is nothing to compute, in this queue and in those it takes turns with."""
        return self._turns.idle

    @property
    def predicted_s(self) -> float:
        """What the rows that wait should take if nobody else computed."""
        return self.cost.predict(self.waiting_rows)

    @property
    def backlog_s(self) -> float:
        """What the rows that wait will take, while the other queues take their turns.

        A batch's fixed cost and the batch that runs don't count: however dear they are, more rows in
        the next batch hardly add to them, and rejecting those would only waste it.
        """
        own_s = self.cost.row_s * self.waiting_rows
        return self._turns.stretch(self, own_s) if self._turns.busy else own_s

    def admit(self, rows: int, deadline: float) -> None:
        """Reserve queue space for that many rows; raise Overloaded if it is full or they would wait too long.

        Raises DeadlineExceeded if that has passed already.
        """
        now, wait_s = time.monotonic(), 0.0
        if now >= deadline:
            raise DeadlineExceeded
        if self._turns.busy:
            wait_s = self._turns.predict_wait(self, self.cost.predict(self.waiting_rows + rows))
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
        if self._turns.busy:
            work.expire_in_time(self._loop)

    def dispatch(self) -> None:
        """Compute the next batch, now or when it is this queue's turn."""
        if self._turns.take(self):
            self.compute_next()
        elif self._waiting and self._turns.wait(self):
            for work in self._waiting:
                work.expire_in_time(self._loop)

    def compute_next(self) -> None:
        """Compute a batch, if there still are rows: here if it is short, in the thread if it is long."""
        parts = self._form_batch(time.monotonic())
        if not parts:
            return
        merged = merge(parts)
        if self._waiting:
            self._turns.wait(self)
        predicted_s = self.cost.predict(len(merged))
        if predicted_s <= INLINE_LIMIT_S:
            self._finish(parts, merged, compute(self._engine, parts, merged))
            return
        for work in [work for work, _, _ in parts] + list(self._waiting):
            work.expire_in_time(self._loop)
        self._turns.run(
            predicted_s, partial(compute, self._engine, parts, merged), partial(self._finish, parts, merged)
        )

    def close(self) -> None:
        """Take no more turns; stop the engine's thread after its batch if no other queue needs it."""
        self._turns.leave(self)

    def _finish(self, parts: Sequence[Part], merged: Encoded, computed: Computed) -> None:
        self._turns.charge(self, computed.seconds)
        if computed.answers is not None:
            rows, seconds = len(computed.answers), computed.seconds
            self.cost.observe(rows, seconds)
            metrics.observe_batch(rows, seconds)
            self._recorder.record_batch(rows, seconds, len(parts))
        deliver(parts, computed.results)
        if self._tracing is not None:
            self._tracing.record_batch(parts, computed.seconds, failed=computed.answers is None)
        if self.record is not None:
            for encoded, answers in list_answered(parts, merged, computed):
                self.record(encoded, answers)

    def _form_batch(self, now: float) -> list[Part]:
        """Take the oldest live rows, as many as fit and as keep the earliest deadline among them."""
        if self.cost.predict(self.waiting_rows) <= INLINE_LIMIT_S and self.waiting_rows <= MAX_BATCH_ROWS:
            parts = self._take_all(now)
        else:
            parts = self._take_some(now)
        if parts:
            metrics.waited.observe(now - parts[0][0].arrived, len(parts))
            self._recorder.record_wait(sum([now - work.arrived for work, start, _ in parts if start == work.start]))
        return parts

    def _take_all(self, now: float) -> list[Part]:
        """Take every live row: what is computed in less than INLINE_LIMIT_S need not be chosen from."""
        works, self._waiting = self._waiting, deque()
        self.waiting_rows -= sum([work.stop - work.next for work in works])  # others may be admitted, not yet here
        return [
            (work, work.next, work.stop)
            for work in works
            if not ((work.future.done() or now >= work.deadline) and work.expire(now))
        ]

    def _take_some(self, now: float) -> list[Part]:
        most = min(MAX_BATCH_ROWS, max(1, int(self.cost.rows_in(MAX_BATCH_COMPUTE_S))))
        parts, rows = take(self._waiting, most, now, self.cost.predict)
        self.waiting_rows -= rows
        return parts
