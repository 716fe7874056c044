"""Puts one set of routes and gRPC methods before all versions: each call goes to the version that it names.

A protocol is built once for each version, since much of it follows from the schema: how tensors are read, what the
outputs are called. What it registers has the same paths in every version, so the first one's stand for all.
"""

from collections.abc import Awaitable, Iterable
from dataclasses import replace
from typing import Any

from ekiben.service.http.messages import Request, Response
from ekiben.service.playground.protocol import PROTOCOL as PLAYGROUND
from ekiben.service.protocols.protocol import Call, Method, Protocol, Route, select_by_header
from ekiben.service.row_log.feedback import PROTOCOL as FEEDBACK
from ekiben.service.servings.servings import Servings

UNDRAWN = frozenset({FEEDBACK, PLAYGROUND})  # what is posted to these is no traffic: no canary chooses who answers


def unite(servings: Servings, protocols: Iterable[Protocol]) -> list[Protocol]:
    """Return protocols of one version with all versions behind them."""
    return [
        replace(
            protocol,
            routes=tuple(_forward_route(servings, route, protocol.name not in UNDRAWN) for route in protocol.routes),
            services={
                service: {name: _forward_method(servings, service, name, method) for name, method in methods.items()}
                for service, methods in protocol.services.items()
            },
        )
        for protocol in protocols
    ]


def _forward_route(servings: Servings, route: Route, predicts: bool) -> Route:
    """Return a route before all versions; a canary chooses among those that answer rows, which are posted."""
    key, select, rows = (route.method, route.path), route.select, predicts and route.method == "POST"
    header = route.header

    # No coroutine of its own: each costs a quarter of a microsecond.
    def answer(request: Request) -> Awaitable[bytes | Response]:
        return servings.pick(select(request.parameters), request if rows else None).answer(key, request)

    def answer_unnamed(request: Request) -> Awaitable[bytes | Response]:
        return servings.default.pick(request if rows else None).answer(key, request)

    def answer_by_header(request: Request) -> Awaitable[bytes | Response]:
        value = request.headers.get(header)
        named = select_by_header(value) if value else None
        return servings.pick(named, request if rows else None).answer(key, request)

    if "{model}" in route.path:
        return replace(route, answer=answer)
    return replace(route, answer=answer_by_header if header else answer_unnamed)


def _forward_method(servings: Servings, service: str, name: str, method: Method) -> Method:
    key, select, rows = (service, name), method.select, method.rows

    def answer(request: Any, call: Call) -> Awaitable[Any]:
        return servings.pick(select(request), call if rows else None).answer_call(key, request, call)

    return replace(method, answer=answer)
