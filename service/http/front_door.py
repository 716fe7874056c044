"""Answers our routes before BentoML's middlewares, which cost 400 µs a request; the rest falls through.

`bentoml` hands middlewares added with `add_asgi_middleware` the `lifespan` scope, and in it the
Starlette application: its middleware stack is wrapped there, once, as the service starts, and built without
the middleware that keeps memory for a minute.
"""

import time
from dataclasses import dataclass
from typing import Any

from bentoml._internal.server.http.traffic import TimeoutMiddleware

from ekiben.service.auth import ANONYMOUS, NO_CERTIFICATE, UNCERTIFIED, Authenticator
from ekiben.service.errors import BadRequest
from ekiben.service.http.cors import Cors, send_preflight
from ekiben.service.http.messages import App, Message, Receive, Request, Response, Scope, Send, encode_json, respond
from ekiben.service.http.router import Found, Router
from ekiben.service.http.trailing_slash import ends_with_slash, redirect
from ekiben.service.http.unserved import explain
from ekiben.service.logs.access import AccessLog
from ekiben.service.pages import page, swagger_ui
from ekiben.service.telemetry import metrics

PROTOCOL = "front_door"  # in the metrics, for what no protocol gets to see
BENTOML_PROBES = frozenset({"/livez", "/readyz", "/healthz"})


@dataclass
class Drain:
    """Whether the service was asked to stop; its callers' connections then end with their next answer."""

    begun: bool = False


class FrontDoor:
    """An ASGI app that answers what the router finds and passes on all else."""

    def __init__(
        self, app: App, router: Router, authenticator: Authenticator, drain: Drain, access: AccessLog, cors: Cors
    ) -> None:
        self._app = app
        self._router = router
        self._authenticator = authenticator
        self._drain = drain
        self._access = access
        self._cors = cors

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":  # a websocket or lifespan scope may have a path too, but no method
            await self._app(scope, receive, send)
            return
        if self._drain.begun:
            send = _close_after(send)
        if ends_with_slash(scope["path"]):
            if _from_browser(scope) and scope["method"] in ("GET", "HEAD"):
                await redirect(scope, send)
                return
            scope["path"] = scope["path"][:-1]
        found = self._router.find(scope["path"])
        if self._cors.enabled:
            preflight = self._cors.answer_preflight(scope, found.resource.apps if found else ())
            if preflight is not None:
                await send_preflight(send, preflight)
                metrics.count_request(PROTOCOL, preflight["status"], 0.0)
                return
            send = self._cors.mark(scope, send)
        if found is not None and found.resource.page and _from_browser(scope):
            found = self._router.find(page.PATH)
        uncertified = UNCERTIFIED in scope.get("state", ())
        if (uncertified or self._authenticator.required) and not await self._let_in(
            found, uncertified, scope, receive, send
        ):
            return
        if found is None:
            await self._app(scope, receive, swagger_ui.restrict(explain(send, scope, self._router.beginnings)))
            return
        scope["path_params"] = found.parameters
        await found.resource.apps.get(scope["method"], found.resource.other)(scope, receive, send)

    async def _let_in(self, found: Found | None, uncertified: bool, scope: Scope, receive: Receive, send: Send) -> bool:
        """Return whether the caller is authenticated; answer 401, or 403 without a certificate, if not."""
        authorizations = [value for name, value in scope["headers"] if name == b"authorization"]
        if scope["path"] in BENTOML_PROBES or (found is not None and scope["method"] in found.resource.probes):
            if uncertified or not self._authenticator.accepts(authorizations):
                scope[ANONYMOUS] = True
            return True
        started = time.perf_counter()
        try:
            if uncertified:
                raise BadRequest(403, NO_CERTIFICATE)
            if self._authenticator.required:
                self._authenticator.check(authorizations)
        except BadRequest as error:
            rejection = Response(encode_json({"error": str(error)}), error.headers, error.status)
            request, seconds = Request(scope, receive), time.perf_counter() - started
            await respond(send, request, rejection)
            metrics.count_request(PROTOCOL, error.status, seconds)
            if self._access.wants(error.status):
                self._access.write(request.describe(PROTOCOL), error.status, seconds, {})
            return False
        return True


class FrontDoorInstaller:
    """The middleware that puts a front door before the middleware stack it is itself part of."""

    def __init__(self, app: App, **front: Any) -> None:
        self._app = app
        self._front = front

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            application = scope["app"]
            # It leaves a timer of 60 s for each request, answered or not: 20,000 probes or 404s were 109 MiB.
            kept = [one for one in application.user_middleware if one.cls is not TimeoutMiddleware]
            application.user_middleware = kept
            application.router.redirect_slashes = False  # nor here: see trailing_slash
            stack = application.build_middleware_stack()
            application.middleware_stack = FrontDoor(stack, **self._front)
        await self._app(scope, receive, send)


def _close_after(send: Send) -> Send:
    """Let the connection end with this answer: a request that crosses its later end on the wire would be lost."""

    async def send_last(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message["headers"], (b"connection", b"close")]
        await send(message)

    return send_last


def _from_browser(scope: Scope) -> bool:
    return any(name == b"accept" and b"text/html" in value for name, value in scope["headers"])
