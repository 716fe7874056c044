"""How long a connection lives, and how it ends: with GOAWAY, the answers that are under way, and then its close."""

import asyncio
import random
from collections.abc import Mapping
from typing import TYPE_CHECKING

from ekiben.service.connections.closing import ARRIVAL_S, CROSSING_S, LINGER_BYTES, LINGER_S
from ekiben.service.connections.framing import MAX_DISCARDED_BYTES
from ekiben.service.connections.http2 import frames
from ekiben.service.connections.http2.rejecting import IGNORING, note_malformed
from ekiben.service.connections.http2.resets import Resets
from ekiben.service.connections.http2.stream import Stream

if TYPE_CHECKING:
    from ekiben.service.connections.http2.connection import Http2Connection

# When to leave: once nothing was under way for QUIET_S, once nothing is, or now. httpx 0.28 loses what is under way, or
# was just answered, when a GOAWAY comes, from whatever server (2026-11-28); others lose nothing in any case.
QUIET, IDLE, NOW, QUIET_S = 1, 2, 3, 0.05
# The streams from which on a connection leaves so, and those among them that the peer gave up: zttp ends a connection
# at 4,096 and 256, and some come before the peer has read our GOAWAY.
MAX_OPENED = {QUIET: 3000, IDLE: 3300, NOW: 3600}
MAX_RESETS = {QUIET: 64, IDLE: 96, NOW: 128}
# Of its age, less up to as much again as lies between the first two: those opened together don't end together.
AGES = {QUIET: 0.9, IDLE: 0.95, NOW: 1.0}
EOF_S = 0.2  # for the peer to read GOAWAY and close: a proxy that closes both ways at EOF would break what it sends
LEAVE_S = 2.0  # for the peer to say that it has read our GOAWAY
LOOK_S = 5.0  # between looks at what may have lasted too long
STALL_S, STALL_BYTES = 30.0, 2**14  # a peer reads as much of what waits for it within that time


