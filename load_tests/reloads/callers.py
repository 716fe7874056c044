"""Callers that ask on without a rest over HTTP and gRPC, while versions take each other's place."""

import asyncio
import itertools
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import grpc

from ekiben.load_tests.reloads.answers import VersionedCase
from ekiben.load_tests.requests.http_dialects import RequestFormat
from ekiben.load_tests.requests.http_message import TIMEOUT_S, http_request, read_answer
from ekiben.load_tests.servers.start import CHANNEL_OPTIONS

CALLERS = 6  # of each protocol


@dataclass
class Answered:
    """What came of all requests."""

    times: list[float] = field(default_factory=list)  # of the answers, as time.monotonic() counts
    latencies_s: list[float] = field(default_factory=list)
    versions: Counter[str] = field(default_factory=Counter)  # of right answers
    wrong: Counter[str] = field(default_factory=Counter)  # by protocol
    failed: Counter[str] = field(default_factory=Counter)  # by protocol and status

    def take(self, case: VersionedCase, began: float, status: str, answer: bytes) -> None:
        """Count one."""
        ended, name = time.monotonic(), case.request.request_format.name
        if status:
            self.failed[f"{name}: {status}"] += 1
        elif version := case.find_version(answer):
            self.versions[version] += 1
            self.times.append(ended)
            self.latencies_s.append(ended - began)
        else:
            self.wrong[name] += 1


class Callers:
    """All callers, on one event loop; `stop` lets each end with its answer."""

    def __init__(self, address: tuple[str, int], grpc_port: int) -> None:
        self.answered = Answered()
        self._address = address
        self._grpc = f"127.0.0.1:{grpc_port}"
        self._stopped = False
        self._tasks: list[asyncio.Task[None]] = []

    def start(self, cases: Mapping[RequestFormat, list[VersionedCase]]) -> None:
        for request_format, asked in cases.items():
            call = self._call_grpc if request_format.grpc else self._call_http
            self._tasks += [asyncio.ensure_future(call(asked[first:] + asked[:first])) for first in range(CALLERS)]

    async def stop(self) -> None:
        self._stopped = True
        await asyncio.gather(*self._tasks)

    async def _call_http(self, cases: Sequence[VersionedCase]) -> None:
        reader, writer = await asyncio.open_connection(*self._address)
        for case in itertools.cycle(cases):
            if self._stopped:
                break
            request, began = case.request, time.monotonic()
            writer.write(http_request(request.path, request.headers, request.body))
            status, answer = await read_answer(reader)
            self.answered.take(case, began, "" if status == 200 else f"{status} {answer[:80]!r}", answer)
            if status == 0:
                writer.close()
                reader, writer = await asyncio.open_connection(*self._address)
        writer.close()

    async def _call_grpc(self, cases: Sequence[VersionedCase]) -> None:
        options = (*CHANNEL_OPTIONS, ("grpc.use_local_subchannel_pool", 1))
        async with grpc.aio.insecure_channel(self._grpc, options) as channel:
            for case in itertools.cycle(cases):
                if self._stopped:
                    return
                request, began, status, answer = case.request, time.monotonic(), "", b""
                try:
                    answer = await channel.unary_unary(request.path, bytes, bytes)(request.body, timeout=TIMEOUT_S)
                except grpc.aio.AioRpcError as error:
                    status = f"{error.code().name} {error.details()}"
                self.answered.take(case, began, status, answer)
