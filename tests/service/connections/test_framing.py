"""Where a request begins and ends, what is read of it, and how much of what a caller sends ahead is kept."""

import asyncio
import logging
from typing import Any

import pytest

from ekiben.service.connections import closing, framing, malformed
from ekiben.service.connections.byte_budget import ByteBudget
from ekiben.service.connections.http_state import MAX_HEAD_BYTES
from tests.uvicorn_server import Server, answer, early, request, run, serve
from tests.waiting import wait_for

UPGRADES = {
    "h2c": (b"connection: Upgrade, HTTP2-Settings", b"upgrade: h2c", b"http2-settings: AAMAAABkAAQCAAAAAAIAAAAA"),
    "websocket": (b"connection: upgrade", b"upgrade: websocket", b"sec-websocket-version: 13"),
    "late": (b"UPGRADE: TLS/1.0", b"connection: keep-alive, Upgrade"),
}
CHUNKS = b"3\r\nabc\r\n4;name=value\r\ndefg\r\n0\r\ntrailer: x\r\n\r\n"


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """Answer with the whole body, or the path if there is none."""
    body, more = b"", True
    while more:
        message = await receive()
        body, more = body + message.get("body", b""), message.get("more_body", False)
    body = body or scope["path"].encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
    await send({"type": "http.response.body", "body": body})


def cut(data: bytes, size: int) -> list[bytes]:
    return [data[start : start + size] for start in range(0, len(data), size)]


def bodies(answered: bytes) -> list[bytes]:
    return [part.partition(b"\r\n\r\n")[2] for part in answered.split(b"HTTP/1.1 ")[1:]]


