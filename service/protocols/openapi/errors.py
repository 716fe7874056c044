"""The errors that routes answer with: their statuses, shapes and headers."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from ekiben.service.protocols.openapi import JSON
from ekiben.service.protocols.protocol import Protocol

RESPONSES, HEADERS = "#/components/responses", "#/components/headers"
REQUEST_ID, RETRY_AFTER, CHALLENGE = "X-Request-Id", "Retry-After", "WWW-Authenticate"
SENTENCE = {
    "type": "string",
    "description": "One sentence: what is wrong, where, and how to put it right.",
    "examples": ["row 3: `name`: expected a number, got 'far'"],
}


class Status(NamedTuple):
    """What an error's response is called, and when it comes."""

    name: str
    when: str


STATUSES: Mapping[int, Status] = {
    400: Status("BadRequest", "The request is wrong; the sentence names row and field."),
    401: Status("Unauthorized", "The token or the signature is missing or wrong."),
    404: Status("NotFound", "No such model, version or label is served here."),
    406: Status("NotAcceptable", "The request accepts no form in which the answer can be written."),
    408: Status("RequestTimeout", "The body did not arrive in time."),
    409: Status("Conflict", "What is served does not allow it; the sentence says why."),
    413: Status("ContentTooLarge", "The body is too large: send the rows in several requests."),
    415: Status("UnsupportedMediaType", "The content type or the compression of the body is not read here."),
    429: Status("TooManyRequests", "Too busy to answer before the deadline: try again after `Retry-After`."),
    500: Status("InternalServerError", "The service failed: its log says why."),
    503: Status("ServiceUnavailable", "Not ready: starting or shutting down, or full."),
    504: Status("GatewayTimeout", "The deadline passed before the answer was computed."),
    507: Status("InsufficientStorage", "There is no room for another model: unload one first."),
}
READING = (400, 408, 413, 415, 429, 504)  # a body
ANSWERING = (*READING, 500, 503)  # rows
EXTRA_HEADERS: Mapping[int, str] = {401: CHALLENGE, 429: RETRY_AFTER, 503: RETRY_AFTER}


def refer_errors(protocol: Protocol, statuses: Iterable[int]) -> dict[str, Any]:
    """Return the responses of these statuses by reference."""
    prefix = _find_prefix(protocol)
    return {str(one): {"$ref": f"{RESPONSES}/{prefix}{STATUSES[one].name}"} for one in sorted(set(statuses))}


def describe_errors(protocols: Iterable[Protocol]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the responses that `refer_errors` refers to, and the schemas that these refer to, by name."""
    responses, schemas = {}, {}
    for protocol in (Protocol(""), *protocols):
        prefix = _find_prefix(protocol)
        schemas[f"{prefix}ErrorResponse"] = {
            "type": "object",
            "required": ["error"],  # all that rejections before a protocol's own hold
            "properties": {"error": SENTENCE, **protocol.error_properties},
        }
        for status, (name, when) in STATUSES.items():
            content = {JSON: {"schema": {"$ref": f"#/components/schemas/{prefix}ErrorResponse"}}}
            named = [REQUEST_ID, *filter(None, [EXTRA_HEADERS.get(status)])]
            headers = {one: {"$ref": f"{HEADERS}/{one}"} for one in named}
            responses[prefix + name] = {"description": when, "headers": headers, "content": content}
    return responses, schemas


def _find_prefix(protocol: Protocol) -> str:
    """Return what distinguishes the errors of a protocol whose errors say more than a sentence."""
    return protocol.name.title().replace("_", "") if protocol.error_properties else ""
