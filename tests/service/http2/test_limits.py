"""What a connection may bring, hold and leave unread."""

import asyncio
from typing import Any

import hpack
import pytest

from ekiben.service.connections.byte_budget import ByteBudget
from ekiben.service.connections.http2 import chatter, incoming, lifetime
from tests.http2_server import (
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    GOAWAY,
    HEADERS,
    PING,
    PRIORITY,
    RST,
    SETTINGS,
    WINDOW,
    begin_post,
    frame,
    get,
    head,
    post,
    serve,
)  # fmt: skip
from tests.uvicorn_server import run
from tests.waiting import wait_for

CALM, REFUSED, CANCEL = 11, 7, (8).to_bytes(4, "big")
NO_WINDOW = b"\0\4\0\0\0\0"
FLOODS = {
    "ping": frame(PING, 0, 0, bytes(8)),
    "settings": frame(SETTINGS, 0, 0),
    "acknowledgements": frame(SETTINGS, 1, 0),
    "priority": frame(PRIORITY, 0, 1, b"\0\0\0\3\x10"),
    "window": frame(WINDOW, 0, 0, b"\0\0\0\1"),
    "empty data": frame(DATA, 0, 1),
    "data of a byte": frame(DATA, 0, 1, b"x"),
    "unknown": frame(200, 0, 0),
    "padding": frame(DATA, 8, 1, b"\xff" + bytes(255)),
}


async def early(scope: Any, receive: Any, send: Any) -> None:
    """Answer before the body has come."""
    await send({"type": "http.response.start", "status": 404, "headers": []})
    await send({"type": "http.response.body", "body": b"no"})


@pytest.mark.parametrize("name", FLOODS)
def test_a_flood_of_what_brings_nothing_ends_its_connection(name: str) -> None:
    async def scenario() -> None:
        async with serve() as served, served.connect() as other, served.connect() as client:
            client.send(begin_post(1))
            for _ in range(2 * chatter.BURST_BYTES // len(FLOODS[name])):
                client.send(FLOODS[name])
            assert (await client.wait(GOAWAY)).code == CALM
            await client.wait_end()
            other.send(get(1))
            assert await other.finish(1) == (200, b"/")

    run(scenario())


def test_answered_requests_pay_for_the_frames_around_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chatter, "BURST_BYTES", 4096)
    monkeypatch.setattr(chatter, "RATE_BYTES", 0)

    async def scenario() -> None:
        async with serve() as served, served.connect() as client:
            around = frame(PING, 0, 0, bytes(8)) + frame(WINDOW, 0, 0, b"\0\0\1\0") * 5
            for number in range(300):
                client.send(post(2 * number + 1, b"x"), around)
                assert await client.finish(2 * number + 1) == (200, b"x")
            assert not client.find(GOAWAY)

    run(scenario())


def test_rapid_resets_end_their_connection() -> None:
    started = 0

    async def count(scope: Any, receive: Any, send: Any) -> None:
        nonlocal started
        started += 1
        await receive()

    async def scenario() -> None:
        async with serve(count) as served, served.connect() as client:
            for number in range(2000):
                client.send(begin_post(2 * number + 1), frame(RST, 0, 2 * number + 1, CANCEL))
            await client.wait(GOAWAY)
            await client.wait_end()
            assert client.find(GOAWAY)[-1].code == CALM
            assert started < 300

    run(scenario())


def test_a_client_that_gives_up_many_requests_is_asked_to_connect_anew() -> None:
    async def scenario() -> None:
        async with serve() as served, served.connect() as client:
            client.send(begin_post(1))
            for number in range(1, lifetime.MAX_RESETS[lifetime.NOW] + 1):
                client.send(begin_post(2 * number + 1))
                client.send(frame(RST, 0, 2 * number + 1, CANCEL))
            begun = await client.wait(GOAWAY)
            assert (begun.code, begun.last_stream) == (0, 2**31 - 1)
            client.send(get(999), frame(DATA, END_STREAM, 1, b"first"))
            assert await client.finish(1) == (200, b"first")
            assert await client.finish(999) == (200, b"/")

    run(scenario())


def test_streams_beyond_the_limit_are_refused_and_others_answered() -> None:
    async def scenario() -> None:
        async with serve() as served, served.connect() as client:
            streams = [2 * number + 1 for number in range(104)]
            client.send(*map(begin_post, streams))
            for stream in streams[100:]:
                assert (await client.wait(RST, stream)).code == REFUSED
            assert len(client.find(RST)) == 4
            client.send(*(frame(DATA, END_STREAM, stream, b"x") for stream in streams[:100]))
            for stream in streams[:100]:
                assert await client.finish(stream) == (200, b"x")
            client.send(get(301))
            assert await client.finish(301) == (200, b"/")

    run(scenario())


