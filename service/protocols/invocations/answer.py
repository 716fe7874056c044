"""A request for predictions, from its body's rows to its answer."""

import os
from typing import Any

import orjson

from ekiben.contract.answers import to_columns, to_predictions
from ekiben.contract.columns import BLOCK_ROWS, Rows
from ekiben.service.connections.rejections import RETRY_AFTER_S
from ekiben.service.dataplane import Dataplane, Prediction
from ekiben.service.errors import BadRequest, Overloaded
from ekiben.service.http.body import BodyReader
from ekiben.service.http.json_parsing import nan_to_null, parse_json
from ekiben.service.http.messages import Request, Response, read_timeout_s
from ekiben.service.lifecycle.resource_limits import read_limits
from ekiben.service.offload import offload
from ekiben.service.protocols.invocations.csv_form import CsvReader, write_csv
from ekiben.service.protocols.invocations.inference_id import INFERENCE_ID_HEADER, read_inference_id
from ekiben.service.protocols.invocations.json_forms import JsonReader, is_open_inference
from ekiben.service.protocols.invocations.media import CSV, JSON, PARQUET, UNNAMED, read_accept, read_content_type
from ekiben.service.protocols.invocations.parquet_form import ParquetReader
from ekiben.service.protocols.open_inference.http_request import InferRequest
from ekiben.service.protocols.open_inference.inference import Inference
from ekiben.service.settings import Settings


class Invocations:
    """Answers requests for predictions."""

    def __init__(self, dataplane: Dataplane, settings: Settings, protocol: str) -> None:
        self._dataplane = dataplane
        self._settings = settings
        self._protocol = protocol
        schema, check_count, max_rows = dataplane.model.schema, dataplane.check_count, settings.max_request_rows
        self._target = schema.target
        self._json = JsonReader(schema, check_count)
        self._csv = CsvReader(schema, max_rows, check_count)
        self._bodies = BodyReader(dataplane, settings)
        self._parquet = ParquetReader(
            schema, max_rows, settings.max_body_bytes, check_count, read_limits(), settings.workers
        )
        self._inference = Inference(dataplane, settings, protocol)
        self._accept_by_default = os.environ.get("SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT") or JSON

    async def answer(self, request: Request) -> bytes | Response:
        """Answer rows with predictions, and tensors with tensors."""
        headers = request.headers
        request.own_id = read_inference_id(headers.get(INFERENCE_ID_HEADER)) or request.own_id
        kind, header = read_content_type(headers.get(b"content-type"))
        accepted = read_accept(headers.get(b"accept"), self._accept_by_default)
        timeout_s = read_timeout_s(request, self._settings)
        if kind == PARQUET:
            rows, infer_request = await self._read_parquet(request, timeout_s), None
        else:
            rows, infer_request = await self._bodies.read(
                request, timeout_s, lambda body: self._decode(request, body, kind, header)
            )
        if infer_request is not None:
            return await self._inference.answer_rows(request, rows, infer_request, timeout_s)
        left_s = request.left_s(timeout_s)
        prediction = await self._dataplane.predict(rows, left_s, self._protocol, request.wait_gone, request)
        return self._encode(prediction, accepted)

    def _decode(
        self, request: Request, body: bytes, kind: str, header: bool | None
    ) -> tuple[Rows, InferRequest | None]:
        """Return the rows, and of tensors what is asked of them."""
        if kind == CSV:
            return self._csv.read(body, header), None
        content = parse_body(body, kind)
        if is_open_inference(content):
            return self._inference.decode(request, body, content)
        return self._json.read(content), None

    async def _read_parquet(self, request: Request, timeout_s: float) -> Any:
        """Return the rows that another process reads."""
        body, _ = await self._bodies.read(request, timeout_s, lambda body: (body, None))
        budget = self._dataplane.budget
        if not budget.take(len(body)):
            raise Overloaded(RETRY_AFTER_S)
        try:
            rows = await self._parquet.read(body, request.left_s(timeout_s), request.wait_gone)
        finally:
            budget.give(len(body))
        if len(rows) <= BLOCK_ROWS:
            return rows
        return await offload(self._dataplane.prepare, rows, lambda: request.left_s(timeout_s))

    def _encode(self, prediction: Prediction, accepted: str) -> bytes | Response:
        if accepted == CSV:
            return Response(write_csv(to_columns(self._target, prediction.answers)), content_type=b"text/csv")
        return orjson.dumps({"predictions": to_predictions(self._target, prediction.answers)})


def parse_body(body: bytes, kind: str) -> Any:
    """Return what a JSON body holds; one that is none and has no content type is rejected for that."""
    try:
        return parse_json(body, nan_to_null)
    except BadRequest as error:
        if kind == UNNAMED:
            raise BadRequest(415, f"the content type is missing: send {JSON}, {CSV} or {PARQUET}") from error
        raise
