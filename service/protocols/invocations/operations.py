"""What the OpenAPI document says of these routes."""

import csv
import io
from collections.abc import Mapping
from dataclasses import replace

from ekiben.model.package import PackedModel
from ekiben.service.protocols.invocations.errors import CODES
from ekiben.service.protocols.invocations.media import CSV, JSON, PARQUET
from ekiben.service.protocols.openapi import PREDICTION, ROW, STRING, TEXT, binary, list_of
from ekiben.service.protocols.openapi.parameters import ID, THRESHOLD, THRESHOLD_IN, describe_header
from ekiben.service.protocols.protocol import JsonSchema, Operation

INFERENCE_ID = describe_header("X-Amzn-SageMaker-Inference-Id", "The prediction's id, as SageMaker sends it.", ID)
TARGET_MODEL = describe_header(
    "X-Amzn-SageMaker-Target-Model", "The model, if it is not the first one: its name, or its archive.", STRING
)
SPLIT = {
    "type": "object",
    "required": ["data"],
    "properties": {"columns": list_of(STRING), "data": list_of(list_of({})), "index": list_of({})},
}
REQUEST = {
    "type": "object",
    "description": "One of these; `inputs` may also be tensors of the Open Inference Protocol.",
    "properties": {
        "dataframe_records": list_of(ROW),
        "dataframe_split": SPLIT,
        "instances": list_of({}, "rows: objects, or lists in the features' order"),
        "inputs": {"description": "columns by name, or rows"},
        "params": {"type": ["object", "null"], "properties": {"threshold": THRESHOLD_IN}},
    },
}
FORMULAS = "Strings are unchanged: a spreadsheet may run one that begins with = as a formula."
ERROR_PROPERTIES: Mapping[str, JsonSchema] = {
    "error_code": {"type": "string", "enum": sorted(CODES.values())},
    "message": {"type": "string", "description": "The same sentence, where MLflow's clients look for it."},
}


def write_csv_example(model: PackedModel) -> str:
    """Return the schema's example row under its names."""
    output = io.StringIO()
    csv.writer(output).writerows([list(model.schema.example), list(model.schema.example.values())])
    return output.getvalue()


INVOKE = Operation(
    "Predict with the model of that name, as SageMaker calls one of several",
    {JSON: REQUEST, CSV: {**STRING, "description": "With or without a header row."}, PARQUET: binary(PARQUET)},
    {
        JSON: {
            "type": "object",
            "description": "To tensors the answer is one of the Open Inference Protocol.",
            "properties": {"predictions": list_of(PREDICTION)},
        },
        CSV: {**STRING, "description": FORMULAS},
    },
    examples={JSON: lambda model: {"dataframe_records": [model.schema.example]}, CSV: write_csv_example},
    errors=(406,),
    rows=True,
    parameters=(INFERENCE_ID, THRESHOLD),
)
PREDICT = replace(
    INVOKE,
    summary="Predict, as MLflow and SageMaker clients call it",
    parameters=(INFERENCE_ID, TARGET_MODEL, THRESHOLD),
    errors=(404, 406),
)
VERSION = Operation("Version of this server, where MLflow's server returns its own", response={TEXT: STRING})
