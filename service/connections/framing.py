"""Reads one request of a connection at a time; what a caller sends ahead stays bytes until that one is answered.

uvicorn gives its parser whatever a read brings, be it ten thousand requests or a head without end. Here a head is
parsed once it is whole and not too long, and then just the bytes of its body. So a connection has at most one request
under way, where a request ends is decided in one place, and an Upgrade that is not taken is ignored (RFC 9110 7.8).
"""

from typing import Any

import httptools

from ekiben.service.auth import UNCERTIFIED
from ekiben.service.connections.body_frame import BLANK_LINE, MAX_CHUNKS, BodyFrame
from ekiben.service.connections.connection_limit import close_longest_idle
from ekiben.service.connections.pipelining import PipeliningConnection
from ekiben.service.connections.plain_post import is_complete_post
from ekiben.service.connections.rejections import RETRY_AFTER_S
from ekiben.service.connections.request_head import is_preface, may_become_head, take_upgrade_out
from ekiben.service.connections.turns import TurnFlow
from ekiben.service.errors import Overloaded

MAX_DISCARDED_BYTES = 2**26  # of a body that was answered before it ended, thrown away
LARGE_READ = 2**14  # bytes of a body's part: who brings as many lets others read before the next


class FramedConnection(PipeliningConnection):
    """One HTTP/1.1 connection that knows where its requests end."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._max_head_bytes = self.shared.max_head_bytes
        self._searched = 0  # bytes of it, without the end of a head
        self._complete = True  # the parser has seen the end of the last request
        self._body = BodyFrame()  # of the last request
        self._blank_bytes = 0  # bytes of blank lines since the last request

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self.flow: TurnFlow = TurnFlow(transport, self.shared.turns)
        self.wait_for_request()
        self.uncertified = self.shared.mutual_tls and not transport.get_extra_info("peercert")
        if self.uncertified:
            self.app_state = {**self.app_state, UNCERTIFIED: True}  # which every request's scope gets a copy of
        if len(self.connections) > self.shared.max_connections:
            close_longest_idle(self.connections)

    def data_received(self, data: bytes) -> None:
        size = len(data)
        if self.lingering:
            self.discard(data)
        else:
            if self.unread:
                data = self.take_unread() + data
            if not self._complete:
                data = self._read_body(data)
            self.go_on(data)
        if size > LARGE_READ and (self.lingering or not self._complete):
            self.flow.defer(self._read_on)

    def go_on(self, data: bytes) -> None:
        """Begin the next request if the one before was answered, or keep its bytes until then."""
        if not self.is_answered() or not self._complete:
            self.keep_pipelined(data)
        elif data[:1] in (b"\r", b"\n"):  # RFC 9112 2.2: an empty line before a request is not a part of it
            self._skip_blank_lines(data)
        elif data:
            self.begin(data)

    def _skip_blank_lines(self, data: bytes) -> None:
        begun = data.lstrip(b"\r\n")
        self._blank_bytes += len(data) - len(begun)
        if self._blank_bytes > self._max_head_bytes:
            self.reject(400, f"more than {self._max_head_bytes} bytes of blank lines before a request")
        elif begun:
            self.begin(begun)

    def begin(self, data: bytes) -> None:
        """Read the request that the bytes begin with, or wait for the rest of its head."""
        if is_complete_post(data):  # the parser finds the same end, without being asked twice
            self._begin_request()
            self._feed(data)
            return
        end = data.find(BLANK_LINE, self._searched - 3 if self._searched > 3 else 0)
        size = end + 4 if end >= 0 else len(data)
        if size > self._max_head_bytes:
            self.reject(431, f"the request's head is longer than {self._max_head_bytes} bytes: send fewer headers")
        elif end >= 0:
            self._read_head(data[:size])
            data = data[size:]
            if data:
                self.keep_pipelined(data if self._complete else self._read_body(data))
        elif not may_become_head(data):
            self.reject(400, "not a valid HTTP request")
        elif not self.keep(data):
            self.reject(429, str(Overloaded(RETRY_AFTER_S)))
        else:
            self._searched = len(data)
            self.start_arrival_timer()

    def end(self) -> None:
        if self._complete and not self.unread:
            self.transport.close()
        else:  # its caller may still be sending the body, or requests that get no answer
            self.linger(MAX_DISCARDED_BYTES)

    def is_waiting_for_head(self) -> bool:
        return self._complete

    def is_idle(self) -> bool:
        return self._complete and not self.unread and super().is_idle()

    def on_headers_complete(self) -> None:
        if self.parser.should_upgrade():  # other upgrades were taken out of the head
            raise ValueError("CONNECT is not supported")
        hosts = 0
        for name, value in self.headers:
            if name == b"host":
                hosts += 1
            elif name == b"content-length":
                self._body.left = int(value)
        if hosts != 1 and (hosts or self.parser.get_http_version() != "1.0"):
            raise ValueError(f"expected one Host header, got {hosts}")
        super().on_headers_complete()
        self.headers = []  # for trailers, which come when the request is being answered already

    def on_body(self, body: bytes) -> None:
        self._body.count_content()
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._complete = True
        super().on_message_complete()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.transport.is_closing() or self.lingering:
            return
        if not self._complete:
            self.start_arrival_timer()
        elif self.unread:
            self.begin_next()

    def begin_next(self) -> None:
        """Go on with what was sent ahead."""
        self.go_on(self.take_unread())

    def _should_upgrade(self) -> bool:
        return False

    def _read_head(self, head: bytes) -> None:
        if is_preface(head):
            self.reject(400, "not a valid HTTP request: PRI is no method, but how HTTP/2 begins")
            return
        self._begin_request()
        self._feed(take_upgrade_out(head))

    def _begin_request(self) -> None:
        self.cancel_arrival_timer()
        self._complete, self._searched, self._blank_bytes = False, 0, 0
        self._body.begin()

    def _read_body(self, data: bytes) -> bytes:
        """Feed what belongs to the body; return the rest, which belongs to the next request or must wait."""
        self._body.chunks = 0
        while data and not self._complete and not self.lingering and not self.transport.is_closing():
            if self._body.chunks > MAX_CHUNKS:
                self.flow.defer(self._read_on)
                break
            size = self._body.take(data)
            piece, data = data[:size], data[size:]
            self._feed(piece)
            self._check_body(size)
        if self._complete:
            self.cancel_arrival_timer()
        return data

    def _read_on(self) -> None:
        if self.unread and not self._complete:
            self.flow.resume_reading()
            self.data_received(b"")

    def _check_body(self, size: int) -> None:
        """Reject a body that is mostly frame, and end a connection whose unwanted body does not end."""
        if self._complete or self.lingering:
            return
        if self._body.framing_bytes > self._max_head_bytes:
            self.reject(431, f"more than {self._max_head_bytes} bytes of chunk extensions or trailers: send fewer")
        elif self.is_answered():
            self._body.discarded_bytes += size
            if self._body.discarded_bytes > MAX_DISCARDED_BYTES:
                self.transport.close()

    def _feed(self, data: bytes) -> None:
        try:
            self.parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self.reject(400, f"not a valid HTTP request: {error.__context__ or error}")
