"""What the OpenAPI document says of TensorFlow Serving's routes."""

from typing import Any

from ekiben.contract.schema import Target
from ekiben.service.protocols.explaining import ERRORS, EXPLANATIONS, PAIRS, TIMEOUT, TOP
from ekiben.service.protocols.openapi import JSON, STRING, list_of, record
from ekiben.service.protocols.openapi.parameters import THRESHOLD, THRESHOLD_IN
from ekiben.service.protocols.protocol import Operation
from ekiben.service.protocols.tensorflow_serving.examples import TASKS

OBJECT: dict[str, Any] = {"type": "object"}
COLUMNS = {"type": "object", "additionalProperties": list_of({})}
PARAMETERS = OBJECT | {"properties": {"threshold": THRESHOLD_IN}}
BESIDE = {"signature_name": {"type": ["string", "null"]}, "parameters": PARAMETERS, "params": PARAMETERS}
PREDICT = Operation(
    "Predict rows (`instances`) or columns (`inputs`)",
    {
        JSON: {
            "type": "object",
            "properties": {
                "instances": list_of({}, "rows: objects, or lists in the features' order"),
                "inputs": {"description": "columns by name, or rows as KServe V1 sends them"},
                **BESIDE,
            },
        }
    },
    {
        JSON: {
            "type": "object",
            "properties": {"predictions": list_of(OBJECT), "outputs": COLUMNS},
        }
    },
    examples={JSON: lambda model: {"instances": [model.schema.example]}},
    rows=True,
    parameters=(THRESHOLD,),
)
EXPLAIN = Operation(
    "Explain each row's prediction by its features, as KServe V1 asks",
    PREDICT.request,
    {JSON: record(predictions=list_of(OBJECT), explanations=EXPLANATIONS)},
    examples=PREDICT.examples,
    errors=ERRORS,
    parameters=(TOP, PAIRS, THRESHOLD, TIMEOUT),
)
EXAMPLES = {
    "type": "object",
    "required": ["examples"],
    "properties": {
        "examples": list_of(OBJECT, "rows; what is absent is null where that is allowed"),
        "context": {"type": "object", "description": "what all of them share"},
        **BESIDE,
    },
}
CLASSIFY = Operation(
    "Classify `tf.Example`s: each class with its score",
    {JSON: EXAMPLES},
    {JSON: record(results=list_of(list_of(list_of({}, "a class and its score"))))},
    examples={JSON: lambda model: {"examples": [model.schema.example]}},
    rows=True,
)
REGRESS = Operation(
    "Regress `tf.Example`s: the expected value of each",
    {JSON: EXAMPLES},
    {JSON: record(results=list_of({"type": "number"}))},
    examples={JSON: lambda model: {"examples": [model.schema.example]}},
    rows=True,
)
VERSION_STATUS = record(version=STRING, state=STRING, status=record(error_code=STRING, error_message=STRING))
REPORT_STATUS = Operation(
    "Status of the versions, and KServe V1's readiness of the model",
    response={JSON: record(model_version_status=list_of(VERSION_STATUS), name=STRING, ready={"type": "boolean"})},
    statuses={503: "Not ready: starting or shutting down."},
)
DESCRIBE = Operation("Signature of the model", response={JSON: record(model_spec=OBJECT, metadata=OBJECT)})


def find_operation(call: str, target: Target) -> Operation | None:
    """Return what there is to say of `classify` or `regress`: nothing if that doesn't fit what is predicted."""
    return {"classify": CLASSIFY, "regress": REGRESS}[call] if target.task in TASKS[call] else None
