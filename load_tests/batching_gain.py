"""What the queue buys: `ekiben batching`.

The dataplane runs in this process, without HTTP, under callers that each wait for their answer: what
is measured is encoding (which what arrives together always shares), queue and network. Batching off
means one request a batch; inline and in the thread are forced by the queue's own limit.
"""

import asyncio
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import psutil

from ekiben.contract.encoding import Encoded
from ekiben.load_tests.heavy_model import WIDTH, write_network
from ekiben.load_tests.machine import describe_machine
from ekiben.model.engine import Engine, LiteRTEngine
from ekiben.model.package import PackedModel
from ekiben.model.store import find_model, open_stored
from ekiben.service.batching import queue
from ekiben.service.batching.queue import BatchQueue
from ekiben.service.batching.work import Part
from ekiben.service.dataplane import Dataplane
from ekiben.service.environment import read_settings

CALLERS = (1, 16, 256)
TIMEOUT_S = 60.0
NEVER_S, ALWAYS_S = -1.0, float("inf")


@dataclass(frozen=True)
class Setting:
    """How the queue is to run."""

    name: str
    batches: bool
    inline_limit_s: float


SETTINGS = (
    Setting("adaptive", True, queue.INLINE_LIMIT_S),
    Setting("batches, all on the event loop", True, ALWAYS_S),
    Setting("batches, all in the thread", True, NEVER_S),
    Setting("one request at a time, on the event loop", False, ALWAYS_S),
    Setting("one request at a time, in the thread", False, NEVER_S),
)


@dataclass(frozen=True)
class Cell:
    """What callers got under one setting."""

    requests_per_s: float
    p50_ms: float
    p99_ms: float
    cpu_us: float  # a request
    batch_rows: float


class Counting:
    """An engine that counts its batches."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.batches = self.rows = 0

    def run(self, encoded: Encoded) -> Any:
        self.batches += 1
        self.rows += len(encoded)
        return self._engine.run(encoded)


def run(seconds: float) -> int:
    """Measure the packed model and a heavy network, and print a Markdown table."""
    model = open_stored(find_model(read_settings().model_name))
    golden = model.load_golden()
    with TemporaryDirectory() as folder:
        engines = {
            f"{model.name} (packed)": model.start_engine(),
            f"{WIDTH} × {WIDTH} network": LiteRTEngine(write_network(model, Path(folder))),
        }
    print(f"{describe_machine()}; single rows, callers that wait for their answer\n")
    print("| network | callers | queue | req/s | p50 ms | p99 ms | CPU µs/req | rows/batch |")
    print("|---|--:|---|--:|--:|--:|--:|--:|")
    for name, engine in engines.items():
        for callers in CALLERS:
            for setting in SETTINGS:
                cell = asyncio.run(measure(model, engine, golden.rows, callers, setting, seconds))
                print(
                    f"| {name} | {callers} | {setting.name} | {cell.requests_per_s:,.0f} | {cell.p50_ms:.2f} "
                    f"| {cell.p99_ms:.2f} | {cell.cpu_us:.0f} | {cell.batch_rows:.1f} |",
                    flush=True,
                )
    return 0


async def measure(
    model: PackedModel, engine: Engine, rows: Sequence[dict[str, Any]], callers: int, setting: Setting, seconds: float
) -> Cell:
    """Let callers ask for that long."""
    counting = Counting(engine)
    before = queue.INLINE_LIMIT_S
    queue.INLINE_LIMIT_S = setting.inline_limit_s
    dataplane = Dataplane(model, counting, 65_536, 1000)
    if not setting.batches:
        dataplane.queue._form_batch = lambda now: take_one(dataplane.queue, now)  # type: ignore[method-assign]
    counting.batches = counting.rows = 0
    times: list[float] = []
    end = time.perf_counter() + seconds

    async def call(first: int) -> None:
        index = first
        while time.perf_counter() < end:
            started = time.perf_counter()
            await dataplane.predict([rows[index % len(rows)]], TIMEOUT_S, "python")
            times.append(1000 * (time.perf_counter() - started))
            index += callers
            await asyncio.sleep(0)  # an answer computed on the event loop needs no turn of it

    process = psutil.Process(os.getpid())
    spent, began = sum(process.cpu_times()[:2]), time.perf_counter()
    try:
        await asyncio.gather(*(call(first) for first in range(callers)))
    finally:
        queue.INLINE_LIMIT_S = before
        dataplane.close()
    took = time.perf_counter() - began
    cpu = sum(process.cpu_times()[:2]) - spent
    p50, p99 = np.percentile(times, [50, 99])
    count = len(times)
    return Cell(count / took, float(p50), float(p99), 1e6 * cpu / count, counting.rows / max(counting.batches, 1))


def take_one(batch_queue: BatchQueue, now: float) -> list[Part]:
    """Take the oldest request and no other, as a service without batching does."""
    if not batch_queue._waiting:
        return []
    work = batch_queue._waiting.popleft()
    batch_queue.waiting_rows -= work.stop - work.next
    return [(work, work.next, work.stop)]
