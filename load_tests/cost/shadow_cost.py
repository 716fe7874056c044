"""Measures what a challenger in the shadow adds to a request: `python -m ekiben.load_tests cost --shadow`.

One service answers the same requests without sockets, without a challenger, without it again, which shows the noise,
and with its own model as its challenger, by turns (`paired_cost`). Requests follow each other without a pause, as at
the capacity and under overload: what it adds then is missing from what the service can answer. `compared` is the share
of the rows that it scored meanwhile, `with pauses` the same where a pause as long follows each time.
"""

import asyncio
import time

import numpy as np

from ekiben.load_tests.cost.paired_cost import Way, compare, describe_turns, find_difference
from ekiben.load_tests.cost.request_cost import LOADS, Ask, find_ask, open_routes, read_golden, run_as_service
from ekiben.load_tests.requests.http_dialects import OIP_BINARY, PREDICT
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

FORMATS = (PREDICT, OIP_BINARY)
GOAL = 0.05
HEADER = """
| dialect | rows | together | off, CPU µs/req | off again | with a challenger | ≤ 5%? | compared | with pauses |
|---|--:|--:|--:|--:|--:|---|--:|--:|"""


class Shadowing(Way):
    """Let a challenger answer in the shadow, or nobody."""

    def __init__(self, dataplane: Dataplane, shadow: Shadow | None) -> None:
        self._dataplane, self._shadow = dataplane, shadow

    async def begin(self) -> None:
        """Hand it what is answered."""
        self._dataplane.shadow = self._shadow


def run(seconds: float) -> int:
    """Print a Markdown table of what a request costs without a challenger, and of how much more it costs with one."""
    run_as_service(measure_all(seconds))
    return 0


async def measure_all(seconds: float) -> None:
    """Measure JSON's rows and binary columns with the golden rows of the model of the store."""
    settings = read_settings()
    model = open_stored(find_model(settings.model_name))
    golden = read_golden(model)
    dataplane, shadow = start(settings, model)
    routes = open_routes(settings, dataplane)
    ways = [Shadowing(dataplane, one) for one in (None, None, shadow)]
    print(f"\n{describe_turns(seconds)}\n{HEADER}")
    for request_format in FORMATS:
        ask = find_ask(*routes, request_format)
        for rows, together in LOADS:
            cases = [write_case(model.schema, golden, request_format, rows, first) for first in range(together)]
            calm = await measure_calm(dataplane, shadow, ask, cases, seconds)
            await fill(dataplane, shadow, ask, cases)
            before = shadow.describe()
            off, again, on = (await compare(ways, ask, cases, seconds)).T
            after = shadow.describe()
            compared = (after.compared - before.compared) / (after.answered - before.answered)
            more = find_difference(2 * on / (off + again))
            noise = find_difference(again / off)
            load = f"{request_format.name} | {rows} | {together} | {np.median(off):.1f} | {noise}"
            print(f"| {load} | {more} | {more.judge(GOAL)} | {compared:.0%} | {calm:.0%} |", flush=True)
    shadow.close()
    dataplane.close()


def start(settings: Settings, model: PackedModel) -> tuple[Dataplane, Shadow]:
    """Return a service, and its own model as its challenger."""
    turns = EngineTurns()
    limits = settings.max_waiting_rows, settings.max_request_rows
    dataplane = Dataplane(model, model.start_engine(), *limits, turns=turns)
    engine = TimedEngine(model.start_engine(), len(model.schema.target.outputs))
    queue = BackgroundQueue(engine, turns, 2 * MAX_ROWS)
    return dataplane, Shadow(model, model, queue, lambda: (dataplane.recorder.time_engine(), engine.timing))


async def fill(dataplane: Dataplane, shadow: Shadow, ask: Ask, cases: list[RequestCase]) -> None:
    """Let as many rows wait for the challenger as there is room for."""
    dataplane.shadow = shadow
    dropped = shadow.waiting.dropped
    while shadow.waiting.dropped == dropped:
        await asyncio.gather(*map(ask, cases))


async def measure_calm(
    dataplane: Dataplane, shadow: Shadow, ask: Ask, cases: list[RequestCase], seconds: float
) -> float:
    """Return the share of the rows that are compared where a pause as long follows all requests, for so long."""
    dataplane.shadow = shadow
    while shadow.waiting.rows:
        await asyncio.sleep(0.05)
    before, ends = shadow.describe(), time.perf_counter() + seconds
    while time.perf_counter() < ends:
        started = time.perf_counter()
        await asyncio.gather(*map(ask, cases))
        await asyncio.sleep(time.perf_counter() - started)
    after = shadow.describe()
    return (after.compared - before.compared) / (after.answered - before.answered)
