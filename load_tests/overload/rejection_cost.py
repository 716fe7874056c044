"""What rejecting costs, and how much of a peak can be kept beside it.

At k times the peak, a rejection at the share s of an answer's cost leaves (1 − k·s) / (1 − s) of the
peak. A rejection is an HTTP request all the same, read from its socket and answered: for one row and a
small network s is a quarter or more. How little it could be, a server shows that only rejects
(load_tests/servers/refuser.py), under the same load.
"""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import psutil

from ekiben.contract.errors import UserError
from ekiben.load_tests.capacity.rates import Step
from ekiben.load_tests.generator.cpu_affinity import running_on
from ekiben.load_tests.generator.load import Load
from ekiben.load_tests.generator.processes import Generator


@dataclass(frozen=True)
class Costs:
    """CPU seconds of the service."""

    answer_s: float
    rejection_s: float

    def keep(self, factor: float) -> float:
        """Return the share of the peak's answers that can be given at that many times the peak."""
        share = self.rejection_s / self.answer_s
        return min(max((1 - factor * share) / (1 - share), 0.0), 1.0) if share < 1 else 0.0


@dataclass(frozen=True)
class RejectionFloor:
    """What a request takes of a server that only rejects: CPU seconds, and the kernel's share of them."""

    seconds: float
    kernel_share: float


def read_costs(best: Step, flood: Step) -> Costs:
    """Return what answers cost at the peak, and what rejections cost beside them."""
    answer_s = 1 / best.offered.achieved  # of the one core that it has
    rejected = flood.offered.shed / flood.offered.seconds
    left = 1 - answer_s * flood.offered.achieved
    return Costs(answer_s, max(left, 0.0) / rejected if rejected else 0.0)


def measure_rejection_floor(generator: Generator, load: Load, cores: frozenset[int]) -> RejectionFloor:
    """Send a load to a server on those cores that only rejects."""
    began: list[Any] = []
    with start_rejecting_server(cores) as (port, process):
        load = replace(load, address=("127.0.0.1", port))
        offered = generator.offer(load, lambda: began.append(process.cpu_times()))
        ended = process.cpu_times()
    kernel_s = ended.system - began[0].system
    spent_s = ended.user - began[0].user + kernel_s
    return RejectionFloor(spent_s / offered.shed, kernel_s / spent_s)


@contextmanager
def start_rejecting_server(cores: frozenset[int]) -> Iterator[tuple[int, psutil.Process]]:
    """Start that server on a free port, which is returned with it."""
    command = [sys.executable, "-m", "ekiben.load_tests.servers.refuser"]
    with running_on(cores), subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            port = process.stdout.readline() if process.stdout else ""
            if not port:  # what ended it stands above, in its own words
                raise UserError("the server that only rejects did not start")
            yield int(port), psutil.Process(process.pid)
        finally:
            process.terminate()


def print_costs(costs: Costs, least: RejectionFloor, factor: float, wanted: float) -> None:
    """Print what answers and rejections cost, and what that leaves at as many times the peak as offered, or wanted."""
    bare = Costs(costs.answer_s, least.seconds)
    print(
        f"an answer costs {1e6 * costs.answer_s:.0f} µs of the service's core and a rejection "
        f"{1e6 * costs.rejection_s:.0f}: at that rate {costs.keep(factor):.0%} of the peak can be kept\n"
        f"a server that only rejects takes {1e6 * least.seconds:.0f} µs for it, {least.kernel_share:.0%} of them the "
        f"kernel's: that would keep {bare.keep(factor):.0%}, at {wanted:g} × the peak {bare.keep(wanted):.0%}\n"
    )
