"""Ekiben's own explanations: POST /explain[/MODEL]?top=N&pairs=M, {"rows": [...]} → {"explanations": [...]}."""

from typing import Any

import orjson

from ekiben.service.dataplane import Dataplane
from ekiben.service.explaining.explanations_json import write_explanations
from ekiben.service.explaining.wishes import read_pairs, read_query, read_top
from ekiben.service.http.body import BodyReader
from ekiben.service.http.messages import Request
from ekiben.service.http.timeouts import read_timeout_s
from ekiben.service.protocols.explaining import ERRORS, EXPLANATIONS, PAIRS, TIMEOUT, TOP
from ekiben.service.protocols.openapi import JSON, ROW, STRING, list_of, record
from ekiben.service.protocols.openapi.parameters import THRESHOLD
from ekiben.service.protocols.predict import ERROR_PROPERTIES, check_request, decode_rows, error_body
from ekiben.service.protocols.protocol import Operation, Protocol, Route
from ekiben.service.settings import Settings
from ekiben.service.threshold import choose_target

PROTOCOL = "explain"
PATH = "/explain[/{model}]"
EXPLAIN = Operation(
    "Explain each row's prediction by its features",
    {JSON: record(rows=list_of(ROW))},
    {JSON: record(explanations=EXPLANATIONS, model=STRING, version=STRING, warnings=list_of(STRING))},
    examples={JSON: lambda model: {"rows": [model.schema.example]}},
    errors=ERRORS,
    parameters=(TOP, PAIRS, THRESHOLD, TIMEOUT),
)


def build_protocol(dataplane: Dataplane, settings: Settings) -> Protocol:
    """Return what this protocol registers."""
    bodies, explanations, model = BodyReader(dataplane, settings), dataplane.explanations, dataplane.model

    async def answer(request: Request) -> bytes:
        check_request(request)
        query = read_query(request.query)
        top, pairs, target = read_top(query), read_pairs(query), choose_target(model.schema.target, request)
        timeout_s = read_timeout_s(request, settings)
        rows, _ = await bodies.read(
            request, timeout_s, lambda body: (explanations.prepare(decode_rows(body), pairs), None)
        )
        left_s = request.left_s(timeout_s)
        explained = await explanations.explain(rows, left_s, PROTOCOL, request.wait_gone, pairs)
        content: dict[str, Any] = {
            "explanations": await write_explanations(model.schema, explained, target, top),
            "model": model.name,
            "version": model.version,
            "warnings": [str(warning) for warning in explained.warnings],
        }
        return orjson.dumps(content)

    operation = EXPLAIN if explanations.explains else None  # a model without a background answers 501
    routes = (Route("POST", PATH, answer, operation=operation),)
    return Protocol(PROTOCOL, routes, error_body=error_body, error_properties=ERROR_PROPERTIES)
