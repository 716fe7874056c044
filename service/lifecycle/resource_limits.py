"""How much CPU and memory this container may use, as its cgroup (version 2 or 1) and `ulimit` say."""

import os
import resource
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ekiben.service.lifecycle.lifeline import is_alone

CGROUPS = Path("/sys/fs/cgroup")
# Version 1 writes the largest number of pages where there is no limit.
UNLIMITED_BYTES = 2**60
MIB = 2**20
SUPERVISOR_MIB = 120
WORKER_MIB = {"litert": 180, "tensorflow": 800}  # by engine, under load, with one model
# The least, of one worker with LiteRT, as the container counts: with 160 the kernel kills it before it answers.
START_MIB = 176
ALONE_START_MIB = 88  # the same of one process: with 72 it kills it, with 80 it doesn't
MODEL_MIB = {"litert": 8, "tensorflow": 60}  # each further one: twice what `ekiben models` prints


@dataclass(frozen=True)
class Limits:
    """What the container may use; None where nothing limits it."""

    cpus: float | None = None
    memory_bytes: int | None = None

    @property
    def threads(self) -> int:
        """How many threads can compute at the same time."""
        return max(1, int(self.cpus)) if self.cpus else len(os.sched_getaffinity(0))


def find_engine(engines: Iterable[str]) -> str:
    """Return the heavier engine of those that models need."""
    return max(engines, key=lambda engine: WORKER_MIB[engine])


def find_worker_mib(engine: str, models: int) -> int:
    """Return what a worker with so many models takes under load."""
    return WORKER_MIB[engine] + (models - 1) * MODEL_MIB[engine]


def find_supervisor_mib() -> int:
    """Return what the service takes besides its workers; a process that is all of it has no supervisor."""
    return 0 if is_alone() else SUPERVISOR_MIB


def find_start_mib() -> int:
    """Return the least that a service starts in."""
    return ALONE_START_MIB if is_alone() else START_MIB


def read_limits(root: Path = CGROUPS) -> Limits:
    """Read the limits of this process and of its cgroup."""
    memory = [limit for limit in (_read_memory(root), *_read_resources()) if limit is not None]
    return Limits(_read_cpus(root), min(memory, default=None))


def _read_cpus(root: Path) -> float | None:
    quota, _, period = _read(root / "cpu.max").partition(" ")  # version 2
    if not quota:
        quota, period = _read(root / "cpu/cpu.cfs_quota_us"), _read(root / "cpu/cpu.cfs_period_us")
    return int(quota) / int(period) if quota.isdigit() and period.isdigit() else None  # "max" or -1: no limit


def _read_memory(root: Path) -> int | None:
    limit = _read(root / "memory.max") or _read(root / "memory/memory.limit_in_bytes")
    return int(limit) if limit.isdigit() and int(limit) < UNLIMITED_BYTES else None


def read_oom_kills(root: Path = CGROUPS) -> int | None:
    """Return how many processes of its cgroup the kernel has killed for memory, None where nobody counts."""
    for line in (_read(root / "memory.events") or _read(root / "memory/memory.oom_control")).splitlines():
        name, _, count = line.partition(" ")
        if name == "oom_kill" and count.isdigit():
            return int(count)
    return None


def _read_resources() -> list[int]:
    """Return what `ulimit -m`, `-d` and `-v` allow; Linux enforces no `-m`, but who sets it means it."""
    kinds = resource.RLIMIT_RSS, resource.RLIMIT_DATA, resource.RLIMIT_AS
    return [soft for soft, _ in map(resource.getrlimit, kinds) if soft != resource.RLIM_INFINITY]


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""
