"""The callers of a soak: good ones of every protocol, and among them those that are wrong, slow or gone."""

import asyncio
import itertools
import random
import time
from collections.abc import Awaitable, Callable, Sequence

import grpc
import psutil

from ekiben.load_tests.hostile.attack import AttackTarget
from ekiben.load_tests.hostile.calls import REJECTED_CODES, ask_rejected_over_grpc, read_code
from ekiben.load_tests.hostile.rows import ask, ask_rejected, csv, parquet, wrong_rows
from ekiben.load_tests.requests.grpc_dialects import OIP_RAW, OIP_TYPED, TFS_GRPC
from ekiben.load_tests.requests.http_dialects import OIP_BINARY, OIP_JSON, PREDICT, TFS_REST, RequestFormat
from ekiben.load_tests.requests.http_message import TIMEOUT_S, http_request, read_answer
from ekiben.load_tests.requests.request_case import RequestCase
from ekiben.load_tests.requests.service_under_test import Service, Source
from ekiben.load_tests.servers.process import memory_mib
from ekiben.load_tests.servers.start import CHANNEL_OPTIONS
from ekiben.load_tests.soak_verdict import SoakResult

HTTP = (PREDICT, OIP_JSON, OIP_BINARY, TFS_REST)
GRPC = (OIP_RAW, OIP_TYPED, TFS_GRPC)
SIZES = (1, 1, 1, 8, 64)
CASES = 40  # of each protocol and size
CALLERS = 4  # of each protocol
PAUSE_S = 0.01  # between a caller's requests: a soak is long, not hard
BAD = 0.01
LARGE_ROWS, LARGE_PAUSE_S = 5000, 1.0  # of bad requests that come beside all others
SLOW_CALLERS, DRIPS, DRIP_S = 4, 10, 0.1
LEAVERS = 4
SAMPLE_S = 1.0
BAD_BODIES = (
    b"{",
    b"[]",
    b'{"rows":[{}]}',
    b'{"rows":"x"}',
    b"\xff\xfe",
    b'{"rows":[null]}',
    b'{"instances":[{"x":1}]}',
)


