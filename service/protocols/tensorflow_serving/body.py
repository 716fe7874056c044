"""A request's JSON: its keys, and what JSON has no way to write."""

import base64
import binascii
from collections.abc import Sequence
from typing import Any

from ekiben.contract.errors import FieldError, InvalidInput
from ekiben.contract.validation import show, suggest
from ekiben.service.errors import BadRequest
from ekiben.service.http.json_parsing import nan_to_null, parse_json
from ekiben.service.protocols.tensorflow_serving.model_spec import check_signature

BYTES_KEY = "b64"


def read_object(body: bytes, keys: Sequence[str]) -> dict[str, Any]:
    """Return the object a body holds; raise BadRequest or InvalidInput unless it has one of those keys.

    In it NaN is null, and {"b64": ...} the text it stands for. What else there is is left aside, as TensorFlow Serving
    does: Vertex AI has `parameters` there, MLflow `params`, and others what they like.
    """
    content = parse(body)
    if not isinstance(content, dict):
        raise BadRequest(400, f'expected an object such as {{"{keys[0]}": [...]}}, got {show(content)}')
    check_signature(content.get("signature_name"))
    given = [key for key in keys if key in content]
    if not given:
        near = (f"; {show(key)} is there{hint}" for key in content if (hint := suggest(key, keys)))
        raise InvalidInput(FieldError(None, keys[0], "missing; it is required" + next(near, "")))
    if len(given) > 1:
        raise BadRequest(400, f"both `{given[0]}` and `{given[1]}` are there: send one of them")
    return content


def parse(body: bytes) -> Any:
    """Return what a JSON body holds."""
    content = parse_json(body, nan_to_null)
    return read_bytes(content) if f'"{BYTES_KEY}"'.encode() in body else content


def read_bytes(content: Any) -> Any:
    """Return the string of {"b64": ...}, and anything else with such objects in it replaced."""
    if type(content) is list:
        for index, value in enumerate(content):
            if type(value) in (dict, list):
                content[index] = read_bytes(value)
    elif type(content) is dict:
        if len(content) == 1 and type(encoded := content.get(BYTES_KEY)) is str:
            return decode_base64(encoded)
        for name, value in content.items():
            if type(value) in (dict, list):
                content[name] = read_bytes(value)
    return content


def decode_base64(encoded: str) -> str:
    """Return the string that base64 stands for; raise BadRequest if it is not one in UTF-8."""
    try:
        return base64.b64decode(encoded, validate=True).decode()
    except (binascii.Error, ValueError):
        raise BadRequest(400, f"`{BYTES_KEY}`: expected a UTF-8 text in base64, got {show(encoded)}") from None
