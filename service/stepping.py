"""Runs a coroutine from one future that it awaits to the next, as a task does, but without the task.

A task is a turn of the event loop later at its beginning and its end, and costs 3 µs. What needs to know which task it
is in, as `asyncio.timeout` does, can't be run so.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any


class Steps:
    """One coroutine; what it returns is lost, and what it raises besides CancelledError is the event loop's to log."""

    __slots__ = ("_awaited", "_cancelled", "_coroutine", "_loop")

    def __init__(self, coroutine: Coroutine[Any, Any, None], loop: asyncio.AbstractEventLoop) -> None:
        self._coroutine, self._loop = coroutine, loop
        self._awaited: asyncio.Future[Any] | None = None
        self._cancelled = False

    def go_on(self, _: object = None) -> None:
        """Run to the next future that is awaited; what it brings, the coroutine asks it itself."""
        self._awaited = None
        try:
            if self._cancelled:
                self._cancelled = False
                awaited = self._coroutine.throw(asyncio.CancelledError())
            else:
                awaited = self._coroutine.send(None)
        except (StopIteration, asyncio.CancelledError):
            return
        if awaited is None:
            self._loop.call_soon(self.go_on)
            return
        awaited._asyncio_future_blocking = False
        awaited.add_done_callback(self.go_on)
        self._awaited = awaited
        if self._cancelled and awaited.cancel():  # it was cancelled while it ran
            self._cancelled = False

    def cancel(self) -> None:
        """Let the coroutine see CancelledError where it waits; do nothing once it has ended."""
        if self._awaited is None or not self._awaited.cancel():
            self._cancelled = True