class Soak:
    """All callers, on one event loop."""

    def __init__(self, service: Service, source: Source, grpc_port: int, process: psutil.Process, seconds: float):
        self._service = service
        self._source = source
        self._grpc_port = grpc_port
        self._process = process
        self._end = time.monotonic() + seconds
        self._result = SoakResult()
        self._target = AttackTarget(service.address, grpc_port, source, seconds, 1.0)

    async def run(self) -> SoakResult:
        """Call until the time is over."""
        callers = [self._call_http(self._ask(request_format)) for request_format in HTTP for _ in range(CALLERS)]
        callers += [self._call_grpc(self._ask(request_format)) for request_format in GRPC for _ in range(CALLERS)]
        callers += [self._repeat(self._drip) for _ in range(SLOW_CALLERS)]
        callers += [self._repeat(self._leave) for _ in range(LEAVERS)]
        callers += [self._call_large(), self._call_large_grpc()]
        await asyncio.gather(*callers, self._watch())
        return self._result

    @property
    def _going(self) -> bool:
        return time.monotonic() < self._end

    def _ask(self, request_format: RequestFormat) -> Sequence[RequestCase]:
        return [self._source.ask(request_format, random.choice(SIZES), first) for first in range(CASES)]

    async def _call_http(self, cases: Sequence[RequestCase]) -> None:
        reader, writer = await self._connect()
        for case in itertools.cycle(cases):
            if not self._going:
                break
            bad = random.random() < BAD
            body = random.choice(BAD_BODIES) if bad else case.body
            writer.write(http_request(case.path, case.headers, body))
            status, answer = await read_answer(reader)
            self._count(case, status, answer, bad)
            if status == 0:
                reader, writer = await self._connect()
            await asyncio.sleep(PAUSE_S)
        writer.close()

    async def _call_grpc(self, cases: Sequence[RequestCase]) -> None:
        options = (*CHANNEL_OPTIONS, ("grpc.use_local_subchannel_pool", 1))
        async with grpc.aio.insecure_channel(f"127.0.0.1:{self._grpc_port}", options) as channel:
            for case in itertools.cycle(cases):
                if not self._going:
                    return
                bad = random.random() < BAD
                body = b"\xff" if bad else case.body
                try:
                    answer = await channel.unary_unary(case.path, bytes, bytes)(body, timeout=TIMEOUT_S)
                    self._count(case, 200, bytes(answer), bad)
                except grpc.aio.AioRpcError as error:
                    as_http = 400 if error.code() == grpc.StatusCode.INVALID_ARGUMENT else 500
                    self._count(case, as_http, str(error.code()).encode(), bad)
                await asyncio.sleep(PAUSE_S)

    async def _call_large(self) -> None:
        """Send many rows that are wrong, in every form over HTTP."""
        target = self._target
        requests = {request_format.name: ask_rejected(target, request_format, LARGE_ROWS) for request_format in HTTP}
        requests["gzip"] = ask(target, PREDICT, wrong_rows(target, LARGE_ROWS), packed=True)
        requests |= {"CSV": csv(target, LARGE_ROWS), "Parquet": parquet(target, LARGE_ROWS)}
        for name, request in itertools.cycle(requests.items()):
            if not self._going:
                return
            reader, writer = await self._connect()
            writer.write(request)
            status, _ = await read_answer(reader)
            self._count_bad(f"large {name}", status)
            writer.close()
            await asyncio.sleep(LARGE_PAUSE_S)

    async def _call_large_grpc(self) -> None:
        """Call with many rows, the last of them wrong, in every form over gRPC."""
        calls = [ask_rejected_over_grpc(self._target, request_format, LARGE_ROWS) for request_format in GRPC]
        async with grpc.aio.insecure_channel(f"127.0.0.1:{self._grpc_port}", CHANNEL_OPTIONS) as channel:
            for case in itertools.cycle(calls):
                if not self._going:
                    return
                code = await read_code(channel.unary_unary(case.path, bytes, bytes)(case.body))
                self._count_bad(f"large {case.request_format.name}", 400 if code in REJECTED_CODES else 500)
                await asyncio.sleep(LARGE_PAUSE_S)

    async def _repeat(self, call: Callable[[RequestCase], Awaitable[None]]) -> None:
        for case in itertools.cycle(self._ask(PREDICT)):
            if not self._going:
                return
            await call(case)

    async def _drip(self, case: RequestCase) -> None:
        """Send a body in small parts."""
        reader, writer = await self._connect()
        request = http_request(case.path, case.headers, case.body)
        size = len(request) // DRIPS + 1
        for start in range(0, len(request), size):
            writer.write(request[start : start + size])
            await asyncio.sleep(DRIP_S)
        self._count(case, *await read_answer(reader), bad=False)
        self._result.dripped += 1
        writer.close()

    async def _leave(self, case: RequestCase) -> None:
        """Hang up at a random point of a request or after it."""
        _, writer = await self._connect()
        request = http_request(case.path, case.headers, case.body)
        writer.write(request[: random.randint(1, len(request))])
        await asyncio.sleep(random.choice((0, 0.001, PAUSE_S)))
        writer.transport.abort()
        self._result.left += 1
        await asyncio.sleep(PAUSE_S)

    async def _watch(self) -> None:
        began = time.monotonic()
        while self._going:
            self._result.memory.append((time.monotonic() - began, memory_mib(self._process)))
            await asyncio.sleep(SAMPLE_S)

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection(*self._service.address)

    def _count(self, case: RequestCase, status: int, answer: bytes, bad: bool) -> None:
        name = case.request_format.name
        if bad:
            self._count_bad(name, status)
        elif status != 200:
            self._result.failed[f"{name}: {status} {answer[:80].decode('latin-1')}"] += 1
        elif case.is_answered_by(answer):
            self._result.good[name] += 1
        else:
            self._result.wrong[name] += 1

    def _count_bad(self, name: str, status: int) -> None:
        if 400 <= status < 500:
            self._result.rejected += 1
        else:
            self._result.missed[f"{name}: {status}"] += 1
