"""Measures what counting the rows adds to a request: `python -m ekiben.load_tests cost --monitoring`.

One service answers the same requests without sockets, without counting, without it again, which shows the noise, and
with it, by turns (`paired_cost`). In a few seconds a busy service finds how many of its batches it may count: that is
left to it before, and kept while it is measured. `counting` is the share of its CPU time that the service itself saw go
into counting, which leaves out only what keeping the batches costs.
"""

import asyncio
import time

import numpy as np

from ekiben.contract.errors import InvalidModel
from ekiben.load_tests.cost.paired_cost import Way, compare, describe_turns, find_difference
from ekiben.load_tests.cost.request_cost import (
    LOADS,
    Ask,
    find_ask,
    open_routes,
    read_golden,
    run_as_service,
    start_dataplane,
)
from ekiben.load_tests.requests.http_dialects import OIP_BINARY, PREDICT
from ekiben.load_tests.requests.request_case import RequestCase, write_case
from ekiben.model.package import PackedModel
from ekiben.model.store import find_model, open_stored
from ekiben.service.batching.queue import BatchQueue
from ekiben.service.environment import read_settings
from ekiben.service.monitoring.monitor import Monitor
from ekiben.service.monitoring.protocol import explain_silence
from ekiben.service.settings import Settings

FORMATS = (PREDICT, OIP_BINARY)
STEADY_S, SETTLE_S = 5.0, 30.0
GOAL = 0.03
HEADER = """
| dialect | rows | together | off, CPU µs/req | off again | on | ≤ 3%? | counting | counted, 1 of |
|---|--:|--:|--:|--:|--:|---|--:|--:|"""


class Silent(Way):
    """Count nothing."""

    def __init__(self, queue: BatchQueue) -> None:
        self._queue = queue

    async def begin(self) -> None:
        """Keep no batch."""
        self._queue.record = None


class Counting(Way):
    """Count as many batches as the service found that it may."""

    def __init__(self, queue: BatchQueue, monitor: Monitor) -> None:
        self._queue, self._monitor = queue, monitor
        self.every = 1  # of so many batches one is counted
        self.counting_s = self.spent_s = self._before_s = self._began = 0.0  # CPU time

    async def settle(self, ask: Ask, cases: list[RequestCase]) -> None:
        """Let the service be busy until it has counted the same share of its batches for STEADY_S, or for SETTLE_S."""
        self._queue.record = self._monitor.record
        began = changed = time.monotonic()
        while time.monotonic() < min(changed + STEADY_S, began + SETTLE_S):
            await asyncio.gather(*map(ask, cases))
            if self.every != self._monitor.every:
                self.every, changed = self._monitor.every, time.monotonic()
        self.counting_s = self.spent_s = 0.0

    async def begin(self) -> None:
        """Keep batches again."""
        self._queue.record = self._monitor.record
        self._monitor.every = self.every  # the others' slices look as if there were time to count more
        self._before_s, self._began = self._monitor.spent_s, time.process_time()

    async def end_slice(self) -> None:
        """Count what waits."""
        self._monitor.count_all()
        self.counting_s += self._monitor.spent_s - self._before_s
        self.spent_s += time.process_time() - self._began


def run(seconds: float) -> int:
    """Print a Markdown table of what a request costs without counting, and of how much more it costs with it.

    Raises InvalidModel if nothing can be counted of the model of the store.
    """
    settings = read_settings()
    model = open_stored(find_model(settings.model_name))
    if silence := explain_silence(True, model):
        raise InvalidModel(silence)
    run_as_service(measure_all(settings, model, seconds))
    return 0


async def measure_all(settings: Settings, model: PackedModel, seconds: float) -> None:
    """Measure JSON's rows and binary columns with the golden rows of the model."""
    golden, dataplane = read_golden(model), start_dataplane(settings, model, model.reference)
    assert dataplane.monitor is not None  # for which there is a reference
    routes, queue = open_routes(settings, dataplane), dataplane.queue
    counting = Counting(queue, dataplane.monitor)
    print(f"\n{describe_turns(seconds)}\n{HEADER}")
    for request_format in FORMATS:
        ask = find_ask(*routes, request_format)
        for rows, together in LOADS:
            cases = [write_case(model.schema, golden, request_format, rows, first) for first in range(together)]
            await counting.settle(ask, cases)
            off, again, on = (await compare([Silent(queue), Silent(queue), counting], ask, cases, seconds)).T
            more = find_difference(2 * on / (off + again))
            noise = find_difference(again / off)
            load = f"{request_format.name} | {rows} | {together} | {np.median(off):.1f} | {noise}"
            spent = f"{counting.counting_s / counting.spent_s:.1%} | {counting.every}"
            print(f"| {load} | {more} | {more.judge(GOAL)} | {spent} |")
    dataplane.close()
