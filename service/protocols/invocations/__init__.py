"""/invocations, as MLflow's scoring server and SageMaker call it: JSON in four forms, CSV, Parquet."""

import asyncio
import os
from typing import Any

import orjson

from contract.answers import to_columns, to_predictions
from contract.tensors import ColumnReader
from service.body import parse_json, read_body
from service.dataplane import Dataplane, Prediction
from service.dialect import Dialect, Operation, Route
from service.errors import BadRequest
from service.failure import Failure
from service.http import JSON_TYPE, Request, Response, read_timeout_s
from service.openapi import PREDICTION, ROW
from service.protocols.invocations.csv_form import read_csv, write_csv
from service.protocols.invocations.json_forms import is_open_inference, read_forms
from service.protocols.invocations.media import CSV, JSON, PARQUET, find_accepted, find_given
from service.protocols.invocations.parquet_form import ParquetReader
from service.protocols.open_inference.infer import Inference
from service.settings import Settings

PROTOCOL = "invocations"
PATH = "/invocations"
LONG_BYTES = 65_536  # of CSV
OPERATION = Operation(
    "Predict as MLflow and SageMaker call it",
    {
        JSON: {"type": "object", "properties": {"dataframe_records": {"type": "array", "items": ROW}}},
        CSV: {"type": "string"},
        PARQUET: {"type": "string", "format": "binary"},
    },
    {JSON: {"type": "object", "properties": {"predictions": {"type": "array", "items": PREDICTION}}}},
)
ERROR_CODES = {400: "BAD_REQUEST", 429: "REQUEST_LIMIT_EXCEEDED", 503: "TEMPORARILY_UNAVAILABLE", 500: "INTERNAL_ERROR"}


def dialect(dataplane: Dataplane, settings: Settings) -> Dialect:
    """Return what this protocol registers."""
    route = Route("POST", PATH, Invocations(dataplane, settings).answer, operation=OPERATION)
    return Dialect(PROTOCOL, (route,), shape_error=shape_error)


def shape_error(failure: Failure) -> dict[str, Any]:
    """Return an error as MLflow's client and all others read it."""
    code = ERROR_CODES.get(failure.status, "BAD_REQUEST" if failure.status < 500 else "INTERNAL_ERROR")
    return {"error": failure.message, "error_code": code, "message": failure.message}


class Invocations:
    """Answers requests for predictions."""

    def __init__(self, dataplane: Dataplane, settings: Settings) -> None:
        self._dataplane = dataplane
        self._settings = settings
        self._reader = ColumnReader(dataplane.model.schema)
        self._names = dataplane.model.schema.names
        self._parquet = ParquetReader(self._reader, settings.max_request_rows)
        self._inference = Inference(dataplane, settings, PROTOCOL)
        self._accepted_by_default = os.environ.get("SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT", JSON)

    async def answer(self, request: Request) -> Response:
        """Answer in JSON, or in CSV if that is accepted alone."""
        accepted = find_accepted(request.headers, self._accepted_by_default)
        timeout_s = read_timeout_s(request, self._settings)
        kind, header = find_given(request.headers)
        body = await read_body(request, self._settings.max_body_bytes, timeout_s)
        if kind == CSV:
            rows = await self._read_csv(body, header)
        elif kind == PARQUET:
            rows = await self._parquet.read(body, timeout_s)
        else:
            content = parse_json(body, _nan_to_null)
            if is_open_inference(content):
                return await self._inference.answer_body(request, body, timeout_s)
            rows = read_forms(content, self._names, self._reader)
        prediction = await self._dataplane.predict(rows, timeout_s, PROTOCOL, request.wait_gone)
        return self._encode(prediction, accepted)

    async def _read_csv(self, body: bytes, header: bool | None) -> list[Any]:
        """Return the rows; a long body is read in a thread, so that the event loop need not wait for it."""
        if not body:
            raise BadRequest(400, "the body is empty: send at least one row")
        given = body, self._names, self._reader, header, self._dataplane.check_count
        return read_csv(*given) if len(body) < LONG_BYTES else await asyncio.to_thread(read_csv, *given)

    def _encode(self, prediction: Prediction, accepted: str) -> Response:
        target = self._dataplane.model.schema.target
        if accepted == CSV:
            return Response(write_csv(to_columns(target, prediction.answers)), content_type=b"text/csv")
        body = orjson.dumps({"predictions": to_predictions(target, prediction.answers)})
        return Response(body, content_type=JSON_TYPE)


def _nan_to_null(name: str) -> float | None:
    return None if name == "NaN" else float(name)
