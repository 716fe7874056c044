"""Compares what a request costs in one service's ways of answering it: with counting and without, say.

On a machine that others use, the CPU time of the same request differs by a tenth from one second to the next. So the
ways alternate, a twentieth of a second each, there and back again, and only what lies side by side is compared: a turn
is some such slices of each way, and gives one ratio. Of the ratios the median counts, and the interval that holds
the true median in 95% of runs, whatever the noise is like: each ratio lies below it as a tossed coin falls, so few runs
have it beyond all but the outermost ones (Thompson, 1936). A way that is the same as the first shows what noise alone
makes of a difference.
"""

import asyncio
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ekiben.load_tests.cost.request_cost import Ask
from ekiben.load_tests.machine import describe_machine
from ekiben.load_tests.requests.request_case import RequestCase

SLICES, TURNS = 16, 17
CONFIDENCE = 0.95
GATHERED = 4  # times that all requests are sent, before the clock is read again
Ratios = NDArray[np.float64]  # (turns,)


class Way:
    """One way to answer: this one as it is."""

    async def begin(self) -> None:
        """Switch the service to it, which costs nothing that counts."""

    async def end_slice(self) -> None:
        """Do what must not be done in another's slice; this counts, as what follows."""

    async def end_turn(self) -> None:
        """Do what is left."""


@dataclass(frozen=True)
class Difference:
    """By how much a way is dearer than another, as a share."""

    median: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.median:+.1%} ({self.low:+.1%} to {self.high:+.1%})"

    def judge(self, goal: float) -> str:
        """Return whether it is at most the goal, as far as the noise lets that be known."""
        if self.high <= goal:
            return "yes"
        return "no" if self.low > goal else "not known: too much noise"


def describe_turns(seconds: float) -> str:
    """Return what was measured, how often, and on which machine."""
    return f"{describe_machine()}; {TURNS} turns of {SLICES} × {seconds / SLICES:g} s; median (95% interval)"


async def compare(ways: Sequence[Way], ask: Ask, cases: list[RequestCase], seconds: float) -> NDArray[np.float64]:
    """Return the CPU µs of a request in each turn of so many seconds, (turns, ways)."""
    costs = np.empty((TURNS, len(ways)))
    for turn in range(TURNS):
        counts, spent_s = np.zeros(len(ways)), np.zeros(len(ways))
        order = np.roll(range(len(ways)), turn).tolist()
        for index in range(SLICES):
            for way in order if index % 2 else reversed(order):
                await ways[way].begin()
                began = time.process_time()
                counts[way] += await _ask_for(ask, cases, seconds / SLICES)
                await ways[way].end_slice()
                spent_s[way] += time.process_time() - began
        for way in order:
            began = time.process_time()
            await ways[way].end_turn()
            spent_s[way] += time.process_time() - began
        costs[turn] = 1e6 * spent_s / counts
    return costs


async def _ask_for(ask: Ask, cases: list[RequestCase], seconds: float) -> int:
    """Ask for so many seconds of CPU time; return the number of requests."""
    await asyncio.gather(*map(ask, cases))  # the other way's are in the caches
    count, ends = len(cases), time.process_time() + seconds
    while time.process_time() < ends:
        for _ in range(GATHERED):
            await asyncio.gather(*map(ask, cases))
        count += GATHERED * len(cases)
    return count


def find_difference(ratios: Ratios) -> Difference:
    """Return by how much the ratios exceed 1, and between which of them the true median lies."""
    ordered = np.sort(ratios) - 1
    outside = count_outside(len(ordered))
    return Difference(float(np.median(ordered)), float(ordered[outside]), float(ordered[-1 - outside]))


def count_outside(count: int) -> int:
    """Return how many of so many ratios lie outside on each side; too few ratios all lie inside."""
    tail, outside = 0.0, 0
    while 2 * (tail := tail + math.comb(count, outside) / 2**count) <= 1 - CONFIDENCE:
        outside += 1
    return max(outside - 1, 0)
