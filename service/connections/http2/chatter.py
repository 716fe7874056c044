"""Counts what a connection brings that is of no use to anybody, so that a flood of it can be ended.

PING, SETTINGS, PRIORITY, WINDOW_UPDATE, empty or tiny DATA, padding, CONTINUATION, frames of unknown types, streams
that are reset as soon as they were opened (CVE-2023-44487): each costs us more than it costs the peer. All are counted
alike, in bytes: what came, less what it was good for. Who asks gets answers, and each pays for the frames around it.
"""

# A second: 3,800 PINGs or 250 resets; a burst is what a caller may send while we are busy.
RATE_BYTES, BURST_BYTES = 2**16, 2**18
# Each answer pays for its head, for window updates and a ping or two; a part of one, for the updates of both windows.
ANSWER_BYTES, PART_BYTES = 512, 64
# A stream that was opened for nothing: about 50 µs.
RESET_BYTES = 1024


class Chatter:
    """The balance of one connection."""

    __slots__ = ("_at", "_balance")

    def __init__(self, now: float) -> None:
        self._balance = 0.0
        self._at = now

    def charge(self, size: int) -> None:
        """Count bytes that came, or the like."""
        self._balance += size

    def credit(self, size: int) -> None:
        """Count what they were good for."""
        self._balance -= size

    def is_flood(self, now: float) -> bool:
        """Return whether more came than may."""
        self._balance -= (now - self._at) * RATE_BYTES
        self._at = now
        if self._balance < 0:
            self._balance = 0.0
        return self._balance > BURST_BYTES
