"""Connections that bring much: one of them reads on in a turn, whatever its request wants."""

import asyncio
from typing import Any

import pytest

from ekiben.service.connections.turns import TurnFlow, Turns


class Transport:
    """Remembers whether it reads, and objects to nothing."""

    def __init__(self) -> None:
        self.reading, self.closed = True, False

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def is_closing(self) -> bool:
        return self.closed


def flow_of(transport: Any) -> TurnFlow:
    return TurnFlow(transport, Turns())


async def count_in_turns(deferred: int) -> list[int]:
    """Return how many of those that were deferred together had their turn after each turn."""
    turns, called, seen = Turns(), 0, []

    def go_on() -> None:
        nonlocal called
        called += 1

    for _ in range(deferred):
        turns.defer(go_on)
    for _ in range(deferred):
        await asyncio.sleep(0)
        seen.append(called)
    return seen


def test_one_goes_on_in_a_turn() -> None:
    assert asyncio.run(count_in_turns(3)) == [1, 2, 3]


def test_one_that_fails_does_not_end_the_turns_of_others() -> None:
    async def defer() -> bool:
        turns, went = Turns(), asyncio.Event()
        asyncio.get_running_loop().set_exception_handler(lambda *_: None)
        turns.defer(lambda: 1 // 0)
        turns.defer(went.set)
        return await asyncio.wait_for(went.wait(), 60)

    assert asyncio.run(defer())


@pytest.mark.parametrize("paused", [False, True])
def test_a_connection_reads_when_its_request_and_the_others_let_it(paused: bool) -> None:
    async def defer() -> list[bool]:
        transport, went = Transport(), asyncio.Event()
        flow = flow_of(transport)
        flow.defer(went.set)
        flow.pause_reading()
        flow.resume_reading()  # the request may want more: it is not its turn
        before = transport.reading
        if paused:
            flow.pause_reading()
        await asyncio.wait_for(went.wait(), 60)
        await asyncio.sleep(0)
        return [before, transport.reading]

    assert asyncio.run(defer()) == [False, not paused]


def test_a_connection_that_was_closed_meanwhile_does_not_go_on() -> None:
    async def defer() -> bool:
        transport, went = Transport(), asyncio.Event()
        flow_of(transport).defer(went.set)
        transport.closed = True
        for _ in range(3):
            await asyncio.sleep(0)
        return went.is_set()

    assert not asyncio.run(defer())
