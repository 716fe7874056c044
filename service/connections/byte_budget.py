"""The bytes of request bodies that may be under way at once, from what memory the container has for them."""

import os
from dataclasses import dataclass

from ekiben.service.lifecycle.resource_limits import MIB, Limits, find_supervisor_mib, find_worker_mib

# Bytes resident for each byte of a body, with 19,500 rows of 20 features: JSON rows 2.5, columns 9, tf.Example 9,
# raw tensors 11, typed tensors 11.4.
EXPANSION = 12
MAX_LIMIT_BYTES = 2**30  # where memory is plentiful: what waits longer is not answered in time anyway


@dataclass
class ByteBudget:
    """Counts bytes under way; HTTP and gRPC share one. Belongs to one event loop."""

    limit: int
    taken: int = 0

    def take(self, count: int) -> bool:
        """Reserve that many bytes, or return False and reserve none; `give` must follow a success."""
        if self.taken + count > self.limit:
            return False
        self.taken += count
        return True

    def give(self, count: int) -> None:
        """Return bytes that were taken."""
        self.taken -= count


def find_byte_limit(limits: Limits, workers: int, engine: str, max_body_bytes: int, models: int = 1) -> int:
    """Return how many bytes of bodies one worker with so many models can hold; the largest body always fits."""
    memory = limits.memory_bytes or os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    spare = (memory - find_supervisor_mib() * MIB) // workers - find_worker_mib(engine, models) * MIB
    return max(max_body_bytes, min(spare // EXPANSION, MAX_LIMIT_BYTES))
