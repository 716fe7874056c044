"""An event loop that never waits: where nothing is to be done before a timer, its clock is moved on to that timer.

Deadlines, idle times and lingering take no time so, and a connection's last timer can be waited for. Only the work of
threads is waited for as it is. While other processes have the CPU no clock goes on: deadlines passed on busy machines.
"""

import asyncio
import selectors
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from typing import Any

from ekiben.service.protocols.protocol import Call

CLOCKS = ("monotonic", "perf_counter")
THREAD_S = 0.05  # between looks at threads
MAX_TURNS = 100_000  # that one script may take

_real = {name: getattr(time, name) for name in CLOCKS}
_began = {name: _real[name]() - time.process_time() for name in CLOCKS}


class Endless(AssertionError):
    """Something never comes to an end."""


class SkippingLoop(asyncio.SelectorEventLoop):
    """The loop; `turns` counts what it did since it was last set to 0."""

    def __init__(self) -> None:
        self.skipped_s = 0.0
        self.turns = 0
        self._in_threads = 0
        super().__init__(_Selector(self))

    def time(self) -> float:
        return _began["monotonic"] + time.process_time() + self.skipped_s

    def run_in_executor(self, executor: Executor | None, func: Any, *args: Any) -> Any:
        self._in_threads += 1
        future = super().run_in_executor(executor, func, *args)
        future.add_done_callback(self._count_thread)
        return future

    @property
    def in_threads(self) -> bool:
        """Whether a thread works."""
        return self._in_threads > 0

    async def settle(self) -> None:
        """Return once nothing is left to be done but what waits for its time."""
        ready: Any = getattr(self, "_ready")  # noqa: B009  # asyncio's; only what runs in this loop can ask
        await asyncio.sleep(0)
        while ready or self.in_threads:
            await asyncio.sleep(0.0001 if not ready else 0)

    def list_timers(self) -> list[str]:
        """Return what is yet to be called."""
        scheduled: Any = getattr(self, "_scheduled")  # noqa: B009
        return [describe(one) for one in scheduled if not one.cancelled()]

    def _count_thread(self, _: object) -> None:
        self._in_threads -= 1


class _Selector(selectors.DefaultSelector):  # type: ignore[misc,valid-type]  # a class by platform
    def __init__(self, loop: SkippingLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> Any:
        self._loop.turns += 1
        if self._loop.turns > MAX_TURNS:
            self._loop.turns = 0
            raise Endless(f"after {MAX_TURNS} turns of the loop there is still something to do")
        if timeout == 0 or self._loop.in_threads:
            return super().select(0 if timeout == 0 else THREAD_S)
        if timeout is None:
            raise Endless("somebody waits for what can't come any more")
        self._loop.skipped_s += timeout
        return super().select(0)


def describe(handle: asyncio.TimerHandle) -> str:
    """Return the name of what a timer calls."""
    called: Any = getattr(handle, "_callback")  # noqa: B009
    return str(getattr(called, "__qualname__", called))


@contextmanager
def turn_clocks(loop: SkippingLoop) -> Iterator[None]:
    """Let all clocks but the wall's go as the loop's."""

    def turned(name: str) -> Callable[[], float]:
        return lambda: _began[name] + time.process_time() + loop.skipped_s

    begin = Call.__init__

    def begin_turned(call: Any, *args: Any, **given: Any) -> None:
        begin(call, *args, **given)
        call.began = time.monotonic()  # its default is the clock that was there as its class was made

    try:
        for name in CLOCKS:
            setattr(time, name, turned(name))
        Call.__init__ = begin_turned  # type: ignore[method-assign]
        yield
    finally:
        Call.__init__ = begin  # type: ignore[method-assign]
        for name in CLOCKS:
            setattr(time, name, _real[name])
