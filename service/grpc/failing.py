"""Turns what went wrong with a call into the status that tells its caller."""

from collections.abc import Callable

from ekiben.service.error_status import ErrorResponse, hide_details, to_error_response
from ekiben.service.errors import clear_tracebacks
from ekiben.service.grpc.context import Status
from ekiben.service.logs.access import Asked

MAX_STATUS_BYTES = 2000  # of an error's sentence: clients take no more than 8 KB of trailers, and %-encoded it triples


def to_status(error: Exception, describe: Callable[[], Asked], hidden: bool = False) -> Status:
    """Return the status that tells a caller of an error, its details `hidden` or not."""
    error_response = to_error_response(error, describe)
    if hidden:
        error_response = hide_details(error_response)
    clear_tracebacks(error)
    return Status(error_response.code, _clip(error_response.message), _list_headers(error_response))


def describe_call(path: str) -> Callable[[], Asked]:
    """Return what describes a call that no metrics count."""
    return lambda: Asked("", "gRPC", path.encode(), b"", b"")


def _clip(sentence: str) -> str:
    encoded = sentence.encode("utf-8", "backslashreplace")
    if len(encoded) > MAX_STATUS_BYTES:
        encoded = encoded[:MAX_STATUS_BYTES] + b"..."
    return encoded.decode("utf-8", "ignore")


def _list_headers(error_response: ErrorResponse) -> list[tuple[str, str]]:
    return [(name.decode(), value.decode()) for name, value in error_response.headers]
