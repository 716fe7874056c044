"""TensorFlow Serving's REST API, with what KServe V1 has at the same paths."""

from collections.abc import Awaitable, Callable
from typing import Any

import orjson

from ekiben.contract.columns import Rows
from ekiben.service.dataplane import Dataplane, Prediction
from ekiben.service.errors import BadRequest
from ekiben.service.http.body import BodyReader
from ekiben.service.http.messages import Request, Response, encode_json
from ekiben.service.http.timeouts import read_timeout_s
from ekiben.service.protocols.protocol import Route
from ekiben.service.protocols.tensorflow_serving import operations
from ekiben.service.protocols.tensorflow_serving.body import read_object
from ekiben.service.protocols.tensorflow_serving.examples import (
    ExampleReader,
    check_task,
    to_classifications,
    to_regressions,
)
from ekiben.service.protocols.tensorflow_serving.explain import build_explain
from ekiben.service.protocols.tensorflow_serving.model_spec import read_path
from ekiben.service.protocols.tensorflow_serving.predict import build_predict
from ekiben.service.protocols.tensorflow_serving.signature import SIGNATURE_DEF, describe_signature, to_json
from ekiben.service.settings import Settings

MODEL = "/v1/models/{model}"
MODEL_PATHS = (MODEL, f"{MODEL}/versions/{{version}}", f"{MODEL}/labels/{{label}}")
Answer = Callable[[Request], Awaitable[bytes | Response]]


def build_routes(dataplane: Dataplane, settings: Settings, protocol: str) -> tuple[Route, ...]:
    """Return every route; what is under /v1/models and none of them is a 404."""
    api, explain = Api(dataplane, settings, protocol), build_explain(dataplane, settings, protocol)
    target = dataplane.model.schema.target
    classify, regress = (operations.find_operation(call, target) for call in ("classify", "regress"))
    explained = operations.EXPLAIN if dataplane.explanations.explains else None
    routes = []
    for path in MODEL_PATHS:
        routes += [
            Route("POST", f"{path}:predict", api.predict, select=read_path, operation=operations.PREDICT),
            Route("POST", f"{path}:classify", api.classify, select=read_path, operation=classify),
            Route("POST", f"{path}:regress", api.regress, select=read_path, operation=regress),
            Route("POST", f"{path}:explain", explain, select=read_path, operation=explained),
            Route("GET", path, api.report_status, True, select=read_path, operation=operations.REPORT_STATUS),
            Route("GET", f"{path}/metadata", api.describe, select=read_path, operation=operations.DESCRIBE),
        ]
    return (*routes, *(Route(method, "/v1/models/{rest:path}", api.answer_not_found) for method in ("GET", "POST")))


class Api:
    """Answers the calls of the REST API."""

    def __init__(self, dataplane: Dataplane, settings: Settings, protocol: str) -> None:
        self._dataplane = dataplane
        self._settings = settings
        self._protocol = protocol
        self._bodies = BodyReader(dataplane, settings)
        self.predict = build_predict(dataplane, settings, protocol)
        schema = dataplane.model.schema
        self._target = schema.target
        self._examples = ExampleReader(schema, dataplane.check_count, dataplane.fields.ignore)
        self._signature = to_json(describe_signature(schema))

    async def classify(self, request: Request) -> bytes:
        prediction = await self._answer_examples(request, "classify")
        return orjson.dumps({"results": to_classifications(self._target, prediction.answers)})

    async def regress(self, request: Request) -> bytes:
        prediction = await self._answer_examples(request, "regress")
        return orjson.dumps({"results": to_regressions(prediction.answers)})

    async def report_status(self, request: Request) -> Response:
        model, ready = self._dataplane.model, self._dataplane.ready
        status: dict[str, Any] = {
            "version": model.version,
            "state": "AVAILABLE" if ready else "UNLOADING",
            "status": {"error_code": "OK", "error_message": ""},
        }
        content = {"model_version_status": [status], "name": model.name, "ready": ready}
        return Response(encode_json(content), status=200 if ready else 503)

    async def describe(self, request: Request) -> bytes:
        model = self._dataplane.model
        spec = {"name": model.name, "signature_name": "", "version": model.version}
        return encode_json({"model_spec": spec, "metadata": {SIGNATURE_DEF: self._signature}})

    async def answer_not_found(self, request: Request) -> bytes:
        name = self._dataplane.model.name
        raise BadRequest(
            404, f"nothing answers there: `POST /v1/models/{name}:predict` does, `GET /v1/models/{name}` too"
        )

    async def _answer_examples(self, request: Request, call: str) -> Prediction:
        check_task(self._target, call)
        timeout_s = read_timeout_s(request, self._settings)
        rows, _ = self._bodies.take(request, self._decode_examples) or await self._bodies.read(
            request, timeout_s, self._decode_examples
        )
        left_s = request.left_s(timeout_s)
        return await self._dataplane.predict(rows, left_s, self._protocol, request.wait_gone, request)

    def _decode_examples(self, body: bytes) -> tuple[Rows, None]:
        content = read_object(body, ("examples",))
        return self._examples.read(content["examples"], content.get("context")), None
