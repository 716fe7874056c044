"""Ends HTTP connections: with an error for what is not HTTP, and after a time for what does not arrive.

A connection that is closed before its bytes are read is reset, and the reset can overtake the answer. So some of what
still comes is read and thrown away.
"""

import asyncio
from typing import Any

from ekiben.service.connections.http_connection import Connection
from ekiben.service.connections.http_state import HttpState
from ekiben.service.http.messages import encode_json

ARRIVAL_S = 15.0  # for a head to be whole, and for the rest of a body that is not wanted any more
LINGER_S, LINGER_BYTES = 2.0, 2**20  # that are thrown away after an error
CROSSING_S = 0.5  # at a stop: for a request to arrive whose caller can't know of it yet
PHRASES = {
    400: b"Bad Request",
    408: b"Request Timeout",
    429: b"Too Many Requests",
    431: b"Request Header Fields Too Large",
}


class ClosingConnection(Connection):
    """A connection that can be ended from this side, whatever its caller is doing."""

    def __init__(self, shared: HttpState, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.shared = shared
        self.lingering = 0  # bytes to be thrown away before the connection is closed
        self._arrival: asyncio.TimerHandle | None = None

    def connection_lost(self, exc: Exception | None) -> None:
        self.cancel_arrival_timer()
        super().connection_lost(exc)

    def reject(self, status: int, sentence: str) -> None:
        """Answer what can't be parsed, and end the connection; an answer that has begun ends where it is."""
        if self.lingering or self.transport.is_closing():
            return
        cycle: Any = self.cycle
        if not (cycle and cycle.response_started and not cycle.response_complete):
            self.transport.write(_write_error(status, sentence))
        if cycle:
            cycle.disconnected = True  # it writes nothing any more
            cycle.message_event.set()
        self.shared.malformed.count(status, sentence, str(self.client[0] if self.client else "a Unix socket"))
        self.linger(LINGER_BYTES)

    def linger(self, most: int) -> None:
        """Send no more, and close the connection once its caller has, or has sent so many bytes, or takes too long."""
        self.cancel_arrival_timer()
        self.lingering = most
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self.flow.resume_reading()
        self.loop.call_later(LINGER_S, self.transport.close)

    def discard(self, data: bytes) -> None:
        """Take what comes after an error."""
        self.lingering = max(self.lingering - len(data), 1)
        if self.lingering == 1:
            self.transport.close()

    def start_arrival_timer(self) -> None:
        """Give up the connection unless `cancel_arrival_timer` is called in time."""
        if self._arrival is None:
            self._arrival = self.loop.call_later(ARRIVAL_S, self._give_up)

    def cancel_arrival_timer(self) -> None:
        """Be content with what has arrived."""
        if self._arrival:
            self._arrival.cancel()
            self._arrival = None

    def _give_up(self) -> None:
        self._arrival = None
        if self.is_waiting_for_head():
            self.reject(408, f"the request's head did not arrive within {ARRIVAL_S:g} s")
        else:  # it was answered already
            self.transport.close()

    def is_waiting_for_head(self) -> bool:
        """Return whether a request has begun that could not be answered yet."""
        raise NotImplementedError


def _write_error(status: int, sentence: str) -> bytes:
    body = encode_json({"error": sentence})
    head = b"HTTP/1.1 %d %b\r\ncontent-type: application/json\r\ncontent-length: %d\r\nconnection: close\r\n\r\n"
    return head % (status, PHRASES[status], len(body)) + body
