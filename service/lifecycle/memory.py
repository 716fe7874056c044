"""Gives memory back to the system: glibc keeps what was freed, of 50 messages of a megabyte 60 MiB for good.

Our own requests leave no reference cycles, but BentoML's pages and 404s do. Python would look for them after
GARBAGE_OBJECTS: once a second less is looked for, while little else is there.
"""

import asyncio
import ctypes
import gc
import resource
from pathlib import Path

from ekiben.service.loop_local import LoopLocal
from ekiben.service.offload import offload

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -3, -8  # of malloc.h
ARENAS = 2  # places to allocate from: gRPC's threads would make one each, up to eight a CPU
MMAP_THRESHOLD_BYTES = 2**17  # from the system itself, and given back at once: malloc's default until it adapts
# Python looks for cycles after 700 new objects and walks all requests under way: with 2,000 of them it was a
# quarter of the CPU time. A request leaves no cycles, and 100,000 objects are some 10 MB.
GARBAGE_OBJECTS = 100_000
COLLECT_S, MANY_OBJECTS = 1.0, 5000  # more than before: as many take about a megabyte
TRIM_S = 0.5  # after a large request; others may follow it


def tune_malloc() -> None:
    """Let this process keep little of what it frees; other C libraries than glibc keep little by themselves."""
    libc = ctypes.CDLL(None)
    if hasattr(libc, "mallopt"):
        for option, value in (
            (M_ARENA_MAX, ARENAS),
            (M_MMAP_THRESHOLD, MMAP_THRESHOLD_BYTES),
            (M_TRIM_THRESHOLD, 2**20),
        ):
            libc.mallopt(option, value)


def tune_garbage() -> None:
    """Let Python look for cycles seldom, and never among what is loaded by now."""
    gc.collect()
    gc.freeze()  # what is loaded stays: not walking it again took pauses of 30-130 ms out of p99
    gc.set_threshold(GARBAGE_OBJECTS)
    _heap.get().collect_regularly()


def read_resident_bytes() -> int:
    """Return how much of the memory this process has in use."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def trim_soon() -> None:
    """Give back what is free inside the heap, once no large request is likely to need it again."""
    _heap.get().trim_soon()


class Heap:
    """What malloc keeps of the memory that was freed; belongs to one event loop."""

    def __init__(self) -> None:
        self._libc = ctypes.CDLL(None)
        self._timer: asyncio.TimerHandle | None = None

    def collect_regularly(self) -> None:
        """Free the cycles of the last second, now and every second, if there may be many."""
        if gc.get_count()[0] > MANY_OBJECTS:
            gc.collect()
            self.trim_soon()
        asyncio.get_running_loop().call_later(COLLECT_S, self.collect_regularly)

    def trim_soon(self) -> None:
        """Trim after TRIM_S, once for all who ask until then."""
        if self._timer is None and hasattr(self._libc, "malloc_trim"):
            self._timer = asyncio.get_running_loop().call_later(TRIM_S, self._trim)

    def _trim(self) -> None:
        self._timer = None
        trimming = asyncio.ensure_future(offload(self._libc.malloc_trim, 0))  # without the GIL
        trimming.add_done_callback(asyncio.Future.exception)


_heap = LoopLocal(Heap)
