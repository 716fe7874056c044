"""An error as MLflow's clients read it."""

from collections.abc import Mapping
from typing import Any

from ekiben.service.error_status import ErrorResponse

# MLflow's names; all other statuses are the first's or, from 500 on, the last's.
CODES: Mapping[int, str] = {
    400: "BAD_REQUEST",
    401: "UNAUTHENTICATED",
    404: "ENDPOINT_NOT_FOUND",
    429: "REQUEST_LIMIT_EXCEEDED",
    499: "CANCELLED",
    503: "TEMPORARILY_UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
    500: "INTERNAL_ERROR",
}


def error_body(error_response: ErrorResponse) -> dict[str, Any]:
    """Return an error as MLflow's clients and all others read it."""
    code = CODES.get(error_response.status, CODES[400] if error_response.status < 500 else CODES[500])
    return {"error": error_response.message, "error_code": code, "message": error_response.message}
