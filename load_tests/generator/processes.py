"""The load generator: processes on cores of their own, and whether it or the service was the limit."""

import dataclasses
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.context import SpawnContext
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from ekiben.load_tests.generator.cpu_affinity import Split
from ekiben.load_tests.generator.load import BARE_REJECTION, OK, SHED, TIMED_OUT, WRONG, Load, Outcome
from ekiben.load_tests.generator.sender import send

MAX_LAG = 0.1  # of the SLO, at the 99th percentile: beyond, the generator's own delay is in what is measured
MAX_CPU = 0.9  # of a core
BEGIN_TIMEOUT_S = 30.0


@dataclass(frozen=True)
class Offered:
    """What a load came to; times in ms, from the intended start."""

    seconds: float
    sent: int
    good: int
    shed: int
    timed_out: int
    wrong: int
    failed: int  # any other status, or none
    bare: int  # of the shed: without Retry-After
    latency_ms: NDArray[np.float64]  # of the good ones
    good_at_s: NDArray[np.float64]  # when those were to be sent
    lag_p99_ms: float
    cpu_share: float  # of the busiest process

    @property
    def rate(self) -> float:
        """Requests a second that were to be sent."""
        return self.sent / self.seconds

    @property
    def achieved(self) -> float:
        """Good answers a second."""
        return self.good / self.seconds

    @property
    def missed(self) -> float:
        """The share without a good answer."""
        return 1 - self.good / max(self.sent, 1)

    def percentile(self, share: float) -> float:
        """Return a percentile of the good answers' times in ms; infinite if there is none."""
        return float(np.percentile(self.latency_ms, share)) if self.good else float("inf")

    def is_limited(self, slo_ms: float) -> bool:
        """Return whether the generator itself was late, or had no time left."""
        return self.lag_p99_ms > MAX_LAG * slo_ms or self.cpu_share > MAX_CPU


class Start:
    """Where the processes wait for each other once they are connected."""

    here: ClassVar["Start"]  # in a process of the pool

    def __init__(self, context: SpawnContext) -> None:
        self._connected, self._begun = context.Semaphore(0), context.Semaphore(0)

    def wait(self) -> None:
        """Say that this process is connected, and wait for the others."""
        self._connected.release()
        self._begun.acquire()

    def begin(self, processes: int, prepare: Callable[[], None]) -> None:
        """Let that many begin when all are connected and `prepare` was called."""
        for _ in range(processes):
            self._connected.acquire(timeout=BEGIN_TIMEOUT_S)  # who was killed does not come; the pool then says so
        try:
            prepare()
        finally:
            for _ in range(processes):
                self._begun.release()


class Generator:
    """Processes that send together what is asked for."""

    def __init__(self, pool: ProcessPoolExecutor, start: Start, processes: int) -> None:
        self._pool = pool
        self._start = start
        self._processes = processes
        self._seed = 0

    def offer(self, load: Load, prepare: Callable[[], None] = lambda: None) -> Offered:
        """Send a load, each process its share, and return what it came to.

        `prepare` is called once all connections are there, and before the first request of the load.
        """
        slices = self._slice(load)
        outcomes = self._pool.map(send_together, slices)
        self._start.begin(len(slices), prepare)
        return merge(load, list(outcomes))

    def _slice(self, load: Load) -> Sequence[Load]:
        count = min(self._processes, load.in_flight or self._processes)
        self._seed += count
        shares = [load.in_flight // count + (index < load.in_flight % count) for index in range(count)]
        connections = max(1, load.connections // count)
        return [
            dataclasses.replace(
                load, rate=load.rate / count, in_flight=share, connections=connections, seed=self._seed + index
            )
            for index, share in enumerate(shares)
        ]


@contextmanager
def start_generator(split: Split) -> Iterator[Generator]:
    """Start the processes on the generator's cores."""
    context = get_context("spawn")
    start = Start(context)
    with ProcessPoolExecutor(split.generators, context, enter, (split.generator, start)) as pool:
        yield Generator(pool, start, split.generators)


def enter(cores: frozenset[int], start: Start) -> None:
    """Begin a process of the pool."""
    os.sched_setaffinity(0, cores)
    Start.here = start


def send_together(load: Load) -> Outcome:
    """Send a share of a load from this process, at the same time as the others send theirs."""
    return send(load, Start.here.wait)


def merge(load: Load, outcomes: Sequence[Outcome]) -> Offered:
    """Return the processes' outcomes as one."""
    status = np.concatenate([outcome.status for outcome in outcomes])
    latency = np.concatenate([outcome.latency_s for outcome in outcomes])
    intended = np.concatenate([outcome.intended_s for outcome in outcomes])
    lags = np.concatenate([outcome.lag_s for outcome in outcomes])
    good = status == OK
    counts = {name: int((status == value).sum()) for name, value in COUNTED.items()}
    shed = counts.pop("shed") + counts["bare"]
    return Offered(
        seconds=load.seconds,
        sent=len(status),
        good=int(good.sum()),
        shed=shed,
        failed=len(status) - int(good.sum()) - shed - counts["timed_out"] - counts["wrong"],
        latency_ms=1000 * latency[good],
        good_at_s=intended[good],
        lag_p99_ms=1000 * float(np.percentile(lags, 99)) if len(lags) else 0.0,
        cpu_share=max(outcome.cpu_share for outcome in outcomes),
        **counts,
    )


COUNTED = {"shed": SHED, "bare": BARE_REJECTION, "timed_out": TIMED_OUT, "wrong": WRONG}
