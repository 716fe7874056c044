"""How often the same kind of line is written: whoever makes the service fail must not fill a disk."""

import logging
import time


class Bucket:
    """A token bucket: `burst` lines at once, then `per_s`; counts what it left out."""

    def __init__(self, per_s: float, burst: int) -> None:
        self._per_s, self._burst = per_s, burst
        self._tokens, self._since = float(burst), time.monotonic()
        self.left_out = 0

    def take(self) -> bool:
        """Return whether a line may be written."""
        now = time.monotonic()
        self._tokens = min(self._burst, self._tokens + self._per_s * (now - self._since))
        self._since = now
        if self._tokens < 1:
            self.left_out += 1
            return False
        self._tokens -= 1
        return True

    def take_left_out(self) -> int:
        """Return how many were left out since the last call."""
        count, self.left_out = self.left_out, 0
        return count


class StackLimit(logging.Filter):
    """Lets 20 exceptions through at once, then one each 10 s; that one says how many were left out."""

    def __init__(self) -> None:
        super().__init__()
        self._bucket = Bucket(0.1, 20)

    def filter(self, record: logging.LogRecord) -> bool:
        if not record.exc_info:
            return True
        if not self._bucket.take():
            return False
        if left_out := self._bucket.take_left_out():
            record.msg = f"{record.getMessage()} ({left_out} exceptions before it were left out)"
            record.args = ()
        return True


class OncePer(logging.Filter):
    """Lets one line of a logger through each period, whatever it says."""

    def __init__(self, period_s: float) -> None:
        super().__init__()
        self._bucket = Bucket(1 / period_s, 1)

    def filter(self, record: logging.LogRecord) -> bool:
        return self._bucket.take()
