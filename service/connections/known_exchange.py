"""A request whose head is known, from its body to its answer: without a task, a scope or messages."""

import asyncio
from collections.abc import Coroutine
from typing import Any

from ekiben.service.connections.answer_heads import AnswerHeads
from ekiben.service.connections.known_heads import KnownHead
from ekiben.service.http.known_request import KnownRequest
from ekiben.service.http.messages import Request, Response, list_headers
from ekiben.service.offload import LARGE_BYTES

CLOSE = (b"connection", b"close")
FAILED = Response(b"Internal Server Error", (CLOSE,), 500, b"text/plain; charset=utf-8")  # uvicorn's


class KnownExchange:
    """Stands where uvicorn's cycle of a request does: a connection asks it the same.

    What the answer awaits calls it back: a task would be a turn of the event loop later, at its beginning and its end.
    """

    __slots__ = (
        "_connection",
        "_coroutine",
        "_gone",
        "_heads",
        "_marks",
        "disconnected",
        "keep_alive",
        "response_complete",
        "response_started",
    )
    more_body = False

    def __init__(self, connection: Any, heads: AnswerHeads) -> None:
        self._connection, self._heads = connection, heads
        self._coroutine: Coroutine[Any, Any, None]
        self._gone: asyncio.Future[None] | None = None
        self.disconnected = False
        self.keep_alive = True
        self.response_started = self.response_complete = False

    def begin(self, known: KnownHead, length: bytes, body: bytes, waited_s: float) -> None:
        """Answer a request with this head, in which this length stands."""
        request = KnownRequest(known.fields, length, body, waited_s, self._send, self._wait_gone)
        self._coroutine, self._marks = known.answer(request, known.scope), known.marks
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
        if self.disconnected:
            return
        self.response_started = True
        status, body, headers, marks = response.status, response.body, response.headers, self._marks
        shared = self._connection.server_state.default_headers
        plain = not (headers or marks or request.ignored or request.given_id is not None)
        if status == 200 and request.prediction_id and plain:
            said = len(body), request.prediction_id, request.model_version
            self._write(self._heads.write_prediction(shared, response.content_type, *said), body, ends=False)
        else:
            head = self._heads.write(status, shared, [*list_headers(request, response), *(marks or ())])
            self._write(head, body, ends=CLOSE in headers)

    def _write(self, head: bytes, body: bytes, ends: bool) -> None:
        """Write an answer, whose head lacks its blank line; `ends`: it says that the connection ends with it."""
        connection, transport = self._connection, self._connection.transport
        if not self.keep_alive and not ends:
            head += b"connection: close\r\n"
        if len(body) <= LARGE_BYTES:
            transport.write(b"%b\r\n%b" % (head, body))
        else:
            transport.write(head + b"\r\n")
            transport.write(body)
        self.response_complete = True
        if ends or not self.keep_alive:
            connection.end()
            connection.on_response_complete()
        elif connection.unread or connection.lingering:
            connection.on_response_complete()
        else:
            connection.rest()

    def _fail(self, error: BaseException) -> None:
        connection = self._connection
        connection.logger.error("Exception in ASGI application\n", exc_info=error)
        if self.response_started:
            connection.transport.close()
        elif not self.disconnected:
            headers = [(b"content-type", FAILED.content_type), (b"content-length", b"%d" % len(FAILED.body))]
            shared = connection.server_state.default_headers
            head = self._heads.write(FAILED.status, shared, [*headers, *FAILED.headers])
            self._write(head, FAILED.body, ends=True)
