"""What a connection sends: written once a turn, in pieces where an answer is large, and no faster than it is read."""

import asyncio
from typing import TYPE_CHECKING

import zttp

if TYPE_CHECKING:
    from ekiben.service.connections.http2.connection import Http2Connection
    from ekiben.service.connections.http2.stream import Stream


class Output:
    """The way from streams to the transport."""

    def __init__(self, connection: "Http2Connection", frames: zttp.H2Connection) -> None:
        self._connection = connection
        self._zttp = frames
        self.held = False  # a flush comes anyway
        self._written = 0
        self._blocked: dict[Stream, None] = {}  # that wait for the peer, in the order of their turns
        self._waiters: list[asyncio.Future[None]] = []

    @property
    def blocked(self) -> bool:
        """Whether part of an answer waits for its turn, or for the peer's windows."""
        return bool(self._blocked)

    @property
    def stuck(self) -> bool:
        """Whether something waits to be read by the peer."""
        return bool(self._blocked) or self._connection.flow.write_paused

    def count_taken(self) -> int:
        """Return how many bytes have left this process."""
        return self._written - int(self._connection.transport.get_write_buffer_size())

    def flush_soon(self) -> None:
        """Write at the end of this turn."""
        if not self.held:
            self.held = True
            self._connection.loop.call_soon(self.flush)

    def flush(self) -> None:
        """Write all that the peer's windows and the transport allow."""
        self.held = False
        if self._connection.lifetime.lost:
            return
        self._write()
        blocked = list(self._blocked)
        while blocked and not self._connection.flow.write_paused:
            blocked = [stream for stream in blocked if stream.go_on()]
            self._write()
        self.wake()

    def block(self, stream: "Stream") -> None:
        """Let a stream go on as the peer reads."""
        self._blocked[stream] = None
        self._connection.count_buffered(0)
        self.flush_soon()

    def unblock(self, stream: "Stream") -> None:
        """Note that nothing of a stream waits any more."""
        self._blocked.pop(stream, None)

    def wake(self) -> None:
        """Let those who wait look again."""
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)

    async def wait_progress(self) -> None:
        """Return once something was written, or the connection is lost."""
        waiter = self._connection.loop.create_future()
        self._waiters.append(waiter)
        await waiter

    def _write(self) -> None:
        data = self._zttp.data_to_send()
        if data and not self._connection.lifetime.lingering:
            self._written += len(data)
            self._connection.transport.write(data)
