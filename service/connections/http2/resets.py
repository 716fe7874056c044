"""Streams that a peer gave up: callers do so now and then, an attack does nothing else (CVE-2023-44487)."""

from collections import deque

from ekiben.service.connections.http2 import frames

RAPID, RAPID_S = 64, 1.0  # as many within that time are no callers who lost their patience


class Resets:
    """Those of one connection."""

    def __init__(self) -> None:
        self.count = 0
        self._last: deque[float] = deque(maxlen=RAPID)

    def note(self, now: float) -> int:
        """Note one more; return how many there have been."""
        self.count += 1
        self._last.append(now)
        return self.count

    def find_error_code(self, now: float) -> int:
        """Return what the connection is told if it ends now."""
        rapid = self.count >= RAPID and now < self._last[0] + RAPID_S
        return frames.ENHANCE_YOUR_CALM if rapid else frames.NO_ERROR
