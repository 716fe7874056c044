"""When the second class computes: while the first has nothing to do, and hardly any longer.

That no row waits says little: on a busy event loop the next requests are in their sockets, and are read once it turns.
So it must turn QUIET_TURNS times, and none of them may bring a row: whatever was in a socket by then has been read. A
loop that has nothing else to do turns in microseconds; a busy one shows in the first turns that it is, and is left
alone for LOOK_AGAIN_S, so that looking costs next to nothing. Only gRPC's core keeps calls where no turn shows them:
when it is busy a batch or two a second slip in.

Once nobody waits, nothing can fall due; who arrives meanwhile waits for one batch, which its queue keeps short.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Protocol

QUIET_TURNS = 8  # a request needs three from its socket to its answer
LOOK_AGAIN_S = 0.005


class IdleQueue(Protocol):
    """What computes when nobody else does."""

    def compute_next(self) -> None:
        """Compute a short batch, if there still are rows."""


class IdleTurns:
    """Gives one queue after another a turn while the first class is idle; belongs to one event loop."""

    def __init__(self, is_idle: Callable[[], bool]) -> None:
        self._is_idle = is_idle
        self._loop = asyncio.get_running_loop()
        self._line: deque[IdleQueue] = deque()
        self._looking = False

    def wait(self, queue: IdleQueue) -> None:
        """Line up for a turn, unless the queue is in the line already."""
        if queue not in self._line:
            self._line.append(queue)
        if not self._looking:
            self._looking = True
            self._look(QUIET_TURNS)

    def _look(self, turns: int) -> None:
        """Give a turn if nothing comes in so many turns of the event loop."""
        if not self._is_idle():
            self._loop.call_later(LOOK_AGAIN_S, self._look, QUIET_TURNS)
        elif turns:
            self._loop.call_soon(self._look, turns - 1)
        else:
            queue = self._line.popleft()
            self._looking = bool(self._line)
            if self._looking:
                self._loop.call_soon(self._look, QUIET_TURNS)
            queue.compute_next()
