"""Makes values of a feature's kind of those that JSON or a tensor may hold for them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from types import NoneType
from typing import Any

import numpy as np

from ekiben.contract.columns import Column, null_nans, to_list
from ekiben.contract.feature import Category, Feature, Value
from ekiben.contract.spellings.cells import is_marker
from ekiben.contract.spellings.spelling import Spelling, spelling_of

Values = Sequence[Any]  # a column that is not an array
_BOOL_TYPES = frozenset({bool, NoneType})
_MISSING_TIMES = ("", "NaT")  # as tensors and pandas write them


def unwrap_row(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row without the lists that hold a single value."""
    return dict(zip(row, unwrap_column(list(row.values())), strict=True))


def unwrap_column(column: Column) -> Column:
    """Return a column, (rows,) or (rows, 1), as (rows,)."""
    if list not in set(map(type, column)):
        return column
    return [value[0] if type(value) is list and len(value) == 1 else value for value in column]


def find_converters(feature: Feature) -> Iterator[Callable[[Any], Values]]:
    """Yield what makes a column's values of those that JSON or a tensor may hold for them."""
    if feature.null:
        yield partial(_null_markers, spelling_of(feature))
    if isinstance(feature, Category) and feature.integers:
        yield _to_integers
    elif feature.kind in _CONVERTERS:
        yield _CONVERTERS[feature.kind]


def _null_markers(spelling: Spelling, column: Column) -> Values:
    """Return a column with null where its own markers of missing stand, as strings or as numbers."""
    return [None if is_marker(value, spelling) else value for value in to_list(column)]


def as_listed(column: Column) -> Column:
    """Return a column that is not of numbers as Python's values, for the checks to name."""
    return column.tolist() if isinstance(column, np.ndarray) else column


def _to_bools(column: Values) -> Values:
    return column if _BOOL_TYPES.issuperset(map(type, column)) else list(map(_to_bool, null_nans(column)))


def _to_bool(value: Value) -> Value:
    return bool(value) if type(value) in (int, float) and value in (0, 1) else value


def _to_integers(column: Values) -> Values:
    return list(map(_to_integer, null_nans(column))) if float in set(map(type, column)) else column


def _to_integer(value: Value) -> Value:
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _to_times(column: Values) -> Values:
    if "" in column or "NaT" in column:
        return [None if value in _MISSING_TIMES else value for value in column]
    return column


_CONVERTERS: Mapping[str, Callable[[Any], Values]] = {"boolean": _to_bools, "timestamp": _to_times}
