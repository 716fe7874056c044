"""Admits requests a few at a time, queues others unparsed, and rejects those that would wait too long.

The queue of rows doesn't see what overload does first: requests wait in their sockets while the event loop reads
others. A few requests at a time are answered faster than a thousand, which evict each other from the CPU's caches at
every step; the others wait unparsed, where their number says how long. Rejecting where answers are written would cost
as much as answering, as most of either is HTTP. What only the parser can judge, as a GET or half a POST, waits in a
line of its own, in which nobody is rejected: a flood of cheap requests would make a tick long for everybody else.

How it decides: by Little's law (1961) what waits takes its number times what one takes, so `max_wait_s` allows
(max_wait_s - the engine's backlog) / request_s requests to wait, and the next one is rejected as it arrives. Only the
cost of one is measured, over ticks that were full, and forgotten at a rate of WEIGHT a tick: a queue that never
empties is then never longer than it may be, whatever the load, and no target has to be tuned. CoDel (Nichols and
Jacobson, 2012) bounds the same delay from the time that packets spent in the queue; it hears of an overload only once
somebody has waited too long.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from typing import Protocol

LATE = "ekiben.late"  # in the scope of a request that is to be rejected before its body is read
WAITED = "ekiben.waited"  # in the scope: the seconds that a request waited here
TICK_REQUESTS = 64  # read in one tick of the event loop at the most: enough for a batch
# CPU time that they may take: what is read at once should fit into its caches. By the clock they take longer where
# others have the CPU, too; ticks would be short there, batches small, and each request dearer.
TICK_BUDGET_S = 0.002
# A gRPC call needs about seven ticks: they are short while calls come and SHARED_S after. HTTP keeps a share.
SHARED_TICK_BUDGET_S, SHARED_S, MIN_SHARED_REQUESTS = 0.001, 0.1, 4
REQUEST_S = 30e-6  # what one takes, until that is known
WEIGHT = 0.02  # of the last tick in what is known
MIN_REQUESTS = 1e-6  # requests a tick, if an engine hangs: the cost stays finite
ENGINE_POLL_S = 0.001  # between looks at an engine that is behind


class Waiting(Protocol):
    """A connection with a request that waits."""

    def resume(self) -> bool:
        """Read the request; return whether there still was one."""


class RequestCost:
    """What a request costs, estimated from the last ticks of the event loop."""

    def __init__(self) -> None:
        self._requests = 1.0
        self._seconds = self.request_s = REQUEST_S

    def observe(self, requests: int, seconds: float) -> None:
        """Take a tick into account."""
        self._requests += WEIGHT * (requests - self._requests)
        self._seconds += WEIGHT * (seconds - self._seconds)
        self.request_s = self._seconds / max(self._requests, MIN_REQUESTS)


class AdmissionController:
    """How many requests are read now, and may wait, in this tick of the event loop; belongs to one event loop."""

    def __init__(self, max_wait_s: float = 1.0, max_waiting: int = 1000) -> None:
        self.max_wait_s = max_wait_s
        self.max_waiting = max_waiting  # requests
        self.backlog_s: Callable[[], float] = lambda: 0.0  # the engine's, of what was read
        self.draining = False  # every answer must then end its connection: nobody is rejected unread
        self.tick_active = False  # `begin` must be called before the numbers below are used
        self.read_budget = 0  # more to be read at once
        self.queue_slots = 0  # for more to wait
        self._waiting: deque[Waiting] = deque()
        self._unjudged: deque[Waiting] = deque()  # that can't be rejected unread: as many as there are connections
        self._read_cost = RequestCost()  # in CPU time, while the engine is not behind
        self._cost = RequestCost()
        self._was_full = False  # the tick before: what it has read, this one may compute
        self._began = self._began_cpu = self._shared_until = 0.0
        self._tick_limit = 0

    def begin(self) -> None:
        """Begin a tick: what arrives in it has been waiting in its sockets already."""
        self.tick_active = True
        self._plan(time.perf_counter())

    def enqueue(self, waiting: Waiting) -> None:
        """Queue a request."""
        self.queue_slots -= 1
        self._waiting.append(waiting)

    def defer(self, waiting: Waiting) -> None:
        """Let what can't be rejected unread be read in a later tick."""
        self._unjudged.append(waiting)

    def count_waiting(self) -> int:
        """Return how many requests wait."""
        return len(self._waiting)

    def count_unjudged(self) -> int:
        """Return how many wait that can't be rejected unread."""
        return len(self._unjudged)

    def share(self) -> None:
        """Keep the next ticks short: a gRPC call has come."""
        self._shared_until = time.perf_counter() + SHARED_S

    def _plan(self, now: float) -> None:
        """Plan this tick: how many requests to read, the longest waiting first."""
        self._began, self._began_cpu = now, time.thread_time()
        left_s = self.max_wait_s - self.backlog_s()
        behind = left_s < 0
        limit = 0 if behind else int(left_s / self._cost.request_s) + 1  # to be read, now or later
        most = self._limit_tick(now)
        self.read_budget = self._tick_limit = min(limit, most)
        try:
            self.read_budget = max(self.read_budget - self._read_unjudged(most), 0)
            while self._waiting and self.read_budget:
                self.read_budget -= self._waiting.popleft().resume()
        finally:  # whatever one request does, the others are admitted
            self.queue_slots = min(limit - self._tick_limit, self.max_waiting) - len(self._waiting)
            loop = asyncio.get_running_loop()
            if behind:  # only the engine can change that: leave the CPU to it
                loop.call_later(ENGINE_POLL_S, self._end)
            else:
                loop.call_soon(self._end)  # after all that has arrived by then was read

    def _read_unjudged(self, most: int) -> int:
        """Read up to so many that can't be rejected, half as many if others wait, too; return how many there were.

        They are read even while the engine is behind, for probes are among them.
        """
        read = 0
        for _ in range(min(len(self._unjudged), max(most // 2, 1) if self._waiting else most)):
            read += self._unjudged.popleft().resume()
        return read

    def _limit_tick(self, now: float) -> int:
        """Return how many requests a tick may read."""
        if now < self._shared_until:
            return max(MIN_SHARED_REQUESTS, int(SHARED_TICK_BUDGET_S / self._read_cost.request_s))
        return min(TICK_REQUESTS, int(TICK_BUDGET_S / self._read_cost.request_s) + 1)

    def _end(self) -> None:
        now = time.perf_counter()
        full = self.read_budget == 0
        if full or self._was_full:  # other ticks say nothing of the cost
            count = self._tick_limit - self.read_budget
            self._cost.observe(count, now - self._began)
            if self._tick_limit:
                self._read_cost.observe(count, time.thread_time() - self._began_cpu)
        self._was_full = full
        self.tick_active = full or bool(self._waiting or self._unjudged)
        if self.tick_active:
            self._plan(now)
