"""Sends rejections a little later, at the delay that costs least.

A connection whose rejection waits leaves the CPU's caches, and rejecting then costs more. But callers who ask again at
once, as many do, ask less often if they wait. Which of the two weighs more only their number says.

So both delays are tried for TRIAL_S each, and the one under which fewer rejections a second cost less is kept for
HOLD_S: explore-then-commit with two arms (Lattimore and Szepesvári, Bandit Algorithms, chapter 6). Callers change, so
it begins anew after that, and at once if many more come than in the trial.
"""

import asyncio
import time
from collections import deque
from collections.abc import Generator, Iterable
from typing import Protocol, TypeVar

from ekiben.service.errors import Overloaded
from ekiben.service.telemetry import metrics

PROTOCOL = "admission"  # in the metrics
REJECTION_S = 9e-6  # what one takes, about: `ekiben overload` prints it
REJECTIONS_SHARE = 0.5  # of the event loop's time
MIN_REJECTIONS = 4  # at once, however busy the event loop is
SHORT_S = 0.002  # sent together: each by itself is no cheaper, and callers who ask at once ask most
LONG_S = 0.05  # a thousand callers who ask again at once are rejected 20,000 times a second
LONG_COST = 1.5  # times what a rejection costs that hardly waits, about
TRIAL_S = 0.1  # of either delay
HOLD_S = 3.0  # until they are tried again, or until a surge
SURGE = 2.0  # times the rejections of the trial: other callers than those who were tried
CLOCK_RESOLUTION_S = 0.001  # what uvloop's clock counts in
RETRY_AFTER_S = 1
BODY = b'{"error":"%b"}' % str(Overloaded(RETRY_AFTER_S)).encode()


def write_rejection(headers: Iterable[tuple[bytes, bytes]] = ()) -> bytes:
    """Return the whole answer, with these headers besides its own."""
    more = b"".join(b"%b: %b\r\n" % header for header in headers)
    return (
        b"HTTP/1.1 429 Too Many Requests\r\ncontent-type: application/json\r\nretry-after: %d\r\n"
        b"%bcontent-length: %d\r\n\r\n%b" % (RETRY_AFTER_S, more, len(BODY), BODY)
    )


REJECTION = write_rejection()


Result = TypeVar("Result")
Steps = Generator[float, float, Result]  # yield when to go on, and are sent when that is


class Caller(Protocol):
    """A connection with a rejection to send."""

    def send_rejection(self) -> bool:
        """Send it; return whether there still was one."""


class AdaptiveDelay:
    """How late a rejection is sent: measures both delays periodically and keeps the cheaper."""

    def __init__(self) -> None:
        self.seconds = SHORT_S
        self._rejected = 0
        self._trials = self._explore()
        self._until = next(self._trials)

    def count(self, now: float) -> None:
        """Count a rejection at that time."""
        self._rejected += 1
        if now >= self._until:
            self._until = self._trials.send(now)

    def _explore(self) -> Steps[None]:
        now = yield 0.0
        while True:
            paces = {}
            for self.seconds in (SHORT_S, LONG_S):
                now = yield now + LONG_S  # until all who wait have been rejected at this delay
                paces[self.seconds], now = yield from self._watch(now)
            self.seconds = SHORT_S if paces[SHORT_S] <= LONG_COST * paces[LONG_S] else LONG_S
            pace, until = 0.0, now + HOLD_S
            while now < until and pace <= SURGE * paces[self.seconds]:
                pace, now = yield from self._watch(now)

    def _watch(self, began: float) -> Steps[tuple[float, float]]:
        """Return how many are rejected a second for a while, and when that ended."""
        before = self._rejected
        ended = yield began + TRIAL_S
        return (self._rejected - before) / (ended - began), ended


class DelayedRejections:
    """Those that wait; they are sent in no more than a share of the event loop's time."""

    def __init__(self) -> None:
        self.delay = AdaptiveDelay()
        self._waiting: deque[tuple[float, Caller]] = deque()
        self._uncounted = 0
        self._last = 0.0

    def add(self, caller: Caller) -> None:
        """Let a rejection wait."""
        now = time.perf_counter()
        self.delay.count(now)
        if not self._waiting:
            self._last = now
            asyncio.get_running_loop().call_later(self.delay.seconds, self._send)
        self._waiting.append((now + self.delay.seconds, caller))
        self._uncounted += 1

    def _send(self) -> None:
        now = time.perf_counter()
        left = MIN_REJECTIONS + int(REJECTIONS_SHARE * (now - self._last) / REJECTION_S)
        sent, self._last = 0, now
        while self._waiting and sent < left and self._waiting[0][0] <= now + CLOCK_RESOLUTION_S:
            sent += self._waiting.popleft()[1].send_rejection()
        if self._uncounted:
            metrics.count_rejected(PROTOCOL, Overloaded.reason, self._uncounted)
            metrics.count_request(PROTOCOL, 429, self.delay.seconds, self._uncounted)
            self._uncounted = 0
        if self._waiting:
            asyncio.get_running_loop().call_later(max(self._waiting[0][0] - now, CLOCK_RESOLUTION_S), self._send)
