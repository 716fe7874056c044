"""One operation over HTTP: counted, logged, traced, and with its errors in its protocol's shape.

It is an ASGI app. A request whose head is known comes without a scope, and is answered by the same steps.
"""

import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from ekiben.service.auth import ANONYMOUS
from ekiben.service.connections.admission import LATE, WAITED
from ekiben.service.connections.known_heads import LEARN, KnownHead
from ekiben.service.connections.rejections import RETRY_AFTER_S
from ekiben.service.error_status import hide_details, to_error_response
from ekiben.service.errors import Overloaded, RequestRejected, clear_tracebacks
from ekiben.service.http.cors import MARKS
from ekiben.service.http.known_request import KnownRequest, list_fields
from ekiben.service.http.messages import Receive, Request, Response, Scope, Send, encode_json, respond
from ekiben.service.logs.access import share_access_log
from ekiben.service.protocols.protocol import Protocol
from ekiben.service.settings import Settings
from ekiben.service.telemetry import metrics
from ekiben.service.tracing.process import get_tracing

Answer = Callable[[Request], Awaitable[bytes | Response]]
FORWARDED_SCHEME, CODING = b"x-forwarded-proto", b"content-encoding"


class Endpoint:
    """What answers on a route, whose path has this template.

    `rows`: it answers rows from the queue, and needs no task of its own for that, so its heads are worth knowing.
    """

    def __init__(
        self, protocol: Protocol, settings: Settings, answer: Answer, route: str = "", rows: bool = False
    ) -> None:
        self._protocol = protocol
        self._answer = answer
        self._route = route
        self._learns = rows
        self._access, self._tracing = share_access_log(settings.access_log_sample), get_tracing()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        waited_s = scope.get(WAITED, 0.0)
        started = time.perf_counter() - waited_s
        request = Request(scope, receive, waited_s)
        if self._tracing is not None:
            self._begin_span(request, scope)
        try:
            if LATE in scope and scope["method"] == "POST":
                raise Overloaded(RETRY_AFTER_S)
            answered = await self._answer(request)
            response = Response(answered) if isinstance(answered, bytes) else answered
        except Exception as error:  # the boundary: whatever happens, the caller gets its protocol's error
            response = self._fail(request, error, ANONYMOUS in scope)
        await respond(send, request, response)
        self._note(request, response.status, time.perf_counter() - started)
        if self._learns and LEARN in scope and response.status == 200:
            scope[LEARN](self._learn(scope))

    async def answer_known(self, request: KnownRequest, scope: Mapping[str, Any]) -> None:
        """Answer a request whose head is known; of the `scope` only what all such requests share is there.

        The same again, as each coroutine costs a quarter of a microsecond.
        """
        started = time.perf_counter() - request.waited_s
        if self._tracing is not None:
            request.complete_headers()
            self._begin_span(request, scope)
        try:
            answered = await self._answer(request)
            response = Response(answered) if isinstance(answered, bytes) else answered
        except Exception as error:
            response = self._fail(request, error)
        request.send(request, response)
        self._note(request, response.status, time.perf_counter() - started)

    def _begin_span(self, request: Request, scope: Mapping[str, Any]) -> None:
        assert self._tracing is not None
        said = self._protocol.name, request.method, request.path, self._route, scope.get("scheme", "http")
        request.trace = self._tracing.begin_http(*said, request.headers)

    def _fail(self, request: Request, error: Exception, anonymous: bool = False) -> Response:
        """Return the answer for an error."""
        protocol = self._protocol
        failure = to_error_response(error, lambda: request.describe(protocol.name))
        if isinstance(error, RequestRejected):
            metrics.count_rejected(protocol.name, error.reason)
        if anonymous:
            failure = hide_details(failure)
        clear_tracebacks(error)
        return Response(encode_json(protocol.error_body(failure)), failure.headers, failure.status)

    def _note(self, request: Request, status: int, seconds: float) -> None:
        metrics.count_request(self._protocol.name, status, seconds)
        if request.trace is not None:
            request.trace.end(status, request.answered)
        if self._access.wants(status):
            self._access.write(request.describe(self._protocol.name), status, seconds, request.answered)

    def _learn(self, scope: Scope) -> KnownHead | None:
        """Return what is known by the head of a request that was answered; None: it is not to be known."""
        names = [name for name, _ in scope["headers"]]
        traced = self._tracing is not None and FORWARDED_SCHEME in names  # who may say so, depends on the connection
        if len(set(names)) < len(names) or CODING in names or traced or ANONYMOUS in scope:
            return None
        authorizations = [value for name, value in scope["headers"] if name == b"authorization"]
        shared = {"method": scope["method"], "scheme": scope.get("scheme", "http")}
        return KnownHead(self.answer_known, shared, list_fields(scope), authorizations, scope.get(MARKS, ()))
