"""A request over HTTP/2 for the ASGI app: admitted, read and answered as one over HTTP/1.1 is."""

import time
from typing import Any

from ekiben.service.connections.admission import LATE, WAITED
from ekiben.service.connections.http2 import frames
from ekiben.service.connections.http2.asgi_exchange import AsgiExchange
from ekiben.service.connections.http2.asgi_scope import Site, make_scope
from ekiben.service.connections.http2.rejecting import send_error
from ekiben.service.connections.http2.stream import Stream
from ekiben.service.connections.rejections import BODY, PROTOCOL, RETRY_AFTER_S
from ekiben.service.errors import CallerGone, Overloaded
from ekiben.service.http.messages import encode_json
from ekiben.service.telemetry import metrics

RETRY_AFTER = ((b"retry-after", b"%d" % RETRY_AFTER_S),)


class AsgiRequest:
    """Takes what comes on a stream, and asks the app once the request is admitted."""

    def __init__(self, site: Site, stream: Stream) -> None:
        self._site, self._stream = site, stream
        self._admission = site.shared.admission
        self._exchange = AsgiExchange(site, stream)
        self._waits_since = 0.0
        self._waiting = self._unjudged = self._rejecting = False
        stream.connection.incoming.judge(self._judge)

    def data_received(self, data: bytes) -> None:
        if not self._exchange.keep(data):
            self._reject()

    def end_received(self) -> None:
        self._exchange.end_body()

    def reset_received(self, error_code: int) -> None:
        if self._waiting:
            metrics.count_rejected(PROTOCOL, CallerGone.reason)
        self._rejecting = False
        self._exchange.disconnect()

    def resume(self) -> bool:
        """Ask the app; return whether there still was a request that waited."""
        if not self._waiting or self._stream.closed or self._stream.answered:
            return False
        self._waiting = False
        self._start({WAITED: time.perf_counter() - self._waits_since}, late=self._unjudged)
        return True

    def send_rejection(self) -> bool:
        """Send the rejection that waited; return whether there still was one."""
        if not self._rejecting:
            return False
        self._rejecting = False
        self._send_overloaded()
        return True

    def _judge(self) -> None:
        admission = self._admission
        if self._stream.closed or self._stream.answered:
            return
        if not admission.tick_active:
            admission.begin()
        if admission.read_budget > 0:
            admission.read_budget -= 1
            self._start({})
        elif admission.draining:
            self._start({}, late=True)
        elif self._stream.receiving or self._stream.method != b"POST":  # it can't be rejected unread
            self._wait(unjudged=True)
            admission.defer(self)
        elif admission.queue_slots > 0:
            self._wait(unjudged=False)
            admission.enqueue(self)
        else:
            self._rejecting = True
            self._exchange.discard()
            self._site.shared.rejections.add(self)

    def _wait(self, unjudged: bool) -> None:
        self._waiting, self._unjudged, self._waits_since = True, unjudged, time.perf_counter()

    def _start(self, notes: dict[str, Any], late: bool = False) -> None:
        hosts = [value for name, value in self._stream.headers if name == b"host"]
        if len(hosts) != 1:
            self._exchange.discard()
            sentence = f"not a valid HTTP request: expected one Host header, got {len(hosts)}"
            send_error(self._stream, 400, encode_json({"error": sentence}))
            return
        scope = make_scope(self._site, self._stream)
        scope.update(notes)
        if late and self._admission.queue_slots <= 0:
            scope[LATE] = True
        self._exchange.start(scope)

    def _reject(self) -> None:
        """Answer that there is no memory for the body."""
        self._exchange.disconnect()
        self._waiting = False
        if self._exchange.begun:
            self._stream.reset(frames.ENHANCE_YOUR_CALM)
        else:
            metrics.count_rejected(PROTOCOL, Overloaded.reason)
            metrics.count_request(PROTOCOL, 429, 0.0)
            self._send_overloaded()

    def _send_overloaded(self) -> None:
        """Send 429, which the pages of other origins may read as any answer."""
        origin = next((value for name, value in self._stream.headers if name == b"origin"), None)
        shared = self._site.shared.cors.find_headers(origin)
        send_error(self._stream, 429, BODY, (*RETRY_AFTER, *shared))
