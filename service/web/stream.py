"""A stream by gRPC-Web or Connect as gRPC's methods see it: all that is asked is read at once, as it is asked for.

Answers are sent as they come.
"""

import asyncio
import time
from collections import deque

from ekiben.service.connections.rejections import RETRY_AFTER_S
from ekiben.service.errors import Overloaded
from ekiben.service.grpc.context import Status
from ekiben.service.grpc.record import ServerState
from ekiben.service.grpc.stream import IDLE_S
from ekiben.service.http.messages import Request, Scope, Send
from ekiben.service.web.context import WebContext
from ekiben.service.web.dialect import StreamDialect
from ekiben.service.web.json_messages import to_json
from ekiben.service.web.receiving import read_messages, take_message


class WebStream(WebContext):
    """A call of several messages."""

    one_a_turn = False  # all are here

    def __init__(
        self,
        scope: Scope,
        request: Request,
        dialect: StreamDialect,
        path: str,
        send: Send,
        state: ServerState,
        max_bytes: int,
        late: bool,
    ) -> None:
        """`max_bytes`: of a message. `late`: what is asked is not to be read any more."""
        super().__init__(scope, request, dialect)
        self._request, self._stream_dialect, self._path, self._send = request, dialect, path, send
        self._state, self._max_bytes, self._late = state, max_bytes, late
        self._arrived = time.monotonic() - request.waited_s
        self._messages: deque[bytes] = deque()  # that were not asked for yet; their bytes are taken from the budget
        self._read = asyncio.Event()
        self._begun = False

    def time_left_s(self) -> float | None:
        """Return how much is left of what the caller allows."""
        allowed_s = super().time_left_s()
        return None if allowed_s is None else allowed_s - (time.monotonic() - self._arrived)

    async def read(self, timeout_s: float, reserve: bool) -> bytes | None:
        """Return the next message, None after the last."""
        if not self._read.is_set():
            if self._late:
                raise Overloaded(RETRY_AFTER_S)
            await self._read_all(min(timeout_s, IDLE_S))
        if not self._messages:
            return None
        message = self._messages.popleft()
        self._state.budget.give(len(message))
        return message

    async def write(self, message: bytes) -> None:
        """Send a message."""
        dialect = self._stream_dialect
        content = await to_json(self._path, message) if dialect.json else message
        await self._send_part(dialect.pack(content), more=True)

    def interrupt(self, error: Exception) -> None:
        """Do nothing: all that is asked has arrived, so it is answered, and then the stream ends."""

    async def wait_gone(self) -> None:
        """Return once the caller has gone; while it sends, reading tells."""
        await self._read.wait()
        await self._request.wait_gone()

    async def finish(self, status: Status) -> None:
        """End the answer."""
        await self._send_part(self._stream_dialect.finish(status), more=False)

    def close(self) -> None:
        """Let go of what nobody has asked for."""
        self._state.budget.give(sum(map(len, self._messages)))
        self._messages.clear()

    async def _read_all(self, timeout_s: float) -> None:
        request, dialect, state = self._request, self._stream_dialect, self._state
        try:
            for given in await read_messages(state, request, dialect, self._max_bytes, timeout_s):
                self._messages.append(await take_message(state, dialect, given, self._path))
        finally:
            state.budget.give(request.taken)
            request.taken = 0
        self._read.set()

    async def _send_part(self, body: bytes, more: bool) -> None:
        if not self._begun:
            self._begun = True
            headers = [(b"content-type", self._stream_dialect.content_type)]
            await self._send({"type": "http.response.start", "status": 200, "headers": headers})
        await self._send({"type": "http.response.body", "body": body, "more_body": more})
