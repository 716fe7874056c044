"""Measures what a flood of explanations does to predictions: `ekiben explanations`.

The flood's callers ask for another explanation as soon as they have one. Predictions arrive in an open loop, some at
each share of the peak, and from callers in a closed one. Rounds without the flood, without it again, which shows the
noise, and with it follow each other, so that what the machine does otherwise hits all alike; of each the answers of all
rounds count together.
"""

import itertools
import socket
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import sleep
from typing import BinaryIO

import numpy as np

from ekiben.load_tests.cost.explanation_cost import EXPLAIN
from ekiben.load_tests.generator.cpu_affinity import running_on, split_cores
from ekiben.load_tests.generator.load import Call, Load
from ekiben.load_tests.generator.processes import Generator, Offered, start_generator
from ekiben.load_tests.requests.http_dialects import PREDICT
from ekiben.load_tests.requests.service_under_test import find_source, write_calls
from ekiben.load_tests.servers.own_service import serve

GOAL = 0.2
FLOOD_CALLERS, CALLERS = 32, 64
SHARES = (0.1, 0.3, 0.6)  # of the peak
CALLS, EXPLAINED = 200, 32
TIMEOUT_S = 30.0
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
        running_on(split.generator),  # the flood's callers are in this process
    ):
        source = find_source(service)
        calls = write_calls(service, source, PREDICT, 1, CALLS)
        explained = write_calls(service, source, EXPLAIN, 1, EXPLAINED)
        peak = generator.offer(Load(service.address, calls, 0.0, PEAK_S, in_flight=CALLERS)).achieved
        print(f"{rounds} rounds of {seconds:g} s, {FLOOD_CALLERS} callers who ask for explanations\n{HEADER}")
        loads = [Load(service.address, calls, share * peak, seconds, connections=256) for share in SHARES]
        for load in (*loads, Load(service.address, calls, 0.0, seconds, in_flight=CALLERS)):
            print(describe(load, measure(generator, load, explained, rounds)), flush=True)


def measure(generator: Generator, load: Load, flood: Sequence[Call], rounds: int) -> Sequence[Rounds]:
    """Return what became of a load without the flood, without it again, and with it."""
    ways = [Rounds(), Rounds(), Rounds()]
    for turn in range(rounds):
        for index in np.roll(range(len(ways)), turn).tolist():
            way = ways[index]
            if way is not ways[-1]:
                way.add(generator.offer(load))
                continue
            with flooded(load.address, flood) as answered:
                before = len(answered)
                way.add(generator.offer(load))
                way.explained += sum(answered[before:])
    return ways


@contextmanager
def flooded(address: tuple[str, int], flood: Sequence[Call]) -> Iterator[list[bool]]:
    """Let callers ask meanwhile, each once it has an answer; whether that is the right one is in the list.

    They wait in their sockets, and leave the generator its core: a second generator would take half of that.
    """
    answered: list[bool] = []
    stopping = threading.Event()

    def ask(first: int) -> None:
        connection = socket.create_connection(address, timeout=TIMEOUT_S)
        with connection, connection.makefile("rb") as file:
            for turn in itertools.count(first):
                if stopping.is_set():
                    return
                call = flood[turn % len(flood)]
                connection.sendall(call.request)
                body = read_body(file)
                if body is None:
                    return  # the service has closed the connection: there is less of a flood, and fewer explanations
                answered.append(body == call.answer)

    threads = [threading.Thread(target=ask, args=(first,)) for first in range(FLOOD_CALLERS)]
    for thread in threads:
        thread.start()
    sleep(AHEAD_S)
    try:
        yield answered
    finally:
        stopping.set()
        for thread in threads:
            thread.join()


def read_body(file: BinaryIO) -> bytes | None:
    """Return the body of the next answer, None if the connection ends."""
    length = 0
    while (line := file.readline()) != b"\r\n":
        if not line:
            return None
        if line.lower().startswith(b"content-length:"):
            length = int(line.partition(b":")[2])
    return file.read(length)


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
