"""Tensors, JSON and cells of any protocol, read as the columns that `ekiben.contract.encoding` takes."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from operator import ne
from types import NoneType
from typing import Any

import numpy as np

from ekiben.contract.columns import (
    BLOCK_ROWS,
    MIN_ARRAY_ROWS,
    Column,
    Columns,
    Rows,
    Transposer,
    merge,
    null_nans,
    to_list,
)
from ekiben.contract.errors import FieldError, InvalidInput
from ekiben.contract.feature import Category, Feature, Number, Value
from ekiben.contract.schema import Schema
from ekiben.contract.spellings.cells import cell_reader, is_marker
from ekiben.contract.spellings.spelling import Spelling, spelling_of
from ekiben.contract.validation import shorten

Values = Sequence[Any]  # a column that is not an array
_BOOL_TYPES = frozenset({bool, NoneType})
_MISSING_TIMES = ("", "NaT")  # as tensors and pandas write them
_REMEMBERED_ORDERS = 64  # in which callers send the features; each has its own


@dataclass(frozen=True, slots=True)
class _Plan:
    """What is to be done with columns that come in a certain order, by their indices."""

    names: tuple[str, ...]  # of the columns that it makes
    order: Sequence[int] | None  # where each of them comes from; None: as they came
    converters: Sequence[tuple[int, Callable[[Any], Values]]]
    numbers: Sequence[int]
    others: Sequence[int]  # that may not stay arrays


class TensorDecoder:
    """Makes columns of what one schema's callers send."""

    def __init__(self, schema: Schema) -> None:
        self._schema = schema
        self._features = {feature.name: feature for feature in schema.features}
        self._converters = [(f.name, convert) for f in schema.features for convert in _find_converters(f)]
        self._cell_readers = {feature.name: cell_reader(feature) for feature in schema.features}
        self._transposer = Transposer(schema.names)
        self._plans: dict[tuple[str, ...], _Plan] = {}

    def to_columns(self, given: Mapping[str, Column], nans: bool = False) -> Columns:
        """Return the columns in the features' order; raise InvalidInput if their lengths differ.

        Missing may be NaN or an empty string, a boolean 0 or 1, a whole number a float. Names that are
        no feature's stay, for the checks to find. `nans`: numbers may be NaN, as JSON's can't.
        """
        return self.order(tuple(given), list(given.values()), nans)

    def order(self, names: tuple[str, ...], columns: list[Any], nans: bool) -> Columns:
        """Do the same with columns of these names, which differ; the list is no longer the caller's."""
        lengths = set(map(len, columns))
        if len(lengths) > 1:
            raise _length_error(names, columns)
        plan = self._plans.get(names) or self._plan(names)
        if np.ndarray in set(map(type, columns)):
            for index in plan.others:
                columns[index] = _as_listed(columns[index])
        for index, convert in plan.converters:
            columns[index] = convert(columns[index])
        if nans:
            _null_nans(columns, plan.numbers)
        if plan.order is not None:
            columns = [columns[index] for index in plan.order]
        return Columns(plan.names, columns, lengths.pop() if lengths else 0)

    def _plan(self, names: tuple[str, ...]) -> _Plan:
        indices = {name: index for index, name in enumerate(names)}
        known = indices.keys() == self._features.keys()
        wanted = self._schema.names if known else names
        is_number = [isinstance(self._features.get(name), Number) for name in names]
        plan = _Plan(
            wanted,
            None if wanted == names else [indices[name] for name in wanted],
            [(indices[name], convert) for name, convert in self._converters if name in indices],
            [index for index, number in enumerate(is_number) if number],
            [index for index, number in enumerate(is_number) if not number],
        )
        if known and len(self._plans) < _REMEMBERED_ORDERS:  # other names are a stranger's
            self._plans[names] = plan
        return plan

    def read_row(self, row: Mapping[str, Any], nans: bool = False) -> dict[str, Value]:
        """Return one row of values read as `to_columns` reads them; a list of one value stands for it."""
        read = unwrap_row(row) if list in set(map(type, row.values())) else dict(row)
        for name, convert in self._converters:
            if name in read:
                (read[name],) = convert((read[name],))
        if nans:
            for name, value in read.items():
                if value != value and isinstance(self._features.get(name), Number):
                    read[name] = None
        return read

    def read_rows(self, rows: list[Any], nans: bool = False) -> Rows:
        """Do the same with many rows; what makes no columns stays rows.

        What is not an object stays, too, for the checks to find.
        """
        if len(rows) < MIN_ARRAY_ROWS:  # they are transposed with others that arrive together
            return self._read_few(rows, nans)
        blocks = []
        for first in range(0, len(rows), BLOCK_ROWS):
            block = self._transposer.transpose(rows[first : first + BLOCK_ROWS])
            if block is None:
                return self._read_few(rows, nans)
            unwrapped = map(unwrap_column, block.values)
            blocks.append(self.to_columns(dict(zip(block.names, unwrapped, strict=True)), nans))
        return merge(blocks)

    def _read_few(self, rows: list[Any], nans: bool) -> list[Any]:
        return [self.read_row(row, nans) if type(row) is dict else row for row in rows]

    def read_strings(self, name: str, strings: Sequence[Any]) -> Column:
        """Return a column that holds strings, as a CSV file does."""
        read = self._cell_readers.get(name)
        return strings if read is None else list(map(read, strings))

    def by_position(self, rows: Sequence[Sequence[Any]]) -> dict[str, Column]:
        """Return columns of rows that hold their values in the features' order."""
        names = self._schema.names
        for index, row in enumerate(rows):
            if len(row) != len(names):
                expected = f"expected {len(names)} values in the order of the features, got {len(row)}"
                raise InvalidInput(FieldError(index, None, expected))
        return dict(zip(names, zip(*rows, strict=True), strict=True))


def _null_nans(columns: list[Any], indices: Sequence[int]) -> None:
    """Let null stand where a list has NaN; one look at all of them, which are of one length, costs least."""
    lists = [index for index in indices if type(columns[index]) is not np.ndarray]
    values = list(chain.from_iterable([columns[index] for index in lists]))
    if any(map(ne, values, values)):
        rows = len(columns[lists[0]])
        for found in {at // rows for at, value in enumerate(values) if value != value}:
            columns[lists[found]] = null_nans(columns[lists[found]])


def _length_error(names: Sequence[str], columns: Sequence[Column]) -> InvalidInput:
    wanted = len(columns[0])
    name, column = next(pair for pair in zip(names, columns, strict=True) if len(pair[1]) != wanted)
    sentence = f"has {len(column)} values, `{shorten(names[0])}` has {wanted}: send as many of each"
    return InvalidInput(FieldError(None, shorten(name), sentence))


def unwrap_row(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row without the lists that hold a single value."""
    return dict(zip(row, unwrap_column(list(row.values())), strict=True))


def unwrap_column(column: Column) -> Column:
    """Return a column, (rows,) or (rows, 1), as (rows,)."""
    if list not in set(map(type, column)):
        return column
    return [value[0] if type(value) is list and len(value) == 1 else value for value in column]


def _find_converters(feature: Feature) -> Iterator[Callable[[Any], Values]]:
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


def _as_listed(column: Column) -> Column:
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
    if any(text in column for text in _MISSING_TIMES):
        return [None if value in _MISSING_TIMES else value for value in column]
    return column


_CONVERTERS: Mapping[str, Callable[[Any], Values]] = {"boolean": _to_bools, "timestamp": _to_times}
