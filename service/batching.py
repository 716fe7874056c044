"""The one queue: whatever arrives while a batch runs, or in one turn of the event loop, is the next batch."""

import asyncio
import logging
import math
import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from contract.encode import Encoded
from contract.errors import Problem
from service import metrics
from service.cost import CostModel
from service.engine import MAX_BATCH_ROWS, Engine
from service.errors import DeadlineExceeded, EngineFailed, Overloaded

Answers = NDArray[np.float32]  # (rows, outputs)

logger = logging.getLogger(__name__)

INLINE_LIMIT_S = 0.001  # a batch shorter than this runs on the event loop; a thread's hand-over costs 0.1 ms
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
        self.arrived = loop.time()
        self.deadline = deadline  # on the event loop's clock, seconds
        self.future: asyncio.Future[Answers] = loop.create_future()
        self.unseen: list[Problem] = []
        self.answered: list[Answers] = []
        self.timer: asyncio.TimerHandle | None = None

    def place(self, source: Encoded, start: int, stop: int) -> None:
        """Say where the encoded rows are."""
        self.source = source
        self.start = self.next = start
        self.stop = stop


@dataclass(slots=True, eq=False)
class Part:
    """The rows of one request that go into one batch: `work.source[start:stop]`."""

    work: Work
    start: int
    stop: int


