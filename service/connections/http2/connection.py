"""One HTTP/2 connection, as asyncio sees it."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import zttp
from uvicorn.protocols.utils import get_local_addr, get_remote_addr, is_ssl

from ekiben.service.connections.connection_limit import close_longest_idle
from ekiben.service.connections.http2 import frames
from ekiben.service.connections.http2.incoming import Incoming
from ekiben.service.connections.http2.lifetime import QUIET, Lifetime
from ekiben.service.connections.http2.output import Output
from ekiben.service.connections.http2.stream import Stream
from ekiben.service.connections.http2.stream_handler import StreamHandler
from ekiben.service.connections.http_connection import IDLE_S
from ekiben.service.connections.http_state import HttpState
from ekiben.service.connections.turns import TurnFlow

MAX_BUFFERED = 2**20  # bytes of bodies that nobody has asked for: no more is read
# The same while answers wait for the peer's windows: it opens them with frames that come between its data.
MAX_BUFFERED_BLOCKED = 2**24


@dataclass
class Port:
    """What connections have of the port that they came to."""

    answer: Callable[[Stream], StreamHandler]
    connections: set[Any] = field(default_factory=set)
    max_connections: int = 2**20
    idle_s: float = IDLE_S  # without a stream, until a connection is closed


class Http2Connection(asyncio.Protocol):
    """One HTTP/2 connection."""

    transport: Any
    flow: TurnFlow
    output: Output
    lifetime: Lifetime

    def __init__(self, shared: HttpState, port: Port) -> None:
        self.shared, self.port = shared, port
        self.loop = asyncio.get_running_loop()
        self.streams: dict[int, Stream] = {}
        self.last_stream = 0
        self.idle_since = self.loop.time()
        self.server: tuple[str, int | None] | None = None
        self.client: tuple[str, int] | None = None
        self.uncertified = self.secure = False
        self._zttp = zttp.Connection(zttp.SERVER, zttp.HTTP2)
        self.incoming = Incoming(self, self._zttp)
        self._buffered = 0

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.flow = TurnFlow(transport, self.shared.turns)
        self.output = Output(self, self._zttp)
        self.lifetime = Lifetime(self)
        self.server, self.client = get_local_addr(transport), get_remote_addr(transport)
        self.secure = is_ssl(transport)
        self.uncertified = self.shared.mutual_tls and not transport.get_extra_info("peercert")
        self._zttp.initiate_connection()
        transport.write(frames.announce(self._zttp.data_to_send()))
        self.port.connections.add(self)
        if len(self.port.connections) > self.port.max_connections:
            close_longest_idle(self.port.connections)

    def data_received(self, data: bytes) -> None:
        if self.lifetime.lingering:
            self.lifetime.discard(data)
        else:
            self.incoming.take(data)

    def connection_lost(self, error: Exception | None) -> None:
        self.port.connections.discard(self)
        self.lifetime.end()
        self.drop_streams(frames.CANCEL)
        self.flow.resume_writing()
        self.output.wake()

    def pause_writing(self) -> None:
        """Read no more until what was sent is read: what comes has answers, too."""
        self.flow.pause_writing()
        self.flow.pause_reading()

    def resume_writing(self) -> None:
        self.flow.resume_writing()
        self.count_buffered(0)
        self.output.flush()

    def shutdown(self) -> None:
        """Answer what is under way, and close the connection: uvicorn stops."""
        self.lifetime.stop()

    def end_sending(self) -> None:
        """Say that no more is sent, which TLS has no way to."""
        if self.transport.can_write_eof() and not self.transport.is_closing():
            self.transport.write_eof()

    def is_answered(self) -> bool:
        """Return whether no request is being read or answered."""
        return not self.streams

    def count_buffered(self, change: int) -> None:
        """Note bytes of bodies that wait to be asked for, or were; beyond a bound nothing is read."""
        self._buffered += change
        if self._buffered > (MAX_BUFFERED_BLOCKED if self.output.blocked else MAX_BUFFERED):
            self.flow.pause_reading()
        elif not (self.flow.write_paused or self.lifetime.lost):
            self.flow.resume_reading()

    def forget(self, stream: Stream) -> None:
        """Let a stream be gone that is closed."""
        self.streams.pop(stream.id, None)
        self.output.unblock(stream)
        if self.shared.admission.draining:  # a request that crosses the connection's end would be lost
            self.lifetime.leave(QUIET)
        if not self.streams:
            self.idle_since = self.loop.time()
            self.lifetime.note_idle()

    def drop_streams(self, error_code: int) -> None:
        """Close all streams."""
        for stream in list(self.streams.values()):
            self.drop(stream, error_code)

    def drop(self, stream: Stream, error_code: int) -> None:
        """Close a stream, and tell its handler unless all of its answer was sent."""
        whole = stream.answered and not stream.count_unsent()
        stream.close()
        if not whole:
            stream.handler.reset_received(error_code)
