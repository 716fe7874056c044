"""Refuses requests before they are parsed, when more have arrived than the event loop can answer in time.

The queue's bound doesn't see what overload does first: requests wait in their sockets while the
loop reads others. Refusing them where answers are written costs as much as answering (50 µs: most
of either is HTTP), so this stands in uvicorn's protocol, where a refusal costs a sixth. A request
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
SHARE = 0.5  # of the allowed wait that one turn may take: a request may just have missed one
KEEP = 0.9  # of the old estimate of a request's cost
FEWEST = 4  # requests in a turn that says something of their cost
READING_S = 5e-6  # of a refused request, before this code has it
RETRY_AFTER_S = 1
BODY = b'{"error":"%b"}' % str(Overloaded(RETRY_AFTER_S)).encode()
REFUSAL = (
    b"HTTP/1.1 429 Too Many Requests\r\ncontent-type: application/json\r\nretry-after: %d\r\n"
    b"content-length: %d\r\n\r\n%b" % (RETRY_AFTER_S, len(BODY), BODY)
)


class Gate:
    """How many requests this turn of the event loop may take, from what they cost in the last ones."""

    def __init__(self) -> None:
        self.max_wait_s = 0.0  # 0: no bound
        self._began = 0.0
        self._taken = self._refused = 0
        self._refusing_s = 0.0
        self._open = False
        self._request_s = 0.0  # a request's cost, all that the loop does for it

    def admits(self) -> bool:
        """Return whether one more request may be read in this turn."""
        if not self._open:
            self._begin()
        self._taken += 1
        return self._taken <= FEWEST or self._taken * self._request_s <= SHARE * self.max_wait_s

    def refused(self, seconds: float) -> None:
        """Take into account that the request was refused instead, and how long that took."""
        self._taken -= 1
        self._refused += 1
        self._refusing_s += seconds

    def _begin(self) -> None:
        now = time.thread_time()  # neither idle time nor what other processes take
        if self._taken >= FEWEST:
            spent = now - self._began - self._refusing_s - READING_S * self._refused
            cost = max(spent, 0.0) / self._taken
            self._request_s = KEEP * self._request_s + (1 - KEEP) * cost if self._request_s else cost
        self._began, self._open = now, True
        self._taken = self._refused = 0
        self._refusing_s = 0.0
        asyncio.get_running_loop().call_soon(self._end)  # after all that has arrived was read

    def _end(self) -> None:
        self._open = False


gate = Gate()  # one process has one event loop


class SheddingProtocol(HttpToolsProtocol):
    """uvicorn's HTTP, but for whole requests with rows that arrive while the gate is shut."""

    def data_received(self, data: bytes) -> None:
        if gate.max_wait_s and not gate.admits() and self._refuse(data):
            return
        super().data_received(data)

    def _refuse(self, data: bytes) -> bool:
        """Refuse a request if this is the whole of one; a part can't be told from what belongs to another."""
        started = time.perf_counter()
        cycle: Any = self.cycle
        between = cycle is not None and cycle.scope is self.scope and cycle.response_complete and not cycle.more_body
        if not between or not is_whole_post(data):
            return False
        self.transport.write(REFUSAL)
        self._unset_keepalive_if_required()
        self.timeout_keep_alive_task = self.loop.call_later(self.timeout_keep_alive, self.timeout_keep_alive_handler)
        metrics.count_rejected(PROTOCOL, Overloaded.reason)
        seconds = time.perf_counter() - started
        metrics.count_request(PROTOCOL, 429, seconds)
        gate.refused(seconds)
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
