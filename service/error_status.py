"""Turns exceptions into error responses: one meaning in every protocol, each with its own shape."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from ekiben.contract.errors import FieldError, InvalidInput, InvalidModel
from ekiben.service.errors import (
    BadRequest,
    CallerGone,
    DeadlineExceeded,
    EngineFailed,
    NotReady,
    Overloaded,
    RequestRejected,
)
from ekiben.service.grpc.codes import Code
from ekiben.service.logs.access import Asked

HIDDEN = "the probe failed: send the header `Authorization: Bearer …` to get the reason"
logger = logging.getLogger("bentoml.service")

REJECTION_STATUS: Mapping[type[RequestRejected], int] = {
    Overloaded: 429,
    DeadlineExceeded: 504,
    NotReady: 503,
    EngineFailed: 500,
    CallerGone: 499,  # nobody reads it; nginx's code for the log
}
GRPC_CODES: Mapping[int, Code] = {
    401: Code.UNAUTHENTICATED,
    404: Code.NOT_FOUND,
    408: Code.DEADLINE_EXCEEDED,
    429: Code.RESOURCE_EXHAUSTED,
    499: Code.CANCELLED,
    500: Code.INTERNAL,
    501: Code.UNIMPLEMENTED,
    503: Code.UNAVAILABLE,
    504: Code.DEADLINE_EXCEEDED,
    507: Code.RESOURCE_EXHAUSTED,
}


HTTP_STATUS: Mapping[Code, int] = {  # what the access log says of a call over gRPC
    Code.OK: 200,
    Code.INVALID_ARGUMENT: 400,
    **{code: status for status, code in GRPC_CODES.items() if status != 507},
}


@dataclass(frozen=True)
class ErrorResponse:
    """Why a request failed; `status` is HTTP's."""

    status: int
    message: str
    field_errors: tuple[FieldError, ...] = ()
    headers: tuple[tuple[bytes, bytes], ...] = ()

    @property
    def code(self) -> Code:
        """The same as gRPC says it."""
        return GRPC_CODES.get(self.status, Code.INVALID_ARGUMENT)


def to_error_response(error: Exception, describe: Callable[[], Asked]) -> ErrorResponse:
    """Return the response for an error; log it, with the request that `describe` describes, if no caller caused it."""
    if isinstance(error, InvalidInput):
        return ErrorResponse(400, str(error), error.field_errors)
    if isinstance(error, BadRequest):
        return ErrorResponse(error.status, str(error), (), error.headers)
    if isinstance(error, RequestRejected):
        again = ((b"retry-after", b"%d" % error.retry_after_s),) if isinstance(error, Overloaded) else ()
        return ErrorResponse(REJECTION_STATUS[type(error)], str(error), (), again)
    if isinstance(error, InvalidModel):  # a file of the package that is read only when it is asked for
        logger.error("%s", error)
        return ErrorResponse(503, str(error))
    fields = describe().to_fields()
    place = " ".join(str(fields[name]) for name in ("method", "path") if name in fields)
    sentence = "unexpected %s at %s id=%s"
    logger.error(
        sentence, type(error).__name__, place, fields.get("request_id", "-"), exc_info=error, extra={"fields": fields}
    )
    return ErrorResponse(500, "the service failed: its log says why")


def hide_details(error_response: ErrorResponse) -> ErrorResponse:
    """Return a failed probe's response for a caller without the token: it doesn't name the model."""
    if error_response.status not in (400, 404):  # no other sentence names it
        return error_response
    return replace(error_response, message=HIDDEN, field_errors=())
