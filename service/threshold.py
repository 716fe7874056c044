"""From which probability on a caller wants a class decided for, in place of the model's own threshold.

Each protocol has its place for it: the parameters of a body where it has any, the query over HTTP, the metadata over
gRPC. Whoever says nothing pays nothing: the model's target is used as it is.
"""

import re
from typing import Any

from ekiben.contract.schema import Target
from ekiben.contract.validation import show
from ekiben.service.errors import BadRequest
from ekiben.service.explaining.wishes import read_query
from ekiben.service.http.messages import Request

NAME = "threshold"
HEADER = b"x-threshold"  # metadata of gRPC calls whose messages have no parameters
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.ASCII | re.IGNORECASE)
MAX_LENGTH = 64  # characters of a number


def choose_target(target: Target, request: Request, parameters: Any = None) -> Target:
    """Return the target as an HTTP request wants it: by its body's parameters, if these say so, else by its query.

    Raises BadRequest if what it says is no threshold, or the model decides nothing by one.
    """
    if isinstance(parameters, dict) and parameters.get(NAME) is not None:
        return with_threshold(target, parameters[NAME], f"parameter `{NAME}`")
    if request.query and (given := read_query(request.query).get(NAME)):
        return with_threshold(target, _to_number(given[-1]), NAME)
    return target


def with_header(target: Target, value: bytes) -> Target:
    """Return the target as the metadata of a call want it."""
    return with_threshold(target, _to_number(value.decode("latin-1")), HEADER.decode()) if value else target


def with_threshold(target: Target, given: Any, where: str) -> Target:
    """Return the target with the threshold that was given there; raise BadRequest if it can't have it."""
    if target.task == "regression":
        raise BadRequest(400, f"{where}: this model answers a number, and decides nothing: leave it out")
    if target.task == "multiclass":
        raise BadRequest(400, f"{where}: of {len(target.classes)} classes the likeliest is the label: leave it out")
    if type(given) not in (int, float) or not 0 <= given <= 1:
        raise BadRequest(400, f"{where}: expected a number from 0 to 1, got {show(given)}")
    return target.model_copy(update={"threshold": float(given)})


def _to_number(text: str) -> float | str:
    return float(text) if len(text) <= MAX_LENGTH and NUMBER.fullmatch(text) else text
