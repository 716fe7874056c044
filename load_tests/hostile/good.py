"""Callers who ask every 10 ms whatever happens, over HTTP and gRPC, and compare each answer with training's."""

import asyncio
import itertools
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
import numpy as np

from ekiben.load_tests.hostile.attack import AttackTarget
from ekiben.load_tests.requests.grpc_dialects import OIP_RAW
from ekiben.load_tests.requests.http_dialects import PREDICT
from ekiben.load_tests.requests.http_message import TIMEOUT_S, http_request, read_answer
from ekiben.load_tests.requests.request_case import RequestCase
from ekiben.load_tests.servers.start import CHANNEL_OPTIONS

EVERY_S = 0.01
CASES = 50
MAX_AT_ONCE = 32  # of a caller: a pool of connections has an end
Ask = Callable[[RequestCase], Awaitable[str]]  # returns "" for a right answer, else what came


@dataclass
class CallerResult:
    """What good callers got."""

    latency_ms: list[float] = field(default_factory=list)  # from when a request should have left
    lag_ms: list[float] = field(default_factory=list)  # of the callers themselves
    errors: Counter[str] = field(default_factory=Counter)

    @property
    def p99_ms(self) -> float:
        """The 99th percentile of the answers' times."""
        return float(np.percentile(self.latency_ms, 99)) if self.latency_ms else float("inf")

    @property
    def lag_p99_ms(self) -> float:
        """The 99th percentile of the callers' own delay, which is in the answers' times."""
        return float(np.percentile(self.lag_ms, 99)) if self.lag_ms else 0.0

    def reset(self) -> None:
        """Forget what was seen so far."""
        self.latency_ms.clear()
        self.lag_ms.clear()
        self.errors.clear()


class HttpCaller:
    """Asks over connections that stay; the last used is taken first, as from the pools of Go and urllib3."""

    def __init__(self, target: AttackTarget, token: str) -> None:
        self._address = target.address
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._free: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def ask(self, case: RequestCase) -> str:
        """Ask; a connection that the service closed before is replaced, as every client does."""
        request = http_request(case.path, case.headers | self._headers, case.body)
        kept = self._free.pop() if self._free else None
        status, answer = await self._call(kept, request) if kept else (0, b"")
        if status == 0:
            try:
                status, answer = await self._call(await asyncio.open_connection(*self._address), request)
            except OSError as error:
                return f"HTTP {type(error).__name__}"
        if status == 200:
            return "" if case.is_answered_by(answer) else "HTTP wrong answer"
        return f"HTTP {status or 'no answer'}"

    def close(self) -> None:
        """Close the connections."""
        for _, writer in self._free:
            writer.close()

    async def _call(
        self, streams: tuple[asyncio.StreamReader, asyncio.StreamWriter], request: bytes
    ) -> tuple[int, bytes]:
        reader, writer = streams
        writer.write(request)
        status, answer = await read_answer(reader)
        if status:
            self._free.append(streams)
        else:
            writer.close()
        return status, answer


class GrpcCaller:
    """Asks over one channel."""

    def __init__(self, channel: Any, token: str) -> None:
        self._channel = channel
        self._metadata = (("authorization", f"Bearer {token}"),) if token else ()

    async def ask(self, case: RequestCase) -> str:
        """Ask."""
        method = self._channel.unary_unary(case.path, bytes, bytes)
        try:
            answer = bytes(await method(case.body, timeout=TIMEOUT_S, metadata=self._metadata))
        except grpc.aio.AioRpcError as error:
            return f"gRPC {error.code().name}"
        return "" if case.is_answered_by(answer) else "gRPC wrong answer"


@asynccontextmanager
async def calling(target: AttackTarget, token: str = "") -> AsyncIterator[CallerResult]:
    """Meanwhile let both callers ask."""
    options = (*CHANNEL_OPTIONS, ("grpc.use_local_subchannel_pool", 1))
    result, ended = CallerResult(), asyncio.Event()
    http = HttpCaller(target, token)
    async with grpc.aio.insecure_channel(f"{target.address[0]}:{target.grpc_port}", options) as channel:
        over_grpc = GrpcCaller(channel, token)
        callers = [
            asyncio.ensure_future(call_regularly(ask, list_cases(target, request_format), result, ended))
            for ask, request_format in ((http.ask, PREDICT), (over_grpc.ask, OIP_RAW))
        ]
        try:
            yield result
        finally:
            ended.set()
            await asyncio.gather(*callers)
            http.close()


def list_cases(target: AttackTarget, request_format: Any) -> list[RequestCase]:
    """Return questions of one row."""
    return [target.source.ask(request_format, 1, first) for first in range(CASES)]


async def call_regularly(ask: Ask, cases: list[RequestCase], result: CallerResult, ended: asyncio.Event) -> None:
    """Ask every EVERY_S; a request's time counts from when it should have left."""
    loop, turns = asyncio.get_running_loop(), asyncio.Semaphore(MAX_AT_ONCE)
    under_way: set[asyncio.Task[None]] = set()

    async def call(case: RequestCase, due: float) -> None:
        async with turns:
            said = await ask(case)
        result.latency_ms.append(1000 * (loop.time() - due))
        if said:
            result.errors[said] += 1

    due = loop.time()
    for case in itertools.cycle(cases):
        if ended.is_set():
            break
        result.lag_ms.append(1000 * max(loop.time() - due, 0))
        task = asyncio.ensure_future(call(case, due))
        under_way.add(task)
        task.add_done_callback(under_way.discard)
        due += EVERY_S
        await asyncio.sleep(max(0, due - loop.time()))
    if under_way:
        _, late = await asyncio.wait(under_way, timeout=TIMEOUT_S)
        for task in late:  # they wait behind others that got no answer either
            task.cancel()
            result.errors["never answered"] += 1
