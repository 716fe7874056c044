"""Refuses requests before they are parsed, when more have arrived than the event loop can answer in time.

The queue's bound doesn't see what overload does first: requests wait in their sockets while the
loop reads others. Refusing them where answers are written costs as much as answering (50-60 µs: most
of either is HTTP), so this stands in uvicorn's protocol, where a refusal costs 17. A request
waits for the turn of the loop that is running and then for its own: turns that stay short bound it.
"""

import asyncio
import time
from typing import Any

from uvicorn.config import HTTP_PROTOCOLS
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from service import metrics
from service.errors import Overloaded

PROTOCOL = "unread"  # in the metrics
LATE = "ekiben.late"  # in the scope of a request that is to be refused before its body is read
SHARE = 0.5  # of the allowed wait that one turn may take: a request may just have missed one
FEWEST = 4  # requests that a turn may take, whatever they cost; fewer say nothing of it
MOST = 1000  # until something is known of the cost
REFUSAL_S = 15e-6  # all that a refused request costs, about: 17 µs were measured on a busy machine
CERTAINTY = 1e4  # of that: as if one turn had refused a hundred
FORGETTING = 0.98  # the weight of a turn halves every 34 turns
RETRY_AFTER_S = 1
BODY = b'{"error":"%b"}' % str(Overloaded(RETRY_AFTER_S)).encode()
REFUSAL = (
    b"HTTP/1.1 429 Too Many Requests\r\ncontent-type: application/json\r\nretry-after: %d\r\n"
    b"content-length: %d\r\n\r\n%b" % (RETRY_AFTER_S, len(BODY), BODY)
)


class Costs:
    """What a taken and a refused request cost the event loop: seconds = taken × t + refused × r, over its last turns.

    Where turns are all alike that has no single answer: then r is what it is known to be about.
    """

    def __init__(self) -> None:
        self.taken_s = 0.0
        self._taken_squared = self._product = self._taken_seconds = 0.0
        self._refused_squared, self._refused_seconds = CERTAINTY, CERTAINTY * REFUSAL_S

    def observe(self, taken: int, refused: int, seconds: float) -> None:
        """Take one turn into the least squares."""
        self._taken_squared = FORGETTING * self._taken_squared + taken * taken
        self._product = FORGETTING * self._product + taken * refused
        self._taken_seconds = FORGETTING * self._taken_seconds + taken * seconds
        self._refused_squared = FORGETTING * (self._refused_squared - CERTAINTY) + refused * refused + CERTAINTY
        known = CERTAINTY * REFUSAL_S
        self._refused_seconds = FORGETTING * (self._refused_seconds - known) + refused * seconds + known
        divisor = self._taken_squared * self._refused_squared - self._product * self._product
        if divisor > 0:
            solved = self._refused_squared * self._taken_seconds - self._product * self._refused_seconds
            self.taken_s = max(solved / divisor, REFUSAL_S)


class Gate:
    """How many requests this turn of the event loop may take, from what they cost in the last ones."""

    def __init__(self) -> None:
        self.max_wait_s = 0.0  # 0: no bound
        self._costs = Costs()
        self._began = 0.0
        self._taken = self._refused = self._most = 0
        self._open = False

    def admits(self) -> bool:
        """Return whether one more request may be read in this turn."""
        if not self._open:
            self._begin()
        self._taken += 1
        return self._taken <= self._most

    def refuse(self) -> None:
        """Count the request as refused instead."""
        self._taken -= 1
        self._refused += 1

    def _begin(self) -> None:
        now = time.thread_time()  # neither idle time nor what other processes take
        if self._taken >= FEWEST:
            self._costs.observe(self._taken, self._refused, now - self._began)
        cost = self._costs.taken_s
        self._most = max(FEWEST, int(SHARE * self.max_wait_s / cost)) if cost else MOST
        self._began, self._open = now, True
        self._taken = self._refused = 0
        asyncio.get_running_loop().call_soon(self._end)  # after all that has arrived was read

    def _end(self) -> None:
        self._open = False


gate = Gate()  # one process has one event loop


class SheddingProtocol(HttpToolsProtocol):
    """uvicorn's HTTP, but for requests with rows that arrive while the gate is shut.

    A whole one is refused here; of one that is still arriving the scope says that it is late.
    """

    def data_received(self, data: bytes) -> None:
        if not gate.max_wait_s or gate.admits():
            super().data_received(data)
        elif not self._refuse(data):
            before = self.scope
            super().data_received(data)
            scope: Any = self.scope
            if scope is not before:  # the request began here
                scope[LATE] = True

    def _refuse(self, data: bytes) -> bool:
        """Refuse a request if this is the whole of one; a part can't be told from what belongs to another."""
        cycle: Any = self.cycle
        between = cycle is not None and cycle.scope is self.scope and cycle.response_complete and not cycle.more_body
        if not between or not is_whole_post(data):
            return False
        self.transport.write(REFUSAL)
        self._unset_keepalive_if_required()
        self.timeout_keep_alive_task = self.loop.call_later(self.timeout_keep_alive, self.timeout_keep_alive_handler)
        metrics.count_rejected(PROTOCOL, Overloaded.reason)
        metrics.count_request(PROTOCOL, 429, 0.0)
        gate.refuse()
        return True


def is_whole_post(data: bytes) -> bool:
    """Return whether the bytes are exactly one request that may carry rows, on a connection that stays."""
    end = data.find(b"\r\n\r\n")
    if not data.startswith(b"POST ") or end < 0:
        return False
    head = data[:end].lower()
    place = head.find(b"\r\ncontent-length:")
    if place < 0 or b"\r\ntransfer-encoding:" in head or b"\r\nconnection: close" in head:
        return False
    length = head[place + 17 :].partition(b"\r\n")[0].strip()
    return length.isdigit() and len(data) == end + 4 + int(length)


def install(max_wait_s: float) -> None:
    """Let uvicorn use this protocol; must be called before it starts."""
    gate.max_wait_s = max_wait_s
    HTTP_PROTOCOLS["auto"] = f"{__name__}:SheddingProtocol"
