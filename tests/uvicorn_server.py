"""A uvicorn server in this process with the service's connections, and every write of theirs."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import uvicorn
import uvloop

from ekiben.service.connections.framing import FramedConnection
from ekiben.service.connections.http_connection import UVICORN_IDLE_S
from ekiben.service.connections.http_state import HttpState
from tests.waiting import wait_for


async def answer(scope: Any, receive: Any, send: Any) -> None:
    """Answer as the path says."""
    path = scope["path"]
    message = await receive()
    body = message.get("body", b"") or path.encode()
    if path == "/fails":
        raise ValueError("on purpose")
    status = 204 if path == "/nothing" else 200
    headers = [] if path in ("/chunks", "/nothing") else [(b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    if path == "/stops":
        return
    if path == "/breaks":
        raise ValueError("on purpose")
    if path == "/chunks":
        for _ in range(2):
            await send({"type": "http.response.body", "body": body, "more_body": True})
            await asyncio.sleep(0.01)
        body = b""
    await send({"type": "http.response.body", "body": b"" if status == 204 else body})


async def early(scope: Any, receive: Any, send: Any) -> None:
    """Answer before the body was read."""
    await send({"type": "http.response.start", "status": 413, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body", "body": b""})


class Server:
    """A uvicorn server on a free port, and every call of its transports' `write`."""

    def __init__(self, server: uvicorn.Server, port: int, writes: list[bytes]) -> None:
        self.server = server
        self.port = port
        self.writes = writes

    async def exchange(self, *requests: bytes) -> bytes:
        """Send over one connection, and return all that comes until it is closed, or nothing comes any more."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        for request in requests:
            writer.write(request)
            await asyncio.sleep(0.02)
        answered = b""
        try:
            while data := await asyncio.wait_for(reader.read(65536), 0.3):
                answered += data
        except TimeoutError:
            pass
        writer.close()
        return answered


@asynccontextmanager
async def serve(app: Any = answer, keep_alive_s: float = UVICORN_IDLE_S, **given: Any) -> AsyncIterator[Server]:
    writes: list[bytes] = []

    class Recorded(FramedConnection):
        def connection_made(self, transport: Any) -> None:
            super().connection_made(Recorder(transport, writes))

    protocol: Any = partial(Recorded, HttpState(**given))
    config = uvicorn.Config(app, port=0, lifespan="off", log_config=None, http=protocol)
    server = uvicorn.Server(config)
    config.load()
    config.timeout_keep_alive = keep_alive_s  # type: ignore[assignment]  # uvicorn's annotation wants whole seconds
    serving = asyncio.ensure_future(server.serve())
    await wait_for(lambda: server.started)
    try:
        yield Server(server, server.servers[0].sockets[0].getsockname()[1], writes)
    finally:
        server.should_exit = True
        await serving


class Recorder:
    """A transport that notes what is written."""

    def __init__(self, transport: Any, writes: list[bytes]) -> None:
        self._transport = transport
        self._writes = writes

    def write(self, data: bytes) -> None:
        self._writes.append(data)
        self._transport.write(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


def run(scenario: Any) -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(asyncio.wait_for(scenario, 60))


def request(method: bytes, path: bytes, body: bytes = b"", *headers: bytes) -> bytes:
    lines = [method + b" " + path + b" HTTP/1.1", b"host: a", *headers]
    if body:
        lines.append(b"content-length: %d" % len(body))
    return b"\r\n".join(lines) + b"\r\n\r\n" + body
