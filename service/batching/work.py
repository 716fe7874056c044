"""One request's rows on their way through the queue."""

import asyncio
import time

from ekiben.contract.answers import Answers
from ekiben.contract.columns import Rows
from ekiben.contract.encoding import Encoded
from ekiben.contract.errors import FieldError
from ekiben.service.row_log.kept_rows import Kept


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

    def set_encoded(self, source: Encoded, start: int, stop: int) -> None:
        """Store where the encoded rows are."""
        self.source = source
        self.start = self.next = start
        self.stop = stop


Part = tuple[Work, int, int]  # the rows of one request that go into one batch: work, start, stop in its source
