"""Has what was begun done to its end: gRPC cancels the handler of a call whose caller goes, whatever it is doing."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class Finishing:
    """What is being done; belongs to one event loop."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()  # the loop alone would let them be collected

    async def finish(self, action: Coroutine[Any, Any, T]) -> T:
        """Do it and return what came of it; if whoever waits for that is cancelled, it goes on."""
        task = asyncio.ensure_future(action)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return await asyncio.shield(task)
