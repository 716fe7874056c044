"""From which probability on a caller wants a class decided for, in place of the model's own threshold.

Each protocol has its place for it: the parameters of a body where it has any, the query over HTTP, the metadata over
gRPC. Whoever says nothing pays nothing: the model's target is used as it is.
"""

from typing import Any

from ekiben.contract.schema import Target
from ekiben.contract.threshold import InvalidThreshold, read_threshold, replace_threshold
from ekiben.service.errors import BadRequest
from ekiben.service.explaining.wishes import read_query
from ekiben.service.http.messages import Request

NAME = "threshold"
HEADER = b"x-threshold"  # metadata of gRPC calls whose messages have no parameters


def choose_target(target: Target, request: Request, parameters: Any = None) -> Target:
    """Return the target as an HTTP request wants it: by its body's parameters, if these say so, else by its query.

    Raises BadRequest if what it says is no threshold, or the model decides nothing by one.
    """
    if isinstance(parameters, dict) and parameters.get(NAME) is not None:
        return with_threshold(target, parameters[NAME], f"parameter `{NAME}`")
    if request.query and (given := read_query(request.query).get(NAME)):
        return with_threshold(target, read_threshold(given[-1]), NAME)
    return target


def with_header(target: Target, value: bytes) -> Target:
    """Return the target as the metadata of a call want it."""
    return with_threshold(target, read_threshold(value.decode("latin-1")), HEADER.decode()) if value else target


def with_threshold(target: Target, given: Any, where: str) -> Target:
    """Return the target with the threshold that was given there; raise BadRequest if it can't have it."""
    try:
        return replace_threshold(target, given, where)
    except InvalidThreshold as error:
        raise BadRequest(400, str(error)) from None
