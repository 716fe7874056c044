"""A stop answers whoever was connected before it: in the kernel's queue, without a first byte, or between requests."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import pytest
import uvicorn

from ekiben.service.connections import admission_connection, detecting
from ekiben.service.connections.detecting import detect_protocol
from ekiben.service.connections.http2.connection import Port
from ekiben.service.connections.http2.frames import PREFACE
from ekiben.service.connections.http2.listener import Http2Listener
from ekiben.service.connections.http2.rejecting import reject
from ekiben.service.connections.http_state import HttpState
from ekiben.service.lifecycle.server import Server
from tests.conftest import free_port
from tests.http2_server import GOAWAY, SETTINGS, Client, echo, frame, get, serve
from tests.uvicorn_server import answer, run
from tests.waiting import wait_for

HTTP1 = b"GET /here HTTP/1.1\r\nhost: a\r\n\r\n"
HTTP2 = PREFACE + frame(SETTINGS, 0, 0) + get(1, b"/here")
EITHER = pytest.mark.parametrize(
    ("sent", "answered"), [(HTTP1, b"HTTP/1.1 200 OK"), (HTTP2, b"/here")], ids=["HTTP/1.1", "HTTP/2"]
)


async def read_answer(reader: asyncio.StreamReader) -> bytes:
    return await asyncio.wait_for(reader.read(), 30)


def connect_unaccepted(port: int, sent: bytes, count: int = 20) -> list[socket.socket]:
    """Connect and ask without giving the event loop a turn: only the kernel knows of it."""
    made = [socket.create_connection(("127.0.0.1", port)) for _ in range(count)]
    for one in made:
        one.sendall(sent)
        one.setblocking(False)
    return made


@asynccontextmanager
async def open_main_port() -> AsyncIterator[tuple[Server, int]]:
    """Serve as one process does, but for its signals."""
    protocol: Any = partial(detect_protocol, HttpState(stopping=True))  # as a drain leaves it
    config = uvicorn.Config(echo, port=0, lifespan="off", log_config=None, http=protocol)
    config.load()
    server = Server(config)
    server.lifespan = config.lifespan_class(config)
    await server.startup()
    yield server, server.servers[0].sockets[0].getsockname()[1]


@EITHER
def test_connections_that_wait_at_the_main_port_are_answered(sent: bytes, answered: bytes) -> None:
    async def scenario() -> None:
        async with open_main_port() as (server, port):
            waiting = connect_unaccepted(port, sent)
            stopping = asyncio.ensure_future(server.shutdown())
            for one in waiting:
                reader, writer = await asyncio.open_connection(sock=one)
                assert answered in await read_answer(reader)
                writer.close()
            await stopping
            with pytest.raises(ConnectionRefusedError):
                await asyncio.open_connection("127.0.0.1", port)

    run(scenario())


def test_connections_that_wait_at_the_grpc_port_are_answered() -> None:
    async def scenario() -> None:
        port = free_port()
        listening = Http2Listener(HttpState(), Port(lambda stream: reject(stream, 418, "short and stout")))
        await listening.open("127.0.0.1", port)
        waiting = connect_unaccepted(port, HTTP2)
        stopping = asyncio.ensure_future(listening.close(30))
        for one in waiting:
            client = Client(*await asyncio.open_connection(sock=one))
            assert (await client.finish(1))[0] == 418
            assert (await client.wait(GOAWAY)).code == 0
            client.close()
        await stopping

    run(scenario())


@EITHER
def test_a_new_connection_may_still_ask(sent: bytes, answered: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(detecting, "CROSSING_S", 20.0)

    async def scenario() -> None:
        async with serve() as served:
            reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
            await wait_for(lambda: served.count_connections() == 1)
            served.server.should_exit = True
            await wait_for(lambda: not served.server.servers[0].is_serving())
            writer.write(sent)
            assert answered in await read_answer(reader)
            writer.close()

    run(scenario())


def test_a_request_that_crosses_the_end_of_its_connection_is_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admission_connection, "CROSSING_S", 1.0)

    async def scenario() -> None:
        async with serve(answer) as served:
            reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
            writer.write(HTTP1)
            await reader.readuntil(b"/here")
            served.server.should_exit = True
            await wait_for(lambda: not served.server.servers[0].is_serving())
            writer.write(HTTP1)
            assert b"HTTP/1.1 200 OK" in await read_answer(reader)  # and the connection's end
            writer.close()

    run(scenario())
