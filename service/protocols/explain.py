"""Ekiben's own explanations: POST /explain[/MODEL]?top=N, {"rows": [...]} → {"explanations": [...]}."""

from typing import Any

import orjson

from ekiben.contract.columns import Rows
from ekiben.service.batching.coalescer import PreparedRows
from ekiben.service.dataplane import Dataplane
from ekiben.service.explaining.explanations_json import read_top, write_explanations
from ekiben.service.http.body import BodyReader
from ekiben.service.http.messages import Request, read_timeout_s
from ekiben.service.protocols.openapi import PREDICTION, ROW
from ekiben.service.protocols.predict import JSON, check_request, decode_rows, error_body
from ekiben.service.protocols.protocol import Operation, Protocol, Route
from ekiben.service.settings import Settings

PROTOCOL = "explain"
PATH = "/explain[/{model}]"
ATTRIBUTION = {
    "type": "object",
    "required": ["feature", "value", "standard_error"],
    "properties": {
        "feature": {"type": "string"},
        "value": {"type": "number", "description": "what the feature adds to base_value, in the unit"},
        "standard_error": {"type": "number", "minimum": 0},
    },
}
EXPLANATION = {
    "type": "object",
    "required": ["prediction", "unit", "base_value", "output_value", "attributions", "rest", "pairs"],
    "properties": {
        "prediction": PREDICTION,
        "unit": {"type": "string"},
        "base_value": {"type": "number", "description": "the answer if nothing were known of the row"},
        "output_value": {"type": "number", "description": "the answer: base_value and all attributions"},
        "attributions": {"type": "array", "items": ATTRIBUTION, "description": "the largest first"},
        "rest": {"type": "number", "description": "the sum of those that `top` left out"},
        "pairs": {"type": "integer", "description": "the pairs of variants that were answered"},
    },
}
EXPLAIN = Operation(
    "Explain the prediction of each row by its features; `?top=N` names the N that count most",
    {JSON: {"type": "object", "required": ["rows"], "properties": {"rows": {"type": "array", "items": ROW}}}},
    {
        JSON: {
            "type": "object",
            "required": ["explanations", "model", "version", "warnings"],
            "properties": {
                "explanations": {"type": "array", "items": EXPLANATION},
                "model": {"type": "string"},
                "version": {"type": "string"},
                "warnings": {"type": "array", "items": {"type": "string"}},
            },
        }
    },
)


def build_protocol(dataplane: Dataplane, settings: Settings) -> Protocol:
    """Return what this protocol registers."""
    bodies, explanations, model = BodyReader(dataplane, settings), dataplane.explanations, dataplane.model

    def decode(body: bytes) -> tuple[PreparedRows, None]:
        rows: Rows = decode_rows(body)
        return explanations.prepare(rows), None

    async def answer(request: Request) -> bytes:
        check_request(request)
        top = read_top(request.query)
        timeout_s = read_timeout_s(request, settings)
        rows, _ = await bodies.read(request, timeout_s, decode)
        explained = await explanations.explain(rows, request.left_s(timeout_s), PROTOCOL, request.wait_gone)
        content: dict[str, Any] = {
            "explanations": await write_explanations(model.schema, explained, top),
            "model": model.name,
            "version": model.version,
            "warnings": [str(warning) for warning in explained.warnings],
        }
        return orjson.dumps(content)

    return Protocol(PROTOCOL, (Route("POST", PATH, answer, operation=EXPLAIN),), error_body=error_body)
