"""Lets the event loop run while a thread works: of those who want Python's lock the one that has it gives it last.

Python takes the lock away after 5 ms only, and then answers have waited for as long.
"""

import time

HELD_S, PAUSE_S = 0.001, 0.00005  # enough for a thread that waits for the lock to get it


class Patience:
    """Of one piece of work in a thread."""

    def __init__(self) -> None:
        self._paused = time.perf_counter()

    def pause(self) -> None:
        """Let go of Python's lock, if it was held long."""
        if time.perf_counter() - self._paused > HELD_S:
            time.sleep(PAUSE_S)
            self._paused = time.perf_counter()
