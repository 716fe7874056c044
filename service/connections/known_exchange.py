"""A request whose head is known, from its body to its answer: without a task, a scope or messages."""

import asyncio
from collections.abc import Coroutine
from typing import Any

from uvicorn.protocols.http.httptools_impl import HEADER_VALUE_RE, STATUS_LINE

from ekiben.service.connections.known_heads import KnownHead
from ekiben.service.http.known_request import KnownRequest
from ekiben.service.http.messages import Header, Request, Response, list_headers
from ekiben.service.offload import LARGE_BYTES

FAILED = Response(b"Internal Server Error", ((b"connection", b"close"),), 500, b"text/plain; charset=utf-8")  # uvicorn's


class KnownExchange:
    """Stands where uvicorn's cycle of a request does: a connection asks it the same.

    What the answer awaits calls it back: a task would be a turn of the event loop later, at its beginning and its end.
    """

    __slots__ = ("_connection", "_coroutine", "_gone", "disconnected", "keep_alive", "response_complete")
    response_started = False  # it is sent at once
    more_body = False

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._coroutine: Coroutine[Any, Any, None]
        self._gone: asyncio.Future[None] | None = None
        self.disconnected = False
        self.keep_alive = True
        self.response_complete = False

    def begin(self, known: KnownHead, body: bytes, waited_s: float) -> None:
        """Answer a request with this head."""
        request = KnownRequest(known.fields, body, waited_s, self._send, self._wait_gone)
        self._coroutine = known.answer(request, known.scope)
        self._go_on()

    @property
    def message_event(self) -> "KnownExchange":
        """What a connection sets when its caller is gone."""
        return self

    def set(self) -> None:
        """Tell who waits for it that the caller is gone."""
        if self._gone is not None and not self._gone.done():
            self._gone.set_result(None)

    def _go_on(self, _: object = None) -> None:
        """Run to the next future that is awaited; what it brings, the coroutine asks it itself."""
        try:
            awaited = self._coroutine.send(None)
        except StopIteration:
            return
        except BaseException as error:  # the boundary, as uvicorn has it
            self._fail(error)
            return
        if awaited is None:
            self._connection.loop.call_soon(self._go_on)
        else:
            awaited._asyncio_future_blocking = False
            awaited.add_done_callback(self._go_on)

    async def _wait_gone(self) -> dict[str, str]:
        if self._gone is None:
            self._gone = self._connection.loop.create_future()
        if not (self.disconnected or self.response_complete):
            await self._gone
        return {"type": "http.disconnect"}

    def _send(self, request: Request, response: Response) -> None:
        if not self.disconnected:
            self._write(response.status, list_headers(request, response), response.body)

    def _write(self, status: int, headers: list[Header], body: bytes) -> None:
        connection, transport = self._connection, self._connection.transport
        head = write_head(status, connection.server_state.default_headers, headers)
        closed = self.keep_alive and any(name == b"connection" and value == b"close" for name, value in headers)
        if closed:
            self.keep_alive = False
        elif not self.keep_alive:
            head += b"connection: close\r\n"
        head += b"\r\n"
        if len(body) <= LARGE_BYTES:
            transport.write(head + body)
        else:
            transport.write(head)
            transport.write(body)
        self.response_complete = True
        if not self.keep_alive:
            connection.end()
        connection.on_response_complete()

    def _fail(self, error: BaseException) -> None:
        connection = self._connection
        connection.logger.error("Exception in ASGI application\n", exc_info=error)
        if self.response_complete:
            connection.transport.close()
        elif not self.disconnected:
            headers = [(b"content-type", FAILED.content_type), (b"content-length", b"%d" % len(FAILED.body))]
            self._write(FAILED.status, [*headers, *FAILED.headers], FAILED.body)


def write_head(status: int, *headers: list[Header]) -> bytes:
    """Return an answer's head without the blank line; raise RuntimeError if a header's value can't be sent."""
    lines = [STATUS_LINE[status]]
    for some in headers:
        for name, value in some:
            if HEADER_VALUE_RE.search(value):
                raise RuntimeError("Invalid HTTP header value.")
            lines.append(b"%b: %b\r\n" % (name, value))
    return b"".join(lines)
