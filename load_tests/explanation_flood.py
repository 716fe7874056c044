"""Measures what a flood of explanations does to predictions: `ekiben explanations`.

The flood's callers ask for another explanation as soon as they have one. Predictions arrive in an open loop, some at
each share of the peak, and from callers in a closed one. Rounds without the flood, without it again, which shows the
noise, and with it follow each other, so that what the machine does otherwise hits all alike; of each the answers of all
rounds count together.
"""

import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from time import sleep

import numpy as np

from ekiben.load_tests.explanation_cost import EXPLAIN
from ekiben.load_tests.generator.cpu_affinity import split_cores
from ekiben.load_tests.generator.load import Load
from ekiben.load_tests.generator.processes import Generator, Offered, start_generator
from ekiben.load_tests.requests.http_dialects import PREDICT
from ekiben.load_tests.requests.service_under_test import find_source, write_calls
from ekiben.load_tests.servers.own_service import serve

GOAL = 0.2
FLOOD_CALLERS, CALLERS = 32, 64
SHARES = (0.1, 0.3, 0.6)  # of the peak
CALLS, EXPLAINED = 200, 32
PEAK_S, AHEAD_S = 2.0, 0.5  # the flood begins before the predictions
HEADER = """
| predictions | without: p50 / p99 ms | again: p99 | with the flood: p50 / p99 ms | ≤ 20%? | explained a second |
|---|--:|--:|--:|---|--:|"""


@dataclass
class Rounds:
    """What became of the predictions in all rounds of one way, and of the explanations beside them."""

    latencies: list[float] = field(default_factory=list)  # ms
    explained: float = 0.0
    seconds: float = 0.0

    def add(self, offered: Offered) -> None:
        """Take a round."""
        self.latencies += offered.latency_ms.tolist()
        self.seconds += offered.seconds

    def percentile(self, share: float) -> float:
        """Return a percentile of the times in ms."""
        return float(np.percentile(self.latencies, share))


def run(port: int, seconds: float, rounds: int) -> None:
    """Print a Markdown table of the times of predictions with and without the flood."""
    split = split_cores(1)
    with (
        tempfile.TemporaryDirectory() as folder,
        serve(1, port, Path(folder), split) as (service, _),
        start_generator(split) as generator,
        start_generator(split) as flooding,
    ):
        source = find_source(service)
        calls = write_calls(service, source, PREDICT, 1, CALLS)
        explained = write_calls(service, source, EXPLAIN, 1, EXPLAINED)
        flood = Load(service.address, explained, 0.0, 0.0, in_flight=FLOOD_CALLERS)
        peak = generator.offer(Load(service.address, calls, 0.0, PEAK_S, in_flight=CALLERS)).achieved
        print(f"{rounds} rounds of {seconds:g} s, {FLOOD_CALLERS} callers who ask for explanations\n{HEADER}")
        loads = [Load(service.address, calls, share * peak, seconds, connections=256) for share in SHARES]
        for load in (*loads, Load(service.address, calls, 0.0, seconds, in_flight=CALLERS)):
            print(describe(load, measure(generator, flooding, load, flood, rounds)), flush=True)


def measure(generator: Generator, flooding: Generator, load: Load, flood: Load, rounds: int) -> Sequence[Rounds]:
    """Return what became of a load without the flood, without it again, and with it."""
    ways = [Rounds(), Rounds(), Rounds()]
    for turn in range(rounds):
        for index in np.roll(range(len(ways)), turn).tolist():
            way = ways[index]
            if way is not ways[-1]:
                way.add(generator.offer(load))
                continue
            with flooded(flooding, replace(flood, seconds=load.seconds + 2 * AHEAD_S)) as outcomes:
                way.add(generator.offer(load))
            way.explained += outcomes[0].achieved * load.seconds
    return ways


@contextmanager
def flooded(generator: Generator, flood: Load) -> Iterator[list[Offered]]:
    """Send a load meanwhile; afterwards what became of it is in the list."""
    outcomes: list[Offered] = []
    thread = threading.Thread(target=lambda: outcomes.append(generator.offer(flood)))
    thread.start()
    sleep(AHEAD_S)
    try:
        yield outcomes
    finally:
        thread.join()


def describe(load: Load, ways: Sequence[Rounds]) -> str:
    """Return a row of the table."""
    without, again, flooded_way = ways
    p99s = [way.percentile(99) for way in ways]
    calm = np.percentile([*without.latencies, *again.latencies], 99)
    offered = f"{load.rate:,.0f}/s" if load.rate else f"{load.in_flight} callers"
    good = "yes" if p99s[2] <= (1 + GOAL) * calm else "no"
    return (
        f"| {offered} | {without.percentile(50):.2f} / {p99s[0]:.2f} | {p99s[1]:.2f} ({p99s[1] / p99s[0] - 1:+.0%}) "
        f"| {flooded_way.percentile(50):.2f} / {p99s[2]:.2f} ({p99s[2] / calm - 1:+.0%}) | {good} "
        f"| {flooded_way.explained / flooded_way.seconds:,.0f} |"
    )
