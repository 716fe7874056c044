"""The processes that read Parquet: started when they are needed, kept while they are used, never more than a few."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from ekiben.service.errors import CallerGone
from ekiben.service.lifecycle.resource_limits import MIB, Limits
from ekiben.service.parquet.frames import Job
from ekiben.service.parquet.process import ReaderProcess

IDLE_S = 1.0  # one that waits takes 27 MiB, starting it again 30 ms
FIXED_BYTES = 24 * MIB  # of Arrow's and Python's objects, whatever the file is
COPIES = 3  # of a body or of what it unpacks to, in a process at the same time
MEMORY_SHARE = 8  # a process gets at most one part in so many of the container's memory
MAX_MEMORY_BYTES = 2**30
MAX_READERS = 2
LARGE_CONTAINER_BYTES = (
    2**30
)  # a container with less has one process, and so has one without a CPU to spare for a second

Gone = Callable[[], Awaitable[None]]


def find_memory_bytes(limits: Limits, workers: int, max_bytes: int) -> int:
    """Return what a process may have, beyond what it starts with: what an honest file needs, if there is as much."""
    share = (limits.memory_bytes or MAX_MEMORY_BYTES * MEMORY_SHARE) // workers // MEMORY_SHARE
    return min(FIXED_BYTES + COPIES * max_bytes, share, MAX_MEMORY_BYTES)


def count_readers(limits: Limits, workers: int) -> int:
    """Return how many processes a worker has: beside it and a heavy batch's thread the second needs a third CPU."""
    large = limits.memory_bytes is None or limits.memory_bytes // workers >= LARGE_CONTAINER_BYTES
    return MAX_READERS if large and limits.threads // workers > MAX_READERS else 1


class Readers:
    """Lends processes, each to one request at a time; belongs to one event loop."""

    def __init__(self, job: Job, count: int) -> None:
        self._job = job
        self._turns = asyncio.Semaphore(count)
        self._idle: list[ReaderProcess] = []
        self._timer: asyncio.TimerHandle | None = None

    @asynccontextmanager
    async def lend(self, gone: Gone | None = None) -> AsyncIterator[ReaderProcess]:
        """Wait for a process; one that has not answered in full does not come back. Raises CallerGone."""
        await self._wait_for_turn(gone)
        try:
            reader = self._find_idle() or await ReaderProcess.start(self._job)
            try:
                yield reader
            finally:
                self._take_back(reader)
        finally:
            self._turns.release()

    def close(self) -> None:
        """End the processes that nobody uses."""
        if self._timer:
            self._timer.cancel()
        while self._idle:
            self._idle.pop().close()

    async def _wait_for_turn(self, gone: Gone | None) -> None:
        """Wait until there are fewer than there may be; a caller who leaves before that leaves the queue."""
        if gone is None or not self._turns.locked():
            await self._turns.acquire()
            return
        turn, watch = asyncio.ensure_future(self._turns.acquire()), asyncio.ensure_future(gone())
        try:
            await asyncio.wait((turn, watch), return_when=asyncio.FIRST_COMPLETED)
            if not turn.done():
                raise CallerGone
        except BaseException:
            if not turn.cancel() and not turn.cancelled():  # it came at the same moment
                self._turns.release()
            raise
        finally:
            watch.cancel()

    def _find_idle(self) -> ReaderProcess | None:
        while self._idle:
            reader = self._idle.pop()
            if reader.usable:
                return reader
            reader.close()
        return None

    def _take_back(self, reader: ReaderProcess) -> None:
        if not reader.usable:
            reader.close()
            return
        self._idle.append(reader)
        if self._timer:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(IDLE_S, self.close)
