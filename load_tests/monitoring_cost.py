"""Measures what counting the rows adds to a request: `python -m ekiben.load_tests cost --monitoring`.

Three services answer the same requests in turn, without sockets. One of them counts; the other two are alike, and so
show the noise. Each has an event loop of its own; the one that counts is only measured once it has settled: in a few
seconds a busy service finds how many of its batches it may count. What is compared is each turn's, so that a machine
that becomes slower slows all three. Where other work makes that too rough, `counting` still holds: the share of its CPU
time that the service itself saw go into counting, which leaves out only what keeping the batches costs.
"""

import asyncio
import gc
import time
from dataclasses import dataclass, field

import numpy as np
import uvloop

from ekiben.contract.errors import InvalidModel
from ekiben.load_tests.machine import describe_machine
from ekiben.load_tests.request_cost import (
    LOADS,
    Ask,
    find_ask,
    measure_round,
    open_routes,
    read_golden,
    start_dataplane,
)
from ekiben.load_tests.requests.http_dialects import PREDICT
from ekiben.load_tests.requests.request_case import RequestCase, write_case
from ekiben.model.package import PackedModel
from ekiben.model.store import find_model, open_stored
from ekiben.service.dataplane import Dataplane
from ekiben.service.lifecycle.memory import GARBAGE_OBJECTS
from ekiben.service.monitoring.protocol import explain_silence
from ekiben.service.settings import Settings, read_settings

TURNS = 9
SETTLE_S = 3.0
ROUNDS = 4  # of a turn, of which the cheapest counts: rows are counted many times in each
HEADER = """
| rows | together | off, CPU µs/req | off again | on | counting | counted, 1 of |
|--:|--:|--:|--:|--:|--:|--:|"""


@dataclass
class InTurn:
    """A service on an event loop of its own, which stands still while others have their turn."""

    runner: asyncio.Runner
    dataplane: Dataplane
    settings: Settings
    costs_us: list[float] = field(default_factory=list)
    counting: list[float] = field(default_factory=list)  # shares of the CPU time

    def measure(self, cases: list[RequestCase], seconds: float) -> None:
        """Add what a request costs, once the service has settled."""
        self.runner.run(self._measure(cases, seconds))

    async def _measure(self, cases: list[RequestCase], seconds: float) -> None:
        ask = find_ask(*open_routes(self.settings, self.dataplane), PREDICT)
        monitor = self.dataplane.monitor
        if monitor:
            await settle(ask, cases)
        began, before_s = time.process_time(), monitor.spent_s if monitor else 0.0
        self.costs_us.append(min([await measure_round(ask, cases, seconds / ROUNDS) for _ in range(ROUNDS)]))
        if monitor:
            self.counting.append((monitor.spent_s - before_s) / (time.process_time() - began))


async def settle(ask: Ask, cases: list[RequestCase]) -> None:
    """Let the service be busy for SETTLE_S."""
    ends = time.monotonic() + SETTLE_S
    while time.monotonic() < ends:
        await asyncio.gather(*map(ask, cases))


def run(seconds: float) -> int:
    """Print a Markdown table of what a request costs without counting, and of how much more it costs with it.

    Raises InvalidModel if nothing can be counted of the model of the store.
    """
    settings = read_settings()
    model = open_stored(find_model(settings.model_name))
    if silence := explain_silence(True, model):
        raise InvalidModel(silence)
    golden = read_golden(model)
    services = [start(settings, model, monitoring) for monitoring in (False, False, True)]
    gc.freeze()
    gc.set_threshold(GARBAGE_OBJECTS)
    print(f"\n{describe_machine()}; {TURNS} turns of {seconds:g} s; median (quartiles)\n{HEADER}")
    for rows, together in LOADS:
        cases = [write_case(model.schema, golden, PREDICT, rows, first) for first in range(together)]
        for turn in range(TURNS):
            first = turn % len(services)
            for service in services[first:] + services[:first]:
                service.measure(cases, seconds)
        off, again, on = (np.array(service.costs_us) for service in services)
        monitor = services[-1].dataplane.monitor
        every = monitor.every if monitor else 0
        more = f"{describe(again / off)} | {describe(2 * on / (off + again))}"
        counting = f"{np.median(services[-1].counting):.1%}"
        print(f"| {rows} | {together} | {np.median(off):.1f} | {more} | {counting} | {every} |")
        for service in services:
            service.costs_us.clear()
            service.counting.clear()
    for service in services:
        service.dataplane.close()
        service.runner.close()
    return 0


def start(settings: Settings, model: PackedModel, monitoring: bool) -> InTurn:
    """Start a service that counts, or one that doesn't."""
    runner = asyncio.Runner(loop_factory=uvloop.new_event_loop)

    async def start_here() -> Dataplane:
        return start_dataplane(settings, model, model.reference if monitoring else None)

    return InTurn(runner, runner.run(start_here()), settings)


def describe(ratios: np.ndarray) -> str:
    """Return by how much the ratios exceed 1: the median, and the quartiles."""
    low, middle, high = 100 * (np.quantile(ratios, [0.25, 0.5, 0.75]) - 1)
    return f"{middle:+.1f}% ({low:+.1f} to {high:+.1f})"