@pytest.mark.parametrize("size", [900, 1100])
def test_a_long_head_gets_431(size: int) -> None:
    async def scenario() -> None:
        async with serve(max_head_bytes=1024) as served, served.connect() as client:
            client.send(get(1, b"/", (b"x", b"a" * size)), get(3))
            status, body = await client.finish(1)
            wanted = b'{"error": "the request\'s head is longer than 1024 bytes: send fewer headers"}'
            assert (status, body) == ((200, b"/") if size < 1024 else (431, wanted))
            assert await client.finish(3) == (200, b"/")

    run(scenario())


def test_a_small_block_that_unpacks_to_a_long_head_gets_431() -> None:
    async def scenario() -> None:
        async with serve(max_head_bytes=8192) as served, served.connect() as client:
            encoder = hpack.Encoder()
            pairs = [(":method", "GET"), (":scheme", "http"), (":path", "/"), (":authority", "a")]
            named = [("x", "a" * 4000)]  # which stays in the table
            client.send(frame(HEADERS, END_HEADERS | END_STREAM, 1, encoder.encode(pairs + named)))
            assert await client.finish(1) == (200, b"/")
            client.send(frame(HEADERS, END_HEADERS | END_STREAM, 3, encoder.encode(pairs + named * 10)))
            assert (await client.finish(3))[0] == 431
            client.send(frame(HEADERS, END_HEADERS | END_STREAM, 5, encoder.encode(pairs + named * 1000)))
            assert (await client.wait(GOAWAY)).code == CALM  # zttp's own limit, 64 KiB

    run(scenario())


def test_a_head_without_end_ends_its_connection() -> None:
    async def scenario() -> None:
        async with serve() as served, served.connect() as client:
            client.send(frame(HEADERS, 0, 1, head()))
            for _ in range(200):
                client.send(frame(CONTINUATION, 0, 1, b"\0\1a\x7f\xa1\x1e" + b"a" * 4000))
            assert (await client.wait(GOAWAY)).code == CALM
            await client.wait_end()

    run(scenario())


def test_bodies_beyond_the_budget_get_429_and_leave_nothing() -> None:
    go_on = asyncio.Event()

    async def hesitate(scope: Any, receive: Any, send: Any) -> None:
        await go_on.wait()
        received = 0
        while True:
            message = await receive()
            received += len(message.get("body", b""))
            if message["type"] == "http.disconnect" or not message["more_body"]:
                break
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"%d" % received})

    async def scenario() -> None:
        async with serve(hesitate, budget=ByteBudget(30_000)) as served, served.connect() as client:
            client.send(begin_post(1), begin_post(3))
            client.send(frame(DATA, 0, 1, bytes(15_000)), frame(DATA, END_STREAM, 1, bytes(10_000)))
            client.send(frame(DATA, END_STREAM, 3, bytes(10_000)))
            assert (await client.finish(3))[0] == 429
            go_on.set()
            assert await client.finish(1) == (200, b"25000")
            client.send(post(5, bytes(9000)))
            assert await client.finish(5) == (200, b"9000")
            assert served.shared.budget.taken == 0

    run(scenario())


def test_a_reader_who_stops_is_waited_for_and_then_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lifetime, "STALL_S", 0.5)
    monkeypatch.setattr(lifetime, "LOOK_S", 0.1)

    async def scenario() -> None:
        async with serve() as served, served.connect(NO_WINDOW) as stuck, served.connect(NO_WINDOW) as slow:
            stuck.send(get(1, b"/large/1000000"))
            slow.send(get(1, b"/large/1000000"), get(3, b"/large/3"))
            for _ in range(50):
                slow.send(frame(WINDOW, 0, 0, (20_000).to_bytes(4, "big")))
                slow.send(frame(WINDOW, 0, 1, (20_000).to_bytes(4, "big")))
                await asyncio.sleep(0.02)
            slow.send(frame(WINDOW, 0, 3, b"\0\0\0\3"))
            assert await slow.finish(1) == (200, b"x" * 1_000_000)
            assert await slow.finish(3) == (200, b"xxx")
            await stuck.wait_end()
            assert not stuck.find(DATA)

    run(scenario())


def test_what_never_becomes_whole_ends_its_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lifetime, "ARRIVAL_S", 0.3)
    monkeypatch.setattr(lifetime, "LOOK_S", 0.1)

    async def scenario() -> None:
        async with serve() as served, served.connect() as begun, served.connect() as idle:
            for client in (begun, idle):
                client.send(get(1))
                await client.finish(1)
            begun.send(frame(HEADERS, END_STREAM, 3, head()))
            await begun.wait_end()
            idle.send(get(3))
            assert await idle.finish(3) == (200, b"/")

    run(scenario())


