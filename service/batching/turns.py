"""Who computes next: all queues of a process share one engine thread, and take fair turns.

A thread for each queue would have them fight for the core, and nobody could say how long a batch takes. So one computes
at a time, and who gets the next turn is decided by start-time fair queueing (Goyal, Vin and Cheng, SIGCOMM 1996), here
over measured seconds. Each queue has a finish tag: the virtual time at which its last batch ended. Its next one starts
there, or now if that is past; the earliest start is next, and virtual time is the start of the batch that is computed.
What a batch costs need not be known before: the tag moves by the seconds that it took. So queues that always have rows
get the same time, however many rows that is; one that comes back waits for the batch that runs and is then next,
whatever the others have waiting; and it starts now, so having been idle gives it no credit.

Short batches run on the event loop and are charged as well. The second class is in `idle_turns`.
"""

import asyncio
import math
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Protocol, TypeVar

from ekiben.service.batching.idle_turns import IdleTurns

RECENT_S = 60.0
Computed = TypeVar("Computed")


class Queue(Protocol):
    """What takes turns with others."""

    finish_tag: float  # where in virtual time its last batch ended
    waiting_rows: int

    @property
    def predicted_s(self) -> float:
        """What the rows that wait should take if nobody else computed."""

    @property
    def backlog_s(self) -> float:
        """How far the queue is behind."""

    def compute_next(self) -> None:
        """Compute a batch, if there still are rows: it is this queue's turn."""


class EngineTurns:
    """The engine thread of a process, and the line of those who wait for it; belongs to one event loop."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="engine")
        self._members: set[object] = set()  # of both classes: the last that leaves ends the thread
        self._queues: dict[Queue, float] = {}  # when each began its last turn
        self._line: list[Queue] = []
        self._virtual_time = 0.0
        self._computing = self._scheduled = False  # the thread; the next turn
        self._free_at = 0.0  # when the running batch should be done
        self.busy = False  # the thread computes, or somebody waits for a turn
        self.idle_turns = IdleTurns(lambda: self.idle)

    @property
    def idle(self) -> bool:
        """Whether no queue has anything to compute, nor the second class is at it."""
        return not self.busy and not any(queue.waiting_rows for queue in self._queues)

    @property
    def backlog_s(self) -> float:
        """How far the queue is behind that is least so, of those used lately: the next request may be for that one."""
        since = time.monotonic() - RECENT_S
        return min([queue.backlog_s for queue, began in self._queues.items() if began >= since], default=0.0)

    def join(self, queue: Queue) -> None:
        """Let a queue take turns with the others."""
        self._queues[queue] = -math.inf
        self._members.add(queue)

    def join_idle(self, queue: object) -> None:
        """Keep the thread for a queue of the second class."""
        self._members.add(queue)

    def leave(self, queue: object) -> None:
        """Forget a queue that takes no more rows; stop the thread, after its batch, if that was the last."""
        self._members.discard(queue)
        self._queues = {other: began for other, began in self._queues.items() if other is not queue}
        if not self._members:
            self._thread.shutdown(wait=True)

    def take(self, queue: Queue) -> bool:
        """Return whether it is this queue's turn, which then must compute at once, or `run`."""
        if self.busy:
            if self._computing or self._find_next(queue) is not queue:
                return False
            self._leave_line(queue)
        if queue in self._queues:  # it may have left, and still have rows
            self._queues[queue] = time.monotonic()
        self._virtual_time = max(self._virtual_time, queue.finish_tag)
        return True

    def wait(self, queue: Queue) -> bool:
        """Line up for a turn; return False if the queue is in the line already."""
        if queue in self._line:
            return False
        self._line.append(queue)
        self.busy = True
        self._schedule()
        return True

    def charge(self, queue: Queue, seconds: float) -> None:
        """Charge a queue whose turn it is for what it computed."""
        queue.finish_tag = self._virtual_time + seconds
        if not self._line:  # everybody got what they wanted: there is nothing to make good
            self._virtual_time = queue.finish_tag

    def run(self, predicted_s: float, function: Callable[[], Computed], finish: Callable[[Computed], None]) -> None:
        """Call a function in the thread, and `finish` with what it gave on the event loop."""
        computing = self._loop.run_in_executor(self._thread, function)
        self._computing = self.busy = True
        self._free_at = time.monotonic() + predicted_s
        computing.add_done_callback(partial(self._end, finish))

    def predict_wait(self, queue: Queue, own_s: float) -> float:
        """Return when that much of a queue's work should be done, in seconds from now."""
        return max(self._free_at - time.monotonic(), 0.0) + self.stretch(queue, own_s)

    def stretch(self, queue: Queue, own_s: float) -> float:
        """Return how long that takes while each of the others in the line computes as long, or all that it has."""
        return own_s + sum([min(own_s, other.predicted_s) for other in self._line if other is not queue])

    def _end(self, finish: Callable[[Computed], None], computing: "asyncio.Future[Computed]") -> None:
        self._computing = False
        self.busy = bool(self._line)
        try:
            finish(computing.result())
        finally:  # whatever one queue does, the others go on
            self._schedule()

    def _schedule(self) -> None:
        """Give the next turn once the event loop has turned, so that new arrivals join the batch."""
        if self._line and not self._computing and not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self._give_turn)

    def _give_turn(self) -> None:
        self._scheduled = False
        if self._computing or not self._line:
            return
        queue = self._find_next(self._line[0])
        self.take(queue)
        try:
            queue.compute_next()
        finally:
            self._schedule()

    def _find_next(self, queue: Queue) -> Queue:
        """Return who starts earliest, of this queue and the line; of several who has waited longest."""
        return min([*self._line, queue], key=lambda waiting: max(self._virtual_time, waiting.finish_tag))

    def _leave_line(self, queue: Queue) -> None:
        if queue in self._line:
            self._line.remove(queue)
        self.busy = bool(self._line)
