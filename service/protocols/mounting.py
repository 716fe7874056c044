"""Turns a protocol's routes into ASGI apps that count, log and report errors in its shape."""

import time
from collections.abc import Awaitable, Callable, Iterable

from ekiben.service.auth import ANONYMOUS
from ekiben.service.connections.admission import LATE, WAITED
from ekiben.service.connections.rejections import RETRY_AFTER_S
from ekiben.service.error_status import hide_details, to_error_response
from ekiben.service.errors import BadRequest, Overloaded, RequestRejected, clear_tracebacks
from ekiben.service.http.messages import App, Receive, Request, Response, Scope, Send, encode_json, respond
from ekiben.service.http.router import Resource, Router
from ekiben.service.logs.access import share_access_log
from ekiben.service.protocols.protocol import Protocol, Route
from ekiben.service.settings import Settings
from ekiben.service.telemetry import metrics
from ekiben.service.tracing.process import get_tracing


def mount(router: Router, protocols: Iterable[Protocol], settings: Settings) -> None:
    """Add every protocol's routes to the router."""
    for protocol in protocols:
        paths: dict[str, list[Route]] = {}
        for route in protocol.routes:
            paths.setdefault(route.path, []).append(route)
        for path, routes in paths.items():
            router.add(path, build_resource(protocol, routes, settings))


def build_resource(protocol: Protocol, routes: list[Route], settings: Settings) -> Resource:
    """Return what answers on the path that these routes share."""
    path = routes[0].path
    apps = {route.method: endpoint(protocol, settings, route.answer, path) for route in routes}
    allowed = ", ".join(sorted(apps))
    if "GET" in apps:
        apps["HEAD"] = apps["GET"]

    async def reject_method(request: Request) -> bytes:
        raise BadRequest(405, f"{request.method} is not allowed here: use {allowed}", (b"allow", allowed.encode()))

    other = endpoint(protocol, settings, reject_method, path)
    probes = {route.method for route in routes if route.probe}
    if "GET" in probes:
        probes.add("HEAD")
    return Resource(apps, other, frozenset(probes), any(route.page for route in routes))


def endpoint(
    protocol: Protocol, settings: Settings, answer: Callable[[Request], Awaitable[bytes | Response]], route: str = ""
) -> App:
    """Wrap a function from request to answer into an ASGI app; `route` is the template of its path."""
    access, tracing = share_access_log(settings.access_log_sample), get_tracing()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        waited_s = scope.get(WAITED, 0.0)
        started = time.perf_counter() - waited_s
        request = Request(scope, receive, waited_s)
        if tracing is not None:
            said = protocol.name, request.method, request.path, route, scope.get("scheme", "http"), request.headers
            request.trace = tracing.begin_http(*said)
        try:
            if LATE in scope and scope["method"] == "POST":
                raise Overloaded(RETRY_AFTER_S)
            answered = await answer(request)
            response = Response(answered) if isinstance(answered, bytes) else answered
        except Exception as error:  # the boundary: whatever happens, the caller gets its protocol's error
            failure = to_error_response(error, lambda: request.describe(protocol.name))
            if isinstance(error, RequestRejected):
                metrics.count_rejected(protocol.name, error.reason)
            if ANONYMOUS in scope:
                failure = hide_details(failure)
            response = Response(encode_json(protocol.error_body(failure)), failure.headers, failure.status)
            clear_tracebacks(error)
        await respond(send, request, response)
        seconds = time.perf_counter() - started
        metrics.count_request(protocol.name, response.status, seconds)
        if request.trace is not None:
            request.trace.end(response.status, request.answered)
        if access.wants(response.status):
            access.write(request.describe(protocol.name), response.status, seconds, request.answered)

    return app
