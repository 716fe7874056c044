"""What the service's processes hold and use, while good callers go on asking and bad ones attack."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from ekiben.load_tests.servers.process import cpu_seconds, end, family

PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
PROC = Path("/proc")


@dataclass
class Sampler:
    """Sums the resident memory of a service and its children; ends it beyond a limit, as a container's kernel would."""

    service: psutil.Process
    limit_mib: float
    peak_mib: float = 0.0
    killed: bool = False
    _workers: frozenset[int] = field(default_factory=frozenset)

    def __post_init__(self) -> None:
        self._workers = frozenset(list_children(self.service.pid))

    def sample(self) -> float:
        """Return the resident memory now, in MiB."""
        now = sum(map(read_resident, walk(self.service.pid))) / 2**20
        self.peak_mib = max(self.peak_mib, now)
        if now > self.limit_mib and not self.killed:
            self.killed = True
            end_at_once(self.service)
        return now

    def read_cpu(self) -> float:
        """Return the CPU seconds that the service and its children have used."""
        try:
            return cpu_seconds(self.service)
        except psutil.NoSuchProcess:
            return 0.0

    def is_whole(self) -> bool:
        """Return whether the processes that were there at first are there still."""
        return not self.killed and self._workers <= set(list_children(self.service.pid))


def walk(pid: int) -> Iterator[int]:
    """Yield a process and all that descend from it; `psutil` would look at every process of the machine."""
    yield pid
    for child in list_children(pid):
        yield from walk(child)


def list_children(pid: int) -> list[int]:
    """Return the processes that a process has started."""
    children = []
    for path in (PROC / str(pid) / "task").glob("*/children"):
        try:
            children += [int(child) for child in path.read_text().split()]
        except OSError:  # the thread is gone
            continue
    return children


def read_resident(pid: int) -> int:
    """Return the bytes of a process that are in memory; 0 if it is gone."""
    try:
        return int((PROC / str(pid) / "statm").read_text().split()[1]) * PAGE_BYTES
    except OSError:
        return 0


def end_at_once(service: psutil.Process) -> None:
    """Kill a service and its children: `end` would let them swell for seconds more."""
    try:
        processes = family(service)
    except psutil.NoSuchProcess:
        return
    for process in processes:
        try:
            process.kill()
        except psutil.NoSuchProcess:
            continue
    end(processes)
