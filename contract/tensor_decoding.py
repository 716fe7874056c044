"""Tensors, JSON and cells of any protocol, read as the columns that `ekiben.contract.encoding` takes."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from operator import ne
from typing import Any

import numpy as np

from ekiben.contract.columns import (
    BLOCK_ROWS,
    MIN_ARRAY_ROWS,
    Column,
    Columns,
    OneRow,
    Rows,
    Transposer,
    merge,
    null_nans,
)
from ekiben.contract.errors import FieldError, InvalidInput
from ekiben.contract.feature import Number, Value
from ekiben.contract.schema import Schema
from ekiben.contract.spellings.cells import cell_reader
from ekiben.contract.tensor_values import Values, as_listed, find_converters, unwrap_column, unwrap_row
from ekiben.contract.validation import shorten

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
        self._required = {feature.name for feature in schema.features if not feature.optional}
        self._converters = [(f.name, convert) for f in schema.features for convert in find_converters(f)]
        self._transposer = Transposer(schema.names)
        self._plans: dict[tuple[str, ...], _Plan] = {}

    @cached_property
    def _cell_readers(self) -> Mapping[str, Callable[[str | None], Value]]:
        """What reads the cells of a column; made when the first caller sends any."""
        return {feature.name: cell_reader(feature) for feature in self._schema.features}

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
                columns[index] = as_listed(columns[index])
        for index, convert in plan.converters:
            columns[index] = convert(columns[index])
        if nans:
            _null_nans(columns, plan.numbers)
        if plan.order is not None:
            columns = [columns[index] for index in plan.order]
        return Columns(plan.names, columns, lengths.pop() if lengths else 0)

    def order_row(self, names: tuple[str, ...], row: list[Any], nans: bool) -> Columns:
        """Do the same with one row, whose values have these names."""
        plan = self._plans.get(names) or self._plan(names)
        for index, convert in plan.converters:
            (row[index],) = convert((row[index],))
        if nans and any(map(ne, row, row)):
            for index in plan.numbers:
                if row[index] != row[index]:
                    row[index] = None
        return OneRow(plan.names, tuple(row) if plan.order is None else tuple([row[index] for index in plan.order]))

    def _plan(self, names: tuple[str, ...]) -> _Plan:
        indices = {name: index for index, name in enumerate(names)}
        known = self._features.keys() >= indices.keys() >= self._required
        wanted = tuple(name for name in self._schema.names if name in indices) if known else names
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

    def read_texts(self, name: str, values: Sequence[Any]) -> Column:
        """Return a typed table's column; strings in it are read as those of a CSV file."""
        read = self._cell_readers.get(name)
        if read is None or str not in set(map(type, values)):
            return values
        return [read(value) if type(value) is str else value for value in values]

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
