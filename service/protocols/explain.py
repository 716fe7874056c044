"""Ekiben's own explanations: POST /explain[/MODEL]?top=N&pairs=M, {"rows": [...]} → {"explanations": [...]}."""

from typing import Any

import orjson

from ekiben.service.dataplane import Dataplane
from ekiben.service.explaining.explanations_json import write_explanations
from ekiben.service.explaining.wishes import read_pairs, read_query, read_top
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
        "class": {"description": "whose log-odds are explained"},
        "base_value": {"type": "number", "description": "the answer if nothing were known of the row"},
        "output_value": {"type": "number", "description": "the answer: base_value and all attributions"},
        "attributions": {"type": "array", "items": ATTRIBUTION, "description": "the largest first"},
        "rest": {"type": "number", "description": "the sum of those that `top` left out"},
        "pairs": {"type": "integer", "description": "the pairs of variants that were answered"},
    },
}
EXPLAIN = Operation(
    "Explain each row's prediction by its features. `?top=N` names the N that count most; `?pairs=100` goes on until "
    "the largest standard error is 5% of the largest value, or the deadline",
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

    async def answer(request: Request) -> bytes:
        check_request(request)
        query = read_query(request.query)
        top, pairs = read_top(query), read_pairs(query)
        timeout_s = read_timeout_s(request, settings)
        rows, _ = await bodies.read(
            request, timeout_s, lambda body: (explanations.prepare(decode_rows(body), pairs), None)
        )
        left_s = request.left_s(timeout_s)
        explained = await explanations.explain(rows, left_s, PROTOCOL, request.wait_gone, pairs)
        content: dict[str, Any] = {
            "explanations": await write_explanations(model.schema, explained, top),
            "model": model.name,
            "version": model.version,
            "warnings": [str(warning) for warning in explained.warnings],
        }
        return orjson.dumps(content)

    return Protocol(PROTOCOL, (Route("POST", PATH, answer, operation=EXPLAIN),), error_body=error_body)
