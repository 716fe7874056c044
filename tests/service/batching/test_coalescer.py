"""What arrives together: gRPC's calls come one a tick of the event loop, and become one batch all the same."""

import asyncio
from collections.abc import Awaitable

import pytest

from ekiben.service.batching import coalescer
from ekiben.service.dataplane import Dataplane
from tests.doubling import Doubling, ask, rows, serve

FOREVER_S = 1e6


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those who are expected are waited for, however slow this machine is just now."""
    monkeypatch.setattr(coalescer, "COALESCE_S", FOREVER_S)


async def stay() -> None:
    """A caller over HTTP: its protocol watches for its leaving."""
    await asyncio.Event().wait()


async def one_a_turn(dataplane: Dataplane, count: int) -> None:
    """Ask as gRPC hands over its calls; every caller must get its own answer."""
    asking: list[Awaitable[list[float]]] = []
    for number in range(count):
        asking.append(asyncio.ensure_future(ask(dataplane, rows(number))))
        await asyncio.sleep(0)
    assert await asyncio.gather(*asking) == [[2.0 * number] for number in range(count)]


def test_calls_of_successive_turns_are_one_batch() -> None:
    engine = Doubling()

    async def scenario(dataplane: Dataplane) -> None:
        await one_a_turn(dataplane, 10)

    serve(engine, scenario)
    assert engine.batches == [10]


@pytest.mark.usefixtures("patient")
def test_those_who_came_the_last_time_are_waited_for() -> None:
    engine = Doubling()

    async def scenario(dataplane: Dataplane) -> None:
        await one_a_turn(dataplane, 5)
        first = asyncio.ensure_future(ask(dataplane, rows(1)))
        for _ in range(4):
            await asyncio.sleep(0)  # nobody else comes in these turns
        assert not first.done()
        await asyncio.gather(first, one_a_turn(dataplane, 4))

    serve(engine, scenario)
    assert engine.batches == [5, 5]


def test_once_they_are_gone_nobody_waits_for_them_any_more(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Doubling()

    async def scenario(dataplane: Dataplane) -> None:
        await one_a_turn(dataplane, 5)
        async with asyncio.timeout(60):
            assert await ask(dataplane, rows(1)) == [2.0]  # after COALESCE_S
            monkeypatch.setattr(coalescer, "COALESCE_S", FOREVER_S)
            assert await ask(dataplane, rows(2)) == [4.0]  # at once

    serve(engine, scenario)
    assert engine.batches == [5, 1, 1]


@pytest.mark.usefixtures("patient")
def test_a_request_over_http_waits_for_nobody_and_takes_the_others_along() -> None:
    engine = Doubling()

    async def scenario(dataplane: Dataplane) -> None:
        await one_a_turn(dataplane, 5)
        called = asyncio.ensure_future(ask(dataplane, rows(1)))
        await asyncio.sleep(0)
        posted = asyncio.ensure_future(dataplane.predict(rows(2), 10.0, "test", stay))
        async with asyncio.timeout(60):
            assert (await posted).answers[:, 0].tolist() == [4.0]
            assert await called == [2.0]

    serve(engine, scenario)
    assert engine.batches == [5, 2]
