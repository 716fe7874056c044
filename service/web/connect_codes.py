"""The statuses of Connect: gRPC's codes by name, and HTTP's for each (https://connectrpc.com/docs/protocol#error-codes)."""

import json
from collections.abc import Mapping
from typing import Any

from ekiben.service.grpc.codes import Code
from ekiben.service.grpc.context import Status

HTTP_STATUSES: Mapping[Code, int] = {
    Code.CANCELLED: 499,
    Code.UNKNOWN: 500,
    Code.INVALID_ARGUMENT: 400,
    Code.DEADLINE_EXCEEDED: 504,
    Code.NOT_FOUND: 404,
    Code.ALREADY_EXISTS: 409,
    Code.PERMISSION_DENIED: 403,
    Code.RESOURCE_EXHAUSTED: 429,
    Code.FAILED_PRECONDITION: 400,
    Code.ABORTED: 409,
    Code.OUT_OF_RANGE: 400,
    Code.UNIMPLEMENTED: 501,
    Code.INTERNAL: 500,
    Code.UNAVAILABLE: 503,
    Code.DATA_LOSS: 500,
    Code.UNAUTHENTICATED: 401,
}


def describe_error(status: Status) -> dict[str, Any]:
    """Return an error as Connect has it."""
    name = "canceled" if status.code is Code.CANCELLED else status.code.name.lower()
    return {"code": name, "message": status.message}


def encode_error(status: Status) -> bytes:
    """Return the body of a failed call."""
    return json.dumps(describe_error(status), ensure_ascii=False).encode()


def encode_end(status: Status) -> bytes:
    """Return what ends a stream: the error, if there is one, and the trailers."""
    end: dict[str, Any] = {} if status.code is Code.OK else {"error": describe_error(status)}
    if status.trailers:
        end["metadata"] = {}
        for name, value in status.trailers:
            end["metadata"].setdefault(name, []).append(value)
    return json.dumps(end, ensure_ascii=False).encode()
