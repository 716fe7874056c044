"""The memory that the row log may take."""

import threading


class Waiting:
    """The bytes of all that waits to be written; any thread may take and give."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.taken = 0
        self._lock = threading.Lock()

    def take(self, size: int) -> bool:
        """Take that many bytes; return whether they are there."""
        with self._lock:
            if self.taken + size > self.limit:
                return False
            self.taken += size
            return True

    def give(self, size: int) -> None:
        """Give back bytes; fewer than none are taken where what was picked became larger."""
        with self._lock:
            self.taken -= size
