"""Hints that the registry has something new: one worker gets the call, all of them look.

A hint is one byte more in a file, whose length every worker looks at once a second: nothing else is shared by them. Who
gives a hint knows its own byte, so that another's, given in the same moment, still counts.
"""

import asyncio
import contextlib
import time
from pathlib import Path

LOOK_S = 1.0
FILE = ".hint"


class Hints:
    """What the workers of a service tell each other."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / FILE
        self._here = asyncio.Event()
        self._known = self._read()

    def give(self) -> None:
        """Let all workers look soon; only this one if the folder can't be written to."""
        self._here.set()
        self.pass_on()

    def pass_on(self) -> None:
        """Let the other workers look soon."""
        with contextlib.suppress(OSError):
            self._file.parent.mkdir(parents=True, exist_ok=True)
            with self._file.open("ab") as file:
                file.write(b".")
            self._known += 1

    async def wait(self, seconds: float) -> bool:
        """Return once there is a hint, after that many seconds at the latest; return whether there is one."""
        end = time.monotonic() + seconds
        while True:
            known, self._known = self._known, self._read()
            if self._here.is_set() or self._known != known:
                self._here.clear()
                return True
            left = end - time.monotonic()
            if left <= 0:
                return False
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(LOOK_S, left)):
                    await self._here.wait()

    def _read(self) -> int:
        try:
            return self._file.stat().st_size
        except OSError:
            return 0
