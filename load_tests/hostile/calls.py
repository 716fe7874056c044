"""Calls over gRPC's own client, for attacks that it would send."""

import asyncio
import time
from collections.abc import Awaitable, Iterator, Sequence
from typing import Any

import grpc

from ekiben.load_tests.hostile.attack import AttackTarget, Run, Traffic
from ekiben.load_tests.hostile.rows import one_wrong_row
from ekiben.load_tests.hostile.wire import ANSWER_S
from ekiben.load_tests.requests.http_dialects import RequestFormat
from ekiben.load_tests.requests.request_case import RequestCase
from ekiben.load_tests.servers.start import CHANNEL_OPTIONS

REJECTED_CODES = frozenset({"INVALID_ARGUMENT", "RESOURCE_EXHAUSTED"})
LATE_CODES = frozenset({"OK", "DEADLINE_EXCEEDED", "RESOURCE_EXHAUSTED", "CANCELLED"})
OPTIONS = (*CHANNEL_OPTIONS, ("grpc.use_local_subchannel_pool", 1), ("grpc.max_send_message_length", -1))


def call_all(
    target: AttackTarget,
    cases: Sequence[RequestCase],
    connections: int,
    timeout_s: float = ANSWER_S,
    sent: int = 0,
    **named: Any,
) -> Run:
    """Return an attack that makes the calls over so many connections, each the next as soon as it is answered.

    `sent`: a call's bytes, if they are not its message's.
    """

    async def run(traffic: Traffic) -> None:
        left, end = iter(cases), time.monotonic() + target.seconds
        await asyncio.gather(*(_call(target, left, end, timeout_s, sent, named, traffic) for _ in range(connections)))

    return run


async def _call(
    target: AttackTarget,
    left: Iterator[RequestCase],
    end: float,
    timeout_s: float,
    sent: int,
    named: dict[str, Any],
    traffic: Traffic,
) -> None:
    address = f"{target.address[0]}:{target.grpc_port}"
    async with grpc.aio.insecure_channel(address, OPTIONS) as channel:
        for case in left:
            if time.monotonic() > end:
                return
            traffic.sent += sent or len(case.body)
            method = channel.unary_unary(case.path, bytes, bytes)
            traffic.answers[await read_code(method(case.body, timeout=timeout_s, **named))] += 1


async def read_code(call: Awaitable[bytes]) -> str:
    """Return how a call ends."""
    try:
        await call
    except grpc.aio.AioRpcError as error:
        return str(error.code().name)
    return "OK"


def ask_rejected_over_grpc(target: AttackTarget, request_format: RequestFormat, count: int) -> RequestCase:
    """Return a call with that many rows, the last of them wrong."""
    _, body = request_format.encode(target.source.schema, one_wrong_row(target, count, None))
    return RequestCase(request_format, request_format.path, {}, body, "", None)
