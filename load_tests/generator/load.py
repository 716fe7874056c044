"""Sends requests at the times of a Poisson process, whether or not the service keeps up: an open loop.

Locust's users, like wrk's connections, wait for an answer before they ask again: when the service
slows down they slow down with it, and the waiting of those who would have come goes unmeasured.
Here the arrivals are drawn beforehand and a request's time counts from when it should have been
sent; `load_tests/generator/sender.py` sends.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# What became of a request, where it is no HTTP status.
PENDING, TIMED_OUT, FAILED, WRONG, BARE_REJECTION = 0, -1, -2, -3, -4
OK, SHED = 200, 429
CONNECTIONS = 2048  # what a service within 50 ms at 30,000 requests/s needs, with 10,000 a second rejected as late


@dataclass(frozen=True)
class Call:
    """A whole HTTP request, and the body of its right answer."""

    request: bytes
    answer: bytes


@dataclass(frozen=True)
class Load:
    """What is sent, how fast and for how long."""

    address: tuple[str, int]
    calls: Sequence[Call]  # in turn
    rate: float  # arrivals a second; 0: a closed loop
    seconds: float
    seed: int = 0
    timeout_s: float = 2.0
    in_flight: int = 0  # of a closed loop
    connections: int = CONNECTIONS  # of an open one


@dataclass(frozen=True)
class Outcome:
    """What became of each request, and how the generator itself did."""

    intended_s: NDArray[np.float64]  # since the start of the load
    latency_s: NDArray[np.float64]  # from the intended start
    status: NDArray[np.int16]
    lag_s: NDArray[np.float64]  # of the requests that found a free connection, until they were sent
    cpu_share: float  # of one core


def draw_arrivals(load: Load) -> NDArray[np.float64]:
    """Return the times of a Poisson process, in seconds from its start; none for a closed loop."""
    if not load.rate:
        return np.empty(0)
    chance = np.random.default_rng(load.seed)
    gaps = chance.exponential(1 / load.rate, int(load.rate * load.seconds * 1.2) + 100)
    times = np.cumsum(gaps)
    return times[times < load.seconds]
