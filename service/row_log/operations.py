"""What the OpenAPI document says of labels."""

from ekiben.service.protocols.openapi import JSON, STRING, list_of, record
from ekiben.service.protocols.openapi.errors import READING
from ekiben.service.protocols.protocol import Operation

COUNT = {"type": "integer", "minimum": 0}
LABEL = record(
    id={**STRING, "description": "X-Prediction-Id of the answer; of several rows ID/0, ID/1, …"},
    label={"description": "what came true: a class as the answers spell it, or a number"},
)
SEND = Operation(
    "Send the labels of predictions, once they are known; the same again changes nothing",
    {JSON: record(labels=list_of(LABEL, "instead of the object one label alone will do, or a list of them"))},
    {JSON: record(added=COUNT, known=COUNT, unknown=COUNT, late=COUNT)},
    examples={
        JSON: lambda model: {"labels": [{"id": "order-4711", "label": next(iter(model.schema.target.classes), 1.0)}]}
    },
    errors=(*READING, 503),
)
