"""A connection that answers a request whose head is known past the parser."""

from functools import partial
from typing import Any

from ekiben.service.connections.framing import FramedConnection
from ekiben.service.connections.known_exchange import KnownExchange
from ekiben.service.connections.known_heads import LEARN, cut_length, is_plain


class KnownConnection(FramedConnection):
    """One HTTP/1.1 connection that knows heads it has seen before, on whatever connection."""

    waited_s = 0.0  # that the request which is begun has waited

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._heads = self.shared.heads if self.limit_concurrency is None and not self.access_log else None
        self._admission = self.shared.admission

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        if self.uncertified:
            self._heads = None

    def begin(self, data: bytes) -> None:
        """Read the request that the bytes begin with; if they are one with a head that is known, answer it."""
        heads = self._heads
        if heads is None or self._admission.draining or self.flow.write_paused:
            super().begin(data)
            return
        key, length, end = cut_length(data)
        if not key:
            super().begin(data)
        elif (known := heads.find(key, self.scheme)) is not None:
            self.cancel_arrival_timer()
            self._searched = self._blank_bytes = 0
            exchange: Any = KnownExchange(self, heads.answers)
            self.cycle = exchange
            exchange.begin(known, length, data[end:], self.waited_s)
        else:
            before = self.scope
            super().begin(data)
            scope: Any = self.scope
            if scope is not before and heads.is_wanted(key) and is_plain(key, data, end):
                scope[LEARN] = partial(heads.learn, key)

    def rest(self) -> None:
        """Wait for the next request, of which nothing has come: what `on_response_complete` does, for less."""
        self.server_state.total_requests += 1
        if not self.transport.is_closing():
            self.flow.resume_reading()
            self.idle_since = self.loop.time()
            self.scope = self.headers = self.cycle = None  # type: ignore[assignment]

    def begin_unknown(self, data: bytes) -> None:
        """Read a request as if its head were not known."""
        super().begin(data)