class Lifetime:
    """The times and ends of one connection."""

    def __init__(self, connection: "Http2Connection") -> None:
        self._connection = connection
        self._boundaries, self._loop = connection.incoming.boundaries, connection.loop
        now = self._loop.time()
        age_s, jitter = connection.shared.connection_age_s, random.uniform(0, AGES[IDLE] - AGES[QUIET])
        self._ages = {when: now + age_s * (share - jitter) for when, share in AGES.items()}
        self._stall_at, self._taken = now + STALL_S, 0
        self._resets, self._discarded = Resets(), 0
        self._fresh_until = now + CROSSING_S
        self._unwanted: dict[Stream, float] = {}  # streams whose bodies come after their answers, and until when
        self._leaving: asyncio.TimerHandle | None = None
        self._when = 0  # to leave, if at all
        self.left = False  # no stream after the last one is taken any more
        self.lingering = self.lost = False
        self._timer = self._loop.call_later(0, self._look)

    def note_opened(self, count: int) -> None:
        """Note how many streams there have been."""
        if count >= MAX_OPENED[QUIET]:
            self.leave(_find_last(MAX_OPENED, count))

    def note_reset(self) -> None:
        """Note that the peer has reset a stream, or opened one that can't be read."""
        count = self._resets.note(self._loop.time())
        if count >= MAX_RESETS[QUIET]:
            self.leave(_find_last(MAX_RESETS, count))

    def note_idle(self) -> None:
        """Note that no stream is open."""
        if self.left or self._when >= IDLE:
            self._close()
        elif self._when == QUIET:
            self._loop.call_later(QUIET_S, self._close_if_quiet)

    def expect_end(self, stream: Stream) -> None:
        """Give a stream that is answered some time for the rest of its body, which is thrown away."""
        self._unwanted[stream] = self._loop.time() + ARRIVAL_S
        stream.handler = IGNORING

    def discard_body(self, stream: Stream, size: int) -> None:
        """Throw away a part of it."""
        stream.discarded += size
        if stream.discarded > MAX_DISCARDED_BYTES:
            stream.reset(frames.NO_ERROR)

    def leave(self, when: int = NOW) -> None:
        """End the connection once all is answered; what crosses a GOAWAY on the wire is answered, or not begun."""
        self._when = max(self._when, when)
        if not self._connection.streams:
            self.note_idle()
        elif self._when == NOW and self._leaving is None and not (self.lingering or self.lost):
            goaway = frames.write_goaway(frames.LAST_POSSIBLE, frames.NO_ERROR)
            self._connection.transport.write(goaway + frames.write_ping())
            self._leaving = self._loop.call_later(LEAVE_S, self.leave_now)

    def stop(self) -> None:
        """End the connection because the service stops."""
        self._loop.call_at(self._fresh_until, self.leave, IDLE)  # at once, unless its first request may be coming
        self._loop.call_later(CROSSING_S, self.leave)

    def leave_now(self) -> None:
        """Take no more streams, and close the connection with the last answer."""
        if self._leaving is None or self.left or self.lost:
            return
        self._leaving.cancel()
        self.left = True
        self._connection.transport.write(frames.write_goaway(self._connection.last_stream, frames.NO_ERROR))

    def fail(self, reason: str) -> None:
        """End a connection that zttp has given up."""
        note_malformed(self._connection, 400, reason)
        self._connection.drop_streams(frames.CANCEL)
        self._linger()

    def end_with(self, error_code: int, sentence: str) -> None:
        """Give the connection up."""
        if not (self.lingering or self.lost):
            last = self._connection.last_stream
            self._connection.transport.write(frames.write_goaway(last, error_code, sentence.encode()))
            self.fail(sentence)

    def discard(self, data: bytes) -> None:
        """Take what comes after the end."""
        self._discarded += len(data)
        if self._discarded > LINGER_BYTES:
            self._connection.transport.close()

    def end(self) -> None:
        """Note that the connection is lost."""
        self.lost = True
        self._timer.cancel()

    def _close(self) -> None:
        """Close a connection that has nothing under way."""
        if self.lingering or self.lost:
            return
        self._connection.output.flush()
        if not self.left:
            code = self._resets.find_error_code(self._loop.time())
            self._connection.transport.write(frames.write_goaway(self._connection.last_stream, code))
        self._linger()

    def _close_if_quiet(self) -> None:
        if not self._connection.streams and self._loop.time() >= self._connection.idle_since + 0.9 * QUIET_S:
            self._close()

    def _linger(self) -> None:
        """Send no more; a connection that is closed before its bytes are read is reset, answers and all."""
        self._connection.output.flush()
        if self.lingering:
            return
        self.lingering = self.left = True
        transport = self._connection.transport
        self._loop.call_later(EOF_S, self._connection.end_sending)
        self._connection.flow.resume_reading()
        self._loop.call_later(LINGER_S, transport.close)

    def _look(self) -> None:
        """End what lasts too long, and look again later."""
        now = self._loop.time()
        self._reset_unwanted(now)
        connection = self._connection
        if self.lingering:
            if self._is_stalled(now):
                connection.transport.abort()
        elif self._boundaries.is_late(now, ARRIVAL_S, under_way=bool(connection.streams)):
            self.end_with(frames.PROTOCOL_ERROR, f"nothing whole arrived within {ARRIVAL_S:g} s")
        elif self._is_stalled(now) or now >= self._ages[NOW] + connection.shared.grace_s:
            connection.transport.abort()
        elif now >= self._ages[QUIET]:
            self.leave(_find_last(self._ages, now))
        elif not connection.streams and now >= connection.idle_since + connection.port.idle_s:
            self.leave()
        if not self.lost:
            self._timer = self._loop.call_later(self._find_delay(now), self._look)

    def _find_delay(self, now: float) -> float:
        idle_at = self._connection.idle_since + self._connection.port.idle_s
        later = [at - now for at in (*self._ages.values(), idle_at, self._boundaries.late_at) if at > now]
        return min(LOOK_S, *later) if later else LOOK_S

    def _is_stalled(self, now: float) -> bool:
        output = self._connection.output
        taken = output.count_taken()
        if not output.stuck or taken - self._taken >= STALL_BYTES:
            self._stall_at, self._taken = now + STALL_S, taken
        return now >= self._stall_at

    def _reset_unwanted(self, now: float) -> None:
        for stream in [stream for stream, at in self._unwanted.items() if stream.closed or now >= at]:
            del self._unwanted[stream]
            stream.reset(frames.NO_ERROR)


def _find_last(limits: Mapping[int, float], value: float) -> int:
    """Return the last key whose limit is reached; the first is."""
    return max(key for key, limit in limits.items() if value >= limit)
