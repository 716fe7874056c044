"""uvicorn's HTTP connection, made cheap where a service has thousands of them and answers are small.

- An answer's head is sent with its body: uvicorn writes them one after the other, which uvloop turns into two
  system calls and two packets. A large body stays the object it is: many slow readers may wait for the same.
- What is left of a request is given up with its answer. uvicorn keeps it until the next one comes, when it is in
  no cache of the CPU any more if there are thousands of connections.
- A connection's idle timer is set once and looks, when it fires, how long it has been idle. uvicorn cancels and
  sets it with every request.

And it may be idle for longer than a proxy keeps it. Whoever closes first breaks the request that the other is just
sending: with uvicorn's 5 s a proxy answers 502 now and then.
"""

from collections.abc import Callable
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from ekiben.service.offload import LARGE_BYTES

UVICORN_IDLE_S = 5  # what it is told if the command line has no --timeout-keep-alive
IDLE_S = 620  # Google's load balancers keep connections for 600 s, AWS's and nginx for 60


class SingleWriteTransport:
    """A transport for one answer: sends head and body in a single write, unless the body is large."""

    __slots__ = ("_begun", "_end", "_head", "_transport")

    def __init__(self, transport: Any, end: Callable[[], None]) -> None:
        self._transport = transport
        self._end = end  # closes the connection
        self._head = b""
        self._begun = False

    def write(self, data: bytes) -> None:
        """Send; the first call has the head, the next the body or its first part, be it empty."""
        if not self._begun:
            self._begun = True
            self._head = data
        elif self._head:
            head, self._head = self._head, b""
            if len(data) <= LARGE_BYTES:
                self._transport.write(head + data)
            else:
                self._transport.write(head)
                self._transport.write(data)
        else:
            self._transport.write(data)

    def close(self) -> None:
        """Close the connection after what was written."""
        if self._head:
            self._transport.write(self._head)
        self._end()

    def is_closing(self) -> bool:
        """Return whether the connection is being closed."""
        return bool(self._transport.is_closing())


class Connection(HttpToolsProtocol):
    """One HTTP/1.1 connection."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.idle_since = 0.0
        self.timeout_keep_alive = find_idle_s(self.timeout_keep_alive)

    def on_headers_complete(self) -> None:
        super().on_headers_complete()
        cycle: Any = self.cycle
        # A HEAD's answer has no body to wait for, and 100 Continue is not an answer yet.
        if cycle and cycle.scope is self.scope and not self.expect_100_continue and self.scope["method"] != "HEAD":
            cycle.transport = SingleWriteTransport(self.transport, self.end)

    def end(self) -> None:
        """Close the connection after its last answer."""
        self.transport.close()

    def on_response_complete(self) -> None:
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        self.wait_for_request()
        if self.is_idle():  # neither the rest of its body nor the begin of another request was seen
            self.scope = self.headers = self.cycle = None  # type: ignore[assignment]

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if self.timeout_keep_alive_task:
            self.timeout_keep_alive_task.cancel()

    def is_idle(self) -> bool:
        """Return whether no request is being read or answered."""
        cycle: Any = self.cycle
        return self.is_answered() and (cycle is None or not cycle.more_body)

    def is_answered(self) -> bool:
        """Return whether every request has its answer, though of a body more may come that nobody wants."""
        cycle: Any = self.cycle
        return cycle is None or bool(cycle.response_complete)

    def wait_for_request(self) -> None:
        """Let the connection be closed unless a request comes in time."""
        self.idle_since = self.loop.time()
        if self.timeout_keep_alive_task is None:
            self._watch(self.timeout_keep_alive)

    def timeout_keep_alive_handler(self) -> None:
        if self.transport.is_closing():  # a websocket's protocol hears of its end, not this one
            return
        left_s = self.idle_since + self.timeout_keep_alive - self.loop.time()
        if left_s <= 0 and self.is_answered():
            super().timeout_keep_alive_handler()
        else:
            self._watch(left_s if left_s > 0 else self.timeout_keep_alive)

    def _watch(self, seconds: float) -> None:
        self.timeout_keep_alive_task = self.loop.call_later(seconds, self.timeout_keep_alive_handler)

    def _unset_keepalive_if_required(self) -> None:
        """Leave the timer alone, though uvicorn asks for its end with every request."""


def find_idle_s(timeout_keep_alive: int) -> int:
    """Return how long a connection may bring no request, by uvicorn's setting."""
    return IDLE_S if timeout_keep_alive == UVICORN_IDLE_S else timeout_keep_alive
