"""What a caller of the playground can hold: bodies count until they are rows, and who leaves is not computed for."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import pytest

from ekiben.service.errors import CallerGone
from ekiben.service.http.messages import Request
from ekiben.service.offload import LARGE_BYTES
from ekiben.service.playground import protocol
from ekiben.service.playground.protocol import build_playground
from ekiben.service.settings import Settings
from tests.doubling import Doubling, rows, start

GONE = {"type": "http.disconnect"}


def make_request(messages: Iterable[dict[str, Any]]) -> Request:
    """Return a request whose caller says nothing more after these messages."""
    left = list(messages)

    async def receive() -> dict[str, Any]:
        return left.pop(0) if left else await asyncio.get_running_loop().create_future()

    return Request({"method": "POST", "path": "/playground/a", "headers": []}, receive)


def split(body: bytes) -> list[dict[str, Any]]:
    """Return a body as two messages."""
    return [
        {"type": "http.request", "body": body[:-1], "more_body": True},
        {"type": "http.request", "body": body[-1:]},
    ]


def encode(count: int, padding: int = 0) -> bytes:
    return json.dumps({"rows": rows(*range(count))}).encode() + b" " * padding


Ask = Callable[[Request], Awaitable[Any]]


def run(engine: Doubling, scenario: Callable[[Any, Ask], Awaitable[None]]) -> None:
    async def main() -> None:
        dataplane = start(engine)
        try:
            async with asyncio.timeout(60):
                await scenario(dataplane, build_playground(dataplane, None, Settings()).routes[0].answer)
        finally:
            dataplane.close()

    asyncio.run(main())


@pytest.mark.parametrize("padding", [0, LARGE_BYTES])
def test_a_body_counts_until_it_is_rows(monkeypatch: pytest.MonkeyPatch, padding: int) -> None:
    body, taken = encode(2, padding), []

    async def scenario(dataplane: Any, ask: Ask) -> None:
        read = protocol.decode_rows
        monkeypatch.setattr(protocol, "decode_rows", lambda body: taken.append(dataplane.budget.taken) or read(body))
        answer = json.loads(await ask(make_request(split(body))))
        assert [one["probability"] for one in answer["predictions"]] == [0.0, 2.0]
        assert (taken, dataplane.budget.taken) == ([len(body)], 0)

    run(Doubling(), scenario)


def test_rows_of_a_caller_who_has_left_are_not_computed() -> None:
    engine = Doubling()

    async def scenario(dataplane: Any, ask: Ask) -> None:
        dataplane.queue.waiting_rows += 1  # a prediction goes first
        with pytest.raises(CallerGone):
            await ask(make_request([*split(encode(3)), GONE]))
        dataplane.queue.waiting_rows -= 1
        await ask(make_request(split(encode(1))))
        assert engine.batches == [1]

    run(engine, scenario)
