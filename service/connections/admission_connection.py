"""The HTTP connection that admission control is applied to, before uvicorn parses anything."""

import time
from typing import Any

from ekiben.service.connections.admission import LATE, WAITED
from ekiben.service.connections.closing import CROSSING_S
from ekiben.service.connections.known_connection import KnownConnection
from ekiben.service.connections.plain_post import is_complete_post
from ekiben.service.connections.rejections import PROTOCOL
from ekiben.service.errors import CallerGone
from ekiben.service.telemetry import metrics


class AdmissionConnection(KnownConnection):
    """uvicorn's HTTP connection, with admission control for requests that may carry rows.

    A whole one waits or is rejected here; of one that is still arriving the scope says that it is late.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._waiting = False  # for admission, with a request among the bytes that are kept
        self._unjudged = False  # what waits, or waited last, can't be rejected unread
        self._rejection = b""  # that waits
        self._waits_since = 0.0

    def data_received(self, data: bytes) -> None:
        if self._rejection:  # a caller that does not wait for its answer
            self.send_rejection()
        super().data_received(data)

    def begin(self, data: bytes) -> None:
        if not self._admission.tick_active:
            self._admission.begin()
        if self._admission.read_budget > 0:
            self._admission.read_budget -= 1
            super().begin(data)
        elif self._admission.draining:
            self._begin_late(data)
        elif not is_complete_post(data):
            self._defer(data)
        elif self._admission.queue_slots > 0 and self.keep(data):
            self._wait()
        else:
            self._rejection = self.shared.cross_origin.choose(data)
            self.shared.rejections.add(self)

    def begin_next(self) -> None:
        """Let what was sent ahead wait for its turn, as other callers' requests do."""
        self._wait()
        if not self._admission.tick_active:
            self._admission.begin()

    def resume(self) -> bool:
        """Read the request that waited; return whether there still was one."""
        if not self._waiting:  # it was begun as the service stopped: what is kept by now is of the one after it
            return False
        self._waiting = False
        data = self.take_unread().lstrip(b"\r\n")
        if not data:
            return False
        self.flow.resume_reading()
        before = self.scope
        if self._unjudged:
            self._begin_late(data)
        else:
            self.waited_s = time.perf_counter() - self._waits_since
            super().begin(data)
            self.waited_s = 0.0
        scope: Any = self.scope
        if scope is not None and scope is not before:  # none: its head is known, and it may be answered already
            scope[WAITED] = time.perf_counter() - self._waits_since
        return True

    def send_rejection(self) -> bool:
        """Send the rejection that waited; return whether there still was one."""
        if not self._rejection:
            return False
        rejection, self._rejection = self._rejection, b""
        self.transport.write(rejection)
        self.wait_for_request()
        return True

    def connection_lost(self, error: Exception | None) -> None:
        if self._waiting:
            metrics.count_rejected(PROTOCOL, CallerGone.reason)
        self._rejection = b""
        super().connection_lost(error)

    def shutdown(self) -> None:
        self._begin_waiting()
        if self.is_answered():  # as far as we know: the next request may be on its way
            self.loop.call_later(CROSSING_S, self._end_unless_asked)
        else:
            super().shutdown()

    def is_answered(self) -> bool:
        return not (self._waiting or self._rejection) and super().is_answered()

    def _end_unless_asked(self) -> None:
        self._begin_waiting()
        super().shutdown()

    def _begin_waiting(self) -> None:
        """Begin, or reject, what waits: uvicorn then waits for the answer."""
        self.resume()
        self.send_rejection()

    def _wait(self) -> None:
        self._waiting, self._unjudged, self._waits_since = True, False, time.perf_counter()
        self._admission.enqueue(self)

    def _defer(self, data: bytes) -> None:
        """Read in a later tick what can't be rejected unread, or now if there is no memory to keep it."""
        if not self.keep(data):
            self._begin_late(data)
            return
        self._waiting, self._unjudged, self._waits_since = True, True, time.perf_counter()
        self._admission.defer(self)

    def _begin_late(self, data: bytes) -> None:
        """Read what can't be rejected unread; its scope says whether it would have been."""
        before = self.scope
        self.begin_unknown(data)
        scope: Any = self.scope
        if scope is not before and self._admission.queue_slots <= 0:
            scope[LATE] = True
