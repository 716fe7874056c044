"""Hints that the registry has something new: one worker gets the call, all of them look.

A hint is a file's time, which every worker looks at once a second: nothing else is shared by them.
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
            self._file.write_text("", encoding="utf-8")
            self._known = self._read()

    async def wait(self, seconds: float) -> None:
        """Return once there is a hint, after that many seconds at the latest."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(LOOK_S, left)):
                    await self._here.wait()
            known, self._known = self._known, self._read()
            if self._here.is_set() or self._known != known:
                break
        self._here.clear()

    def _read(self) -> int:
        try:
            return self._file.stat().st_mtime_ns
        except OSError:
            return 0
