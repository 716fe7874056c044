"""Keeps what a caller sends before its time, within the budget for bodies, and reads no more of it until then."""

from typing import Any

from ekiben.service.connections.closing import ClosingConnection
from ekiben.service.connections.rejections import RETRY_AFTER_S
from ekiben.service.errors import Overloaded


class PipeliningConnection(ClosingConnection):
    """A connection that keeps the bytes of requests that can't be read yet."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.unread = b""  # of later requests, or of a head that is not whole yet

    def connection_lost(self, exc: Exception | None) -> None:
        self.take_unread()
        super().connection_lost(exc)

    def reject(self, status: int, sentence: str) -> None:
        super().reject(status, sentence)
        self.take_unread()

    def keep(self, data: bytes) -> bool:
        """Keep bytes for later; return False if there is no memory for them."""
        if not self.shared.budget.take(len(data)):
            return False
        self.unread = data
        return True

    def take_unread(self) -> bytes:
        """Return the bytes that were kept."""
        data, self.unread = self.unread, b""
        self.shared.budget.give(len(data))
        return data

    def keep_pipelined(self, data: bytes) -> None:
        """Keep what a caller sends before its last request is answered, and read no more of it until then."""
        if not data or self.lingering:
            return
        self.flow.pause_reading()
        if self.keep(data):
            return
        cycle: Any = self.cycle
        if self.is_waiting_for_head() and cycle and not cycle.response_complete:
            cycle.keep_alive = False  # what was sent ahead is given up, as after any answer that ends a connection
        else:  # the bytes are of a request that has no answer yet
            self.reject(429, str(Overloaded(RETRY_AFTER_S)))
