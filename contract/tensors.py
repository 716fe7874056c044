"""The schema as tensors: the inputs and outputs of every tensor protocol.

The datatypes have the Open Inference Protocol's names. Each tensor is a column, (rows,), but for
the probabilities of several classes, (rows, classes).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from operator import ne
from types import NoneType
from typing import Any

import numpy as np

from ekiben.contract.answers import Answers, label_rows
from ekiben.contract.columns import (
    BLOCK_ROWS,
    MIN_ARRAY_ROWS,
    Column,
    Columns,
    Rows,
    Transposer,
    merge,
    null_nans,
)
from ekiben.contract.csv_values import read_cell
from ekiben.contract.errors import FieldError, InvalidInput
from ekiben.contract.feature import Boolean, Category, Feature, Number, Value
from ekiben.contract.schema import INTERVAL, Schema, Target
from ekiben.contract.validation import shorten

Values = Sequence[Any]  # a column that is not an array
_BOOL_TYPES = frozenset({bool, NoneType})
_MISSING_TIMES = ("", "NaT")  # as tensors and pandas write them
LABEL_TYPES = {bool: "BOOL", int: "INT64", str: "BYTES"}


@dataclass(frozen=True)
class TensorSpec:
    """One tensor of the signature."""

    name: str
    datatype: str
    width: int | None = None  # None: a column, (rows,)


def input_specs(schema: Schema) -> tuple[TensorSpec, ...]:
    """Return a tensor for each feature; a missing value is NaN in FP32 and an empty string in BYTES."""
    return tuple(TensorSpec(feature.name, _input_type(feature)) for feature in schema.features)


def output_specs(target: Target) -> tuple[TensorSpec, ...]:
    """Return the tensors that `to_tensors` gives."""
    if target.task == "regression":
        return tuple(TensorSpec(name, "FP32") for name in INTERVAL)
    probability = TensorSpec("probability", "FP32")
    label = TensorSpec("label", LABEL_TYPES[type(target.classes[0])])
    if target.task == "binary":
        return probability, label
    return label, probability, TensorSpec("probabilities", "FP32", len(target.classes))


def to_tensors(target: Target, answers: Answers) -> dict[str, Any]:
    """Return the answers by the outputs' names: float32 arrays, and a list of labels."""
    if target.task == "regression":
        return {name: answers[:, index] for index, name in enumerate(INTERVAL)}
    labels = label_rows(target, answers)
    if target.task == "binary":
        return {"probability": answers[:, 0], "label": labels}
    return {"label": labels, "probability": answers.max(axis=1), "probabilities": answers}


class TensorDecoder:
    """Turns tensors, JSON and cells of other protocols into the columns that `ekiben.contract.encoding` takes."""

    def __init__(self, schema: Schema) -> None:
        self._schema = schema
        self._features = {feature.name: feature for feature in schema.features}
        self._numbers = tuple(feature.name for feature in schema.features if isinstance(feature, Number))
        self._converters = [(f.name, convert) for f in schema.features if (convert := _find_converter(f))]
        self._transposer = Transposer(schema.names)

    def to_columns(self, given: Mapping[str, Column], nans: bool = False) -> Columns:
        """Return the columns in the features' order; raise InvalidInput if their lengths differ.

        Missing may be NaN or an empty string, a boolean 0 or 1, a whole number a float. Names that are
        no feature's stay, for the checks to find. `nans`: numbers may be NaN, as JSON's can't.
        """
        lengths = set(map(len, given.values()))
        if len(lengths) > 1:
            raise _length_error(given)
        columns: dict[str, Any] = dict(given)
        if np.ndarray in set(map(type, given.values())):
            columns |= {name: _as_listed(columns[name]) for name in columns if name not in self._numbers}
        for name, convert in self._converters:
            if name in columns:
                columns[name] = convert(columns[name])
        if nans:
            self._null_nans(columns)
        names = self._schema.names if columns.keys() == self._features.keys() else tuple(columns)
        return Columns(names, [columns[name] for name in names], lengths.pop() if lengths else 0)

    def _null_nans(self, columns: dict[str, Any]) -> None:
        """Let null stand where a list of numbers has NaN; one look at all of them costs least."""
        lists = {n: columns[n] for n in self._numbers if n in columns and type(columns[n]) is not np.ndarray}
        values = list(chain.from_iterable(lists.values()))
        if any(map(ne, values, values)):
            columns |= {name: null_nans(column) for name, column in lists.items()}

    def read_row(self, row: Mapping[str, Any], nans: bool = False) -> dict[str, Value]:
        """Return one row of values read as `to_columns` reads them; a list of one value stands for it."""
        columns: dict[str, Any] = {name: (value,) for name, value in unwrap_row(row).items()}
        for name, convert in self._converters:
            if name in columns:
                columns[name] = convert(columns[name])
        if nans:
            self._null_nans(columns)
        return {name: value for name, (value,) in columns.items()}

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
        feature = self._features.get(name)
        return strings if feature is None else [read_cell(feature, text) for text in strings]

    def by_position(self, rows: Sequence[Sequence[Any]]) -> dict[str, Column]:
        """Return columns of rows that hold their values in the features' order."""
        names = self._schema.names
        for index, row in enumerate(rows):
            if len(row) != len(names):
                expected = f"expected {len(names)} values in the order of the features, got {len(row)}"
                raise InvalidInput(FieldError(index, None, expected))
        return dict(zip(names, zip(*rows, strict=True), strict=True))


def _length_error(columns: Mapping[str, Column]) -> InvalidInput:
    first = next(iter(columns))
    name = next(name for name in columns if len(columns[name]) != len(columns[first]))
    sentence = f"has {len(columns[name])} values, `{first}` has {len(columns[first])}: send as many of each"
    return InvalidInput(FieldError(None, name, sentence))


def unwrap_row(row: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a row without the lists that hold a single value."""
    return dict(zip(row, unwrap_column(list(row.values())), strict=True))


def unwrap_column(column: Column) -> Column:
    """Return a column, (rows,) or (rows, 1), as (rows,)."""
    if list not in set(map(type, column)):
        return column
    return [value[0] if type(value) is list and len(value) == 1 else value for value in column]


def _input_type(feature: Feature) -> str:
    if isinstance(feature, Number) or (isinstance(feature, Boolean) and feature.nullable):
        return "FP32"
    return "BOOL" if isinstance(feature, Boolean) else "BYTES"


def _find_converter(feature: Feature) -> Callable[[Values], Values] | None:
    """Return what makes a column's values of those that JSON or a tensor may hold for them."""
    if isinstance(feature, Category):
        return _to_integers if feature.integers else None
    return {"boolean": _to_bools, "timestamp": _to_times}.get(feature.kind)


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
