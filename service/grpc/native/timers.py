"""Deadlines of calls, and messages that come slowly: two timers for all calls of an event loop.

A timer of its own would cost a call more than a microsecond, and most are answered long before. What answers rows looks
after its deadline itself, to the millisecond; this is for what does not.
"""

import asyncio
import time
from typing import Protocol

from ekiben.service.connections.byte_budget import ByteBudget
from ekiben.service.connections.rejections import RETRY_AFTER_S
from ekiben.service.errors import DeadlineExceeded, Overloaded

STEP_S = 0.05  # that a deadline may be noticed late; one that is far, by a thousandth of the time that was left
EXACT_BITS = 10  # of the number of steps: so many are told apart
PROMPT_S = 0.1  # for a message to come; one that is slower is one of a few


class Timed(Protocol):
    """A call under way."""

    def give_up(self, error: Exception) -> None:
        """End it with this error."""


class Deadlines:
    """Gives up calls whose deadline has passed."""

    def __init__(self) -> None:
        self._steps: dict[int, set[Timed]] = {}  # calls by the step after their deadline

    def add(self, call: Timed, seconds: float) -> int:
        """Note a call's deadline; what is returned is for `remove`."""
        step = _round_up(int((time.monotonic() + seconds) / STEP_S) + 2, int(seconds / STEP_S))
        calls = self._steps.get(step)
        if calls is None:
            calls = self._steps[step] = set()
            asyncio.get_running_loop().call_later(step * STEP_S - time.monotonic(), self._pass, step)
        calls.add(call)
        return step

    def remove(self, call: Timed, step: int) -> None:
        """Forget a call."""
        if calls := self._steps.get(step):
            calls.discard(call)

    def _pass(self, step: int) -> None:
        for call in self._steps.pop(step, ()):
            call.give_up(DeadlineExceeded())


class Arrivals:
    """Calls whose message has not come yet: any number for a moment, a few for as long as they may take.

    Each that is slow keeps room for the largest message there may be, so that slow callers are never many.
    """

    def __init__(self, budget: ByteBudget, max_bytes: int, deadlines: Deadlines) -> None:
        self._slow = ByteBudget(max(budget.limit, max_bytes))
        self._max_bytes, self._deadlines = max_bytes, deadlines
        self._coming: dict[Timed, tuple[float, float]] = {}  # since when and how long, the oldest first
        self._kept: dict[Timed, int] = {}  # slow ones, and the steps of their deadlines
        self._timer: asyncio.TimerHandle | None = None

    def add(self, call: Timed, timeout_s: float) -> None:
        """Note a call whose message must come within so many seconds."""
        self._coming[call] = time.monotonic(), timeout_s
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(PROMPT_S, self._look)

    def remove(self, call: Timed) -> None:
        """Forget a call: its message is here, or it is over."""
        if self._coming.pop(call, None) is None and (step := self._kept.pop(call, None)) is not None:
            self._slow.give(self._max_bytes)
            self._deadlines.remove(call, step)

    def _look(self) -> None:
        """Let those that are late be among the slow ones, or give them up."""
        self._timer = None
        late = time.monotonic() - PROMPT_S
        for call, (since, timeout_s) in list(self._coming.items()):
            if since > late:
                break
            del self._coming[call]
            if self._slow.take(self._max_bytes):
                self._kept[call] = self._deadlines.add(call, timeout_s - PROMPT_S)
            else:
                call.give_up(Overloaded(RETRY_AFTER_S))
        if self._coming:
            self._timer = asyncio.get_running_loop().call_later(PROMPT_S, self._look)


def _round_up(step: int, left: int) -> int:
    """Return the step at which a deadline is noticed that is so many of them away.

    Any caller may choose it, and steps stay until they are over: of all that there are to come few are used.
    """
    grain = 1 << max(left.bit_length() - EXACT_BITS, 0)
    return -(-step // grain) * grain
