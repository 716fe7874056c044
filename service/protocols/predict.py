"""Ekiben's own protocol: POST /predict[/MODEL], {"rows": [...]} → {"predictions": [...]}."""

from typing import Any

import orjson

from ekiben.contract.answers import to_predictions
from ekiben.contract.errors import FieldError, InvalidInput
from ekiben.contract.schema import Target
from ekiben.contract.validation import shorten, show, suggest
from ekiben.service.dataplane import Dataplane, Prediction
from ekiben.service.error_status import ErrorResponse
from ekiben.service.errors import BadRequest
from ekiben.service.http.body import BodyReader
from ekiben.service.http.json_parsing import parse_json
from ekiben.service.http.messages import JSON_TYPE, Request
from ekiben.service.http.timeouts import read_timeout_s
from ekiben.service.protocols.openapi import JSON, PREDICTIONS, ROW, list_of, record
from ekiben.service.protocols.openapi.parameters import THRESHOLD
from ekiben.service.protocols.protocol import Operation, Protocol, Route
from ekiben.service.settings import Settings
from ekiben.service.threshold import choose_target

PROTOCOL = "predict"
PATH = "/predict"
NAMED_PATH = f"{PATH}/{{model}}"
ENVELOPE = ("rows",)
PREDICT = Operation(
    "Predict each row; the predictions come in the rows' order",
    {JSON: record(rows=list_of(ROW))},
    {JSON: PREDICTIONS},
    examples={JSON: lambda model: {"rows": [model.schema.example]}},
    rows=True,
    parameters=(THRESHOLD,),
)
PROBLEM = {
    "type": "object",
    "properties": {
        "row": {"type": ["integer", "null"], "description": "from 0; null: it is no row's"},
        "field": {"type": ["string", "null"]},
        "message": {"type": "string"},
    },
}
ERROR_PROPERTIES = {"problems": list_of(PROBLEM, "All that is wrong with the rows.")}


def build_protocol(dataplane: Dataplane, settings: Settings) -> Protocol:
    """Return what this protocol registers."""

    bodies, usual = BodyReader(dataplane, settings), dataplane.model.schema.target

    async def answer(request: Request) -> bytes:
        check_request(request)
        timeout_s = read_timeout_s(request, settings)
        rows, _ = bodies.take(request, decode) or await bodies.read(request, timeout_s, decode)
        target = choose_target(usual, request) if request.query else usual
        prediction = await dataplane.predict(rows, request.left_s(timeout_s), PROTOCOL, request.wait_gone, request)
        return orjson.dumps(encode_prediction(dataplane, prediction, target))

    routes = Route("POST", PATH, answer, operation=PREDICT), Route("POST", NAMED_PATH, answer, operation=PREDICT)
    return Protocol(PROTOCOL, routes, error_body=error_body, error_properties=ERROR_PROPERTIES)


def error_body(error_response: ErrorResponse) -> dict[str, Any]:
    """Return an error with all that is wrong with the rows."""
    if not error_response.field_errors:
        return {"error": error_response.message}
    field_errors = [{"row": p.row, "field": p.field, "message": p.message} for p in error_response.field_errors]
    return {"error": error_response.message, "problems": field_errors}


def check_request(request: Request) -> None:
    """Raise BadRequest unless it says it is JSON, or nothing."""
    kind = request.headers.get(b"content-type", JSON_TYPE)
    if kind != JSON_TYPE and kind.partition(b";")[0].strip().lower() != JSON_TYPE:
        raise BadRequest(415, f"content type {kind.decode('latin-1')!r} is not supported: send application/json")


def decode(body: bytes) -> tuple[list[Any], None]:
    """Return the rows of a body, as `BodyReader` wants them."""
    return decode_rows(body), None


def decode_rows(body: bytes) -> list[Any]:
    """Return the rows of a body; one object stands for a list of one."""
    envelope = parse_json(body)
    if not isinstance(envelope, dict):
        raise BadRequest(400, f'expected an object such as {{"rows": [...]}}, got {show(envelope)}')
    for name in envelope:
        if name not in ENVELOPE:
            raise InvalidInput(FieldError(None, shorten(name), "unknown field" + suggest(name, ENVELOPE)))
    if "rows" not in envelope:
        raise InvalidInput(FieldError(None, "rows", "missing; it is required"))
    rows = envelope["rows"]
    if isinstance(rows, dict):
        return [rows]
    if not isinstance(rows, list):
        raise InvalidInput(FieldError(None, "rows", f"expected a list of rows, got {show(rows)}"))
    return rows


def encode_prediction(dataplane: Dataplane, prediction: Prediction, target: Target) -> dict[str, Any]:
    """Return the answer as JSON will hold it; the target is the model's, perhaps with a threshold of the caller's."""
    model = dataplane.model
    return {
        "predictions": to_predictions(target, prediction.answers),
        "model": model.name,
        "version": model.version,
        "warnings": [str(warning) for warning in prediction.warnings],
    }
