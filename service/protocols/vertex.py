"""Vertex AI: health and predict on the routes the platform chose."""

import os
from urllib.parse import unquote

from ekiben.service.dataplane import Dataplane
from ekiben.service.http.messages import Request, Response
from ekiben.service.http.router import escape
from ekiben.service.protocols.probes import READY
from ekiben.service.protocols.protocol import Protocol, Route
from ekiben.service.protocols.tensorflow_serving.operations import PREDICT
from ekiben.service.protocols.tensorflow_serving.predict import build_predict
from ekiben.service.settings import Settings

PROTOCOL = "vertex"


def build_protocol(dataplane: Dataplane, settings: Settings) -> Protocol:
    """Return what this protocol registers: nothing, unless Vertex AI says with AIP_MODE that it is there."""

    async def health(request: Request) -> Response:
        return Response(b"", status=200 if dataplane.ready else 503)

    routes = []
    if path := read_route("AIP_HEALTH_ROUTE"):
        routes.append(Route("GET", path, health, probe=True, operation=READY))
    if path := read_route("AIP_PREDICT_ROUTE"):
        routes.append(Route("POST", path, build_predict(dataplane, settings, PROTOCOL), operation=PREDICT))
    return Protocol(PROTOCOL, tuple(routes))


def read_route(variable: str) -> str:
    """Return the template of the path that a variable of the environment holds, or ""."""
    return escape(unquote(os.environ.get(variable, ""))) if os.environ.get("AIP_MODE") else ""
