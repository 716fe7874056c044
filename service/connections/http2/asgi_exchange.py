"""The app's side of a request over HTTP/2: the body it asks for, and the answer it gives."""

import asyncio
import logging
from typing import Any

from ekiben.service.connections.http2 import frames
from ekiben.service.connections.http2.asgi_scope import Site
from ekiben.service.connections.http2.stream import Stream
from ekiben.service.http.messages import Message, Scope

logger = logging.getLogger("uvicorn.error")
# RFC 9113 8.2.2: they are about an HTTP/1.1 connection.
OF_THE_CONNECTION = frozenset((b"connection", b"keep-alive", b"proxy-connection", b"transfer-encoding", b"upgrade"))
BODILESS = (204, 304)


class AsgiExchange:
    """`receive` and `send` of one request, and the bytes that wait between them and its stream."""

    def __init__(self, site: Site, stream: Stream) -> None:
        self._site, self._stream = site, stream
        self._body = b""
        self._parts: list[bytes] = []
        self._kept = 0  # bytes in them, of the budget
        self._changed = asyncio.Event()
        self._disconnected = False
        self._bodiless = False
        self._wants_continue = False
        self.begun = False  # the answer

    def keep(self, data: bytes) -> bool:
        """Keep a part of the body until it is asked for; return False if there is no memory for it."""
        if self._disconnected or not data:
            return True
        if not self._site.shared.budget.take(len(data)):
            return False
        self._parts.append(data)
        self._count(len(data))
        self._changed.set()
        return True

    def end_body(self) -> None:
        """Note that the whole body has come."""
        self._changed.set()

    def disconnect(self) -> None:
        """Note that the caller is gone."""
        self._disconnected = True
        self.discard()
        self._changed.set()

    def discard(self) -> None:
        """Give up what was kept."""
        kept = self._kept
        self._parts.clear()
        self._count(-kept)
        self._site.shared.budget.give(kept)

    def start(self, scope: Scope) -> None:
        """Ask the app."""
        self._bodiless = scope["method"] == "HEAD"
        if self._stream.receiving:
            self._wants_continue = (b"expect", b"100-continue") in [(n, v.lower()) for n, v in scope["headers"]]
        task = self._stream.connection.loop.create_task(self._run(scope))
        self._site.server_state.tasks.add(task)
        task.add_done_callback(self._site.server_state.tasks.discard)

    async def receive(self) -> Message:
        """Return the next part of the body, or that the caller is gone."""
        if self._wants_continue and self._stream.receiving and not self._parts and not self.begun:
            self._stream.send_informational(100)
        self._wants_continue = False
        if not (self._disconnected or self._stream.answered):
            await self._changed.wait()
            self._changed.clear()
        if self._disconnected or self._stream.answered:
            return {"type": "http.disconnect"}
        body = self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)
        self.discard()
        return {"type": "http.request", "body": body, "more_body": self._stream.receiving}

    async def send(self, message: Message) -> None:
        """Send a part of the answer."""
        if self._disconnected:
            return
        if message["type"] == "http.response.start":
            self._send_head(message)
        elif message["type"] == "http.response.body":
            await self._send_body(message)
        else:
            raise RuntimeError(f"unexpected ASGI message {message['type']!r}")

    def _send_head(self, message: Message) -> None:
        if self.begun:
            raise RuntimeError("the answer has begun already")
        self.begun = True
        status = message["status"]
        self._bodiless = self._bodiless or status in BODILESS
        given = [*self._site.server_state.default_headers, *message.get("headers", ())]
        headers = [(name.lower(), value) for name, value in given if name.lower() not in OF_THE_CONNECTION]
        self._stream.send_head(status, headers, end=self._bodiless)
        if self._bodiless:
            self._finish()

    async def _send_body(self, message: Message) -> None:
        if not self.begun:
            raise RuntimeError("the answer has no head yet")
        if self._stream.answered:
            return
        self._stream.send_data(message.get("body", b""))
        if message.get("more_body"):
            await self._stream.drain()
        else:
            self._stream.end()
            self._finish()

    def _finish(self) -> None:
        self._site.server_state.total_requests += 1
        self.discard()
        self._changed.set()

    async def _run(self, scope: Scope) -> None:
        app: Any = self._site.config.loaded_app
        try:
            await app(scope, self.receive, self.send)
        except BaseException as error:
            logger.error("Exception in ASGI application\n", exc_info=error)
        if self._stream.answered or self._disconnected:
            return
        if self.begun:
            logger.error("the ASGI app did not complete its answer")
            self._stream.reset(frames.INTERNAL_ERROR)
        else:
            text = [(b"content-type", b"text/plain; charset=utf-8"), (b"connection", b"close")]
            await self.send({"type": "http.response.start", "status": 500, "headers": text})
            await self.send({"type": "http.response.body", "body": b"Internal Server Error"})

    def _count(self, change: int) -> None:
        self._kept += change
        self._stream.connection.count_buffered(change)
