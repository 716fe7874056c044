"""Follows where frames begin and end: zttp says nothing of those that are nobody's, or that have only begun."""

import math
from struct import Struct

from ekiben.service.connections.http2.frames import PREFACE

HEAD_BYTES, HEADERS, CONTINUATION, END_HEADERS = 9, 1, 9, 4
HEAD = Struct(">IB")  # of a frame: its length and kind, and its flags


class Boundaries:
    """What has come so far of a connection: what is whole, and whether more has begun."""

    __slots__ = ("_begun", "_left", "_open", "_seen", "late_at", "whole")

    def __init__(self, late_at: float) -> None:
        """`late_at`: when something whole must have come."""
        self._left = len(PREFACE)  # bytes to come of the last frame
        self._begun = b""  # of the next one's head
        self._open = True  # the next one belongs to the last: SETTINGS to the preface, CONTINUATION to a head
        self.whole = self._seen = 0  # frames; those of a head are one
        self.late_at = late_at

    @property
    def amid(self) -> bool:
        """Whether something has begun to come that is not whole."""
        return self._open or self._left > 0 or bool(self._begun)

    def take(self, data: bytes) -> None:
        """Take what has arrived."""
        if self._begun:
            data = self._begun + data
        at, end = self._left, len(data)
        if at <= end and self._left and not self._open:
            self.whole += 1
        while at + HEAD_BYTES <= end:
            size, flags = HEAD.unpack_from(data, at)
            at += HEAD_BYTES + (size >> 8)
            self._open = size & 0xFF in (HEADERS, CONTINUATION) and not flags & END_HEADERS
            if at <= end and not self._open:
                self.whole += 1
        self._begun, self._left = data[at:], max(at - end, 0)

    def is_late(self, now: float, limit_s: float, under_way: bool) -> bool:
        """Return whether what has begun was not whole for so long; nothing is late while requests are under way."""
        if under_way or not self.amid:
            self.late_at = math.inf
        elif self.whole > self._seen or self.late_at == math.inf:
            self.late_at = now + limit_s
        self._seen = self.whole
        return now >= self.late_at
