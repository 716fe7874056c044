"""A request's JSON: its keys, and what JSON has no way to write."""

import base64
import binascii
from collections.abc import Sequence
from typing import Any

from contract.check import shorten, show, suggest
from contract.errors import InvalidInput, Problem
from service.body import parse_json, parse_json_slowly
from service.errors import BadRequest
from service.protocols.tensorflow_serving.model_spec import check_signature

BYTES_KEY = "b64"
# TensorFlow Serving's, then what Vertex AI and MLflow put beside the rows. They change nothing here.
OTHER_KEYS = ("signature_name", "context", "parameters", "params")


def read_object(body: bytes, keys: Sequence[str]) -> dict[str, Any]:
    """Return the object a body holds; raise BadRequest or InvalidInput unless it has one of those keys.

    In it NaN is null, and {"b64": ...} the text it stands for.
    """
    content = parse(body)
    if not isinstance(content, dict):
        raise BadRequest(400, f'expected an object such as {{"{keys[0]}": [...]}}, got {show(content)}')
    known = (*keys, *OTHER_KEYS)
    for key in content:
        if key not in known:
            raise InvalidInput(Problem(None, shorten(key), "unknown field" + suggest(key, known)))
    check_signature(content.get("signature_name"))
    given = [key for key in keys if key in content]
    if not given:
        raise InvalidInput(Problem(None, keys[0], "missing; it is required"))
    if len(given) > 1:
        raise BadRequest(400, f"both `{given[0]}` and `{given[1]}` are there: send one of them")
    return content


def parse(body: bytes) -> Any:
    """Return what a JSON body holds."""
    if f'"{BYTES_KEY}"'.encode() in body:
        return parse_json_slowly(body, parse_constant=_read_constant, object_hook=_read_bytes)
    return parse_json(body, _read_constant)


def _read_constant(name: str) -> float | None:
    return None if name == "NaN" else float(name)


def _read_bytes(content: dict[str, Any]) -> Any:
    """Return the text of {"b64": ...}, and any other object as it is."""
    encoded = content.get(BYTES_KEY)
    if not isinstance(encoded, str) or len(content) > 1:
        return content
    try:
        return base64.b64decode(encoded, validate=True).decode()
    except (binascii.Error, ValueError):
        raise BadRequest(400, f"`{BYTES_KEY}`: expected a UTF-8 text in base64, got {show(encoded)}") from None
