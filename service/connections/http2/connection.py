"""One HTTP/2 connection: hands what zttp finds in its bytes to streams, and what they send to the transport.

Frames that one turn of the event loop produces are written together at its end.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import zttp
from uvicorn.protocols.utils import get_local_addr, get_remote_addr, is_ssl

from ekiben.service.connections.connection_limit import close_longest_idle
from ekiben.service.connections.framing import LARGE_READ
from ekiben.service.connections.http2 import frames
from ekiben.service.connections.http2.chatter import ANSWER_BYTES, PART_BYTES, RESET_BYTES, Chatter
from ekiben.service.connections.http2.lifetime import Lifetime
from ekiben.service.connections.http2.output import Output
from ekiben.service.connections.http2.rejecting import reject
from ekiben.service.connections.http2.stream import Stream, StreamHandler
from ekiben.service.connections.http_connection import IDLE_S
from ekiben.service.connections.http_state import HttpState
from ekiben.service.connections.turns import TurnFlow

logger = logging.getLogger("bentoml.service")
MAX_EVENTS = 500  # that are taken at once, before others are read
MAX_BUFFERED = 2**20  # bytes of bodies that nobody has asked for: no more is read


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
        self.opened = self.last_stream = 0
        self.idle_since = self.loop.time()
        self.server: tuple[str, int | None] | None = None
        self.client: tuple[str, int] | None = None
        self.uncertified = self.secure = False
        self._zttp = zttp.Connection(zttp.SERVER, zttp.HTTP2)
        self._chatter = Chatter(self.idle_since)
        self._buffered = 0
        self._judged: list[Callable[[], None]] = []  # called once all that has arrived was taken

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
            return
        self._chatter.charge(len(data))
        self._zttp.receive_data(data)
        if self._read() or len(data) > LARGE_READ:
            self.flow.defer(self._read_on)

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
        self.lifetime.leave()

    def is_answered(self) -> bool:
        """Return whether no request is being read or answered."""
        return not self.streams

    def judge(self, decide: Callable[[], None]) -> None:
        """Call a function once all that has arrived was taken: by then a small request is whole."""
        self._judged.append(decide)

    def count_buffered(self, change: int) -> None:
        """Note bytes of bodies that wait to be asked for, or were; beyond a bound nothing is read."""
        self._buffered += change
        if self._buffered > MAX_BUFFERED:
            self.flow.pause_reading()
        elif not (self.flow.write_paused or self.lifetime.lost):
            self.flow.resume_reading()

    def note_sent(self, parts: int, answers: int = 0) -> None:
        """Note parts of answers, or whole ones: what the peer sends for them is no flood."""
        self._chatter.credit(parts * PART_BYTES + answers * ANSWER_BYTES)

    def forget(self, stream: Stream) -> None:
        """Let a stream be gone that is closed."""
        self.streams.pop(stream.id, None)
        self.output.unblock(stream)
        if self.shared.admission.draining:  # a request that crosses the connection's end would be lost
            self.lifetime.leave()
        if not self.streams:
            self.idle_since = self.loop.time()
            self.lifetime.note_idle()

    def drop_streams(self, error_code: int) -> None:
        """Close all streams."""
        for stream in list(self.streams.values()):
            self._drop(stream, error_code)

    def _read_on(self) -> None:
        if not self.lifetime.lingering and self._read():
            self.flow.defer(self._read_on)

    def _read(self) -> bool:
        """Take what has arrived; return whether more of it is to be taken in another turn."""
        self.output.held = True
        try:
            count = self._take_events()
        except zttp.RemoteProtocolError as error:  # it has queued the GOAWAY
            self.output.flush()
            self.lifetime.fail(str(error))
            return False
        judged, self._judged = self._judged, []
        for decide in judged:
            decide()
        self.output.flush()
        if self._chatter.is_flood(self.loop.time()):
            self.lifetime.end_with(frames.ENHANCE_YOUR_CALM, "too many frames that bring nothing")
            return False
        self.lifetime.note_read(count > 0)
        return count == MAX_EVENTS

    def _take_events(self) -> int:
        next_event, needs_data = self._zttp.next_event, zttp.NEED_DATA
        for count in range(MAX_EVENTS):
            event = next_event()
            if event is needs_data:
                return count
            take = TAKERS.get(type(event))
            if take:
                take(self, event)
        return MAX_EVENTS

    def _take_request(self, event: zttp.Request) -> None:
        self.opened += 1
        self.last_stream = event.stream_id
        handle = self._zttp.stream(event.stream_id)
        if self.lifetime.left or len(self.streams) >= frames.MAX_STREAMS or event.protocol is not None:
            refused = frames.PROTOCOL_ERROR if event.protocol else frames.REFUSED_STREAM
            handle.reset(refused)
            return
        size = sum([len(name) + len(value) for name, value in event.headers]) + len(event.target)
        self._chatter.credit(size + ANSWER_BYTES)
        stream = self.streams[event.stream_id] = Stream(self, event, handle)
        self.lifetime.note_opened(self.opened)
        if size > self.shared.max_head_bytes:
            sentence = f"the request's head is longer than {self.shared.max_head_bytes} bytes: send fewer headers"
            stream.handler = reject(stream, 431, sentence)
            return
        try:
            stream.handler = self.port.answer(stream)
        except Exception:
            self._give_up(stream)

    def _take_data(self, event: zttp.Data) -> None:
        stream = self.streams.get(event.stream_id)
        size = len(event.data)
        self._chatter.credit(2 * size)  # a frame's head may be as long as what it brings
        if stream is None:
            return
        if stream.answered:
            self.lifetime.discard_body(stream, size)
            return
        try:
            stream.handler.data_received(event.data)
        except Exception:
            self._give_up(stream)

    def _take_end(self, event: zttp.EndOfMessage) -> None:
        stream = self.streams.get(event.stream_id)
        if stream is None:
            return
        answered = stream.answered
        stream.take_end()
        if not answered:
            try:
                stream.handler.end_received()
            except Exception:
                self._give_up(stream)

    def _take_reset(self, event: zttp.RstStream) -> None:
        stream = self.streams.get(event.stream_id)
        self.lifetime.note_reset()
        if stream is None or not stream.answered:
            self._chatter.charge(RESET_BYTES)
        if stream is not None:
            self._drop(stream, event.error_code)

    def _take_ping(self, event: zttp.Ping) -> None:
        if event.ack and event.data == frames.PROBE:
            self.lifetime.leave_now()

    def _take_goaway(self, event: zttp.GoAway) -> None:
        self.lifetime.leave()

    def _give_up(self, stream: Stream) -> None:
        logger.exception("a request over HTTP/2 failed")
        stream.reset(frames.INTERNAL_ERROR)
        handler = getattr(stream, "handler", None)
        if handler is not None:
            handler.reset_received(frames.INTERNAL_ERROR)

    def _drop(self, stream: Stream, error_code: int) -> None:
        answered = stream.answered and not stream.count_unsent()
        stream.close()
        if not answered:
            stream.handler.reset_received(error_code)


TAKERS: dict[type, Callable[[Http2Connection, Any], None]] = {
    zttp.Request: Http2Connection._take_request,
    zttp.Data: Http2Connection._take_data,
    zttp.EndOfMessage: Http2Connection._take_end,
    zttp.RstStream: Http2Connection._take_reset,
    zttp.Ping: Http2Connection._take_ping,
    zttp.GoAway: Http2Connection._take_goaway,
}
