"""Adds protocols' routes to the router."""

from collections.abc import Iterable

from ekiben.service.errors import BadRequest
from ekiben.service.http.messages import Request
from ekiben.service.http.router import Resource, Router
from ekiben.service.protocols.endpoint import Endpoint
from ekiben.service.protocols.protocol import Protocol, Route
from ekiben.service.settings import Settings


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
    apps = {route.method: Endpoint(protocol, settings, route.answer, path, answers_rows(route)) for route in routes}
    allowed = ", ".join(sorted(apps))
    if "GET" in apps:
        apps["HEAD"] = apps["GET"]

    async def reject_method(request: Request) -> bytes:
        raise BadRequest(405, f"{request.method} is not allowed here: use {allowed}", (b"allow", allowed.encode()))

    other = Endpoint(protocol, settings, reject_method, path)
    probes = {route.method for route in routes if route.probe}
    if "GET" in probes:
        probes.add("HEAD")
    return Resource(apps, other, frozenset(probes), any(route.page for route in routes))


def answers_rows(route: Route) -> bool:
    """Return whether the route answers rows from the queue."""
    return route.operation is not None and route.operation.rows
