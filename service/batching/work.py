"""One request's rows on their way through the queue."""

import asyncio
import math
import time
from typing import TYPE_CHECKING

from ekiben.contract.answers import Answers
from ekiben.contract.columns import Rows
from ekiben.contract.encoding import Encoded
from ekiben.contract.errors import FieldError
from ekiben.service.errors import DeadlineExceeded
from ekiben.service.row_log.kept_rows import Kept

if TYPE_CHECKING:  # OpenTelemetry is imported only where it is asked for
    from ekiben.service.tracing.spans import RequestSpan


class Work:
    """The rows of one request on their way through the queue: `source[start:stop]` once encoded."""

    __slots__ = (
        "answered",
        "arrived",
        "deadline",
        "future",
        "kept",
        "next",
        "rows",
        "source",
        "start",
        "stop",
        "timer",
        "trace",
        "unseen",
    )

    source: Encoded  # often shared with the requests that arrived together
    start: int
    stop: int
    next: int  # the first row that no batch has taken yet

    def __init__(self, rows: Rows, deadline: float, loop: asyncio.AbstractEventLoop) -> None:
        self.rows = rows  # as they came
        self.kept: Kept | None = None  # those for the row log
        self.arrived = time.monotonic()
        self.deadline = deadline  # as time.monotonic() counts; uvloop's own clock only knows milliseconds
        self.future: asyncio.Future[Answers] = loop.create_future()
        self.unseen: list[FieldError] = []
        self.answered: list[Answers] = []
        self.timer: asyncio.TimerHandle | None = None
        self.trace: RequestSpan | None = None  # if the request is traced

    def set_encoded(self, source: Encoded, start: int, stop: int) -> None:
        """Store where the encoded rows are."""
        self.source = source
        self.start = self.next = start
        self.stop = stop

    def expire(self, now: float) -> bool:
        """Return whether the caller is gone or its deadline has passed; fail the future in that case."""
        if not self.future.done() and now >= self.deadline:
            self.future.set_exception(DeadlineExceeded())
        return self.future.done()

    def expire_in_time(self, loop: asyncio.AbstractEventLoop) -> None:
        """Answer at the deadline even if the engine is still busy then."""
        if self.timer is None:
            left_s = self.deadline - time.monotonic()
            timer = self.timer = loop.call_later(left_s, self.expire, math.inf)
            self.future.add_done_callback(lambda _: timer.cancel())


Part = tuple[Work, int, int]  # the rows of one request that go into one batch: work, start, stop in its source
