"""Offers rates to a running service, one after the other, and reads what it did meanwhile."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import sleep

import psutil

from ekiben.load_tests.generator.load import CONNECTIONS, Call, Load
from ekiben.load_tests.generator.processes import Generator, Offered
from ekiben.load_tests.requests.service_under_test import Service, read
from ekiben.load_tests.servers.process import cpu_seconds, private_and_shared_mib

FLUSH_S = 1.1  # the service hands its counts to /metrics once a second


@dataclass(frozen=True)
class Step:
    """One rate that was offered, and what the service did meanwhile."""

    offered: Offered
    callers: int  # of a closed loop; 0 in an open one
    cpu_share: float  # of the service, in cores; NaN if it isn't on this machine
    batch_rows: float  # rows a batch, on average
    memory_mib: float = math.nan  # of the service, after it; NaN if it isn't on this machine


@dataclass(frozen=True)
class Usage:
    """What the service has used since it began."""

    cpu_s: float
    rows: float
    batches: float


class Bench:
    """Offers rates to one running service."""

    def __init__(
        self, service: Service, generator: Generator, calls: Sequence[Call], seconds: float,
        process: psutil.Process | None, say: Callable[[str], None] = print,
    ) -> None:  # fmt: skip
        self.service = service
        self._generator = generator
        self._calls = calls
        self._seconds = seconds
        self._process = process
        self._say = say

    def offer(
        self, rate: float, callers: int = 0, seconds: float = 0.0, connections: int = CONNECTIONS, settle: bool = True
    ) -> Step:
        """Offer a rate, or that many callers in a closed loop, and return what came of it.

        Unless it is to `settle`, the next load can follow at once, and the batches are not known.
        """
        seconds = seconds or self._seconds
        load = Load(self.service.address, self._calls, rate, seconds, in_flight=callers, connections=connections)
        pause = FLUSH_S if settle else 0.0
        before: list[Usage] = []
        offered = self._generator.offer(load, lambda: before.append(self._read_usage(pause)))
        spent = self._cpu_seconds() - before[0].cpu_s
        after = self._read_usage(pause)
        batches = max(after.batches - before[0].batches, 1)
        rows = (after.rows - before[0].rows) / batches
        step = Step(offered, callers, spent / seconds, rows, self._memory_mib())
        self._say(describe(step))
        return step

    def _read_usage(self, pause_s: float) -> Usage:
        """Return what the service has used so far, after it had time to say so."""
        sleep(pause_s)
        lines = read(f"{self.service.url}/metrics").decode().splitlines()
        values = dict(line.rsplit(" ", 1) for line in lines if line.startswith("ekiben_inference_batch_rows_"))
        rows, batches = (float(values.get(f"ekiben_inference_batch_rows_{name}", 0)) for name in ("sum", "count"))
        return Usage(self._cpu_seconds(), rows, batches)

    def _cpu_seconds(self) -> float:
        return cpu_seconds(self._process) if self._process else math.nan

    def _memory_mib(self) -> float:
        return private_and_shared_mib(self._process) if self._process else math.nan


def describe(step: Step) -> str:
    """Return a step as one line."""
    offered = step.offered
    load = f"{step.callers:>4} callers    " if step.callers else f"{offered.rate:>7,.0f}/s offered"
    return (
        f"{load}  {offered.achieved:>7,.0f}/s good"
        f"  p50 {offered.percentile(50):>7.2f}  p99 {offered.percentile(99):>7.2f} ms"
        f"  shed {offered.shed}  failed {offered.failed}  timed out {offered.timed_out}  wrong {offered.wrong}"
        f"  rows/batch {step.batch_rows:.1f}  CPU service {step.cpu_share:.2f}  generator {offered.cpu_share:.2f}"
        f"  memory {step.memory_mib:.0f} MiB"
        f"  lag p99 {offered.lag_p99_ms:.2f} ms"
    )
