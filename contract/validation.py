"""Validates the rows of a request; every error names its row and field."""

import math
from collections.abc import Iterable, Iterator, Sequence
from difflib import get_close_matches
from itertools import islice
from typing import Any

import numpy as np

from ekiben.contract.errors import FieldError, InvalidInput
from ekiben.contract.feature import Category, Feature, Kind, Number, Timestamp, accepted_types
from ekiben.contract.schema import Schema
from ekiben.contract.spellings.moments import read_moment
from ekiben.contract.spellings.spelling import Spelling
from ekiben.contract.timestamps import read_timestamp

MAX_FIELD_ERRORS = 20  # named in one answer; the rest would only hide the first
MAX_SHOWN_CHARACTERS = 80
EXPECTED = {
    "number": "a number",
    "category": "a string",
    "boolean": "true or false",
    "timestamp": "an ISO 8601 date and time as a string",
}


def validate_rows(schema: Schema, rows: Sequence[Any], first: int = 0) -> None:
    """Raise InvalidInput naming the row and the field of everything wrong, up to MAX_FIELD_ERRORS.

    The rows are counted from `first`.
    """
    if not rows:
        raise no_rows("rows")
    found = (field_error for index, row in enumerate(rows, first) for field_error in validate_row(schema, index, row))
    field_errors = list(islice(found, MAX_FIELD_ERRORS))
    if field_errors:
        raise InvalidInput(*field_errors)


def no_rows(word: str) -> InvalidInput:
    """Return the error of a request without rows; `word` is what a protocol calls them."""
    return InvalidInput(FieldError(None, word, "expected at least one row, got none"))


def validate_names(schema: Schema, names: Iterable[str]) -> None:
    """Raise InvalidInput for the first name that is not a feature's, as `validate_rows` does for row 0."""
    row = dict.fromkeys(names)
    for name in row:
        if name not in schema.names:
            raise InvalidInput(FieldError(0, shorten(name), _unknown(schema, name, row)))


def validate_row(schema: Schema, index: int, row: Any) -> Iterator[FieldError]:
    """Yield the errors in one row."""
    if not isinstance(row, dict):
        yield FieldError(index, None, f"expected an object with one field per feature, got {show(row)}")
        return
    for name in row:
        if name not in schema.names:
            yield FieldError(index, shorten(name), _unknown(schema, name, row))
    for feature in schema.features:
        if feature.name not in row:
            if feature.optional:
                continue
            hint = "send null if it is unknown" if feature.nullable else "it is required"
            yield FieldError(index, feature.name, f"missing; {hint}")
        elif message := validate_value(feature, row[feature.name]):
            yield FieldError(index, feature.name, message)


def validate_value(feature: Feature, value: Any) -> str | None:
    """Return the error in one value, or None."""
    if type(value) not in accepted_types(feature):
        if value is None:
            return f"null is not allowed; expected {_expected(feature)}"
        return f"expected {_expected(feature)}, got {show(value)}"
    if value is None:
        return None
    if isinstance(feature, Number):
        return _validate_number(feature, value)
    if isinstance(feature, Timestamp):
        return _validate_timestamp(feature, value)
    return None


def expect(kind: Kind, text: str, spelling: Spelling) -> str:
    """Return what a string of a table, which can't be read as its kind, should have been."""
    if kind == "timestamp":
        try:
            read_moment(text.strip(), spelling)
        except ValueError as error:
            return str(error).removeprefix("expected ")
    return EXPECTED[kind]


def _expected(feature: Feature) -> str:
    if isinstance(feature, Category) and feature.integers:
        return "a whole number or its digits as a string"
    return EXPECTED[feature.kind]


def to_float32(value: int | float) -> np.float32:
    """Return a number as the network sees it; infinite where it is too large."""
    with np.errstate(over="ignore"):
        try:
            return np.float32(value)
        except OverflowError:
            return np.float32(math.inf if value > 0 else -math.inf)


def show(value: Any) -> str:
    """Return a value as a caller would recognise it, shortened."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else "a list"
    if isinstance(value, int) and value.bit_length() > 256:  # Python won't even print the largest
        return "a huge integer"
    if isinstance(value, str):
        return repr(shorten(value))
    return shorten(repr(value))


def shorten(text: str) -> str:
    """Return a string with no more than MAX_SHOWN_CHARACTERS of it."""
    return text if len(text) <= MAX_SHOWN_CHARACTERS else text[:MAX_SHOWN_CHARACTERS] + "…"


def suggest(name: str, names: Sequence[str]) -> str:
    """Return "; did you mean `distance`?", or nothing where no name is near."""
    if len(name) > MAX_SHOWN_CHARACTERS:
        return ""
    near = get_close_matches(name, names, n=1)
    return f"; did you mean `{near[0]}`?" if near else ""


def _unknown(schema: Schema, name: str, row: dict[str, Any]) -> str:
    return "unknown field" + suggest(name, [other for other in schema.names if other not in row])


def _validate_number(feature: Number, value: int | float) -> str | None:
    if isinstance(value, float) and not math.isfinite(value):
        return f"expected a finite number, got {value}" + ("; send null if it is unknown" if feature.nullable else "")
    if not to_float32(feature.low) <= to_float32(value) <= to_float32(feature.high):
        unit = f" {feature.unit}" if feature.unit else ""
        return f"expected a number from {feature.low:g} to {feature.high:g}{unit}, got {show(value)}"
    return None


def _validate_timestamp(feature: Timestamp, value: str | int | float) -> str | None:
    try:
        read_timestamp(feature, value)
    except ValueError as error:
        return f"{error}, got {show(value)}"
    return None
