"""A thread for what would hold up the event loop: one, so that however much arrives, little is in memory at once."""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from ekiben.service.loop_local import LoopLocal

Result = TypeVar("Result")

LARGE_BYTES = 2**16  # of a body, from which on it is read in the thread: 170 rows of 20 features in JSON, 0.6 ms
# Parsing 8 MB of JSON holds Python's lock for 35 ms. Then the thread leaves the lock alone for as long: callers over
# gRPC need it five times, and would wait for five such bodies.
SHORT_S, LONGEST_REST_S = 0.005, 0.05


class Decoder:
    """The thread; it rests before work that follows long work at once."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="decoder")
        self._ended = self._took_s = 0.0  # of the last work

    def submit(self, function: Callable[..., Result], *arguments: Any) -> "asyncio.Future[Result]":
        """Return the future of a call in the thread."""
        return asyncio.get_running_loop().run_in_executor(self._thread, self._run, function, arguments)

    def _run(self, function: Callable[..., Result], arguments: tuple[Any, ...]) -> Result:
        if self._took_s > SHORT_S:
            time.sleep(max(self._ended + min(self._took_s, LONGEST_REST_S) - time.monotonic(), 0.0))
        began = time.monotonic()
        try:
            return function(*arguments)
        finally:
            self._ended = time.monotonic()
            self._took_s = self._ended - began


_decoder = LoopLocal(Decoder)


async def offload(function: Callable[..., Result], *arguments: Any) -> Result:
    """Call a function in the thread; it is not begun once nobody waits for it."""
    return await _decoder.get().submit(function, *arguments)
