"""What platforms ask before they send traffic: SageMaker's and MLflow's /ping, KServe's liveness on /."""

from ekiben.service.dataplane import Dataplane
from ekiben.service.http.messages import Request, Response, encode_json
from ekiben.service.protocols.openapi import JSON, STRING, record
from ekiben.service.protocols.protocol import Operation, Protocol, Route
from ekiben.service.settings import Settings

READY = Operation(
    "Readiness, as load balancers probe it", statuses={503: "Not ready: starting or shutting down, without a body."}
)
ALIVE = Operation(
    "Liveness, as KServe V1 probes it; a browser gets the page for people", response={JSON: record(status=STRING)}
)


def build_protocol(dataplane: Dataplane, settings: Settings) -> Protocol:
    """Return what this protocol registers."""

    async def ping(request: Request) -> Response:
        return Response(b"", status=200 if dataplane.ready else 503)

    async def alive(request: Request) -> bytes:
        return encode_json({"status": "alive"})

    return Protocol(
        "probes",
        (
            Route("GET", "/ping", ping, probe=True, operation=READY),
            Route("GET", "/health", ping, probe=True, operation=READY),
            Route("GET", "/", alive, probe=True, page=True, operation=ALIVE),
        ),
    )
