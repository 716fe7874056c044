"""Admits requests a few at a time, queues others unparsed, and rejects those that would wait too long.

The queue of rows doesn't see what overload does first: requests wait in their sockets while the
event loop reads others. So this stands in uvicorn's protocol, before HTTP is parsed. A few requests
at a time are answered faster than a thousand, which evict each other from the CPU's caches at every
step; the others wait here, where their number says how long. Rejecting where answers are written
would cost as much as answering, as most of either is HTTP.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from uvicorn.config import HTTP_PROTOCOLS

from ekiben.service.connections.byte_budget import ByteBudget
from ekiben.service.connections.connection_limit import find_limit
from ekiben.service.connections.framing import FramedConnection
from ekiben.service.connections.plain_post import is_complete_post
from ekiben.service.connections.rejections import PROTOCOL, REJECTION, DelayedRejections
from ekiben.service.errors import CallerGone
from ekiben.service.settings import Settings
from ekiben.service.telemetry import metrics

LATE = "ekiben.late"  # in the scope of a request that is to be rejected before its body is read
WAITED = "ekiben.waited"  # in the scope: the seconds that a request waited here
TICK_REQUESTS = 32  # read in one tick of the event loop: enough for a batch
TICK_BUDGET_S = 0.002  # that they may take: what is read at once should fit into the CPU's caches
# A gRPC call needs about seven ticks: they are short while calls come and SHARED_S after. HTTP keeps a share.
SHARED_TICK_BUDGET_S, SHARED_S, MIN_SHARED_REQUESTS = 0.001, 0.1, 4
REQUEST_S = 50e-6  # what one takes, until that is known
WEIGHT = 0.02  # of the last tick in what is known
MIN_REQUESTS = 1e-6  # requests a tick, if an engine hangs: the cost stays finite
ENGINE_POLL_S = 0.001  # between looks at an engine that is behind


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
    """How many requests are read now, and may wait, in this tick of the event loop; one for each loop."""

    def __init__(self) -> None:
        self.max_wait_s = 1.0
        self.max_waiting = 1000  # requests
        self.backlog_s: Callable[[], float] = lambda: 0.0  # the engine's, of what was read
        self.draining = False  # every answer must then end its connection: nobody is rejected unread
        self.tick_active = False  # `begin` must be called before the numbers below are used
        self.read_budget = 0  # more to be read at once
        self.queue_slots = 0  # for more to wait
        self._waiting: deque[AdmissionConnection] = deque()
        self._read_cost = RequestCost()  # while the engine is not behind
        self._cost = RequestCost()
        self._was_full = False  # the tick before: what it has read, this one may compute
        self._began = self._shared_until = 0.0
        self._tick_limit = 0

    def begin(self) -> None:
        """Begin a tick: what arrives in it has been waiting in its sockets already."""
        self.tick_active = True
        self._plan(time.perf_counter())

    def enqueue(self, protocol: "AdmissionConnection") -> None:
        """Queue a request."""
        self.queue_slots -= 1
        self._waiting.append(protocol)

    def count_waiting(self) -> int:
        """Return how many requests wait."""
        return len(self._waiting)

    def share(self) -> None:
        """Keep the next ticks short: a gRPC call has come."""
        self._shared_until = time.perf_counter() + SHARED_S

    def _plan(self, now: float) -> None:
        """Plan this tick: how many requests to read, the longest waiting first."""
        self._began = now
        left_s = self.max_wait_s - self.backlog_s()
        behind = left_s < 0
        limit = 0 if behind else int(left_s / self._cost.request_s) + 1  # to be read, now or later
        self.read_budget = self._tick_limit = min(limit, self._limit_tick(now))
        try:
            while self._waiting and self.read_budget:
                self.read_budget -= self._waiting.popleft().resume()
        finally:  # whatever one request does, the others are admitted
            self.queue_slots = min(limit - self._tick_limit, self.max_waiting) - len(self._waiting)
            loop = asyncio.get_running_loop()
            if behind:  # only the engine can change that: leave the CPU to it
                loop.call_later(ENGINE_POLL_S, self._end)
            else:
                loop.call_soon(self._end)  # after all that has arrived by then was read

    def _limit_tick(self, now: float) -> int:
        """Return how many requests a tick may read."""
        if now < self._shared_until:
            return max(MIN_SHARED_REQUESTS, int(SHARED_TICK_BUDGET_S / self._read_cost.request_s))
        return min(TICK_REQUESTS, int(TICK_BUDGET_S / self._read_cost.request_s) + 1)

    def _end(self) -> None:
        now = time.perf_counter()
        full = self.read_budget == 0
        if full or self._was_full:  # other ticks say nothing of the cost
            taken = self._tick_limit - self.read_budget, now - self._began
            self._cost.observe(*taken)
            if self._tick_limit:
                self._read_cost.observe(*taken)
        self._was_full = full
        self.tick_active = full or bool(self._waiting)
        if self.tick_active:
            self._plan(now)


controller, delayed_rejections = AdmissionController(), DelayedRejections()  # one process has one event loop


class AdmissionConnection(FramedConnection):
    """uvicorn's HTTP connection, with admission control for requests that may carry rows.

    A whole one waits or is rejected here; of one that is still arriving the scope says that it is late.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._waiting = False  # for admission, with a request among the bytes that are kept
        self._rejecting = False  # a rejection waits
        self._waits_since = 0.0

    def data_received(self, data: bytes) -> None:
        if self._rejecting:  # a caller that does not wait for its answer
            self.send_rejection()
        super().data_received(data)

    def begin(self, data: bytes) -> None:
        if not controller.tick_active:
            controller.begin()
        if controller.read_budget > 0:
            controller.read_budget -= 1
            super().begin(data)
        elif controller.draining or not is_complete_post(data):
            self._begin_late(data)
        elif controller.queue_slots > 0 and self.keep(data):
            self._wait()
        else:
            self._rejecting = True
            delayed_rejections.add(self)

    def begin_next(self) -> None:
        """Let what was sent ahead wait for its turn, as other callers' requests do."""
        self._wait()
        if not controller.tick_active:
            controller.begin()

    def resume(self) -> bool:
        """Read the request that waited; return whether there still was one."""
        self._waiting = False
        data = self.take_unread().lstrip(b"\r\n")
        if not data:
            return False
        self.flow.resume_reading()
        before = self.scope
        super().begin(data)
        if self.scope is not before:
            scope: Any = self.scope
            scope[WAITED] = time.perf_counter() - self._waits_since
        return True

    def send_rejection(self) -> bool:
        """Send the rejection that waited; return whether there still was one."""
        if not self._rejecting:
            return False
        self._rejecting = False
        self.transport.write(REJECTION)
        self.wait_for_request()
        return True

    def connection_lost(self, error: Exception | None) -> None:
        if self._waiting:
            metrics.count_rejected(PROTOCOL, CallerGone.reason)
        self._rejecting = False
        super().connection_lost(error)

    def shutdown(self) -> None:
        self.resume()  # uvicorn then waits for the answer
        self.send_rejection()
        super().shutdown()

    def is_answered(self) -> bool:
        return not (self._waiting or self._rejecting) and super().is_answered()

    def _wait(self) -> None:
        self._waiting, self._waits_since = True, time.perf_counter()
        controller.enqueue(self)

    def _begin_late(self, data: bytes) -> None:
        """Read what can't be rejected unread."""
        before = self.scope
        super().begin(data)
        scope: Any = self.scope
        if scope is not before and controller.queue_slots <= 0:
            scope[LATE] = True


def install(settings: Settings, budget: ByteBudget) -> None:
    """Let uvicorn use this protocol; must be called before it starts. A request has at least one row."""
    controller.max_wait_s, controller.max_waiting = settings.max_wait_s, settings.max_waiting_rows
    AdmissionConnection.max_head_bytes, AdmissionConnection.budget = settings.max_head_bytes, budget
    AdmissionConnection.max_connections = find_limit(settings.max_connections)
    HTTP_PROTOCOLS["auto"] = f"{__name__}:AdmissionConnection"
