"""The standard `process_*` series of a service, which is a supervisor and its workers, or one process.

prometheus_client leaves them out where several processes share their series. Here one answer is about all of them:

- memory is the sum, as a container's limit is for the sum; what processes share counts in each, so it is a little
  too much;
- CPU time is the sum, with that of workers that have ended: a sum without theirs would fall, which is a restart to
  Prometheus, and the next increase would be all that the others ever took;
- the start is the supervisor's: in a container a worker's death ends it too, elsewhere `ekiben_worker_starts_total`
  counts the worker that takes the dead one's place;
- open files are those of the process that has most of them, beside its own limit: limits are per process.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bentoml._internal.context import server_context
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from ekiben.service.lifecycle.lifeline import is_alone
from ekiben.service.telemetry.metric_inheritance import is_dead
from ekiben.service.telemetry.metrics_folder import VARIABLE

PROC = Path("/proc")
# In /proc/PID/stat, after the name: user and system time, those of children that have ended, the start, memory.
TIMES, START, PAGES = slice(11, 15), 19, 21


@dataclass(frozen=True)
class Process:
    """What the kernel says of a process."""

    cpu_s: float
    started: float  # seconds since 1970
    resident_bytes: int
    open_files: int
    max_files: float


class ProcessCollector(Collector):
    """Gives the sums; `floor_s` is what the CPU time was before."""

    def __init__(self, processes: Sequence[Process], floor_s: float = 0.0) -> None:
        """`processes`: the supervisor first."""
        self._processes = processes
        self.cpu_s = max(floor_s, sum(one.cpu_s for one in processes))

    def collect(self) -> Iterator[Metric]:
        """Yield each series; none where the kernel says nothing."""
        if not self._processes:
            return
        fullest = max(self._processes, key=lambda one: one.open_files / one.max_files)
        resident = sum(one.resident_bytes for one in self._processes)
        yield CounterMetricFamily("process_cpu_seconds", "CPU time of all processes of the service.", self.cpu_s)
        yield _gauge("process_resident_memory_bytes", "Memory of all processes of the service.", resident)
        start = self._processes[0].started
        yield _gauge("process_start_time_seconds", "When the service started, in seconds since 1970.", start)
        yield _gauge("process_open_fds", "Open files of the process that is nearest its limit.", fullest.open_files)
        yield _gauge("process_max_fds", "How many that process may have open.", fullest.max_files)


def find_processes() -> list[int]:
    """Return the ids of all processes of this service, the supervisor first."""
    if server_context.worker_index is None or VARIABLE not in os.environ or is_alone():
        return [os.getpid()]
    siblings = {path for path in Path(os.environ[VARIABLE]).glob("counter_*.db") if not is_dead(path)}
    workers = {os.getpid(), *(int(path.stem.rpartition("_")[2]) for path in siblings)}
    return [os.getppid(), *sorted(workers)]


def read_processes(pids: Iterable[int]) -> Iterator[Process]:
    """Yield what there is to know of processes; nothing of one that has ended, or where there is no /proc."""
    for pid in pids:
        try:
            yield read_process(PROC, pid)
        except (OSError, ValueError, IndexError, StopIteration):
            continue


def read_process(root: Path, pid: int) -> Process:
    """Return what the kernel says of a process; raise OSError if it has ended."""
    ticks, page_bytes = os.sysconf("SC_CLK_TCK"), os.sysconf("SC_PAGE_SIZE")
    stat = (root / f"{pid}/stat").read_text().rpartition(")")[2].split()
    boot_s = int(_find_line(root / "stat", "btime").split()[1])
    limit = _find_line(root / f"{pid}/limits", "Max open files").split()[3]
    return Process(
        cpu_s=sum(map(int, stat[TIMES])) / ticks,
        started=boot_s + int(stat[START]) / ticks,
        resident_bytes=int(stat[PAGES]) * page_bytes,
        open_files=len(os.listdir(root / f"{pid}/fd")),
        max_files=float("inf") if limit == "unlimited" else float(limit),
    )


class ProcessSeries:
    """The series of all processes; remembers how much CPU time there was."""

    def __init__(self) -> None:
        self._floor_s = 0.0  # of a worker that ends between two looks the time is in neither, for a moment

    def render(self, pids: Iterable[int]) -> bytes:
        """Return the series as Prometheus reads them."""
        collector = ProcessCollector(list(read_processes(pids)), self._floor_s)
        self._floor_s = collector.cpu_s
        registry = CollectorRegistry()
        registry.register(collector)
        return generate_latest(registry)


def _find_line(path: Path, start: str) -> str:
    return next(line for line in path.read_text().splitlines() if line.startswith(start))


def _gauge(name: str, about: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, about, value)
