"""One stream of an HTTP/2 connection: a request as it arrived, and the ways to answer it."""

from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import zttp

from ekiben.service.connections.http2.stream_handler import StreamHandler

if TYPE_CHECKING:
    from ekiben.service.connections.http2.connection import Http2Connection

Headers = Sequence[tuple[bytes, bytes]]
Pairs = list[tuple[bytes, bytes]]  # as zttp wants them

PIECE = 2**16  # bytes handed to zttp at once, which copies them: the rest of a large answer stays the object it is
LOW_BYTES = 2**15  # that are left of what was sent when `drain` ends


class Stream:
    """A request and its answer; every way to send does nothing once the stream is closed."""

    __slots__ = (
        "_blocked", "_connection", "_end", "_head_bytes", "_unsent", "_zttp", "answered", "closed", "discarded",
        "handler", "headers", "id", "method", "path", "query", "receiving",
    )  # fmt: skip

    handler: StreamHandler

    def __init__(
        self, connection: "Http2Connection", request: zttp.Request, stream: zttp.Stream, head_bytes: int
    ) -> None:
        """`head_bytes`: taken from the budget for the head; they are given back with it."""
        self._connection, self._head_bytes = connection, head_bytes
        self._zttp = stream
        self._unsent: deque[memoryview] = deque()  # what zttp has not been handed yet
        self._end: list[tuple[bytes, bytes]] | None = None  # trailers that follow it
        self._blocked = False
        self.id = request.stream_id
        self.method = request.method
        self.path = request.path  # with the query: `target`
        self.query = request.query
        self.headers: Any = request.headers  # without pseudo-headers; :authority is the last one, `host`
        self.receiving = not request.end_stream
        self.answered = False  # all of the answer was sent, though maybe not taken yet
        self.closed = False
        self.discarded = 0  # bytes of a body that came after the answer

    @property
    def target(self) -> bytes:
        """The path with its query, as it came."""
        return self.path + b"?" + self.query if self.query else self.path

    @property
    def uncertified(self) -> bool:
        """Whether callers must show a certificate and this one has shown none."""
        return self._connection.uncertified

    @property
    def connection(self) -> "Http2Connection":
        """What the stream is one of."""
        return self._connection

    def send_informational(self, status: int) -> None:
        """Send an interim answer, as 100 is one."""
        if not (self.closed or self.answered):
            self._zttp.send_informational(status)
            self._connection.output.flush_soon()

    def send_head(self, status: int, headers: Headers, end: bool = False) -> None:
        """Send status and headers; `end`: nothing follows."""
        if self.closed or self.answered:
            return
        self._zttp.send_response(status, list(headers), end)
        self._connection.output.flush_soon()
        if end:
            self._ended()

    def send_data(self, data: bytes) -> None:
        """Send a part of the body, as far as the peer's windows allow; the rest waits."""
        if self.closed or self.answered or not data:
            return
        self._connection.incoming.note_sent(1)
        if self._unsent or len(data) > PIECE or self._count_parked() > PIECE:
            self._unsent.append(memoryview(data))
            self._block()
        else:
            self._zttp.send_data(data)
            self._connection.output.flush_soon()

    def send_trailers(self, headers: Headers) -> None:
        """End the answer, after a head, with these."""
        if self.closed or self.answered:
            return
        if self._unsent:
            self._end = list(headers)
        else:
            self._zttp.end_message(list(headers) or None)
            self._connection.output.flush_soon()
        self._ended()

    def send_answer(self, headers: Pairs, data: bytes, trailers: Pairs) -> None:
        """Send a whole good answer that is small: the same as a head, data and trailers one after the other."""
        if self.closed or self.answered:
            return
        self._zttp.send_response(200, headers)
        self._zttp.send_data(data)
        self._zttp.end_message(trailers)
        self._connection.output.flush_soon()
        self._connection.incoming.note_sent(1)
        self._ended()

    def end(self) -> None:
        """End the answer, after a head, without trailers."""
        self.send_trailers(())

    def reset(self, error_code: int) -> None:
        """Give the stream up; its handler hears nothing more."""
        if not self.closed:
            self._zttp.reset(error_code)
            self._connection.output.flush_soon()
            self.close()

    async def drain(self) -> None:
        """Return once most of what was sent has left our buffers, or the stream is closed."""
        while not self.closed and (self.count_unsent() > LOW_BYTES or self._connection.flow.write_paused):
            self._block()
            await self._connection.output.wait_progress()

    def count_unsent(self) -> int:
        """Return how many bytes of the answer wait for the peer's windows."""
        return self._count_parked() + sum(map(len, self._unsent))

    def go_on(self) -> bool:
        """Hand on what may be sent by now, a piece at most; return whether there is more of it."""
        if self.closed:
            return False
        if self._unsent and not self._count_parked():
            first = self._unsent.popleft()
            if len(first) > PIECE:
                self._unsent.appendleft(first[PIECE:])
            self._zttp.send_data(first[:PIECE])
            if self._end is not None and not self._unsent:
                self._zttp.end_message(self._end or None)
        if self._unsent or self._count_parked():
            return bool(self._unsent) and not self._count_parked()
        self._blocked = False
        self._connection.output.unblock(self)
        if self.answered:
            self._finish()
        return False

    def take_end(self) -> None:
        """Note that the peer has ended its side."""
        self.receiving = False
        if self.answered and not self._blocked:
            self.close()

    def close(self) -> None:
        """Forget what was not sent, and the stream."""
        if not self.closed:
            self.closed = True
            self._unsent.clear()
            self.forget_head()
            self._connection.forget(self)

    def forget_head(self) -> None:
        """Let go of the headers, which nobody needs any more."""
        self.headers = ()
        self._connection.shared.budget.give(self._head_bytes)
        self._head_bytes = 0

    def _count_parked(self) -> int:
        return self._zttp.pending_bytes or 0

    def _block(self) -> None:
        if not self._blocked:
            self._blocked = True
            self._connection.output.block(self)

    def _ended(self) -> None:
        self.answered = True
        self._connection.incoming.note_sent(0, 1)
        if self._unsent or self._count_parked():
            self._block()
        else:
            self._finish()

    def _finish(self) -> None:
        if self.receiving:  # its body is not wanted any more
            self.forget_head()
            self._connection.lifetime.expect_end(self)
        else:
            self.close()
