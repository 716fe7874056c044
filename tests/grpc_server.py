"""A gRPC server of one method in this process, and calls to it."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import Any

import grpc
import pytest

from ekiben.service.auth import Authenticator
from ekiben.service.connections.byte_budget import ByteBudget
from ekiben.service.connections.http_state import HttpState
from ekiben.service.grpc.health import Request
from ekiben.service.grpc.opening import GrpcServer, open_grpc
from ekiben.service.protocols.protocol import AnswerStream, Call, Method, Protocol
from ekiben.service.secrets.tls import Tls
from ekiben.service.settings import Settings
from tests.conftest import free_port

ECHO = "tests.Echo"
MAX_BYTES = 1000
Code = grpc.StatusCode
KINDS = ("native", "grpcio")
KIND: ContextVar[str] = ContextVar("KIND", default=KINDS[0])  # of the servers that are opened
Answer = Callable[[Any, Call], Awaitable[Any]]


@asynccontextmanager
async def open_server(
    answer: Answer, *addresses: str, token: str = "", budget: ByteBudget | None = None, mutual: bool = False,
    tls: Tls | None = None, streams: Mapping[str, AnswerStream] | None = None,
    **settings: Any,
) -> AsyncIterator[tuple[Any, GrpcServer]]:  # fmt: skip
    """Serve one method, and what every server has besides; yield a channel to it.

    `mutual`: callers must show a certificate, as none here does. `streams`: of the method, by name.
    """
    methods = {"Ask": Method(Request, answer), "Probe": Method(Request, answer, probe=True)}
    served = {"grpc_port": free_port(), "max_body_bytes": MAX_BYTES, "grpc_server": KIND.get()}
    given = Settings(**served | settings)
    room = budget or ByteBudget(10 * MAX_BYTES)
    http = HttpState(budget=room, mutual_tls=mutual, connection_age_s=given.grpc_connection_age_s)
    guard = Authenticator([token.encode()] if token else [])
    protocol = Protocol("echo", services={ECHO: methods}, streams={ECHO: streams or {}})
    server = open_grpc([protocol], given, guard, http)
    await server.start(given, *addresses, tls=tls)
    async with grpc.aio.insecure_channel(f"127.0.0.1:{given.grpc_port}") as channel:
        try:
            yield channel, server
        finally:
            await server.stop(0)


async def call(channel: Any, body: bytes = b"", method: str = f"{ECHO}/Ask", **options: Any) -> bytes:
    return bytes(await channel.unary_unary(f"/{method}")(body, **options))


async def rejected(channel: Any, *given: Any, **options: Any) -> grpc.aio.AioRpcError:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call(channel, *given, **options)
    return caught.value


async def echo(request: Any, call: Call) -> Any:
    return request
