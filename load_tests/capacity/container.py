"""What a container needs for the load that was measured: CPU and memory, as a patch of the Deployment."""

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ekiben.load_tests.capacity.measure import CapacityResult
from ekiben.load_tests.capacity.scalability import TARGET_SHARE
from ekiben.service.connections.byte_budget import EXPANSION
from ekiben.service.lifecycle.resource_limits import MIB

MEMORY_HEADROOM = 1.25  # over the most that was seen, between two loads
TEMPORARY_MIB = 64  # /tmp, which is memory, as deploy/kubernetes has it
ROUNDED_MIB = 16
HEAVY_BATCH_CPUS = 1  # computed beside the event loop
MIN_UTILIZATION, MAX_UTILIZATION = 50, 95  # percent; outside of it the autoscaler would never rest, or never act

PATCH = """\
# {origin}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: flight-delay
spec:
  template:
    spec:
      containers:
        - name: ekiben
          resources:
            requests:
              cpu: {container.cpu_millis}m
              memory: {container.memory_mib}Mi
            limits:
              cpu: "{container.cpu_limit}"
              memory: {container.memory_limit_mib}Mi
"""


@dataclass(frozen=True)
class Container:
    """What a replica asks for, and what it may use."""

    cpu_millis: int  # what it uses at its capacity
    cpu_limit: int
    memory_mib: int
    memory_limit_mib: int
    utilization: int  # of `cpu_millis`, in percent, at the load where the autoscaler adds a replica

    def __str__(self) -> str:
        return (
            f"A replica asks for {self.cpu_millis}m CPU and {self.memory_mib} MiB, and may use {self.cpu_limit} CPUs "
            f"and {self.memory_limit_mib} MiB."
        )


def size_container(measured: CapacityResult, max_body_bytes: int) -> Container | None:
    """Return what one replica needs; None where no rate was carried, or the service wasn't on this machine."""
    if measured.capacity is None or math.isnan(measured.capacity.cpu_share):
        return None
    cpus = math.ceil(measured.capacity.cpu_share * 10) / 10
    rates, used = zip(*((step.offered.rate, step.cpu_share) for step in measured.steps), strict=True)
    scaling = float(np.interp(TARGET_SHARE * measured.capacity.offered.rate, rates, used))
    seen_mib = max(step.memory_mib for step in (*measured.sweep, *measured.steps))
    memory_mib = round_up(MEMORY_HEADROOM * seen_mib)
    return Container(
        round(1000 * cpus),
        math.ceil(cpus) + HEAVY_BATCH_CPUS,
        memory_mib,
        round_up(memory_mib + EXPANSION * max_body_bytes / MIB + TEMPORARY_MIB),
        max(MIN_UTILIZATION, min(round(100 * scaling / cpus), MAX_UTILIZATION)),
    )


def round_up(mib: float) -> int:
    """Return a number that people can read."""
    return math.ceil(mib / ROUNDED_MIB) * ROUNDED_MIB


def write_resources(path: Path, container: Container, origin: str) -> None:
    """Write the patch; `origin` says in its first line where the numbers come from."""
    path.write_text(PATCH.format(container=container, origin=origin), encoding="utf-8")
