"""gRPC's methods over HTTP in this process, on a dataplane whose engine doubles, and a client of it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import httpx
from prometheus_client import REGISTRY

from ekiben.service.auth import Authenticator
from ekiben.service.connections.byte_budget import ByteBudget
from ekiben.service.dataplane import Dataplane
from ekiben.service.grpc.methods import Methods
from ekiben.service.grpc.record import ServerState
from ekiben.service.http.cors import Cors
from ekiben.service.http.front_door import Drain, FrontDoor
from ekiben.service.http.messages import Receive, Scope, Send
from ekiben.service.http.router import Router
from ekiben.service.logs.access import share_access_log
from ekiben.service.protocols import open_inference, tensorflow_serving
from ekiben.service.protocols.mounting import mount
from ekiben.service.protos import message
from ekiben.service.settings import Settings
from ekiben.service.telemetry import metrics
from ekiben.service.web.mounting import mount_web
from tests.doubling import Doubling, start

OIP = "/inference.GRPCInferenceService"
INFER = f"{OIP}/ModelInfer"
MAX_BYTES = 200_000


class Service(NamedTuple):
    """A running service."""

    client: httpx.AsyncClient
    methods: Methods
    dataplane: Dataplane
    budget: ByteBudget
    app: Any


async def answer_nothing(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer as BentoML does where it has nothing."""
    await send({"type": "http.response.start", "status": 404, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": b"Not Found"})


@asynccontextmanager
async def open_service(
    token: str = "", engine: Doubling | None = None, scope: dict[str, Any] | None = None, max_values: int = 1000,
    **settings: Any,
) -> AsyncIterator[Service]:  # fmt: skip
    """Serve; `scope`: what every request's has besides."""
    given = Settings(**{"max_body_bytes": MAX_BYTES} | settings)
    guard, budget = Authenticator([token.encode()] if token else []), ByteBudget(2 * MAX_BYTES)
    dataplane = start(engine or Doubling())
    protocols = [one.build_protocol(dataplane, given) for one in (open_inference, tensorflow_serving)]
    methods, router = Methods(protocols, ServerState(given, guard, budget, max_values)), Router()
    mount(router, protocols, given)
    mount_web(router, methods, protocols)
    door = FrontDoor(answer_nothing, router, guard, Drain(), share_access_log(0), Cors(given.cors_origins))

    async def app(began: Scope, receive: Receive, send: Send) -> None:
        await door(began | (scope or {}), receive, send)

    try:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://service") as client:
            yield Service(client, methods, dataplane, budget, app)
        assert budget.taken == 0
    finally:
        dataplane.close()


def counted(label: str, code: str) -> float:
    """Return how many requests were answered so."""
    metrics.flush()
    return REGISTRY.get_sample_value("ekiben_inference_requests_total", {"protocol": label, "code": code}) or 0.0


def infer_request(*numbers: float, **more: Any) -> Any:
    """Return the message that asks for the doubles of these."""
    shape = [len(numbers), 1]
    x = {"name": "x", "datatype": "FP32", "shape": shape, "contents": {"fp32_contents": numbers}}
    c = {"name": "c", "datatype": "BYTES", "shape": shape, "contents": {"bytes_contents": [b"a"] * len(numbers)}}
    return message("inference.ModelInferRequest")(model_name="doubling", inputs=[x, c], **more)


def read_doubles(body: bytes) -> list[float]:
    """Return the numbers of an answer in protobuf."""
    answer = message("inference.ModelInferResponse").FromString(body)
    return next(list(output.contents.fp32_contents) for output in answer.outputs if output.name == "probability")
