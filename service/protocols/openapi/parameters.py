"""What stands in paths and headers, of requests and of answers."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ekiben.model.package import CHAMPION, PackedModel
from ekiben.service.protocols.openapi.errors import CHALLENGE, REQUEST_ID, RETRY_AFTER
from ekiben.service.protocols.protocol import JsonSchema, Operation

PREDICTION_ID, MODEL_VERSION = "X-Prediction-Id", "X-Model-Version"
ID = {"type": "string", "minLength": 1, "maxLength": 128, "pattern": "^[!-~]([ -~]*[!-~])?$"}


def describe_header(name: str, description: str, schema: JsonSchema) -> dict[str, Any]:
    """Return a request's header, as OpenAPI has it."""
    return {"name": name, "in": "header", "description": description, "schema": schema}


THRESHOLD_IN: JsonSchema = {"type": "number", "minimum": 0, "maximum": 1}
THRESHOLD: JsonSchema = {  # of two classes
    "name": "threshold",
    "in": "query",
    "description": "Labels are decided from this probability on, in place of the model's own threshold.",
    "schema": THRESHOLD_IN,
}
PARAMETERS: Mapping[str, Any] = {  # of all that answer rows
    "Timeout": describe_header(
        "X-Request-Timeout-Ms",
        "Milliseconds within which the answer must be there; after that it is 504, and nothing is computed.",
        {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 86_400_000},
    ),
    "RequestId": describe_header(
        REQUEST_ID, "The caller's id of the request; it becomes the prediction's, and the answer repeats it.", ID
    ),
}
HEADERS: Mapping[str, Any] = {
    PREDICTION_ID: {"description": "By which the prediction's label is sent later; of row 2 it is ID/2.", "schema": ID},
    MODEL_VERSION: {"description": "The version that answered.", "schema": {"type": "string"}},
    REQUEST_ID: {"description": "The request's id: the caller's, or one of the service's.", "schema": ID},
    RETRY_AFTER: {"description": "Seconds after which to try again.", "schema": {"type": "integer", "minimum": 1}},
    CHALLENGE: {"description": "How to authenticate.", "schema": {"type": "string"}},
}


def describe_parameters(
    names: Sequence[str], operation: Operation, model: PackedModel, others: Callable[[], Sequence[str]]
) -> list[dict[str, Any]]:
    """Return OpenAPI's parameters: the names in the path, the operation's own, and those of all that answer rows."""
    own = [one for one in operation.parameters if one is not THRESHOLD or model.schema.target.task == "binary"]
    common = [{"$ref": f"#/components/parameters/{name}"} for name in PARAMETERS if operation.rows]
    return [
        *(_describe_part(name, operation, model, others) for name in names),
        *map(dict, own),
        *common,
    ]


def _describe_part(
    name: str, operation: Operation, model: PackedModel, others: Callable[[], Sequence[str]]
) -> dict[str, Any]:
    """Return the parameter for a part of a path."""
    examples = {"model": model.name, "version": model.version, "label": CHAMPION}
    if name == "model" and operation.target:
        examples["model"] = operation.target(model, others())
    described = {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
    return described | ({"example": examples[name]} if name in examples else {})
