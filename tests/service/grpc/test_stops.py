"""Callers who go on asking lose nothing as a server stops, or ends connections: what it has taken it answers."""

import asyncio
import random
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from ekiben.service.connections.http2 import lifetime
from ekiben.service.protocols.protocol import Call
from ekiben.service.secrets.tls import Tls, TlsPaths
from tests.certificates import write_pair
from tests.conftest import free_port
from tests.deploy.rollout import forward
from tests.grpc_load import GrpcLoad
from tests.grpc_server import ECHO, open_server

ASK = f"/{ECHO}/Ask"


async def answer_late(request: Any, call: Call) -> Any:
    """Answer what was asked, after a time that differs."""
    await asyncio.sleep(random.uniform(0, 0.02))
    return request


@pytest.mark.parametrize(("calls", "channels"), [(8, 8), (64, 4)])
def test_a_stop_under_load_loses_no_call(calls: int, channels: int) -> None:
    async def main() -> None:
        for _ in range(3):
            port = free_port()
            async with open_server(answer_late, grpc_port=port) as (_, server):
                async with GrpcLoad(port, ASK, calls=calls, channels=channels) as load:
                    await load.wait_answers(200)
                    await server.stop(10)
                    await load.wait_refused()
                assert load.failures == []
                assert load.refused == calls

    asyncio.run(main())


def test_a_stop_under_load_over_tls_loses_no_call(tmp_path: Path) -> None:
    pair = write_pair(tmp_path)
    tls = Tls(TlsPaths(pair.certificate, pair.key))

    async def main() -> None:
        port = free_port()
        async with open_server(answer_late, grpc_port=port, tls=tls) as (_, server):
            async with GrpcLoad(port, ASK, certificate=pair.certificate.read_bytes()) as load:
                await load.wait_answers(200)
                await server.stop(10)
                await load.wait_refused()
            assert load.failures == []

    asyncio.run(main())


def test_a_connections_age_loses_no_call() -> None:
    async def main() -> None:
        port = free_port()
        async with open_server(answer_late, grpc_port=port, grpc_connection_age_s=1), GrpcLoad(port, ASK) as load:
            await load.wait_answers(3000)
        assert (load.failures, load.refused) == ([], 0)

    asyncio.run(main())


def test_many_calls_over_one_connection_lose_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lifetime, "MAX_OPENED", {lifetime.QUIET: 30, lifetime.IDLE: 60, lifetime.NOW: 90})

    async def main() -> None:
        port = free_port()
        async with open_server(answer_late, grpc_port=port), GrpcLoad(port, ASK) as load:
            await load.wait_answers(3000)
        assert (load.failures, load.refused) == ([], 0)

    asyncio.run(main())


def test_a_rolling_update_under_load_loses_no_call() -> None:
    async def main() -> None:
        ports = free_port(), free_port()
        async with AsyncExitStack() as stack:
            _, first = await stack.enter_async_context(open_server(answer_late, grpc_port=ports[0]))
            await stack.enter_async_context(open_server(answer_late, grpc_port=ports[1]))
            front = stack.enter_context(forward(ports[0]))[0]
            load = await stack.enter_async_context(GrpcLoad(front.port, ASK))
            await load.wait_answers(200)
            front.target = ports[1]
            await first.stop(10)
            await load.wait_answers(200)
        assert (load.failures, load.refused) == ([], 0)

    asyncio.run(main())
