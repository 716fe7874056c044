"""Gives memory back to the system: glibc keeps what was freed, of 50 messages of a megabyte 60 MiB for good.

Our own requests leave no reference cycles, but BentoML's pages and 404s do. Python would look for them after
GARBAGE_OBJECTS of ekiben.service.service: once a second less is looked for, while little else is there.
"""

import asyncio
import ctypes
import gc

from ekiben.service.offload import offload

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -3, -8  # of malloc.h
ARENAS = 2  # places to allocate from: gRPC's threads would make one each, up to eight a CPU
MMAP_THRESHOLD_BYTES = 2**17  # from the system itself, and given back at once: malloc's default until it adapts
COLLECT_S, MANY_OBJECTS = 1.0, 5000  # more than before: as many take about a megabyte
TRIM_S = 0.5  # after a large request; others may follow it

_libc = ctypes.CDLL(None)
_timer: asyncio.TimerHandle | None = None


def tune_malloc() -> None:
    """Let this process keep little of what it frees; other C libraries than glibc keep little by themselves."""
    if hasattr(_libc, "mallopt"):
        for option, value in (
            (M_ARENA_MAX, ARENAS),
            (M_MMAP_THRESHOLD, MMAP_THRESHOLD_BYTES),
            (M_TRIM_THRESHOLD, 2**20),
        ):
            _libc.mallopt(option, value)


def collect_regularly() -> None:
    """Free the cycles of the last second, now and every second on this event loop, if there may be many."""
    if gc.get_count()[0] > MANY_OBJECTS:
        gc.collect()
        trim_soon()
    asyncio.get_running_loop().call_later(COLLECT_S, collect_regularly)


def trim_soon() -> None:
    """Give back what is free inside the heap, once no large request is likely to need it again."""
    global _timer
    if _timer is None and hasattr(_libc, "malloc_trim"):
        _timer = asyncio.get_running_loop().call_later(TRIM_S, _trim)


def _trim() -> None:
    global _timer
    _timer = None
    trimming = asyncio.ensure_future(offload(_libc.malloc_trim, 0))  # without the GIL
    trimming.add_done_callback(asyncio.Future.exception)
