"""Ekiben's own dialect: POST /predict, {"rows": [...]} → {"predictions": [...]}."""

import json
from typing import Any

import orjson

from contract.answers import to_predictions
from contract.check import show, suggest
from contract.errors import InvalidInput, Problem
from service.dataplane import Dataplane, Prediction
from service.http import App, BadRequest, Request, endpoint, read_timeout_s
from service.settings import Settings

PROTOCOL = "predict"
PATH = "/predict"
ENVELOPE = ("rows",)


def predict_route(dataplane: Dataplane, settings: Settings) -> App:
    """Return the ASGI app behind PATH."""

    async def answer(request: Request) -> bytes:
        check_request(request)
        timeout_s = read_timeout_s(request, settings)
        rows = decode_rows(await request.read_body(settings.max_body_bytes, timeout_s), settings.max_request_rows)
        prediction = await dataplane.predict(rows, timeout_s, PROTOCOL, request.wait_gone)
        return orjson.dumps(encode_prediction(dataplane, prediction))

    return endpoint(PROTOCOL, settings, answer)


def check_request(request: Request) -> None:
    """Raise BadRequest unless it is a POST of plain JSON."""
    if request.method != "POST":
        raise BadRequest(405, f"{request.method} is not allowed: POST the rows as JSON", (b"allow", b"POST"))
    kind = request.headers.get(b"content-type", b"application/json")
    if kind != b"application/json" and kind.partition(b";")[0].strip().lower() != b"application/json":
        raise BadRequest(415, f"content type {kind.decode('latin-1')!r} is not supported: send application/json")
    coding = request.headers.get(b"content-encoding", b"identity")
    if coding.lower() != b"identity":
        raise BadRequest(415, f"content encoding {coding.decode('latin-1')!r} is not supported: send the JSON as it is")


def decode_rows(body: bytes, max_rows: int) -> list[Any]:
    """Return the rows of a body; one object stands for a list of one."""
    envelope = _parse(body)
    if not isinstance(envelope, dict):
        raise BadRequest(400, f'expected an object such as {{"rows": [...]}}, got {show(envelope)}')
    for name in envelope:
        if name not in ENVELOPE:
            raise InvalidInput(Problem(None, name, "unknown field" + suggest(name, ENVELOPE)))
    if "rows" not in envelope:
        raise InvalidInput(Problem(None, "rows", "missing; it is required"))
    rows = envelope["rows"]
    if isinstance(rows, dict):
        return [rows]
    if not isinstance(rows, list):
        raise InvalidInput(Problem(None, "rows", f"expected a list of rows, got {show(rows)}"))
    if len(rows) > max_rows:
        raise BadRequest(413, f"{len(rows)} rows are more than {max_rows}: send them in several requests")
    return rows


def encode_prediction(dataplane: Dataplane, prediction: Prediction) -> dict[str, Any]:
    """Return the answer as JSON will hold it."""
    model = dataplane.model
    return {
        "predictions": to_predictions(model.schema.target, prediction.answers),
        "model": model.name,
        "version": model.version,
        "warnings": [str(warning) for warning in prediction.warnings],
    }


def _parse(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        pass
    try:
        # NaN and Infinity are no JSON, but Python writes them: read on, to name the row and the field.
        return json.loads(body.decode())
    except (ValueError, RecursionError) as error:
        reason = str(error) or "it is nested too deeply"
    raise BadRequest(400, f"the body is not valid JSON: {reason}")