KINDS = {
    "an unknown frame": [frame(200, 0, 0, b"whatever")],
    "priority": [frame(PRIORITY, 0, 1, bytes(5))] * 3,
    "in pieces": [bytes((one,)) for one in frame(PRIORITY, 0, 1, bytes(5)) + frame(200, 0, 0, b"abc")],
    "two for one head": [
        frame(HEADERS, END_STREAM, 3, head()[:4]),
        frame(CONTINUATION, END_HEADERS, 3, head()[4:]),
    ],
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_connection_lives_whatever_whole_frames_came_last(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lifetime, "ARRIVAL_S", 0.3)
    monkeypatch.setattr(lifetime, "LOOK_S", 0.1)

    async def scenario() -> None:
        async with serve() as served, served.connect() as client, served.connect() as begun:
            client.send(get(1))
            await client.finish(1)
            for piece in KINDS[kind]:
                client.send(piece)
                await client.writer.drain()
            begun.send(*KINDS[kind], frame(PRIORITY, 0, 1, bytes(5))[:-1])
            await begun.wait_end()  # much later than the other would have been
            client.send(get(5))
            assert await client.finish(5) == (200, b"/")

    run(scenario())


def test_a_body_that_does_not_end_after_its_answer_is_reset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lifetime, "ARRIVAL_S", 0.3)
    monkeypatch.setattr(lifetime, "LOOK_S", 0.1)

    async def scenario() -> None:
        async with serve(early) as served, served.connect() as client:
            client.send(begin_post(1))
            assert await client.finish(1) == (404, b"no")
            assert (await client.wait(RST, 1)).code == 0
            client.send(get(3))
            assert await client.finish(3) == (404, b"no")

    run(scenario())


def test_what_was_under_way_as_a_stream_was_reset_is_no_flood(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lifetime, "ARRIVAL_S", 0.3)
    monkeypatch.setattr(lifetime, "LOOK_S", 0.1)

    async def scenario() -> None:
        async with serve(early) as served, served.connect() as client:
            client.send(begin_post(1))
            await client.wait(RST, 1)
            client.send(frame(DATA, 0, 1, bytes(100)) * 600)  # as much as its window allows
            client.send(get(3))
            assert await client.finish(3) == (404, b"no")
            assert not client.find(GOAWAY)

    run(scenario())


def test_idle_connections_make_room_for_others() -> None:
    async def scenario() -> None:
        async with serve(max_connections=3) as served, served.connect() as first, served.connect() as second:
            first.send(begin_post(1))
            second.send(get(1))
            await second.finish(1)
            async with served.connect() as third, served.connect() as fourth:
                await second.wait_end()
                first.send(frame(DATA, END_STREAM, 1, b"kept"))
                assert await first.finish(1) == (200, b"kept")
                for client in (third, fourth):
                    client.send(get(1))
                    assert await client.finish(1) == (200, b"/")

    run(scenario())


def test_much_that_comes_at_once_is_taken_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(incoming, "MAX_EVENTS", 3)

    async def scenario() -> None:
        async with serve() as served, served.connect() as client:
            client.send(*(post(2 * number + 1, b"%d" % number) for number in range(90)))
            for number in range(90):
                assert await client.finish(2 * number + 1) == (200, b"%d" % number)

    run(scenario())


MANY_FIELDS = [(b"x-%d" % number, b"") for number in range(400)]  # 54 KB in memory


def test_heads_take_memory_and_streams_beyond_it_are_refused() -> None:
    """A field that came before is a byte on the wire, and many in memory."""
    budget = ByteBudget(10**6)

    async def wait(scope: Any, receive: Any, send: Any) -> None:
        await receive()

    async def scenario() -> None:
        async with serve(wait, budget=budget) as served:
            async with served.connect() as client:
                client.send(*(begin_post(number, b"/", *MANY_FIELDS) for number in range(1, 60, 2)))
                assert (await client.wait(RST, count=12)).code == REFUSED
                assert 0.9 * budget.limit < budget.taken <= budget.limit
                client.send(begin_post(101))
                await asyncio.sleep(0)
                assert len(client.find(RST)) == 12
            await wait_for(lambda: budget.taken == 0)

    run(scenario())


def test_a_head_takes_no_memory_once_it_is_answered() -> None:
    budget = ByteBudget(10**5)

    async def answer(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def scenario() -> None:
        async with serve(answer, budget=budget) as served, served.connect() as client:
            for number in range(1, 60, 2):  # whose bodies never end
                client.send(begin_post(number, b"/", *MANY_FIELDS))
                await client.finish(number)
            assert not client.find(RST)
            assert budget.taken == 0

    run(scenario())
