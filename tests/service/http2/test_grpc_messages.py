"""Messages of gRPC calls on our own server: in pieces, in excess, announced and never sent."""

import asyncio
import gc
import warnings
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from struct import pack
from typing import Any

import pytest

from ekiben.service.connections.byte_budget import ByteBudget
from ekiben.service.connections.http2 import connection, stream
from ekiben.service.connections.http2.frames import PREFACE
from ekiben.service.grpc import health
from ekiben.service.grpc.native.timers import Deadlines
from ekiben.service.grpc.reflection import SERVICES
from tests.conftest import free_port
from tests.grpc_server import ECHO, MAX_BYTES, echo, open_server
from tests.http2_server import (
    DATA,
    END_HEADERS,
    END_STREAM,
    HEADERS,
    PING,
    RST,
    SETTINGS,
    WINDOW,
    Client,
    frame,
    head,
)  # fmt: skip
from tests.uvicorn_server import run
from tests.waiting import wait_for

ASK, WATCH, CHECK = f"{ECHO}/Ask", f"{health.SERVICE}/Watch", f"{health.SERVICE}/Check"
REFLECT = f"{SERVICES[1]}/ServerReflectionInfo"
QUESTION = b"\x0a\x03abc"  # a message whose first field holds three letters
LIST_SERVICES = b"\x3a\x01*"
INVALID, EXHAUSTED = "3", "8"


def begin(number: int, method: str = ASK, flags: int = 0, *more: tuple[bytes, bytes]) -> bytes:
    said = (b"content-type", b"application/grpc"), (b"te", b"trailers"), *more
    return frame(HEADERS, END_HEADERS | flags, number, head(*said, method=b"POST", path=b"/" + method.encode()))


def message(content: bytes, size: int | None = None) -> bytes:
    """A message as it stands on a stream; it announces that `size`."""
    return pack(">BI", 0, len(content) if size is None else size) + content


@asynccontextmanager
async def connect(settings: bytes = b"", **given: Any) -> AsyncIterator[Client]:
    port = free_port()
    async with open_server(echo, grpc_port=port, **given):
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**24)
        client = Client(reader, writer)
        client.send(PREFACE + frame(SETTINGS, 0, 0, settings))
        try:
            yield client
        finally:
            client.close()


async def find_status(client: Client, number: int) -> str:
    await wait_for(lambda: client.is_whole(number) or client.ended)
    return dict(client.heads[number][-1])["grpc-status"]


async def synchronise(client: Client) -> None:
    """Return once the server has read all that was sent."""
    answered = len(client.find(PING))
    client.send(frame(PING, 0, 0, bytes(8)))
    await client.wait(PING, count=answered + 1)


@pytest.mark.parametrize("method", [ASK, CHECK, WATCH])
def test_a_head_that_ends_the_call_is_answered_at_once(method: str) -> None:
    async def scenario() -> None:
        async with connect(request_timeout_s=50) as client:
            client.send(begin(1, method, END_STREAM))
            assert await find_status(client, 1) == (INVALID if method != WATCH else "14")

    async def watch() -> None:  # of nothing in particular: the whole server's status
        async with connect() as client:
            client.send(begin(1, WATCH, END_STREAM))
            await client.wait(DATA, 1)

    run(watch() if method == WATCH else scenario())


@pytest.mark.parametrize("more", [message(QUESTION), message(QUESTION * 100), b"\7\0\0\0\0", b"\0\0\0\1", bytes(700)])
def test_what_comes_after_a_call_s_message_takes_no_memory(more: bytes) -> None:
    budget = ByteBudget(10 * MAX_BYTES)

    async def scenario() -> None:
        async with connect(budget=budget) as client:
            for number in range(1, 21, 2):
                client.send(begin(number), frame(DATA, END_STREAM, number, message(QUESTION) + more))
                assert await find_status(client, number) == "0"
            assert budget.taken == 0

    run(scenario())


def test_what_was_asked_before_a_broken_message_is_answered() -> None:
    budget = ByteBudget(10 * MAX_BYTES)

    async def scenario() -> None:
        async with connect(budget=budget) as client:
            client.send(begin(1, REFLECT), frame(DATA, 0, 1, message(LIST_SERVICES) * 2 + b"\7\0\0\0\0"))
            assert await find_status(client, 1) == INVALID
            answers = b"".join(one.payload for one in client.find(DATA, 1))
            assert answers.count(ECHO.encode()) == 2
            assert budget.taken == 0

    run(scenario())


@pytest.mark.parametrize("method", [CHECK, WATCH, ASK])
def test_messages_that_are_announced_and_never_come_keep_no_room(method: str) -> None:
    budget = ByteBudget(2 * MAX_BYTES)

    async def scenario() -> None:
        async with connect(budget=budget) as client:
            for number in range(1, 61, 2):
                client.send(begin(number, method), frame(DATA, 0, number, message(b"", MAX_BYTES)))
            client.send(begin(101), frame(DATA, END_STREAM, 101, message(QUESTION)))
            assert await find_status(client, 101) == "0"
            client.close()
            await wait_for(lambda: budget.taken == 0)

    run(scenario())


