"""Tells messages that arrive at the network's pace from slow ones.

How large a message is gRPC says once it is whole. So any number may begin to come, but only a few for long: those
that came first must then show that there is room for the largest.
"""

import asyncio
from typing import Any

PROMPT_S = 0.1  # for a message to come
HURRIED_S = 0.005  # the same if too many are coming: 1 GB/s bring 5 MB in that time
MAX_UNHURRIED = 8
GRACE_S = 0.002  # if the event loop was late, the message may be there and nobody has looked


class Arrivals:
    """The messages on their way; belongs to one event loop."""

    def __init__(self) -> None:
        self._coming: dict[asyncio.Future[None], float] = {}  # since when, the oldest first
        self._timer: asyncio.TimerHandle | None = None

    async def wait(self, reading: "asyncio.Future[Any]") -> bool:
        """Return whether the message has come before its time was over."""
        loop = asyncio.get_running_loop()
        waiting: asyncio.Future[None] = loop.create_future()
        reading.add_done_callback(lambda _: _end(waiting))
        self._coming[waiting] = loop.time()
        timer = loop.call_later(PROMPT_S, _end, waiting)
        self._watch(loop)
        try:
            await waiting
        finally:
            timer.cancel()
            del self._coming[waiting]
        if not reading.done():
            await asyncio.wait((reading,), timeout=GRACE_S)
        return reading.done()

    def _watch(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._timer is None and len(self._coming) > MAX_UNHURRIED:
            self._timer = loop.call_later(HURRIED_S, self._hurry, loop)

    def _hurry(self, loop: asyncio.AbstractEventLoop) -> None:
        """End the wait for the oldest, unless they have just begun."""
        self._timer = None
        since = loop.time() - HURRIED_S
        for waiting in list(self._coming)[: len(self._coming) - MAX_UNHURRIED]:
            if self._coming[waiting] <= since:
                _end(waiting)
        self._watch(loop)


def _end(waiting: "asyncio.Future[None]") -> None:
    if not waiting.done():
        waiting.set_result(None)
