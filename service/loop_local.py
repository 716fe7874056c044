"""What an event loop owns, for code that is called on it and that nothing is handed to."""

import asyncio
from collections.abc import Callable
from typing import Generic, TypeVar
from weakref import WeakKeyDictionary

Owned = TypeVar("Owned")


class LoopLocal(Generic[Owned]):
    """One object for each event loop, made when it is first asked for; it goes with its loop."""

    def __init__(self, make: Callable[[], Owned]) -> None:
        self._make = make
        self._owned: WeakKeyDictionary[asyncio.AbstractEventLoop, Owned] = WeakKeyDictionary()

    def get(self) -> Owned:
        """Return the object of the running loop."""
        loop = asyncio.get_running_loop()
        owned = self._owned.get(loop)
        if owned is None:
            owned = self._owned[loop] = self._make()
        return owned
