"""Lets connections that bring much take turns: one of them reads on in a tick of the event loop.

A turn reads what every socket holds, up to 256 KB each: fifty callers who send 8 MB make it 30 ms long. A gRPC call
needs five turns, so callers of one row would wait for all of that, again and again.
"""

import asyncio
from asyncio import Transport
from collections import deque
from collections.abc import Callable

from uvicorn.protocols.http.flow_control import FlowControl


class Turns:
    """Those that wait to go on, first come, first served; belongs to one event loop."""

    def __init__(self) -> None:
        self._waiting: deque[Callable[[], None]] = deque()

    def defer(self, go_on: Callable[[], None]) -> None:
        """Call a function in a later turn, alone of all that are deferred."""
        self._waiting.append(go_on)
        if len(self._waiting) == 1:
            asyncio.get_running_loop().call_soon(self._next)

    def _next(self) -> None:
        try:
            self._waiting[0]()
        finally:
            self._waiting.popleft()
            if self._waiting:
                asyncio.get_running_loop().call_soon(self._next)


class TurnFlow(FlowControl):
    """uvicorn's flow control, where a connection is read only if it is its turn, too."""

    def __init__(self, transport: Transport, turns: Turns) -> None:
        super().__init__(transport)
        self._turns = turns
        self.deferred = False

    def pause_reading(self) -> None:
        if not self.read_paused:
            self.read_paused = True
            if not self.deferred:
                self._transport.pause_reading()

    def resume_reading(self) -> None:
        if self.read_paused:
            self.read_paused = False
            if not self.deferred:
                self._transport.resume_reading()

    def defer(self, go_on: Callable[[], None]) -> None:
        """Read no more until the turn comes; `go_on` is called then."""
        if self.deferred or self._transport.is_closing():
            return
        self.deferred = True
        if not self.read_paused:
            self._transport.pause_reading()

        def end() -> None:
            self.deferred = False
            if self._transport.is_closing():
                return
            go_on()
            if not (self.deferred or self.read_paused):
                self._transport.resume_reading()

        self._turns.defer(end)
