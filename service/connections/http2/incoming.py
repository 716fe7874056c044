"""What comes on a connection: hands what zttp finds in its bytes to the streams, a few hundred events at a time."""

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import zttp

from ekiben.service.connections.closing import ARRIVAL_S
from ekiben.service.connections.framing import LARGE_READ
from ekiben.service.connections.http2 import frames
from ekiben.service.connections.http2.boundaries import Boundaries
from ekiben.service.connections.http2.chatter import ANSWER_BYTES, PART_BYTES, RESET_BYTES, Chatter
from ekiben.service.connections.http2.rejecting import reject
from ekiben.service.connections.http2.stream import Stream

if TYPE_CHECKING:
    from ekiben.service.connections.http2.connection import Http2Connection

logger = logging.getLogger("bentoml.service")
MAX_EVENTS = 500  # that are taken at once, before others are read
# A field's name and value are objects of Python's, and a byte or two on the wire if they came before: 100 streams of
# what zttp lets through would be 25 MB. Heads up to so many bytes are free, larger ones take of the budget.
FIELD_BYTES, FREE_HEAD_BYTES = 130, 2**13


class Incoming:
    """The way from the transport to streams."""

    def __init__(self, connection: "Http2Connection", parser: zttp.H2Connection) -> None:
        self._connection = connection
        self._zttp = parser
        self._opened = 0  # streams
        self._chatter = Chatter(connection.idle_since)
        self.boundaries = Boundaries(connection.idle_since + ARRIVAL_S)
        self._judged: list[Callable[[], None]] = []  # called once all that has arrived was taken

    def take(self, data: bytes) -> None:
        """Take what has arrived, or the first part of it."""
        self._chatter.charge(len(data))
        self.boundaries.take(data)
        self._zttp.receive_data(data)
        if self._read() or len(data) > LARGE_READ:
            self._connection.flow.defer(self._read_on)

    def judge(self, decide: Callable[[], None]) -> None:
        """Call a function once all that has arrived was taken: by then a small request is whole."""
        self._judged.append(decide)

    def note_sent(self, parts: int, answers: int = 0) -> None:
        """Note parts of answers, or whole ones: what the peer sends for them is no flood."""
        self._chatter.credit(parts * PART_BYTES + answers * ANSWER_BYTES)

    def _read_on(self) -> None:
        if not self._connection.lifetime.lingering and self._read():
            self._connection.flow.defer(self._read_on)

    def _read(self) -> bool:
        """Take what has arrived; return whether more of it is to be taken in another turn."""
        self._connection.output.held = True
        try:
            count = self._take_events()
        except zttp.RemoteProtocolError as error:  # it has queued the GOAWAY
            self._connection.output.flush()
            self._connection.lifetime.fail(str(error))
            return False
        judged, self._judged = self._judged, []
        for decide in judged:
            decide()
        self._connection.output.flush()
        if self._chatter.is_flood(self._connection.loop.time()):
            self._connection.lifetime.end_with(frames.ENHANCE_YOUR_CALM, "too many frames that bring nothing")
            return False
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
        self._opened += 1
        self._connection.last_stream = event.stream_id
        handle = self._zttp.stream(event.stream_id)
        if event.method == b"CONNECT":  # zttp takes the extended one, which is not announced, and one with a path
            handle.reset(frames.PROTOCOL_ERROR)
            return
        if self._connection.lifetime.left or len(self._connection.streams) >= frames.MAX_STREAMS:
            handle.reset(frames.REFUSED_STREAM)
            return
        size = sum([len(name) + len(value) for name, value in event.headers]) + len(event.target)
        kept = size + FIELD_BYTES * len(event.headers)
        taken = kept if kept > FREE_HEAD_BYTES else 0
        if not self._connection.shared.budget.take(taken):
            handle.reset(frames.REFUSED_STREAM)
            return
        self._chatter.credit(size + ANSWER_BYTES)
        stream = self._connection.streams[event.stream_id] = Stream(self._connection, event, handle, taken)
        self._connection.lifetime.note_opened(self._opened)
        if size > self._connection.shared.max_head_bytes:
            sentence = (
                f"the request's head is longer than {self._connection.shared.max_head_bytes} bytes: send fewer headers"
            )
            stream.handler = reject(stream, 431, sentence)
            return
        try:
            stream.handler = self._connection.port.answer(stream)
            if event.end_stream:
                stream.handler.end_received()
        except Exception:
            self._give_up(stream)

    def _take_data(self, event: zttp.Data) -> None:
        stream = self._connection.streams.get(event.stream_id)
        size = len(event.data)
        self._chatter.credit(2 * size)  # a frame's head may be as long as what it brings
        if stream is None:
            return
        if stream.answered:
            self._connection.lifetime.discard_body(stream, size)
            return
        try:
            stream.handler.data_received(event.data)
        except Exception:
            self._give_up(stream)

    def _take_end(self, event: zttp.EndOfMessage) -> None:
        stream = self._connection.streams.get(event.stream_id)
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
        stream = self._connection.streams.get(event.stream_id)
        if stream is None and event.error_code == frames.STREAM_CLOSED:
            return  # zttp's own, for what was under way as we reset the stream
        self._connection.lifetime.note_reset()
        if stream is None or not stream.answered:
            self._chatter.charge(RESET_BYTES)
        if stream is not None:
            self._connection.drop(stream, event.error_code)

    def _take_ping(self, event: zttp.Ping) -> None:
        if event.ack and event.data == frames.PROBE:
            self._connection.lifetime.leave_now()

    def _take_goaway(self, event: zttp.GoAway) -> None:
        self._connection.lifetime.leave()

    def _give_up(self, stream: Stream) -> None:
        logger.exception("a request over HTTP/2 failed")
        stream.reset(frames.INTERNAL_ERROR)
        handler = getattr(stream, "handler", None)
        if handler is not None:
            handler.reset_received(frames.INTERNAL_ERROR)


TAKERS: dict[type, Callable[[Incoming, Any], None]] = {
    zttp.Request: Incoming._take_request,
    zttp.Data: Incoming._take_data,
    zttp.EndOfMessage: Incoming._take_end,
    zttp.RstStream: Incoming._take_reset,
    zttp.Ping: Incoming._take_ping,
    zttp.GoAway: Incoming._take_goaway,
}
