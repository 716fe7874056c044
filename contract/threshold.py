"""A threshold that a caller gives in place of the model's own: from which probability on a class is decided for."""

import re
from typing import Any

from ekiben.contract.errors import UserError
from ekiben.contract.schema import Target
from ekiben.contract.validation import show

NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.ASCII | re.IGNORECASE)
MAX_LENGTH = 64  # characters of a number


class InvalidThreshold(UserError):
    """What a caller gives is no threshold, or the model decides nothing by one."""


def replace_threshold(target: Target, given: Any, where: str) -> Target:
    """Return the target with the threshold that was given there; raise InvalidThreshold if it can't have it."""
    if target.task == "regression":
        raise InvalidThreshold(f"{where}: this model answers a number, and decides nothing: leave it out")
    if target.task == "multiclass":
        raise InvalidThreshold(f"{where}: of {len(target.classes)} classes the likeliest is the label: leave it out")
    if type(given) not in (int, float) or not 0 <= given <= 1:
        raise InvalidThreshold(f"{where}: expected a number from 0 to 1, got {show(given)}")
    return target.model_copy(update={"threshold": float(given)})


def read_threshold(text: str) -> float | str:
    """Return the number that a string spells, else the string."""
    return float(text) if len(text) <= MAX_LENGTH and NUMBER.fullmatch(text) else text