async def send_all(server: Server, *parts: bytes) -> bytes:
    """Send, at last a request that ends the connection; return all that comes back before its answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    answered = b""
    try:
        for part in (*parts, request(b"GET", b"/end", b"", b"connection: close")):
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(0)
        while part := await asyncio.wait_for(reader.read(65536), 10):
            answered += part
    except ConnectionError:
        pass
    writer.close()
    before, _, last = answered.rpartition(b"HTTP/1.1 ")
    return before if last.endswith(b"\r\n\r\n/end") else answered


@pytest.mark.parametrize("size", [1, 3, 10_000], ids=["bytes", "threes", "whole"])
@pytest.mark.parametrize("name", UPGRADES)
def test_an_upgrade_is_ignored_and_its_body_read(name: str, size: int) -> None:
    async def scenario() -> None:
        chunked = b"POST / HTTP/1.1\r\nhost: a\r\n" + b"\r\n".join(UPGRADES[name])
        chunked += b"\r\ntransfer-encoding: chunked\r\n\r\n" + CHUNKS
        sent = request(b"POST", b"/", b"hello", *UPGRADES[name]) + chunked + request(b"GET", b"/after")
        async with serve(echo) as server:
            assert bodies(await send_all(server, *cut(sent, size))) == [b"hello", b"abcdefg", b"/after"]

    run(scenario())


@pytest.mark.parametrize("size", range(1, 12))
def test_the_end_of_a_chunked_body_is_found_wherever_it_is_cut(size: int) -> None:
    async def scenario() -> None:
        chunked = b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n"
        tricky = chunked + b"4\r\n\r\n\r\n\r\n0\r\n\r\n"  # a blank line in the content
        sent = chunked + CHUNKS + tricky + request(b"GET", b"/after")
        async with serve(echo) as server:
            assert bodies(await send_all(server, *cut(sent, size))) == [b"abcdefg", b"\r\n\r\n", b"/after"]

    run(scenario())


@pytest.mark.parametrize(
    ("sent", "status", "sentence"),
    [
        (request(b"GET", b"/", b"", b"x: " + bytes([97]) * MAX_HEAD_BYTES), b"431", b"head is longer than 32768 bytes"),
        (request(b"GET", b"/" + b"a" * MAX_HEAD_BYTES), b"431", b"head is longer"),
        (request(b"GET", b"/", b"", *[b"a:"] * 9000), b"431", b"head is longer"),
        (b"GET / HTTP/1.1\r\nhost: a\r\nx: " + b"a" * 500_000, b"431", b"head is longer"),
        (b"\r\n" * 40_000, b"400", b"blank lines before a request"),
        (b"GET / HTTP/1.1\r\n\r\n", b"400", b"expected one Host header, got 0"),
        (b"PRI / HTTP/1.1\r\n\r\n", b"400", b"PRI is no method"),
        (b"PRI * HTTP/1.1\r\nhost: a\r\n\r\n", b"400", b"PRI is no method"),
        (b"PRI * HTTP/2.0\r\n\r\n", b"400", b"PRI is no method"),
        (request(b"GET", b"/", b"", b"Host: b"), b"400", b"expected one Host header, got 2"),
        (b"CONNECT a:1 HTTP/1.1\r\nhost: a\r\n\r\n", b"400", b"CONNECT is not supported"),
        (b"\x16\x03\x01\x02\x00\x01\x00", b"400", b"not a valid HTTP request"),
        (b"GET / HTTP/1.1\nhost: a\n\n", b"400", b"not a valid HTTP request"),
        (request(b"POST", b"/", b"12345", b"content-length: 5"), b"400", b"Duplicate Content-Length"),
        (request(b"POST", b"/", b"12345", b"transfer-encoding: chunked"), b"400", b"Transfer-Encoding"),
        (b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\nx\r\n", b"400", b"not a valid HTTP request"),
        (
            b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n0\r\nx: " + b"a" * 100_000,
            b"431",
            b"chunk extensions or trailers",
        ),
    ],
    ids=[
        *(
            "long-header",
            "long-path",
            "many-headers",
            "endless",
            "blank",
            "no-host",
            "preface-path",
            "preface-version",
            "preface-half",
            "two-hosts",
            "connect",
            "tls",
            "bare-lf",
        ),
        *("two-lengths", "length-and-chunked", "chunk", "trailer"),
    ],
)
def test_what_is_not_a_request_is_rejected_in_one_sentence_and_the_connection_ends(
    sent: bytes, status: bytes, sentence: bytes
) -> None:
    async def scenario() -> None:
        async with serve(echo) as server:
            answered = await send_all(server, sent, request(b"GET", b"/hidden"))
            assert answered.startswith(b"HTTP/1.1 " + status), answered
            assert b"connection: close" in answered
            assert sentence in answered
            assert answered.count(b"HTTP/1.1 ") == 1, answered
            await wait_for(lambda: not server.server.server_state.connections)
            assert bodies(await send_all(server, request(b"GET", b"/others"))) == [b"/others"]

    run(scenario())


def test_a_body_of_many_small_chunks_is_read_whole() -> None:
    async def scenario() -> None:
        chunked = b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n"
        sent = chunked + b"1\r\na\r\n" * 20_000 + b"0\r\n\r\n" + request(b"GET", b"/after")
        async with serve(echo) as server:
            assert bodies(await send_all(server, sent)) == [b"a" * 20_000, b"/after"]
            assert bodies(await send_all(server, *cut(sent, 5000))) == [b"a" * 20_000, b"/after"]

    run(scenario())


def test_an_answer_that_ends_the_connection_reaches_a_caller_that_is_still_sending() -> None:
    async def unwilling(scope: Any, receive: Any, send: Any) -> None:
        headers = [(b"content-length", b"0"), (b"connection", b"close")]
        await send({"type": "http.response.start", "status": 408, "headers": headers})
        await send({"type": "http.response.body", "body": b""})

    async def scenario() -> None:
        async with serve(unwilling) as server:
            for _ in range(10):
                answered = await send_all(server, *cut(request(b"POST", b"/", bytes(3_000_000)), 300_000))
                assert answered.startswith(b"HTTP/1.1 408"), answered
            await wait_for(lambda: not server.server.server_state.connections)

    run(scenario())


def test_http_1_0_needs_no_host() -> None:
    async def scenario() -> None:
        async with serve(echo) as server:
            assert bodies(await send_all(server, b"GET /old HTTP/1.0\r\n\r\n")) == [b"/old"]

    run(scenario())


def test_a_head_just_within_the_limit_is_read() -> None:
    async def scenario() -> None:
        async with serve(echo) as server:
            shortest = len(request(b"GET", b"/", b"", b"x: "))
            sent = request(b"GET", b"/", b"", b"x: " + b"a" * (MAX_HEAD_BYTES - shortest))
            assert len(sent) == MAX_HEAD_BYTES
            assert bodies(await send_all(server, *cut(sent, 1000))) == [b"/"]

    run(scenario())


def test_a_request_before_garbage_gets_its_answer() -> None:
    async def scenario() -> None:
        async with serve(echo) as server:
            answered = await send_all(server, request(b"GET", b"/first") + b"garbage\r\n\r\n")
            assert bodies(answered)[0] == b"/first"
            assert answered.count(b"HTTP/1.1 400") == 1, answered

    run(scenario())


@pytest.mark.parametrize("sent", [b"G", b"GET / HTTP/1.1\r\nhost: a\r\n"], ids=["first", "some"])
def test_a_head_that_does_not_arrive_is_given_up(sent: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(closing, "ARRIVAL_S", 0.1)

    async def scenario() -> None:
        async with serve(echo) as server:
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(sent)
            assert (await asyncio.wait_for(reader.read(), 5)).startswith(b"HTTP/1.1 408")
            writer.close()

    run(scenario())


def test_the_rest_of_an_answered_body_is_not_awaited_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(closing, "ARRIVAL_S", 0.1)

    async def scenario() -> None:
        async with serve(early) as server:
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 99\r\n\r\n")
            answered = await asyncio.wait_for(reader.read(), 5)  # until the connection is closed
            assert answered.startswith(b"HTTP/1.1 413")
            writer.close()

    run(scenario())


def test_an_unwanted_body_without_end_ends_the_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(framing, "MAX_DISCARDED_BYTES", 100_000)

    async def scenario() -> None:
        async with serve(early) as server:
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 999999999\r\n\r\n")
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 413")
            writer.write(bytes(500_000))
            await wait_for(lambda: not server.server.server_state.connections)
            writer.close()

    run(scenario())


def test_one_request_of_a_connection_is_under_way_and_the_others_stay_bytes() -> None:
    opened = asyncio.Event()
    seen: list[bytes] = []

    async def slow(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope["path"])
        await opened.wait()
        await answer(scope, receive, send)

    async def scenario() -> None:
        async with serve(slow) as server:
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            count = 1000
            writer.write(request(b"GET", b"/x") * count)
            await wait_for(lambda: bool(seen))
            (connection,) = server.server.server_state.connections
            await wait_for(lambda: not connection.transport.is_reading())  # type: ignore[union-attr]
            assert len(seen) == 1
            opened.set()
            for _ in range(count):
                await reader.readuntil(b"\r\n\r\n/x")
            writer.close()

    run(scenario())


def test_what_is_sent_ahead_beyond_the_budget_is_given_up() -> None:
    budget = ByteBudget(1000)

    async def scenario() -> None:
        async with serve(echo, budget=budget) as server:
            small = await send_all(server, request(b"GET", b"/x") * 10)
            assert len(bodies(small)) == 10
            large = await send_all(server, request(b"GET", b"/x") * 1000)
            assert bodies(large) == [b"/x"]
            assert b"connection: close" in large
            assert (await send_all(server, b"GET / HTTP/1.1\r\nx: " + b"a" * 2000)).startswith(b"HTTP/1.1 429")
            assert budget.taken == 0

    run(scenario())


def test_a_body_that_there_is_no_room_for_is_rejected_and_never_cut() -> None:
    async def scenario() -> None:
        async with serve(echo, budget=ByteBudget(1000)) as server:
            head = b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n"
            answered = await send_all(server, head + b"1\r\na\r\n" * 5000 + b"0\r\n\r\n")
            assert answered.startswith(b"HTTP/1.1 429"), answered
            assert answered.count(b"HTTP/1.1 ") == 1

    run(scenario())


def test_the_connection_that_is_idle_for_longest_makes_room() -> None:
    async def scenario() -> None:
        async with serve(echo, max_connections=5) as server:
            callers = [await asyncio.open_connection("127.0.0.1", server.port) for _ in range(5)]
            await asyncio.sleep(0.01)  # uvloop's clock counts milliseconds
            for reader, writer in callers[1:]:  # the first one asks nothing
                writer.write(request(b"GET", b"/x"))
                await reader.readuntil(b"\r\n\r\n/x")
            assert bodies(await send_all(server, request(b"GET", b"/new"))) == [b"/new"]
            with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
                await callers[0][0].readexactly(1)
            reader, writer = callers[1]
            writer.write(request(b"GET", b"/x"))
            await reader.readuntil(b"\r\n\r\n/x")
            for _, writer in callers:
                writer.close()

    run(scenario())


def test_invalid_requests_are_counted_and_logged_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    fresh = malformed.Malformed()
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            fresh.count(400, "not a valid HTTP request", "127.0.0.1")
    assert [record.getMessage() for record in caplog.records] == [
        "1 invalid HTTP requests, the latest from 127.0.0.1: not a valid HTTP request"
    ]
