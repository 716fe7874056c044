"""A uvicorn server in this process that tells HTTP/2 from HTTP/1.1, and a client that sends frames as it likes."""

import asyncio
import ssl
import struct
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import hpack
import uvicorn

from ekiben.service.connections.detecting import detect_protocol
from ekiben.service.connections.http2.frames import PREFACE
from ekiben.service.connections.http_connection import UVICORN_IDLE_S
from ekiben.service.connections.http_state import HttpState
from tests.waiting import wait_for

DATA, HEADERS, PRIORITY, RST, SETTINGS, PUSH, PING, GOAWAY, WINDOW, CONTINUATION = range(10)
END_STREAM = ACK = 1
END_HEADERS, PADDED, PRIORITIZED = 4, 8, 32
Pairs = Sequence[tuple[bytes, bytes]]


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return struct.pack(">I", len(payload))[1:] + bytes((kind, flags)) + struct.pack(">I", stream) + payload


def head(
    *more: tuple[bytes, bytes], method: bytes = b"GET", path: bytes = b"/", without: bytes = b"", protocol: bytes = b""
) -> bytes:
    """Return a request's header block, which needs no table."""
    begin = [(b":method", method), (b":scheme", b"http"), (b":path", path), (b":authority", b"a")]
    begin += [(b":protocol", protocol)] if protocol else []
    block: bytes = hpack.Encoder().encode([pair for pair in begin if pair[0] != without] + list(more))
    return block


def get(stream: int, path: bytes = b"/", *more: tuple[bytes, bytes]) -> bytes:
    return frame(HEADERS, END_STREAM | END_HEADERS, stream, head(*more, path=path))


def begin_post(stream: int, path: bytes = b"/", *more: tuple[bytes, bytes]) -> bytes:
    return frame(HEADERS, END_HEADERS, stream, head(*more, method=b"POST", path=path))


def post(stream: int, body: bytes, path: bytes = b"/") -> bytes:
    return begin_post(stream, path) + frame(DATA, END_STREAM, stream, body)


@dataclass(frozen=True)
class Frame:
    kind: int
    flags: int
    stream: int
    payload: bytes

    @property
    def code(self) -> int:
        """The error code of a RST_STREAM or GOAWAY."""
        return int.from_bytes(self.payload[4:8] if self.kind == GOAWAY else self.payload, "big")

    @property
    def last_stream(self) -> int:
        """The last stream that a GOAWAY says was taken."""
        return int.from_bytes(self.payload[:4], "big")


class Client:
    """One connection that has exchanged settings; keeps all frames that came."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.frames: list[Frame] = []
        self.ended = False
        self._decoder = hpack.Decoder()
        self.heads: dict[int, list[list[tuple[str, str]]]] = {}
        self._reading = asyncio.ensure_future(self._read())

    async def _read(self) -> None:
        try:
            while True:
                start = await self.reader.readexactly(9)
                payload = await self.reader.readexactly(int.from_bytes(start[:3], "big"))
                one = Frame(start[3], start[4], int.from_bytes(start[5:], "big"), payload)
                if one.kind == HEADERS:
                    self.heads.setdefault(one.stream, []).append(self._decoder.decode(payload))
                self.frames.append(one)
        except (asyncio.IncompleteReadError, OSError):
            self.ended = True

    def send(self, *blocks: bytes) -> None:
        self.writer.write(b"".join(blocks))

    def find(self, kind: int, stream: int | None = None) -> list[Frame]:
        """Return the frames of a kind, of one stream, that have come so far."""
        return [one for one in self.frames if one.kind == kind and stream in (None, one.stream)]

    async def wait(self, kind: int, stream: int | None = None, count: int = 1) -> Frame:
        """Return the last of so many frames of a kind once they have come."""
        await wait_for(lambda: len(self.find(kind, stream)) >= count or self.ended)
        found = self.find(kind, stream)
        assert len(found) >= count, self.frames
        return found[count - 1]

    async def finish(self, stream: int) -> tuple[int, bytes]:
        """Return status and body of an answer."""
        await wait_for(lambda: self.is_whole(stream) or self.ended)
        assert self.is_whole(stream), self.frames
        body = b"".join(one.payload for one in self.find(DATA, stream))
        return int(dict(self.heads[stream][-1])[":status"]), body

    def is_whole(self, stream: int) -> bool:
        return any(
            one.flags & END_STREAM and one.kind in (DATA, HEADERS) for one in self.frames if one.stream == stream
        )

    async def wait_end(self) -> None:
        """Return once the server has closed its side."""
        await wait_for(lambda: self.ended)

    def close(self) -> None:
        self._reading.cancel()
        self.writer.transport.abort()


@dataclass
class Served:
    server: uvicorn.Server
    port: int
    shared: HttpState

    @asynccontextmanager
    async def connect(self, settings: bytes = b"", begin: bytes = b"") -> AsyncIterator[Client]:
        """Connect; `settings`: the payload of the client's SETTINGS."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port, limit=2**24)
        client = Client(reader, writer)
        client.send(begin or PREFACE + frame(SETTINGS, 0, 0, settings))
        try:
            yield client
        finally:
            client.close()

    def count_connections(self) -> int:
        return len(self.server.server_state.connections)


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """Answer with the whole body, or the path if there is none; as the path says."""
    body, more = b"", True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        body, more = body + message.get("body", b""), message.get("more_body", False)
    path = scope["path"]
    if path == "/fails":
        raise ValueError("on purpose")
    body = body or path.encode()
    if path.startswith("/large/"):
        body = b"x" * int(path.rpartition("/")[2])
    status = 204 if path == "/nothing" else 200
    headers = [(b"connection", b"close"), (b"X-Seen", b"; ".join(v for n, v in scope["headers"] if n == b"cookie"))]
    if path not in ("/chunks", "/nothing"):
        headers.append((b"content-length", b"%d" % len(body)))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    if path == "/breaks":
        raise ValueError("on purpose")
    if path == "/chunks":
        for _ in range(3):
            await send({"type": "http.response.body", "body": body, "more_body": True})
        body = b""
    await send({"type": "http.response.body", "body": b"" if status == 204 else body})


@asynccontextmanager
async def serve(
    app: Any = echo, tls: ssl.SSLContext | None = None, keep_alive_s: float = UVICORN_IDLE_S, **given: Any
) -> AsyncIterator[Served]:
    shared = HttpState(**given)
    protocol: Any = partial(detect_protocol, shared)
    config = uvicorn.Config(app, port=0, lifespan="off", log_config=None, http=protocol)
    server = uvicorn.Server(config)
    config.load()
    config.ssl = tls
    config.timeout_keep_alive = keep_alive_s  # type: ignore[assignment]  # uvicorn's annotation wants whole seconds
    serving = asyncio.ensure_future(server.serve())
    await wait_for(lambda: server.started)
    try:
        yield Served(server, server.servers[0].sockets[0].getsockname()[1], shared)
    finally:
        server.should_exit = True
        await serving
