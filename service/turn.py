"""Sheds load before it is read: what has arrived in one turn of the event loop must not take too long.

The queue's bound doesn't see what overload does first: requests wait in their sockets while the
loop reads others. A turn is what the loop does with all that it found in them; a request waits for
the turn that is running and then for its own, so that turns that stay short bound the wait, and
refusing what doesn't fit into one costs a third of answering it.
"""

import asyncio

from service import metrics
from service.errors import Overloaded

SHARE = 0.5  # of the allowed wait that a turn's reading may take: computing and answering takes as long again
RETRY_AFTER_S = 1


class Turn:
    """The turn of this process's event loop; it begins with the first request."""

    def __init__(self) -> None:
        self._began: float | None = None

    def check(self, now: float, max_wait_s: float) -> None:
        """Raise Overloaded if this turn has been reading requests for too long; `now` as time.perf_counter() has it."""
        if self._began is None:
            self._began = now
            asyncio.get_running_loop().call_soon(self._end)  # after all that has arrived
        elif now - self._began > SHARE * max_wait_s:
            raise Overloaded(RETRY_AFTER_S)

    def _end(self) -> None:
        self._began = None


_turn = Turn()


def check_turn(protocol: str, now: float, max_wait_s: float) -> None:
    """Raise Overloaded, and count it, if the event loop has too much to read; one process has one loop."""
    try:
        _turn.check(now, max_wait_s)
    except Overloaded as error:
        metrics.count_rejected(protocol, error.reason)
        raise
