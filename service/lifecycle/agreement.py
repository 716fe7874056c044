"""What the workers of one service agree on: a small JSON value in the folder they share.

Each change is a file of its own, with the next number in its name, which only one worker can make: who comes second
learns that it was second and reads what the first has said. So two can't contradict each other, and as nobody holds a
lock, one that is stopped holds up none. Every worker looks once a second. A worker alone keeps the value in memory.
"""

import asyncio
import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson

from ekiben.contract.errors import UserError
from ekiben.service.lifecycle.worker_files import list_files

logger = logging.getLogger("bentoml.service")
LOOK_S = 1.0
DIGITS = "{9}"  # of a change's number
KEPT = 16  # of the latest changes: a worker that is late by one must not take an old number for the next


class CanNotAgree(UserError):
    """The folder can't be written to, so the other workers would not know."""


class Agreement:
    """One value that all workers have, by its name; belongs to one event loop."""

    def __init__(self, name: str, folder: Path | None) -> None:
        """Take the folder that the workers share, None if there is only one."""
        self._kind = f"agreed_{name}"
        self._folder = folder
        self._changed: Callable[[Any], None] = lambda value: None
        self.number, self.value = 0, None
        self.read()

    def watch(self, changed: Callable[[Any], None]) -> None:
        """Call `changed` with each new value, whoever proposed it, and now if there is one already."""
        self._changed = changed
        if self.number:
            changed(self.value)
        if self._folder:
            asyncio.get_running_loop().call_later(LOOK_S, self._look)

    def propose(self, value: Any, number: int) -> bool:
        """Let the value be this one, unless it has changed since it had this number; return whether it is.

        Raises CanNotAgree.
        """
        self.read()
        if number != self.number or (self._folder and not self._write(self._folder, value, number + 1)):
            return False
        self._take(number + 1, value)
        return True

    def _look(self) -> None:
        self.read()
        asyncio.get_running_loop().call_later(LOOK_S, self._look)

    def read(self) -> None:
        """Take what others have proposed."""
        files = list_files(self._folder, self._kind, DIGITS)
        if not files:
            return
        number, path = files[-1]
        if number <= self.number:
            return
        try:
            value = orjson.loads(path.read_bytes())
        except (OSError, ValueError) as error:
            logger.warning("%s can't be read (%s)", path, error)
            return
        self._take(number, value)

    def _take(self, number: int, value: Any) -> None:
        self.number, self.value = number, value
        self._changed(value)

    def _write(self, folder: Path, value: Any, number: int) -> bool:
        unfinished = folder / f"{self._kind}_{os.getpid()}.part"
        try:
            unfinished.write_bytes(orjson.dumps(value))
            os.link(unfinished, folder / f"{self._kind}_{number:09d}.json")
        except FileExistsError:
            self.read()
            return False
        except OSError as error:
            sentence = (
                f"{folder} can't be written to ({error.strerror}), so the other workers would not know: make room"
            )
            raise CanNotAgree(sentence) from None
        finally:
            unfinished.unlink(missing_ok=True)
        for _, path in list_files(folder, self._kind, DIGITS)[:-KEPT]:
            path.unlink(missing_ok=True)
        return True
