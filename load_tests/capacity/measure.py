"""How much one replica carries: `ekiben capacity`.

The rates are offered in an open loop (load_tests/generator/load.py), not with Locust's users: theirs is
a closed loop, in which a slow service is asked less and so looks better than its callers find it.
Locust (load_tests/locustfile.py) is for people who want to look, or to load from many machines.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ekiben.load_tests.capacity.rates import Bench, Step
from ekiben.load_tests.capacity.scalability import Law, fit_law
from ekiben.load_tests.generator.cpu_affinity import Split, split_cores
from ekiben.load_tests.generator.processes import Offered, start_generator
from ekiben.load_tests.requests.http_dialects import PREDICT
from ekiben.load_tests.requests.service_under_test import Source, find_service, find_source, write_calls
from ekiben.load_tests.servers.own_service import serve, wait_setting

WORKERS = (1, 2)
CALLS = 200  # different ones, so that no answer is asked for twice in a row
CALLERS = (1, 2, 4, 8, 16, 32, 64, 128, 256)  # of the closed loop that the law is fitted to
CALLERS_S = 1.5
SHARES = (0.1, 0.3, 0.5, 0.7, 0.8, 0.9, 1.0, 1.15, 1.4)  # of the closed loop's best throughput
MAX_STEPS = len(SHARES) + 4
BISECTIONS = 5
CLOSE = 1.03  # the bisection ends once its bounds are that near
OWN_CPU = 0.85  # of its cores: what a service uses that can not keep up
ERROR_BUDGET = 0.001  # the share of requests that may go without a good answer


@dataclass(frozen=True)
class Goal:
    """What a rate must meet to count as carried."""

    slo_ms: float
    budget: float = ERROR_BUDGET

    def is_met(self, offered: Offered) -> bool:
        """Return whether the 99th percentile and the share of good answers are as wanted."""
        return offered.percentile(99) <= self.slo_ms and offered.missed <= self.budget and not offered.wrong


@dataclass(frozen=True)
class CapacityResult:
    """What was found out about the service with that many workers."""

    workers: int
    split: Split
    sweep: Sequence[Step]  # the closed loop
    steps: Sequence[Step]  # the open loop, by rate
    law: Law
    capacity: Step | None  # the highest rate that met the goal; None if none did
    limited: bool  # the generator was the limit, so that capacity may be higher
    starved: bool  # the goal was missed while the service's cores were not its own: something else ran there


def measure(bench: Bench, workers: int, split: Split, goal: Goal) -> CapacityResult:
    """Find out how throughput follows from concurrency, and the highest rate that meets the goal."""
    sweep = [bench.offer(0, callers, CALLERS_S) for callers in CALLERS]
    best = max(step.offered.achieved for step in sweep)
    steps = [bench.offer(share * best) for share in SHARES]
    while goal.is_met(steps[-1].offered) and len(steps) < MAX_STEPS:  # in an open loop batches are larger
        steps.append(bench.offer(SHARES[-1] * steps[-1].offered.rate))
    steps += bisect(bench, steps, goal)
    steps.sort(key=lambda step: step.offered.rate)
    met = [step for step in steps if goal.is_met(step.offered)]
    capacity = met[-1] if met else None
    above = [step for step in steps if capacity is None or step.offered.rate > capacity.offered.rate]
    limited = all(step.offered.is_limited(goal.slo_ms) for step in above[:1])
    starved = not split.shared and any(is_starved(step, split) for step in steps if not goal.is_met(step.offered))
    fitted = fit_law([step.callers for step in sweep], [step.offered.achieved for step in sweep])
    return CapacityResult(workers, split, sweep, steps, fitted, capacity, limited, starved)


def is_starved(step: Step, split: Split) -> bool:
    """Return whether a service that was asked for more than it could give did not have its cores to itself."""
    return step.cpu_share < OWN_CPU * len(split.service)


def bisect(bench: Bench, steps: Sequence[Step], goal: Goal) -> list[Step]:
    """Halve the way between the highest rate that meets the goal and the next above it."""
    met = [step.offered.rate for step in steps if goal.is_met(step.offered)]
    low = max(met, default=0.0)
    high = min((step.offered.rate for step in steps if step.offered.rate > low), default=low)
    found: list[Step] = []
    while len(found) < BISECTIONS and high > CLOSE * low:
        step = bench.offer((low + high) / 2)
        found.append(step)
        if goal.is_met(step.offered):
            low = step.offered.rate
        else:
            high = step.offered.rate
    return found


def measure_workers(workers: int, port: int, folder: Path, seconds: float, goal: Goal) -> tuple[CapacityResult, Source]:
    """Start the service with that many workers and measure it."""
    split = split_cores(workers)
    serving = serve(workers, port, folder, split, wait_setting(goal.slo_ms))
    with serving as (service, process), start_generator(split) as generator:
        source = find_source(service)
        print(f"\n{workers} worker{'s' * (workers > 1)}, {describe_split(split)}")
        bench = Bench(service, generator, write_calls(service, source, PREDICT, 1, CALLS), seconds, process)
        return measure(bench, workers, split, goal), source


def measure_url(url: str, seconds: float, goal: Goal) -> tuple[CapacityResult, Source]:
    """Measure a service that runs already, wherever it is."""
    service = find_service(url)
    source = find_source(service)
    split = split_cores(0, remote=True)
    with start_generator(split) as generator:
        print(f"\n{service.url}, {describe_split(split)}")
        bench = Bench(service, generator, write_calls(service, source, PREDICT, 1, CALLS), seconds, None)
        return measure(bench, 0, split, goal), source


def describe_split(split: Split) -> str:
    """Return who runs where."""
    own = f"service on cores {sorted(split.service)}, " if split.service else ""
    shared = ": they share one, so the service carries more than this" if split.shared else ""
    return f"{own}load generator on cores {sorted(split.generator)}{shared}"
