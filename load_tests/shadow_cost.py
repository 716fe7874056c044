"""Measures what a challenger in the shadow adds to a request: `python -m ekiben.load_tests cost --shadow`.

One service answers the same requests without sockets: without a challenger, again without, which shows the noise, and
with its own model as its challenger, by turns. `busy`: requests follow each other without a pause, as at the capacity
and under overload: what the challenger adds then is missing from what the service can answer. `half busy`: each time a
pause follows that is as long: what it adds then is idle time. The CPU time is that of all threads.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable

import numpy as np
from numpy.typing import NDArray

from ekiben.load_tests.machine import describe_machine
from ekiben.load_tests.request_cost import (
    LOADS,
    Ask,
    find_ask,
    measure_round,
    open_routes,
    read_golden,
    run_as_service,
)
from ekiben.load_tests.requests.http_dialects import PREDICT
from ekiben.load_tests.requests.request_case import RequestCase, write_case
from ekiben.model.package import PackedModel
from ekiben.model.store import find_model, open_stored
from ekiben.service.batching.background import BackgroundQueue
from ekiben.service.batching.turns import EngineTurns
from ekiben.service.dataplane import Dataplane
from ekiben.service.environment import read_settings
from ekiben.service.settings import Settings
from ekiben.service.shadow.shadow import MAX_ROWS, Shadow
from ekiben.service.shadow.timed_engine import TimedEngine

TURNS = 9
ON = (False, False, True)
HEADER = """
| rows | together | | off, CPU µs/req | off again | with a challenger | rows compared |
|--:|--:|---|--:|--:|--:|--:|"""
Measure = Callable[[Ask, list[RequestCase], float], Awaitable[float]]


def run(seconds: float) -> int:
    """Print a Markdown table of what a request costs without a challenger, and of how much more it costs with one."""
    run_as_service(measure_all(seconds))
    return 0


async def measure_all(seconds: float) -> None:
    """Measure /predict with the golden rows of the model of the store."""
    settings = read_settings()
    model = open_stored(find_model(settings.model_name))
    golden = read_golden(model)
    dataplane, shadow = start(settings, model)
    ask = find_ask(*open_routes(settings, dataplane), PREDICT)
    print(f"\n{describe_machine()}; {TURNS} turns of {seconds:g} s each; median (quartiles)\n{HEADER}")
    for rows, together in LOADS:
        cases = [write_case(model.schema, golden, PREDICT, rows, first) for first in range(together)]
        for name, measure, fill in (("busy", measure_round, True), ("half busy", measure_half_busy, False)):
            await prepare(dataplane, shadow, ask, cases, fill)
            before = shadow.describe()
            costs_us: list[list[float]] = [[] for _ in ON]
            for turn in range(TURNS):
                for index in np.roll(range(len(ON)), turn):
                    dataplane.shadow = shadow if ON[index] else None
                    costs_us[index].append(await measure(ask, cases, seconds))
            after = shadow.describe()
            compared = (after.compared - before.compared) / (after.answered - before.answered)
            off, again, on = map(np.array, costs_us)
            more = f"{describe(again / off)} | {describe(2 * on / (off + again))}"
            print(f"| {rows} | {together} | {name} | {np.median(off):.1f} | {more} | {compared:.0%} |", flush=True)
    shadow.close()
    dataplane.close()


def describe(ratios: NDArray[np.float64]) -> str:
    """Return how much more than 1 they are, in the median and between the quartiles."""
    low, median, high = 100 * (np.quantile(ratios, (0.25, 0.5, 0.75)) - 1)
    return f"{median:+.1f}% ({low:+.1f} to {high:+.1f})"


def start(settings: Settings, model: PackedModel) -> tuple[Dataplane, Shadow]:
    """Return a service, and its own model as its challenger."""
    turns = EngineTurns()
    limits = settings.max_waiting_rows, settings.max_request_rows
    dataplane = Dataplane(model, model.start_engine(), *limits, turns=turns)
    engine = TimedEngine(model.start_engine(), len(model.schema.target.outputs))
    queue = BackgroundQueue(engine, turns, 2 * MAX_ROWS)
    return dataplane, Shadow(model, model, queue, lambda: (dataplane.time_engine(), engine.timing))


async def prepare(dataplane: Dataplane, shadow: Shadow, ask: Ask, cases: list[RequestCase], fill: bool) -> None:
    """Let as many rows wait for the challenger as there is room for, or none."""
    dataplane.shadow = shadow
    dropped = shadow.waiting.dropped
    while fill and shadow.waiting.dropped == dropped:
        await asyncio.gather(*map(ask, cases))
    while not fill and shadow.waiting.rows:
        await asyncio.sleep(0.05)


async def measure_half_busy(ask: Ask, cases: list[RequestCase], seconds: float) -> float:
    """Return the CPU µs of a request where a pause as long follows each time, of so many seconds of CPU time."""
    count, began = 0, time.process_time()
    while not count or time.process_time() - began < seconds:
        started = time.perf_counter()
        await asyncio.gather(*map(ask, cases))
        count += len(cases)
        await asyncio.sleep(time.perf_counter() - started)
    return 1e6 * (time.process_time() - began) / count
