"""The routes of the Open Inference Protocol."""

from ekiben.service.dataplane import Dataplane
from ekiben.service.errors import BadRequest
from ekiben.service.http.messages import Request, Response, encode_json
from ekiben.service.protocols.open_inference import operations
from ekiben.service.protocols.open_inference.inference import Inference
from ekiben.service.protocols.open_inference.metadata import describe_model, describe_server
from ekiben.service.protocols.open_inference.triton import describe_config
from ekiben.service.protocols.open_inference.unserved import UNSERVED
from ekiben.service.protocols.protocol import Route
from ekiben.service.settings import Settings

MODEL = "/v2/models/{model}[/versions/{version}]"


def build_routes(dataplane: Dataplane, settings: Settings, protocol: str) -> tuple[Route, ...]:
    """Return every route; what is under /v2 and none of them is a 404."""
    api = Api(dataplane, settings, protocol)
    return (
        Route("POST", f"{MODEL}/infer", api.infer, operation=operations.INFER),
        Route("GET", MODEL, api.describe, operation=operations.DESCRIBE),
        Route("GET", f"{MODEL}/ready", api.check_model, probe=True, operation=operations.CHECK_MODEL),
        Route("GET", "/v2/health/live", api.live, probe=True, operation=operations.LIVE),
        Route("GET", "/v2/health/ready", api.ready, probe=True, operation=operations.READY),
        Route("GET", "/v2", api.describe_server, operation=operations.DESCRIBE_SERVER),
        Route("GET", f"{MODEL}/config", api.configure, operation=operations.CONFIGURE),
        *(Route(method, "/v2/{rest:path}", api.answer_not_found) for method in ("GET", "POST")),
    )


class Api:
    """Answers the calls of the protocol."""

    def __init__(self, dataplane: Dataplane, settings: Settings, protocol: str) -> None:
        self._dataplane = dataplane
        self._model = dataplane.model
        self._settings = settings
        self.infer = Inference(dataplane, settings, protocol).answer

    async def describe(self, request: Request) -> bytes:
        return encode_json(describe_model(self._model))

    async def check_model(self, request: Request) -> Response:
        ready = self._dataplane.ready
        return Response(encode_json({"name": self._model.name, "ready": ready}), status=200 if ready else 503)

    async def live(self, request: Request) -> bytes:
        return encode_json({"live": True})

    async def ready(self, request: Request) -> Response:
        ready = self._dataplane.ready  # the specification says `live` where clients read `ready`
        return Response(encode_json({"ready": ready, "live": True}), status=200 if ready else 503)

    async def describe_server(self, request: Request) -> bytes:
        return encode_json(describe_server())

    async def configure(self, request: Request) -> bytes:
        return encode_json(describe_config(self._model, self._settings))

    async def answer_not_found(self, request: Request) -> bytes:
        name = self._model.name
        parts = request.parameters["rest"].split("/")
        if reason := next((UNSERVED[part] for part in (parts[0], *parts[-2:]) if part in UNSERVED), ""):
            raise BadRequest(501, reason)
        raise BadRequest(
            404, f"nothing answers there: `POST /v2/models/{name}/infer` does, `GET /v2/models/{name}` too"
        )
