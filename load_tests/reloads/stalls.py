"""Measures what loading a version costs the requests beside it: `python -m ekiben.load_tests loading`.

A service answers in this process, without sockets, as many callers as make it busy. Meanwhile the same model is opened
and loaded again and again, and in between nothing is. A heartbeat runs in every turn of the event loop: the longest
time between two of its beats is how long a request could have waited because of whatever else the loop, or another
thread with Python's lock, did. On a crowded machine the loop also stalls while it loses its core: so loading is
compared with not loading, and the CPU time that the loop itself spent between two beats is shown beside.
"""

import asyncio
import gc
import time
from collections.abc import Callable, Coroutine
from typing import Any

import numpy as np
import psutil

from ekiben.contract.encoding import Encoded, Encoder
from ekiben.load_tests.cost.request_cost import Ask, find_ask, open_routes, read_golden, run_as_service, start_dataplane
from ekiben.load_tests.machine import describe_machine
from ekiben.load_tests.requests.http_dialects import PREDICT
from ekiben.load_tests.requests.request_case import RequestCase, write_case
from ekiben.model.engine import MAX_BATCH_ROWS, Engine
from ekiben.model.package import PackedModel, open_model_in_steps
from ekiben.model.steps import Steps, finish
from ekiben.model.store import find_model, open_stored
from ekiben.service.batching.warm_up import measure_cost
from ekiben.service.environment import read_settings
from ekiben.service.servings.loading import load_engine_gently, measure_cost_gently, open_model_gently

CALLERS = 16
LOADS = 50
ENGINES = 20  # of which memory is the mean
QUIET_S = 0.05  # of the turns without loading, about as long as a load


def run() -> int:
    """Print Markdown tables: the steps' CPU time, the longest stall of a load, and an engine's memory."""
    run_as_service(measure_all())
    return 0


async def measure_all() -> None:
    settings = read_settings()
    model = open_stored(find_model(settings.model_name))
    print(f"\n{describe_machine()}; {LOADS} loads\n")
    print("| steps | steps | longest, CPU ms, median | max | all, CPU ms |\n|---|--:|--:|--:|--:|")
    for name, start in list_parts(model).items():
        spent = np.array([time_steps(start()) for _ in range(LOADS)])  # (loads, steps)
        longest = spent.max(axis=1)
        print(
            f"| {name} | {spent.shape[1]} | {np.median(longest):.2f} | {longest.max():.2f} "
            f"| {np.median(spent.sum(axis=1)):.1f} |"
        )
    dataplane = start_dataplane(settings, model)
    cases = [write_case(model.schema, read_golden(model), PREDICT, 1, first) for first in range(CALLERS)]
    ask = find_ask(*open_routes(settings, dataplane), PREDICT)
    quiet = await measure_stalls(ask, cases, lambda: asyncio.sleep(QUIET_S))
    loading = await measure_stalls(ask, cases, lambda: load(model))
    print(f"\n| longest turn of the loop, ms, {CALLERS} callers | median | 90% | max | CPU, median | 90% | max |")
    print("|---|--:|--:|--:|--:|--:|--:|")
    for name, stalls in (("nothing is loaded", quiet), ("a version is loaded", loading)):
        of_each = [f"{np.median(stall):.2f} | {np.quantile(stall, 0.9):.2f} | {stall.max():.2f}" for stall in stalls.T]
        print(f"| {name} | {' | '.join(of_each)} |")
    dataplane.close()
    print_memory(model)


def list_parts(model: PackedModel) -> dict[str, Callable[[], Steps[Any]]]:
    """Return what loading consists of."""
    engine = model.start_engine()
    return {
        "files' digests, schema": lambda: open_model_in_steps(model.path, model.digest),
        "engine, golden answers": model.start_engine_in_steps,
        "warm-up": lambda: measure_cost(engine, model.schema),
    }


def time_steps(steps: Steps[Any]) -> list[float]:
    """Return the CPU milliseconds of each step."""
    spent: list[float] = []
    while True:
        began = time.thread_time()
        try:
            next(steps)
        except StopIteration:
            return [*spent, 1000 * (time.thread_time() - began)]
        spent.append(1000 * (time.thread_time() - began))


async def load(model: PackedModel) -> None:
    opened = await open_model_gently(model.path, model.digest)
    await measure_cost_gently(await load_engine_gently(opened), opened)


async def measure_stalls(
    ask: Ask, cases: list[RequestCase], work: Callable[[], Coroutine[Any, Any, None]]
) -> np.ndarray:
    """Return the longest time between two turns of the loop during each piece of work, and CPU time, (LOADS, 2) ms."""
    callers = [asyncio.ensure_future(repeat(ask, case)) for case in cases]
    stalls = []
    for _ in range(LOADS):
        heart = Heart()
        await work()
        stalls.append(heart.stop())
        await asyncio.sleep(QUIET_S)
    for caller in callers:
        caller.cancel()
    await asyncio.gather(*callers, return_exceptions=True)
    return np.array(stalls)


async def repeat(ask: Ask, case: RequestCase) -> None:
    while True:
        assert case.is_answered_by(await ask(case))


class Heart:
    """Beats once in every turn of the event loop."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._last = np.array([time.perf_counter(), time.thread_time()])
        self._longest_s = np.zeros(2)
        self._next = self._loop.call_soon(self._beat)

    def stop(self) -> np.ndarray:
        """Return the longest time between two beats, and the most CPU time of this thread, ms."""
        self._next.cancel()
        return 1000 * self._longest_s

    def _beat(self) -> None:
        now = np.array([time.perf_counter(), time.thread_time()])
        self._longest_s = np.maximum(self._longest_s, now - self._last)
        self._last = now
        self._next = self._loop.call_soon(self._beat)


def print_memory(model: PackedModel) -> None:
    """Print what an engine holds once it is loaded and warm, and once it has run a batch of every size."""
    example = Encoder(model.schema).encode_rows([model.schema.example])
    before_mib = resident_mib()
    engines = [warm_up(model) for _ in range(ENGINES)]
    warm_mib = resident_mib()
    for engine in engines:
        for power in range(MAX_BATCH_ROWS.bit_length()):
            engine.run(Encoded(example.numbers.repeat(1 << power, 0), example.codes.repeat(1 << power, 0)))
    all_mib = resident_mib()
    print(f"\n| resident MiB of an engine, mean of {ENGINES} | |\n|---|--:|")
    print(f"| loaded and warm | {(warm_mib - before_mib) / ENGINES:.1f} |")
    print(f"| after batches of every size | {(all_mib - before_mib) / ENGINES:.1f} |")


def warm_up(model: PackedModel) -> Engine:
    engine = model.start_engine()
    finish(measure_cost(engine, model.schema))
    return engine


def resident_mib() -> float:
    gc.collect()
    return float(psutil.Process().memory_info().rss / 2**20)
