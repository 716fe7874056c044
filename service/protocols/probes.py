"""What platforms ask before they send traffic: SageMaker's and MLflow's /ping, KServe's liveness on /."""

from service.dataplane import Dataplane
from service.dialect import Dialect, Route
from service.http import Request, Response, encode_json
from service.settings import Settings


def dialect(dataplane: Dataplane, settings: Settings) -> Dialect:
    """Return what this protocol registers."""

    async def ping(request: Request) -> Response:
        return Response(b"", status=200 if dataplane.ready else 503)

    async def alive(request: Request) -> bytes:
        return encode_json({"status": "alive"})

    return Dialect(
        "probes",
        (
            Route("GET", "/ping", ping, probe=True),
            Route("GET", "/health", ping, probe=True),
            Route("GET", "/", alive, probe=True, page=True),
        ),
    )
