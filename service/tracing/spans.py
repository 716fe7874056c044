"""The spans of a request: the request itself, and in it what it waited for: encoding, the queue, the engine."""

import logging
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from opentelemetry import propagate
from opentelemetry.trace import (
    Link,
    Span,
    SpanKind,
    Status,
    StatusCode,
    Tracer,
    format_span_id,
    format_trace_id,
    set_span_in_context,
)

if TYPE_CHECKING:
    from ekiben.service.batching.work import Part, Work

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"})
MAX_LINKS = 32  # of a batch to its requests
MAX_PATH_CHARACTERS = 1024
BAGGAGE = "baggage"  # goes no further from here, and its reader quotes each wrong entry in a line of the log
STATE_READER = "opentelemetry.trace.span"  # does the same with each wrong `tracestate`
GRPC_STATUS = "rpc.grpc.status_code"


class RequestSpan:
    """A request that is traced; `encoded_at`, as time.monotonic() counts, is when its rows went to the queue."""

    __slots__ = ("context", "encoded_at", "ids", "sampled", "span")

    def __init__(self, span: Span) -> None:
        self.span = span
        self.context = set_span_in_context(span)
        self.encoded_at = 0.0
        known = span.get_span_context()
        self.ids = format_trace_id(known.trace_id), format_span_id(known.span_id)
        self.sampled = span.is_recording()

    def end(self, status: int, answered: Mapping[str, object], **more: int) -> None:
        """End it with HTTP's status, and what else is known of the answer."""
        if self.sampled:
            named = {"rows": "ekiben.rows", "model": "ekiben.model.name", "version": "ekiben.model.version"}
            known: dict[str, Any] = {named[name]: value for name, value in answered.items() if value}
            self.span.set_attributes(known | ({} if more else {"http.response.status_code": status}))
            for name, value in more.items():
                self.span.set_attribute(GRPC_STATUS if name == "grpc_status" else name, value)
            if status >= 400:
                self.span.set_attribute("error.type", str(status))
            if status >= 500:  # of a server's span others are the caller's failure
                self.span.set_status(Status(StatusCode.ERROR))
        self.span.end()


class Tracing:
    """Makes the spans of a process."""

    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer
        logging.getLogger(STATE_READER).setLevel(logging.ERROR)

    def begin_http(
        self, protocol: str, method: str, path: str, route: str, scheme: str, headers: Mapping[bytes, bytes]
    ) -> RequestSpan:
        """Begin the span of a request over HTTP, in its caller's trace if there is one."""
        method = method if method in METHODS else "_OTHER"
        attributes = {
            "http.request.method": method,
            "http.route": route,
            "url.path": path[:MAX_PATH_CHARACTERS],
            "url.scheme": scheme,
            "ekiben.protocol": protocol,
        }
        carrier = {name.decode("latin-1"): value.decode("latin-1") for name, value in headers.items()}
        return self._begin(f"{method} {route}", attributes, carrier)

    def begin_grpc(self, protocol: str, path: str, metadata: Sequence[tuple[str, str | bytes]]) -> RequestSpan:
        """Begin the span of a call over gRPC, in its caller's trace if there is one."""
        service, _, method = path.strip("/").rpartition("/")
        attributes = {"rpc.system": "grpc", "rpc.service": service, "rpc.method": method, "ekiben.protocol": protocol}
        return self._begin(path.strip("/"), attributes, {key: one for key, one in metadata if isinstance(one, str)})

    def _begin(self, name: str, attributes: Mapping[str, str], carrier: Mapping[str, str]) -> RequestSpan:
        parent = propagate.extract({key: value for key, value in carrier.items() if key != BAGGAGE})
        return RequestSpan(self._tracer.start_span(name, parent, kind=SpanKind.SERVER, attributes=dict(attributes)))

    def record_encoding(self, works: Sequence["Work"], seconds: float) -> None:
        """Record what it took to check and encode requests that arrived together."""
        ended = time.monotonic()
        for work in works:
            if work.trace is not None and work.trace.sampled:
                work.trace.encoded_at = ended
                self._record("encode", work.trace, ended - seconds, ended, {"ekiben.requests": len(works)})

    def record_batch(self, parts: Sequence["Part"], seconds: float, failed: bool) -> None:
        """Record a batch that has just ended, and how long each of its requests waited for it.

        The first one's span of the engine is the batch's: it has links to all of them, and theirs to it.
        """
        traced = [
            (work, work.trace, stop - start)
            for work, start, stop in parts
            if work.trace is not None and work.trace.sampled
        ]
        ended = time.monotonic()
        began = ended - seconds
        shared = {
            "ekiben.batch.rows": sum(stop - start for _, start, stop in parts),
            "ekiben.batch.requests": len(parts),
        }
        links = [Link(trace.span.get_span_context()) for _, trace, _ in traced[:MAX_LINKS]]
        for index, (work, trace, rows) in enumerate(traced):
            self._record("queue", trace, trace.encoded_at or work.arrived, began, {})
            span = self._record("engine", trace, began, ended, shared | {"ekiben.rows": rows}, links, failed)
            if not index:
                links = [Link(span.get_span_context())]

    def _record(
        self, name: str, trace: RequestSpan, began: float, ended: float, attributes: Mapping[str, int],
        links: Sequence[Link] = (), failed: bool = False,
    ) -> Span:  # fmt: skip
        offset = time.time() - time.monotonic()
        start, end = (int(1e9 * (moment + offset)) for moment in (min(began, ended), ended))
        span = self._tracer.start_span(name, trace.context, attributes=dict(attributes), links=links, start_time=start)
        if failed:
            span.set_status(Status(StatusCode.ERROR))
        span.end(end)
        return span
