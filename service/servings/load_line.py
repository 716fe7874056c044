"""Lets one load of a model run after the other: two at once would take twice the memory and hold requests up."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from ekiben.service.errors import Overloaded

MAX_WAITING = 16  # loads; each waits for those before it
RETRY_S = 1


class LoadLine:
    """The loads that wait; belongs to one event loop."""

    def __init__(self) -> None:
        self._turn = asyncio.Lock()
        self._waiting = 0

    @asynccontextmanager
    async def take(self) -> AsyncIterator[None]:
        """Wait for a turn and keep it; raise Overloaded if too many wait already."""
        if self._waiting >= MAX_WAITING:
            raise Overloaded(RETRY_S)
        self._waiting += 1
        try:
            async with self._turn:
                yield
        finally:
            self._waiting -= 1
