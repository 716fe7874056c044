"""Every protocol at once for a long time, with bad callers among the good: `python -m ekiben.load_tests soak`.

Good answers are compared with training's, bad requests must be told so, be they small or of thousands
of rows, callers that drip their body or hang up must hurt nobody, and the resident memory must stay
where it is.
"""

import asyncio
import itertools
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import grpc
import numpy as np
import psutil

from ekiben.load_tests.capacity.measure import serve
from ekiben.load_tests.criteria import Check, print_checks
from ekiben.load_tests.generator.cpu_affinity import running_on, split_cores
from ekiben.load_tests.hostile.attack import AttackTarget
from ekiben.load_tests.hostile.calls import REJECTED_CODES, ask_rejected_over_grpc, read_code
from ekiben.load_tests.hostile.rows import ask, ask_rejected, csv, parquet, wrong_rows
from ekiben.load_tests.requests.grpc_dialects import OIP_RAW, OIP_TYPED, TFS_GRPC
from ekiben.load_tests.requests.http_dialects import OIP_BINARY, OIP_JSON, PREDICT, TFS_REST, RequestFormat
from ekiben.load_tests.requests.http_message import http_request
from ekiben.load_tests.requests.request_case import RequestCase
from ekiben.load_tests.requests.service_under_test import Service, Source, find_source
from ekiben.load_tests.servers.process import memory_mib
from ekiben.load_tests.servers.start import CHANNEL_OPTIONS, GRPC_OFFSET

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
WARM_UP_S = 60.0
SAMPLE_S = 1.0
MAX_SLOPE = 1.0  # MiB a minute
TIMEOUT_S = 10.0
BAD_BODIES = (
    b"{",
    b"[]",
    b'{"rows":[{}]}',
    b'{"rows":"x"}',
    b"\xff\xfe",
    b'{"rows":[null]}',
    b'{"instances":[{"x":1}]}',
)


@dataclass
class Seen:
    """What came of everything."""

    good: Counter[str] = field(default_factory=Counter)  # by protocol
    wrong: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)  # by protocol and status
    rejected: int = 0  # bad requests that got their 4xx
    missed: Counter[str] = field(default_factory=Counter)  # bad requests that got anything else
    dripped: int = 0
    left: int = 0
    memory: list[tuple[float, float]] = field(default_factory=list)  # seconds, MiB

    @property
    def slope(self) -> float:
        """MiB a minute, by a line through the samples after the warm-up."""
        times, sizes = np.array(self.memory).T
        after = times >= min(WARM_UP_S, times[-1] / 2)
        return float(np.polyfit(times[after] / 60, sizes[after], 1)[0])


def run(port: int, minutes: float, folder: Path) -> int:
    """Soak a service that is started here; print the verdict and return 1 if a demand was missed."""
    split = split_cores(1)
    with serve(1, port, folder, split) as (service, process), running_on(split.generator):
        source = find_source(service)
        print(f"{minutes:g} minutes, {CALLERS} callers of each of {len(HTTP) + len(GRPC)} dialects; {source.origin}")
        seen = asyncio.run(Soak(service, source, port + GRPC_OFFSET, process, 60 * minutes).run())
    return report(seen, minutes)


class Soak:
    """All callers, on one event loop."""

    def __init__(self, service: Service, source: Source, grpc_port: int, process: psutil.Process, seconds: float):
        self._service = service
        self._source = source
        self._grpc_port = grpc_port
        self._process = process
        self._end = time.monotonic() + seconds
        self._seen = Seen()
        self._target = AttackTarget(service.address, grpc_port, source, seconds, 1.0)

    async def run(self) -> Seen:
        """Call until the time is over."""
        callers = [self._call_http(self._ask(request_format)) for request_format in HTTP for _ in range(CALLERS)]
        callers += [self._call_grpc(self._ask(request_format)) for request_format in GRPC for _ in range(CALLERS)]
        callers += [self._repeat(self._drip) for _ in range(SLOW_CALLERS)]
        callers += [self._repeat(self._leave) for _ in range(LEAVERS)]
        callers += [self._call_large(), self._call_large_grpc()]
        await asyncio.gather(*callers, self._watch())
        return self._seen

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
        self._seen.dripped += 1
        writer.close()

    async def _leave(self, case: RequestCase) -> None:
        """Hang up at a random point of a request or after it."""
        _, writer = await self._connect()
        request = http_request(case.path, case.headers, case.body)
        writer.write(request[: random.randint(1, len(request))])
        await asyncio.sleep(random.choice((0, 0.001, PAUSE_S)))
        writer.transport.abort()
        self._seen.left += 1
        await asyncio.sleep(PAUSE_S)

    async def _watch(self) -> None:
        began = time.monotonic()
        while self._going:
            self._seen.memory.append((time.monotonic() - began, memory_mib(self._process)))
            await asyncio.sleep(SAMPLE_S)

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection(*self._service.address)

    def _count(self, case: RequestCase, status: int, answer: bytes, bad: bool) -> None:
        name = case.request_format.name
        if bad:
            self._count_bad(name, status)
        elif status != 200:
            self._seen.failed[f"{name}: {status} {answer[:80].decode('latin-1')}"] += 1
        elif case.is_answered_by(answer):
            self._seen.good[name] += 1
        else:
            self._seen.wrong[name] += 1

    def _count_bad(self, name: str, status: int) -> None:
        if 400 <= status < 500:
            self._seen.rejected += 1
        else:
            self._seen.missed[f"{name}: {status}"] += 1


async def read_answer(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    """Return the status and body of the next answer; 0 if the connection ends first."""
    try:
        async with asyncio.timeout(TIMEOUT_S):
            head = await reader.readuntil(b"\r\n\r\n")
            index = head.lower().index(b"\r\ncontent-length:") + 17
            body = await reader.readexactly(int(head[index:].partition(b"\r\n")[0]))
    except (TimeoutError, asyncio.IncompleteReadError, OSError):
        return 0, b""
    return int(head[9:12]), body


def report(seen: Seen, minutes: float) -> int:
    """Print what was seen; return 1 if a demand was missed."""
    checks = [
        Check("no wrong answer", f"{seen.good.total():,} right, {dict(seen.wrong) or 'none wrong'}", not seen.wrong),
        Check("no 5xx, no lost answer", f"{dict(seen.failed) or 'none'}", not seen.failed),
        Check(
            "each bad request gets its 4xx",
            f"{seen.rejected:,}, others: {dict(seen.missed) or 'none'}",
            not seen.missed,
        ),
        Check(
            "memory is flat",
            f"{seen.slope:+.2f} MiB a minute, {seen.memory[0][1]:.0f} → {seen.memory[-1][1]:.0f} MiB",
            seen.slope <= MAX_SLOPE,
        ),
    ]
    print(f"\n{minutes:g} minutes; also {seen.dripped:,} dripping bodies and {seen.left:,} callers who hung up\n")
    print("| right answers | |")
    print("|---|--:|")
    for name, count in seen.good.items():
        print(f"| {name} | {count:,} |")
    print()
    return print_checks(checks)
