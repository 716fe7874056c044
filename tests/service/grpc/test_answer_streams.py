"""Streams whose messages are answered as calls: however one ends, nothing of it goes on."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
from prometheus_client import REGISTRY

from ekiben.service.grpc.answer_stream import MAX_UNDER_WAY
from ekiben.service.grpc.health import Request
from ekiben.service.protocols.protocol import AnswerStream, Call
from ekiben.service.telemetry import metrics
from tests.grpc_server import ECHO, Code, open_server
from tests.waiting import wait_for

EVERYONE = {"AskAll": AnswerStream("Ask", bytes, lambda sentence, request: sentence.encode())}
ASK_ALL = f"/{ECHO}/AskAll"
MESSAGE = Request(service="a").SerializeToString()
ALL_AT_ONCE = MAX_UNDER_WAY + 2  # those that wait, the one whose turn it is, and the last that was read


class Holding:
    """Answers nobody, and knows how many wait."""

    def __init__(self) -> None:
        self.waiting = 0

    async def answer(self, request: Any, call: Call) -> Any:
        self.waiting += 1
        try:
            await asyncio.Event().wait()
        finally:
            self.waiting -= 1


async def ask_often() -> AsyncIterator[bytes]:
    for _ in range(2 * ALL_AT_ONCE):
        yield MESSAGE


def counted(code: Code) -> float:
    metrics.flush()
    labels = {"protocol": "echo_grpc", "code": code.name}
    return REGISTRY.get_sample_value("ekiben_inference_requests_total", labels) or 0.0


@pytest.mark.parametrize("code", [Code.CANCELLED, Code.DEADLINE_EXCEEDED])
def test_no_request_of_a_stream_goes_on_after_its_end(code: Code) -> None:
    async def main() -> None:
        holding = Holding()
        async with open_server(holding.answer, streams=EVERYONE) as (channel, _):
            timeout = 5.0 if code is Code.DEADLINE_EXCEEDED else None
            asked = channel.stream_stream(ASK_ALL)(ask_often(), timeout=timeout)
            await wait_for(lambda: holding.waiting == ALL_AT_ONCE or asked.done())
            if code is Code.CANCELLED:
                asked.cancel()
            assert await asked.code() is code
            await wait_for(lambda: holding.waiting == 0)

    asyncio.run(main())


def test_a_stream_of_which_nothing_was_asked_is_counted_itself() -> None:
    async def ask_nothing() -> AsyncIterator[bytes]:
        for nothing in ():
            yield nothing

    async def main() -> None:
        async with open_server(Holding().answer, streams=EVERYONE, token="secret") as (channel, _):
            before = counted(Code.UNAUTHENTICATED)
            with pytest.raises(grpc.aio.AioRpcError):
                [_ async for _ in channel.stream_stream(ASK_ALL)(ask_nothing())]
            await wait_for(lambda: counted(Code.UNAUTHENTICATED) == before + 1)

    asyncio.run(main())