class BatchQueue:
    """Merges the rows of many requests into batches for one engine; belongs to one event loop."""

    def __init__(self, engine: Engine, max_waiting_rows: int) -> None:
        self._engine = engine
        self._max_waiting_rows = max_waiting_rows
        self._waiting: deque[Work] = deque()
        self._scheduled = False
        self._running = False
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="engine")
        self._loop = asyncio.get_running_loop()
        self.waiting_rows = 0
        self.cost = CostModel()

    @property
    def idle(self) -> bool:
        """Whether new work would be computed in this turn of the event loop."""
        return not self._running

    def warm_up(self, example: Encoded) -> None:
        """Run batches of several sizes, so that the first callers find the cost known."""
        for rows in WARM_UP_ROWS:
            repeated = Encoded(example.numbers.repeat(rows, axis=0), example.codes.repeat(rows, axis=0))
            self._measure(repeated)

    def admit(self, rows: int, deadline: float) -> None:
        """Keep room for that many rows; raise Overloaded if there is none, or too little time."""
        wait_s = self.cost.predict(self.waiting_rows) if self._running else 0.0
        if self.waiting_rows + rows > self._max_waiting_rows or self._loop.time() + wait_s > deadline:
            raise Overloaded(retry_after_s=max(1, math.ceil(wait_s)))
        self.waiting_rows += rows

    def release(self, rows: int) -> None:
        """Give back room that was kept for rows that will not come."""
        self.waiting_rows -= rows

    def submit(self, work: Work) -> None:
        """Queue the rows of one admitted request; its future gets (rows, outputs) or a Refusal."""
        self._waiting.append(work)
        if self._running:
            self._arm(work)
        elif not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self._dispatch)

    def close(self) -> None:
        """Stop the engine's thread after the batch it is computing."""
        self._thread.shutdown(wait=True)

    def _dispatch(self) -> None:
        """Form the next batch and compute it: here if it is short, in the thread if it is long."""
        self._scheduled = False
        parts = self._form_batch(self._loop.time())
        if not parts:
            return
        merged = _merge(parts)
        if self.cost.predict(len(merged)) <= INLINE_LIMIT_S:
            self._deliver(parts, self._compute(parts, merged))
            self._dispatch_soon()
            return
        self._running = True
        for work in [part.work for part in parts] + list(self._waiting):
            self._arm(work)
        computing = self._loop.run_in_executor(self._thread, self._compute, parts, merged)
        computing.add_done_callback(lambda done: self._finish(parts, done.result()))

    def _finish(self, parts: Sequence[Part], results: Sequence[Answers | EngineFailed]) -> None:
        self._running = False
        self._deliver(parts, results)
        self._dispatch_soon()

    def _dispatch_soon(self) -> None:
        """Let the event loop turn once, so that new arrivals join the batch."""
        if self._waiting and not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self._dispatch)

    def _form_batch(self, now: float) -> list[Part]:
        """Take the oldest live rows, as many as fit and as keep the earliest deadline among them."""
        parts: list[Part] = []
        rows, earliest = 0, math.inf
        while self._waiting and rows < MAX_BATCH_ROWS:
            work = self._waiting[0]
            start = work.next
            left = work.stop - start
            if (work.future.done() or now >= work.deadline) and self._drop_dead(work, now):
                self._waiting.popleft()
                self.waiting_rows -= left
                continue
            earliest = min(earliest, work.deadline)
            if parts and rows + left > self.cost.rows_within(earliest - now):
                break
            taking = min(left, MAX_BATCH_ROWS - rows)
            parts.append(Part(work, start, start + taking))
            work.next += taking
            rows += taking
            metrics.observe_wait(now - work.arrived)
            if taking == left:
                self._waiting.popleft()
        self.waiting_rows -= rows
        return parts

    def _drop_dead(self, work: Work, now: float) -> bool:
        """Return whether the caller is gone or its deadline has passed, and tell it so."""
        if not work.future.done() and now >= work.deadline:
            work.future.set_exception(DeadlineExceeded())
        return work.future.done()

    def _compute(self, parts: Sequence[Part], merged: Encoded) -> Sequence[Answers | EngineFailed]:
        """Return each part's answers; if the batch fails, halve it until only the guilty part fails."""
        try:
            answers = self._measure(merged)
        except Exception:
            if len(parts) == 1:
                logger.exception("the engine failed on a request of %d rows", len(merged))
                return [EngineFailed()]
            middle = len(parts) // 2
            halves = parts[:middle], parts[middle:]
            return [result for half in halves for result in self._compute(half, _merge(half))]
        return _split(answers, parts)

    def _measure(self, encoded: Encoded) -> Answers:
        started = time.perf_counter()
        answers = self._engine.run(encoded)
        seconds = time.perf_counter() - started
        if len(answers) != len(encoded):
            raise RuntimeError(f"the engine gave {len(answers)} answers for {len(encoded)} rows")
        self.cost.observe(len(encoded), seconds)
        metrics.observe_batch(len(encoded), seconds)
        return answers

    def _deliver(self, parts: Sequence[Part], results: Sequence[Answers | EngineFailed]) -> None:
        """Give each request its answers, once all its rows have them."""
        for part, result in zip(parts, results, strict=True):
            work = part.work
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

    def _arm(self, work: Work) -> None:
        """Answer at the deadline even if the engine is still busy then."""
        if work.timer is None:
            timer = work.timer = self._loop.call_at(work.deadline, self._drop_dead, work, math.inf)
            work.future.add_done_callback(lambda _: timer.cancel())


def _merge(parts: Sequence[Part]) -> Encoded:
    """Return the parts' rows as one; what lies side by side in one source is not copied."""
    runs: list[Part] = []
    for part in parts:
        last = runs[-1] if runs else None
        if last and last.work.source is part.work.source and last.stop == part.start:
            last.stop = part.stop
        else:
            runs.append(Part(part.work, part.start, part.stop))
    pieces = [run.work.source[run.start : run.stop] for run in runs]
    if len(pieces) == 1:
        return pieces[0]
    numbers = np.concatenate([piece.numbers for piece in pieces])
    return Encoded(numbers, np.concatenate([piece.codes for piece in pieces]))


def _split(answers: Answers, parts: Sequence[Part]) -> list[Answers]:
    results, start = [], 0
    for part in parts:
        end = start + part.stop - part.start
        results.append(answers[start:end])
        start = end
    return results
