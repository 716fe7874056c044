"""uvicorn's connections made cheap: what is written at once, what is given up, and when idle ones are closed."""

import asyncio
from typing import Any

import pytest

from ekiben.service.connections.framing import FramedConnection
from ekiben.service.connections.http_connection import SingleWriteTransport
from ekiben.service.offload import LARGE_BYTES
from tests.uvicorn_server import answer, early, request, run, serve


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


def test_a_large_body_is_written_as_the_object_it_is() -> None:
    written: list[bytes] = []

    class Transport:
        def write(self, data: bytes) -> None:
            written.append(data)

    for size, writes in ((LARGE_BYTES, 1), (LARGE_BYTES + 1, 2)):
        written.clear()
        body = b"x" * size
        whole = SingleWriteTransport(Transport(), lambda: None)
        whole.write(b"head")
        whole.write(body)
        assert b"".join(written) == b"head" + body
        assert len(written) == writes
    assert written[1] is body


def test_a_head_is_not_lost_when_the_connection_closes() -> None:
    calls: list[tuple[str, Any]] = []

    class Transport:
        def write(self, data: bytes) -> None:
            calls.append(("write", data))

        def close(self) -> None:
            calls.append(("close", None))

    whole = SingleWriteTransport(Transport(), lambda: calls.append(("close", None)))
    whole.write(b"head")
    assert not calls
    whole.close()
    assert calls == [("write", b"head"), ("close", None)]