def test_what_has_come_of_messages_is_bounded() -> None:
    budget = ByteBudget(3 * MAX_BYTES)

    async def scenario() -> None:
        async with connect(budget=budget, max_body_bytes=2 * MAX_BYTES) as client:
            for number in (1, 3, 5, 7):
                client.send(begin(number), frame(DATA, 0, number, message(bytes(MAX_BYTES), 2 * MAX_BYTES)))
            assert await find_status(client, 7) == EXHAUSTED
            assert budget.taken <= budget.limit
            client.close()
            await wait_for(lambda: budget.taken == 0)

    run(scenario())


def test_a_message_of_a_stream_may_come_in_pieces() -> None:
    async def scenario() -> None:
        async with connect() as client:
            client.send(begin(1, REFLECT), frame(DATA, 0, 1, message(LIST_SERVICES)))
            await client.wait(DATA, 1)
            for byte in message(LIST_SERVICES):
                client.send(frame(DATA, 0, 1, bytes([byte])))
                await synchronise(client)
                await synchronise(client)  # by now whoever waited for a message has looked
            await client.wait(DATA, 1, 2)
            client.send(frame(DATA, END_STREAM, 1))
            assert await find_status(client, 1) == "0"

    run(scenario())


def test_answers_go_on_though_more_is_asked_than_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """The frames that open the answers' window come after questions that nobody has asked for yet."""
    monkeypatch.setattr(connection, "MAX_BUFFERED", 1000)
    monkeypatch.setattr(stream, "LOW_BYTES", 10)
    asked = 100

    async def scenario() -> None:
        async with connect(b"\0\4" + pack(">I", 20), budget=ByteBudget(2**20)) as client:
            client.send(begin(1, REFLECT))
            for _ in range(asked):
                client.send(frame(DATA, 0, 1, message(LIST_SERVICES)))
                await asyncio.sleep(0)
            client.send(frame(DATA, END_STREAM, 1), frame(WINDOW, 0, 1, pack(">I", 2**20)))
            assert await find_status(client, 1) == "0"
            answers = b"".join(one.payload for one in client.find(DATA, 1))
            assert answers.count(ECHO.encode()) == asked

    run(scenario())


def test_a_stream_that_is_reset_as_it_begins_leaves_nothing() -> None:
    async def scenario() -> None:
        async with connect() as client:
            for number in range(1, 21, 2):
                client.send(begin(number, WATCH) + frame(RST, 0, number, pack(">I", 8)))
            await synchronise(client)

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        run(scenario())
        gc.collect()
    assert [one for one in caught if "never awaited" in str(one.message)] == []


def test_who_shows_no_certificate_is_rejected_and_learns_nothing_by_probes() -> None:
    async def scenario() -> None:
        async with connect(mutual=True) as client:
            client.send(begin(1), frame(DATA, END_STREAM, 1, message(QUESTION)))
            assert await find_status(client, 1) == "16"
            client.send(begin(3, CHECK), frame(DATA, END_STREAM, 3, message(b"")))
            assert await find_status(client, 3) == "0"
            client.send(begin(5, CHECK), frame(DATA, END_STREAM, 5, message(QUESTION)))  # of a service there isn't
            assert await find_status(client, 5) == "5"
            assert ECHO not in dict(client.heads[5][-1])["grpc-message"]
            client.send(begin(7, REFLECT), frame(DATA, END_STREAM, 7, message(LIST_SERVICES)))
            assert await find_status(client, 7) == "16"

    run(scenario())


def test_deadlines_that_are_all_different_take_few_timers() -> None:
    class Ignoring:
        def give_up(self, error: Exception) -> None:
            """Do nothing."""

    async def scenario() -> None:
        timers: list[float] = []
        loop = asyncio.get_running_loop()
        later: Callable[..., Any] = loop.call_later

        def count(delay: float, *given: Any) -> Any:
            timers.append(delay)
            return later(min(delay, 60.0), *given)

        loop.call_later = count  # type: ignore[method-assign, assignment]
        deadlines, call = Deadlines(), Ignoring()
        for number in range(100_000):
            seconds = 0.037 * number
            deadlines.remove(call, deadlines.add(call, seconds))
        assert len(timers) < 6000
        timers.clear()
        for seconds in (0.0, 1.0, 59.0, 3e11):
            deadlines.add(call, seconds)
            assert all(0.999 * seconds <= delay <= 1.002 * seconds + 0.2 for delay in timers[-1:])

    asyncio.run(scenario())
