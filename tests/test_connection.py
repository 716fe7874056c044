"""uvicorn's connections made cheap: what is written at once, what is given up, and when idle ones are closed."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import uvicorn
import uvloop

from ekiben.service.connections.framing import FramedConnection
from ekiben.service.connections.http_connection import UVICORN_IDLE_S, WholeAnswer
from tests.test_one_port import wait_for


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
async def serve(app: Any = answer, keep_alive_s: float = UVICORN_IDLE_S) -> AsyncIterator[Server]:
    writes: list[bytes] = []

    class Recorded(FramedConnection):
        def connection_made(self, transport: Any) -> None:
            super().connection_made(Recorder(transport, writes))

    config = uvicorn.Config(app, port=0, lifespan="off", log_config=None, http=Recorded)
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
        runner.run(asyncio.wait_for(scenario, 20))


def request(method: bytes, path: bytes, body: bytes = b"", *headers: bytes) -> bytes:
    lines = [method + b" " + path + b" HTTP/1.1", b"host: a", *headers]
    if body:
        lines.append(b"content-length: %d" % len(body))
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


@pytest.mark.parametrize(
    ("sent", "ends", "writes"),
    [
        (request(b"POST", b"/", b"12345"), b"\r\n\r\n12345", 1),
        (request(b"GET", b"/"), b"\r\n\r\n/", 1),
        (request(b"GET", b"/nothing"), b"\r\n\r\n", 1),
        (request(b"HEAD", b"/"), b"\r\n\r\n", 1),
        (request(b"GET", b"/chunks"), b"7\r\n/chunks\r\n7\r\n/chunks\r\n0\r\n\r\n", 3),
        (request(b"GET", b"/", b"", b"connection: close"), b"connection: close\r\n\r\n/", 1),
        (request(b"GET", b"/fails"), b"Internal Server Error", 1),
        (request(b"GET", b"/breaks"), b"\r\n\r\n", 1),
        (request(b"GET", b"/stops"), b"\r\n\r\n", 1),
        (b"nonsense\r\n\r\n", b'{"error": "not a valid HTTP request: Invalid method encountered"}', 1),
    ],
    ids=["post", "get", "204", "head", "chunks", "close", "fails", "breaks", "stops", "invalid"],
)
def test_an_answer_is_written_at_once(sent: bytes, ends: bytes, writes: int) -> None:
    async def scenario() -> None:
        async with serve() as server:
            answered = await server.exchange(sent)
            assert answered.startswith(b"HTTP/1.1 ")
            assert answered.endswith(ends), answered
            assert len(server.writes) == writes, server.writes

    run(scenario())


def test_100_continue_is_not_held_back() -> None:
    async def scenario() -> None:
        async with serve() as server:
            head = b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\nexpect: 100-continue\r\n\r\n"
            answered = await server.exchange(head, b"ab")
            assert answered.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200")
            assert answered.endswith(b"ab")

    run(scenario())


def test_pipelined_requests_are_answered_in_order() -> None:
    async def scenario() -> None:
        async with serve() as server:
            sent = [request(b"GET", b"/%d" % number) for number in range(20)]
            answered = await server.exchange(b"".join(sent))
            assert [part.rpartition(b"\r\n\r\n")[2] for part in answered.split(b"HTTP/1.1 ")[1:]] == [
                b"/%d" % number for number in range(20)
            ]
            assert len(server.writes) == 20

    run(scenario())


def test_a_request_that_begins_while_another_is_answered_is_not_forgotten() -> None:
    async def slow(scope: Any, receive: Any, send: Any) -> None:
        await asyncio.sleep(0.05)
        await answer(scope, receive, send)

    async def scenario() -> None:
        async with serve(slow) as server:
            later = request(b"GET", b"/later", b"", b"x-one: 1", b"x-two: 2")
            middle = later.index(b"x-two")
            answered = await server.exchange(request(b"GET", b"/") + later[:middle], *[b""] * 5, later[middle:])
            assert answered.count(b"HTTP/1.1 200") == 2, answered
            assert answered.endswith(b"\r\n\r\n/later")

    run(scenario())


def test_an_answered_request_leaves_nothing_behind() -> None:
    async def scenario() -> None:
        async with serve() as server:
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            for _ in range(2):  # the second one finds the connection as the first one did
                writer.write(request(b"POST", b"/", b"12"))
                assert (await reader.readuntil(b"\r\n\r\n12")).startswith(b"HTTP/1.1 200")
                (connection,) = server.server.server_state.connections
                assert isinstance(connection, FramedConnection)
                assert (connection.cycle, connection.scope, connection.headers) == (None, None, None)
                assert connection.is_idle()
            writer.close()

    run(scenario())


def test_an_answer_before_the_body_does_not_confuse_the_next_request() -> None:
    async def scenario() -> None:
        async with serve(early) as server:
            head = b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\n"
            answered = await server.exchange(head, b"12345", request(b"GET", b"/"))
            assert answered.count(b"HTTP/1.1 413") == 2, answered

    run(scenario())


def test_an_idle_connection_is_closed_and_a_used_one_is_not() -> None:
    async def scenario() -> None:
        async with serve(keep_alive_s=0.3) as server:
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            for _ in range(5):  # for longer than a connection may be idle
                writer.write(request(b"GET", b"/"))
                await reader.readuntil(b"\r\n\r\n/")
                await asyncio.sleep(0.15)
            assert await asyncio.wait_for(reader.read(), 2) == b""  # it was closed
            writer.close()

    run(scenario())


def test_an_idle_connection_outlives_a_proxys() -> None:
    async def scenario() -> None:
        async with serve() as server:
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(request(b"GET", b"/"))
            await reader.readuntil(b"\r\n\r\n/")
            (connection,) = server.server.server_state.connections
            timer: Any = connection.timeout_keep_alive_task  # type: ignore[union-attr]
            assert timer.when() - asyncio.get_running_loop().time() > 600
            writer.close()

    run(scenario())


def test_a_connection_whose_body_was_never_wanted_is_closed_too() -> None:
    async def scenario() -> None:
        async with serve(early, keep_alive_s=0.1) as server:
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\n")
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 413")
            writer.write(b"12345")
            assert await asyncio.wait_for(reader.read(), 2) == b""
            writer.close()

    run(scenario())


def test_a_connection_with_a_request_under_way_is_not_idle() -> None:
    async def slow(scope: Any, receive: Any, send: Any) -> None:
        await asyncio.sleep(0.5)
        await answer(scope, receive, send)

    async def scenario() -> None:
        async with serve(slow, keep_alive_s=0.1) as server:
            answered = await server.exchange(request(b"GET", b"/"), *[b""] * 30)
            assert answered.endswith(b"\r\n\r\n/")

    run(scenario())


def test_a_head_is_not_lost_when_the_connection_closes() -> None:
    calls: list[tuple[str, Any]] = []

    class Transport:
        def write(self, data: bytes) -> None:
            calls.append(("write", data))

        def close(self) -> None:
            calls.append(("close", None))

    whole = WholeAnswer(Transport(), lambda: calls.append(("close", None)))
    whole.write(b"head")
    assert not calls
    whole.close()
    assert calls == [("write", b"head"), ("close", None)]
