"""Measures what a challenger in the shadow adds to a request: `python -m ekiben.load_tests cost --shadow`.

Three services of this process answer the same requests without sockets, two without a challenger, which shows the
noise, and one whose model is its own challenger; the order changes with every turn. `busy`: requests follow each other
without a pause, as when as many come as can be answered, and as under overload: then what it adds is missing from the
service's capacity. `half busy`: each is followed by a pause as long as it took; what it adds then is idle time. The CPU
time is that of all threads.
"""

import asyncio
import gc
import time
from collections.abc import Coroutine
from dataclasses import dataclass, field

import numpy as np
import uvloop

from ekiben.load_tests.machine import describe_machine
from ekiben.load_tests.monitoring_cost import describe
from ekiben.load_tests.request_cost import LOADS, Ask, find_ask, measure_round, open_routes, read_golden
from ekiben.load_tests.requests.http_dialects import PREDICT
from ekiben.load_tests.requests.request_case import RequestCase, write_case
from ekiben.model.package import PackedModel
from ekiben.model.store import find_model, open_stored
from ekiben.service.batching.background import BackgroundQueue
from ekiben.service.batching.turns import EngineTurns
from ekiben.service.dataplane import Dataplane
from ekiben.service.lifecycle.memory import GARBAGE_OBJECTS
from ekiben.service.settings import Settings, read_settings
from ekiben.service.shadow.shadow import MAX_ROWS, Shadow
from ekiben.service.shadow.timed_engine import TimedEngine

TURNS = 9
FILL_S = 10.0  # within which the rows that wait for the challenger have no room any more
HEADER = """
| rows | together | | off, CPU µs/req | off again | with a challenger | rows compared |
|--:|--:|---|--:|--:|--:|--:|"""


@dataclass
class InTurn:
    """A service on an event loop of its own, which stands still while others have their turn."""

    settings: Settings
    model: PackedModel
    runner: asyncio.Runner
    dataplane: Dataplane = field(init=False)
    shadow: Shadow | None = None
    busy_us: list[float] = field(default_factory=list)
    calm_us: list[float] = field(default_factory=list)
    compared: list[tuple[float, float]] = field(default_factory=list)  # shares of the rows: busy, half busy

    async def open(self, challenged: bool) -> None:
        """Start the service, with its own model as its challenger or without."""
        settings, turns = self.settings, EngineTurns()
        limits = settings.max_waiting_rows, settings.max_request_rows
        self.dataplane = Dataplane(self.model, self.model.start_engine(), *limits, turns=turns)
        if challenged:
            engine = TimedEngine(self.model.start_engine(), len(self.model.schema.target.outputs))
            queue = BackgroundQueue(engine, turns, 2 * MAX_ROWS)
            timings = self.dataplane.time_engine
            self.shadow = Shadow(self.model, self.model, queue, lambda: (timings(), engine.timing))
            self.dataplane.shadow = self.shadow

    async def measure(self, cases: list[RequestCase], seconds: float) -> None:
        """Add what a request costs while the service is busy, and while it is half busy."""
        ask = find_ask(*open_routes(self.settings, self.dataplane), PREDICT)
        await self._fill(ask, cases)
        before = self._count()
        self.busy_us.append(await measure_round(ask, cases, seconds))
        busy = self._share(before)
        while self.shadow and self.shadow.waiting.rows:
            await asyncio.sleep(0.05)
        before = self._count()
        self.calm_us.append(await measure_calm(ask, cases, seconds))
        self.compared.append((busy, self._share(before)))

    async def _fill(self, ask: Ask, cases: list[RequestCase]) -> None:
        ends = time.monotonic() + FILL_S
        while self.shadow and not self.shadow.waiting.dropped and time.monotonic() < ends:
            await asyncio.gather(*map(ask, cases))

    def _count(self) -> tuple[int, int]:
        part = self.shadow.describe() if self.shadow else None
        return (part.compared, part.answered) if part else (0, 0)

    def _share(self, before: tuple[int, int]) -> float:
        compared, answered = (now - then for now, then in zip(self._count(), before, strict=True))
        return compared / answered if answered else 0.0


async def measure_calm(ask: Ask, cases: list[RequestCase], seconds: float) -> float:
    """Return the CPU µs of a request where a pause follows each round of them, of so many seconds of CPU time."""
    count, began = 0, time.process_time()
    while not count or time.process_time() - began < seconds:
        started = time.perf_counter()
        await asyncio.gather(*map(ask, cases))
        count += len(cases)
        await asyncio.sleep(time.perf_counter() - started)
    return 1e6 * (time.process_time() - began) / count


def run(seconds: float) -> int:
    """Print a Markdown table of what a request costs without a challenger, and of how much more it costs with one."""
    settings = read_settings()
    model = open_stored(find_model(settings.model_name))
    golden = read_golden(model)
    services = [start(settings, model, challenged) for challenged in (False, False, True)]
    gc.freeze()
    gc.set_threshold(GARBAGE_OBJECTS)
    print(f"\n{describe_machine()}; {TURNS} turns of {seconds:g} s each; median (quartiles)\n{HEADER}")
    for rows, together in LOADS:
        cases = [write_case(model.schema, golden, PREDICT, rows, first) for first in range(together)]
        for turn in range(TURNS):
            for index in np.roll(range(len(services)), turn):
                run_in(services[index], services[index].measure(cases, seconds))
        busy, half_busy = np.median(services[-1].compared, axis=0)
        print_line(f"| {rows} | {together} | busy", [service.busy_us for service in services], busy)
        print_line(f"| {rows} | {together} | half busy", [service.calm_us for service in services], half_busy)
        for service in services:
            for measured in (service.busy_us, service.calm_us, service.compared):
                measured.clear()
    for service in services:
        if service.shadow:
            service.shadow.close()
        service.dataplane.close()
        service.runner.close()
    return 0


def start(settings: Settings, model: PackedModel, challenged: bool) -> InTurn:
    """Start a service with a challenger, or one without."""
    service = InTurn(settings, model, asyncio.Runner(loop_factory=uvloop.new_event_loop))
    run_in(service, service.open(challenged))
    return service


def run_in(service: InTurn, work: Coroutine[None, None, None]) -> None:
    """Run something on a service's own event loop."""
    service.runner.run(work)


def print_line(name: str, costs_us: list[list[float]], compared: float) -> None:
    """Print a line of the table."""
    off, again, on = map(np.array, costs_us)
    more = f"{describe(again / off)} | {describe(2 * on / (off + again))}"
    print(f"{name} | {np.median(off):.1f} | {more} | {compared:.0%} |", flush=True)
