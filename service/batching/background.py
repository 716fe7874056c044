"""The queue's second class: rows for which nobody waits, or not urgently, such as those that a challenger is to score.

They are computed only while the first class is idle (`idle_turns`), in batches of MIN_ROWS or more where there are so
many, as a row alone costs ten times what one of many does. What finds no room is dropped and counted, so that under
overload nothing is computed and little is kept.

Who arrives meanwhile waits for a batch: it should take no longer than MAX_BATCH_S besides its fixed cost, which is
about what the cheapest batch took. Its rows double while it takes less than half of that, and are halved if it took
more, much as TCP's window is (Jacobson, 1988): no cost must be known before, and what only looked slow is tried again.
"""

import asyncio
import logging
import math
import time
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial

from ekiben.contract.answers import Answers
from ekiben.contract.columns import NO_ROWS
from ekiben.contract.encoding import Encoded
from ekiben.model.engine import MAX_BATCH_ROWS, Engine
from ekiben.service.batching.batch import Computed, compute_whole, deliver, merge, take
from ekiben.service.batching.cost_model import CostModel
from ekiben.service.batching.turns import EngineTurns
from ekiben.service.batching.work import Part, Work
from ekiben.service.connections.rejections import RETRY_AFTER_S
from ekiben.service.errors import EngineFailed, NotReady, Overloaded

logger = logging.getLogger("bentoml.service")

MIN_ROWS = 512
MAX_BATCH_S = 0.001
PATIENCE_S = 1.0  # fewer rows wait for company that long


class BackgroundQueue:
    """Computes rows with one engine while nobody else computes; belongs to one event loop."""

    def __init__(self, engine: Engine, turns: EngineTurns, max_rows: int) -> None:
        self._engine = engine
        self._turns = turns
        self._max_rows = max_rows
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[Work] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._most_rows = 1  # of the next batch
        self._cheapest_s = math.inf
        self._paused = self._closed = self._failing = False
        self.waiting_rows = 0
        self.dropped_rows = 0  # for which there was no room, or on whose batch the engine failed
        self.cost = CostModel()
        turns.join_idle(self)

    def submit(self, encoded: Encoded, deliver: Callable[[Answers], None]) -> bool:
        """Queue rows for which nobody waits; return False if there is no room: they are dropped.

        `deliver` is called with their answers, (rows, outputs), on the event loop; never if the engine fails on them or
        the queue is closed. The rows' arrays must not change until then.
        """
        if not self._has_room(len(encoded)):
            return False
        work = Work(NO_ROWS, math.inf, self._loop)
        work.set_encoded(encoded, 0, len(encoded))
        work.future.add_done_callback(partial(_hand_over, deliver))
        return self.add(work)

    def add(self, work: Work) -> bool:
        """Queue work whose future gets the answers, DeadlineExceeded or EngineFailed; return False if there is no room.

        It is skipped if its future is cancelled before. With a deadline somebody waits: then it waits for no company.
        """
        rows = work.stop - work.start
        if not self._has_room(rows):
            return False
        self._waiting.append(work)
        self.waiting_rows += rows
        if work.deadline < math.inf:
            work.expire_in_time(self._loop)
            self._line_up()
        else:
            self._gather()
        return True

    async def answer(self, encoded: Encoded, deadline: float) -> Answers:
        """Return the answers to rows somebody waits for, (rows, outputs), by then; `deadline` is of time.monotonic.

        Raises Overloaded if there is no room, NotReady if the queue is closed, DeadlineExceeded or EngineFailed.
        """
        if self._closed:
            raise NotReady
        work = Work(NO_ROWS, deadline, self._loop)
        work.set_encoded(encoded, 0, len(encoded))
        if not self.add(work):
            raise Overloaded(RETRY_AFTER_S)
        try:
            return await work.future
        except asyncio.CancelledError:
            waiting = asyncio.current_task()
            if self._closed and not (waiting and waiting.cancelling()):  # `close` has cancelled the work, nobody us
                raise NotReady from None
            raise

    def pause(self) -> None:
        """Compute nothing until `resume`; rows are taken while there is room."""
        self._paused = True

    def resume(self) -> None:
        """Go on after `pause`."""
        self._paused = False
        self._line_up()

    def close(self) -> None:
        """Drop what waits, deliver nothing any more, and let go of the engine's thread."""
        self._closed = True
        while self._waiting:
            self._waiting.popleft().future.cancel()
        self.waiting_rows = 0
        if self._timer:
            self._timer.cancel()
        self._turns.leave(self)

    def compute_next(self) -> None:
        """Compute a short batch, if there still are rows: nobody else has any."""
        if self._paused:
            return
        parts, rows = take(self._waiting, self._most_rows, time.monotonic(), self.cost.predict)
        self.waiting_rows -= rows
        if parts:
            merged = merge(parts)
            self._turns.run(
                self.cost.predict(len(merged)),
                partial(self._compute, parts, merged),
                partial(self._finish, parts),
            )

    def _has_room(self, rows: int) -> bool:
        if self.waiting_rows + rows > self._max_rows and self._is_waited_for():  # some callers may be gone, or too late
            self._waiting = deque([work for work in self._waiting if not work.future.done()])
            self.waiting_rows = sum([work.stop - work.next for work in self._waiting])
        room = not self._closed and self.waiting_rows + rows <= self._max_rows
        if not room:
            self.dropped_rows += rows
        return room

    def _gather(self) -> None:
        """Line up if there are rows enough or somebody waits, or else once they have waited for long enough."""
        if self.waiting_rows >= min(MIN_ROWS, self._most_rows) or self._is_waited_for():
            self._line_up()
        elif self._waiting and self._timer is None:
            self._timer = self._loop.call_later(PATIENCE_S, self._line_up)

    def _is_waited_for(self) -> bool:
        """Return whether somebody waits for rows that are left: a batch may have taken some of a request's."""
        return any(work.deadline < math.inf for work in self._waiting)

    def _line_up(self) -> None:
        if self._timer:
            self._timer.cancel()
            self._timer = None
        if self._waiting and not self._paused:
            self._turns.idle_turns.wait(self)

    def _learn(self, rows: int, seconds: float) -> None:
        """Take into account what a batch took."""
        self.cost.observe(rows, seconds)
        self._cheapest_s = min(self._cheapest_s, seconds)
        if seconds - self._cheapest_s <= MAX_BATCH_S / 2:
            self._most_rows = max(self._most_rows, min(2 * rows, MAX_BATCH_ROWS))
        elif seconds - self._cheapest_s > MAX_BATCH_S:
            self._most_rows = max(rows // 2, 1)

    def _compute(self, parts: Sequence[Part], merged: Encoded) -> Computed:
        """Return the answers; if the engine fails, to none: to look for the guilty row would take too long."""
        try:
            computed = compute_whole(self._engine, parts, merged)
            self._failing = False
        except Exception:
            if not self._failing:  # the first of many
                logger.exception("the engine failed on %d rows that nobody waits for", len(merged))
            self._failing = True
            computed = Computed([EngineFailed() for _ in parts])
        return computed

    def _finish(self, parts: Sequence[Part], computed: Computed) -> None:
        if computed.answers is not None:
            self._learn(len(computed.answers), computed.seconds)
        else:
            self.dropped_rows += sum([work.stop - work.start for work, _, _ in parts if not work.future.done()])
        if self._closed:
            for work, _, _ in parts:
                work.future.cancel()
        deliver(parts, computed.results)
        self._gather()


def _hand_over(deliver: Callable[[Answers], None], future: "asyncio.Future[Answers]") -> None:
    if not future.cancelled() and future.exception() is None:
        deliver(future.result())
