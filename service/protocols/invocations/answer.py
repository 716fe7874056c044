"""A request for predictions, from its body's rows to its answer."""

import asyncio
import os
import time
from typing import Any

import orjson

from contract.answers import to_columns, to_predictions
from service.body import nan_to_null, parse_json, read_body
from service.dataplane import Dataplane, Prediction
from service.errors import BadRequest
from service.http import Request, Response, read_timeout_s
from service.protocols.invocations.csv_form import CsvReader, write_csv
from service.protocols.invocations.json_forms import JsonReader, is_open_inference
from service.protocols.invocations.media import CSV, JSON, PARQUET, UNNAMED, read_accept, read_content_type
from service.protocols.invocations.parquet_form import ParquetReader
from service.protocols.open_inference.infer import Inference
from service.settings import Settings

LONG_BYTES = 65_536  # a longer CSV body is read in a thread: the event loop must not wait for it


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
        self._parquet = ParquetReader(schema, max_rows, settings.max_body_bytes, check_count)
        self._inference = Inference(dataplane, settings, protocol)
        self._accept_by_default = os.environ.get("SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT") or JSON

    async def answer(self, request: Request) -> bytes | Response:
        """Answer rows with predictions, and tensors with tensors."""
        headers = request.headers
        kind, header = read_content_type(headers.get(b"content-type"))
        accepted = read_accept(headers.get(b"accept"), self._accept_by_default)
        timeout_s = read_timeout_s(request, self._settings)
        deadline = time.monotonic() + timeout_s
        body = await read_body(request, self._settings.max_body_bytes, timeout_s)
        if kind == CSV:
            rows = await self._read_csv(body, header)
        elif kind == PARQUET:
            rows = await self._parquet.read(body, deadline - time.monotonic())
        else:
            content = parse_body(body, kind)
            if is_open_inference(content):
                return await self._inference.answer_body(request, body, timeout_s)
            rows = self._json.read(content)
        left_s = deadline - time.monotonic()
        return self._encode(await self._dataplane.predict(rows, left_s, self._protocol, request.wait_gone), accepted)

    async def _read_csv(self, body: bytes, header: bool | None) -> list[Any]:
        if len(body) < LONG_BYTES:
            return self._csv.read(body, header)
        return await asyncio.to_thread(self._csv.read, body, header)

    def _encode(self, prediction: Prediction, accepted: str) -> bytes | Response:
        if accepted == CSV:
            return Response(write_csv(to_columns(self._target, prediction.answers)), content_type=b"text/csv")
        return orjson.dumps({"predictions": to_predictions(self._target, prediction.answers)})


def parse_body(body: bytes, kind: str) -> Any:
    """Return what a JSON body holds; one that is none and has no content type is refused for that."""
    try:
        return parse_json(body, nan_to_null)
    except BadRequest as error:
        if kind == UNNAMED:
            raise BadRequest(415, f"the content type is missing: send {JSON}, {CSV} or {PARQUET}") from error
        raise
