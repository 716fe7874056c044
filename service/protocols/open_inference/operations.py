"""What the OpenAPI document says of the Open Inference Protocol's routes."""

from typing import Any

from ekiben.contract.tensors import input_specs
from ekiben.model.package import PackedModel
from ekiben.service.protocols.openapi import JSON, STRING, binary, list_of, record
from ekiben.service.protocols.openapi.parameters import THRESHOLD, THRESHOLD_IN, describe_header
from ekiben.service.protocols.protocol import Operation

BINARY = "application/octet-stream"
INTEGER = {"type": "integer"}
PARAMETERS = {"type": "object"}
TENSOR = {
    "type": "object",
    "required": ["name", "shape", "datatype"],
    "properties": {
        "name": STRING,
        "shape": list_of(INTEGER),
        "datatype": STRING,
        "data": list_of({}, "the values, row by row; missing ones are null"),
        "parameters": PARAMETERS,
    },
}
REQUEST = {
    "type": "object",
    "required": ["inputs"],
    "properties": {
        "id": STRING,
        "inputs": {**list_of(TENSOR), "minItems": 1},
        "outputs": list_of({"type": "object", "required": ["name"], "properties": {"name": STRING}}),
        "parameters": PARAMETERS | {"properties": {"threshold": THRESHOLD_IN}},
    },
}
ANSWER = record(model_name=STRING, model_version=STRING, outputs=list_of(TENSOR))
METADATA = record(
    name=STRING,
    versions=list_of(STRING),
    platform=STRING,
    inputs=list_of(record(name=STRING, datatype=STRING, shape=list_of(INTEGER))),
    outputs=list_of(record(name=STRING, datatype=STRING, shape=list_of(INTEGER))),
    properties={"type": "object", "additionalProperties": STRING},
)
SHAPE = record(name=STRING, data_type=STRING, dims=list_of(INTEGER))
CONFIGURATION = record(
    name=STRING, platform=STRING, backend=STRING, max_batch_size=INTEGER, input=list_of(SHAPE), output=list_of(SHAPE),
    dynamic_batching={"type": "object"},
)  # fmt: skip
BOOLEAN = {"type": "boolean"}
NOT_READY = {503: "Not ready: starting or shutting down."}


def write_example(model: PackedModel) -> dict[str, Any]:
    """Return a request for the schema's example row: a tensor for each feature."""
    row = model.schema.example
    inputs = [
        {"name": spec.name, "shape": [1], "datatype": spec.datatype, "data": [_to_value(row[spec.name], spec.datatype)]}
        for spec in input_specs(model.schema)
    ]
    return {"inputs": inputs}


def _to_value(value: Any, datatype: str) -> Any:
    if value is None or datatype == "BOOL":
        return value
    return str(value) if datatype == "BYTES" else float(value)


INFER = Operation(
    "Infer: one tensor per feature, or one tensor with all features",
    {JSON: REQUEST, BINARY: binary(BINARY)},
    {JSON: ANSWER, BINARY: binary(BINARY)},
    examples={JSON: write_example},
    rows=True,
    parameters=(
        describe_header(
            "Inference-Header-Content-Length",
            "Bytes of JSON before raw tensors, as the binary extension has it; in the answer it is the same.",
            {"type": "integer", "minimum": 0},
        ),
        THRESHOLD,
    ),
)
DESCRIBE = Operation("Metadata of the model: its input and output tensors", response={JSON: METADATA})
CHECK_MODEL = Operation(
    "Readiness of the model", response={JSON: record(name=STRING, ready=BOOLEAN)}, statuses=NOT_READY
)
LIVE = Operation("Liveness of the server", response={JSON: record(live=BOOLEAN)})
READY = Operation("Readiness of the server", response={JSON: record(ready=BOOLEAN, live=BOOLEAN)}, statuses=NOT_READY)
DESCRIBE_SERVER = Operation(
    "Metadata of the server: name, version and extensions",
    response={JSON: record(name=STRING, version=STRING, extensions=list_of(STRING))},
)
CONFIGURE = Operation("Configuration of the model, in Triton's form", response={JSON: CONFIGURATION})
