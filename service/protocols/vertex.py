"""Vertex AI: health and predict on the routes the platform chose, and explain beside predict.

Vertex AI has no route for explanations of a container of one's own: it would ask for predictions of variants, over the
network. But it passes any path on (`invokeRoutePrefix`), and its clients read one form of explanation, the one that
`Endpoint.explain` returns: that is what is answered here. KServe V1's path has no such form, and keeps ours.
"""

import os
from typing import Any
from urllib.parse import unquote

import numpy as np

from ekiben.contract.explanation.explanation import Explanation
from ekiben.contract.explanation.units import name_class
from ekiben.contract.schema import Schema
from ekiben.service.dataplane import Dataplane
from ekiben.service.http.messages import Request, Response
from ekiben.service.http.router import escape
from ekiben.service.protocols.explaining import ERRORS, PAIRS, TIMEOUT
from ekiben.service.protocols.openapi import JSON, STRING, list_of, record
from ekiben.service.protocols.probes import READY
from ekiben.service.protocols.protocol import Operation, Protocol, Route
from ekiben.service.protocols.tensorflow_serving.explain import Answer, build_asking
from ekiben.service.protocols.tensorflow_serving.operations import PREDICT
from ekiben.service.protocols.tensorflow_serving.predict import ROWS, build_predict, encode
from ekiben.service.settings import Settings

PROTOCOL = "vertex"
NUMBER = {"type": "number"}
ATTRIBUTION = record(
    baselineOutputValue=NUMBER,
    instanceOutputValue=NUMBER,
    featureAttributions={"type": "object", "additionalProperties": NUMBER},
    approximationError=NUMBER,
    outputName=STRING,
)
EXPLAIN = Operation(
    "Explain each row's prediction by its features, in the form that Vertex AI's clients read",
    PREDICT.request,
    {
        JSON: record(
            predictions=list_of({"type": "object"}), explanations=list_of(record(attributions=list_of(ATTRIBUTION)))
        )
    },
    examples=PREDICT.examples,
    errors=ERRORS,
    parameters=(PAIRS, TIMEOUT),
)


def build_protocol(dataplane: Dataplane, settings: Settings) -> Protocol:
    """Return what this protocol registers: nothing, unless Vertex AI says with AIP_MODE that it is there."""

    async def health(request: Request) -> Response:
        return Response(b"", status=200 if dataplane.ready else 503)

    routes = []
    if path := read_route("AIP_HEALTH_ROUTE"):
        routes.append(Route("GET", path, health, probe=True, operation=READY))
    if path := read_route("AIP_PREDICT_ROUTE"):
        routes.append(Route("POST", path, build_predict(dataplane, settings, PROTOCOL), operation=PREDICT))
        explained = EXPLAIN if dataplane.explanations.explains else None
        explain_path = path.removesuffix(":predict") + ":explain"
        routes.append(Route("POST", explain_path, build_explain(dataplane, settings), operation=explained))
    return Protocol(PROTOCOL, tuple(routes))


def build_explain(dataplane: Dataplane, settings: Settings) -> Answer:
    """Return the function from a request to its answer."""
    ask, schema = build_asking(dataplane, settings, PROTOCOL), dataplane.model.schema

    async def explain(request: Request) -> bytes:
        explained, target = await ask(request)
        explanations = [{"attributions": [describe(schema, one)]} for one in explained.explanations]
        return encode(target, explained.answers, ROWS, explanations=explanations)

    return explain


def describe(schema: Schema, explanation: Explanation) -> dict[str, Any]:
    """Return an explanation as Vertex AI's `Attribution`; its error is the largest, as a share of the largest value."""
    values, label = explanation.attributions, name_class(schema.target, explanation.output)
    largest = float(np.abs(values).max())
    return {
        "baselineOutputValue": explanation.base_value,
        "instanceOutputValue": explanation.output_value,
        "featureAttributions": dict(zip(schema.names, values.tolist(), strict=True)),
        "approximationError": float(explanation.standard_errors.max()) / largest if largest else 0.0,
        "outputName": schema.target.name,
        **({} if label is None else {"outputDisplayName": str(label)}),
    }


def read_route(variable: str) -> str:
    """Return the template of the path that a variable of the environment holds, or ""."""
    return escape(unquote(os.environ.get(variable, ""))) if os.environ.get("AIP_MODE") else ""
