"""A database's values, as Python has them → Arrow arrays, of one type a column."""

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from numbers import Integral, Real
from types import NoneType
from typing import Any

import pyarrow as pa

_KINDS: dict[type, str] = {
    NoneType: "null",
    bool: "boolean",
    int: "integer",
    float: "number",
    Decimal: "number",
    str: "text",
    bytes: "bytes",
    date: "date",
    datetime: "moment",
}
_TYPES = {
    "boolean": pa.bool_(),
    "integer": pa.int64(),
    "number": pa.float64(),
    "text": pa.string(),
    "bytes": pa.binary(),
    "date": pa.date32(),
    "moment": pa.timestamp("us"),
    "zoned": pa.timestamp("us", "UTC"),
}


def simplify(values: Sequence[Any]) -> Sequence[Any]:
    """Return the values with those of a driver's own types as numbers, bytes or text."""
    if set(map(type, values)) <= _KINDS.keys():
        return values
    return [value if type(value) in _KINDS else _simplify(value) for value in values]


def find_kinds(values: Sequence[Any]) -> set[str]:
    """Return which kinds there are among simplified values; moments with a time zone are one of their own."""
    kinds = {_KINDS[each] for each in set(map(type, values))} - {"null"}
    if "moment" in kinds:
        zoned = {value.tzinfo is not None for value in values if type(value) is datetime}
        kinds = (kinds - {"moment"}) | {"zoned" if each else "moment" for each in zoned}
    return kinds


def choose_type(kinds: set[str]) -> pa.DataType:
    """Return the type that holds all these kinds: text, if they are neither one kind nor all numbers."""
    if not kinds:
        return pa.null()
    if len(kinds) == 1:
        return _TYPES[next(iter(kinds))]
    return pa.float64() if kinds == {"integer", "number"} else pa.string()


def to_array(values: Sequence[Any], kind: pa.DataType) -> pa.Array:
    """Return the values as an array; raise ArrowException or OverflowError if one doesn't fit."""
    if kind == pa.float64():
        values = [None if value is None else float(value) for value in values]
    elif kind == pa.string():
        values = [None if value is None else str(value) for value in values]
    return pa.array(values, kind)


def _simplify(value: Any) -> Any:
    if isinstance(value, bytearray | memoryview):
        return bytes(value)
    if isinstance(value, Integral):
        return int(value)
    return float(value) if isinstance(value, Real) else str(value)
