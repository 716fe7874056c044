"""The OpenAPI document of all protocols: every route says what it does in an `Operation`, here it is written down."""

from ekiben.service.protocols.protocol import JsonSchema

JSON, HTML, TEXT = "application/json", "text/html", "text/plain"
ROW: JsonSchema = {"$ref": "#/components/schemas/Row"}
PREDICTION: JsonSchema = {"$ref": "#/components/schemas/Prediction"}
PREDICTIONS: JsonSchema = {"$ref": "#/components/schemas/Predictions"}
STRING: JsonSchema = {"type": "string"}


def binary(content_type: str) -> JsonSchema:
    """Return the schema of a body of bytes: `format` is what generators of clients read."""
    return {"type": "string", "format": "binary", "contentMediaType": content_type}


def record(**properties: JsonSchema) -> JsonSchema:
    """Return the schema of an object with all of these."""
    return {"type": "object", "required": list(properties), "properties": properties}


def list_of(items: JsonSchema, description: str = "") -> JsonSchema:
    """Return the schema of a list."""
    return {"type": "array", "items": items} | ({"description": description} if description else {})
