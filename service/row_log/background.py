"""A thread that does one thing after the other: what may wait for a slow disk."""

import asyncio
import logging
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any

logger = logging.getLogger("bentoml.service")
Task = tuple[Callable[..., object], tuple[Any, ...]]


class Background:
    """The thread; a process need not wait for it to end."""

    def __init__(self, name: str) -> None:
        self._tasks: SimpleQueue[Task | None] = SimpleQueue()
        threading.Thread(target=self._run, name=name, daemon=True).start()

    def submit(self, function: Callable[..., object], *arguments: Any) -> None:
        """Call a function once all before it are done."""
        self._tasks.put((function, arguments))

    def end(self) -> None:
        """Let the thread end once all that was submitted is done."""
        self._tasks.put(None)

    async def finish(self, seconds: float) -> bool:
        """Wait until all that was submitted is done; return whether it was within that time."""
        loop = asyncio.get_running_loop()
        done = asyncio.Event()
        self.submit(loop.call_soon_threadsafe, done.set)
        try:
            async with asyncio.timeout(seconds):
                await done.wait()
        except TimeoutError:
            return False
        return True

    def _run(self) -> None:
        while task := self._tasks.get():
            function, arguments = task
            try:
                function(*arguments)
            except Exception:
                logger.exception("%s failed", threading.current_thread().name)
            del task, function, arguments  # what they hold must not wait for the next
