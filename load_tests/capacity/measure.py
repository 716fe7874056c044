"""How much one replica carries: `python -m ekiben.load_tests capacity`.

The rates are offered in an open loop (load_tests/generator/load.py), not with Locust's users: theirs is
a closed loop, in which a slow service is asked less and so looks better than its callers find it.
Locust (load_tests/locustfile.py) is for people who want to look, or to load from many machines.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import sleep

import psutil

from ekiben.load_tests.capacity.scalability import WAIT_SHARE, Law, fit_law
from ekiben.load_tests.generator.cpu_affinity import Split, running_on, split_cores
from ekiben.load_tests.generator.load import CONNECTIONS, Call, Load
from ekiben.load_tests.generator.processes import Generator, Offered, start_generator
from ekiben.load_tests.requests.http_dialects import PREDICT
from ekiben.load_tests.requests.request_case import RequestCase, write_case
from ekiben.load_tests.requests.service_under_test import Service, Source, find_service, find_source, read, write_calls
from ekiben.load_tests.servers.process import cpu_seconds
from ekiben.load_tests.servers.start import EKIBEN, NOTHING, start
from ekiben.model.store import find_model, open_stored
from ekiben.service.settings import read_settings

WORKERS = (1, 2)
CALLS = 200  # different ones, so that no answer is asked for twice in a row
CALLERS = (1, 2, 4, 8, 16, 32, 64, 128, 256)  # of the closed loop that the law is fitted to
CALLERS_S = 1.5
SHARES = (0.1, 0.3, 0.5, 0.7, 0.8, 0.9, 1.0, 1.15, 1.4)  # of the closed loop's best throughput
MAX_STEPS = len(SHARES) + 4
BISECTIONS = 5
CLOSE = 1.03  # the bisection ends once its bounds are that near
OWN_CPU = 0.85  # of its cores: what a service uses that can not keep up
FLUSH_S = 1.1  # the service hands its counts to /metrics once a second
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
class Step:
    """One rate that was offered, and what the service did meanwhile."""

    offered: Offered
    callers: int  # of a closed loop; 0 in an open one
    cpu_share: float  # of the service, in cores; NaN if it isn't on this machine
    batch_rows: float  # rows a batch, on average


@dataclass(frozen=True)
class Measured:
    """What was found out about the service with that many workers."""

    workers: int
    split: Split
    sweep: Sequence[Step]  # the closed loop
    steps: Sequence[Step]  # the open loop, by rate
    law: Law
    capacity: Step | None  # the highest rate that met the goal; None if none did
    limited: bool  # the generator was the limit, so that capacity may be higher
    starved: bool  # the goal was missed while the service's cores were not its own: something else ran there


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
        step = Step(offered, callers, spent / seconds, (after.rows - before[0].rows) / batches)
        self._say(describe(step))
        return step

    def _read_usage(self, pause_s: float) -> Usage:
        """Return what the service has used so far, after it had time to say so."""
        sleep(pause_s)
        lines = read(f"{self.service.url}/metrics").decode().splitlines()
        values = dict(line.rsplit(" ", 1) for line in lines if line.startswith("inference_batch_rows_"))
        rows, batches = (float(values.get(f"inference_batch_rows_{name}", 0)) for name in ("sum", "count"))
        return Usage(self._cpu_seconds(), rows, batches)

    def _cpu_seconds(self) -> float:
        return cpu_seconds(self._process) if self._process else float("nan")


def describe(step: Step) -> str:
    """Return a step as one line."""
    offered = step.offered
    load = f"{step.callers:>4} callers    " if step.callers else f"{offered.rate:>7,.0f}/s offered"
    return (
        f"{load}  {offered.achieved:>7,.0f}/s good"
        f"  p50 {offered.percentile(50):>7.2f}  p99 {offered.percentile(99):>7.2f} ms"
        f"  shed {offered.shed}  failed {offered.failed}  timed out {offered.timed_out}  wrong {offered.wrong}"
        f"  rows/batch {step.batch_rows:.1f}  CPU service {step.cpu_share:.2f}  generator {offered.cpu_share:.2f}"
        f"  lag p99 {offered.lag_p99_ms:.2f} ms"
    )


@contextmanager
def serve(
    workers: int, port: int, folder: Path, split: Split, environment: Mapping[str, str] = NOTHING
) -> Iterator[tuple[Service, psutil.Process]]:
    """Start the service of this folder on its cores and return it once it answers."""
    given = {**environment, "WORKERS": str(workers)}
    with ExitStack() as stack:
        with running_on(split.service):
            running = stack.enter_context(start(EKIBEN, port, first_case(), folder, given))
        yield find_service(f"http://127.0.0.1:{port}"), running.process


def wait_setting(slo_ms: float) -> dict[str, str]:
    """Return the setting of a service that is to keep this SLO."""
    return {"MAX_WAIT_S": f"{WAIT_SHARE * slo_ms / 1000:g}"}


def describe_wait(slo_ms: float) -> str:
    """Return that setting as a shell takes it."""
    return " ".join(f"{name}={value}" for name, value in wait_setting(slo_ms).items())


def first_case() -> RequestCase:
    """Return a row of the store's model, asked until the service answers."""
    model = open_stored(find_model(read_settings().model_name))
    return write_case(model.schema, [model.schema.example], PREDICT, 1)


def measure(bench: Bench, workers: int, split: Split, goal: Goal) -> Measured:
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
    return Measured(workers, split, sweep, steps, fitted, capacity, limited, starved)


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


def measure_workers(workers: int, port: int, folder: Path, seconds: float, goal: Goal) -> tuple[Measured, Source]:
    """Start the service with that many workers and measure it."""
    split = split_cores(workers)
    serving = serve(workers, port, folder, split, wait_setting(goal.slo_ms))
    with serving as (service, process), start_generator(split) as generator:
        source = find_source(service)
        print(f"\n{workers} worker{'s' * (workers > 1)}, {describe_split(split)}")
        bench = Bench(service, generator, write_calls(service, source, PREDICT, 1, CALLS), seconds, process)
        return measure(bench, workers, split, goal), source


def measure_url(url: str, seconds: float, goal: Goal) -> tuple[Measured, Source]:
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
