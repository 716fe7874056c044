"""The schema as tensors: the inputs and outputs of every tensor protocol.

The datatypes have the Open Inference Protocol's names. Each tensor is a column, (rows,), but for
the probabilities of several classes, (rows, classes).
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from operator import ne
from types import NoneType
from typing import Any

from ekiben.contract.answers import Answers, label_rows
from ekiben.contract.csv_values import read_cell
from ekiben.contract.errors import FieldError, InvalidInput
from ekiben.contract.feature import Boolean, Category, Feature, Number, Value
from ekiben.contract.schema import INTERVAL, Schema, Target
from ekiben.contract.validation import shorten

Column = Sequence[Value]
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
    """Turns tensors and cells of other protocols into the rows that `ekiben.contract.encoding` takes."""

    def __init__(self, schema: Schema) -> None:
        self._schema = schema
        self._features = {feature.name: feature for feature in schema.features}
        self._readers = {feature.name: _READERS[feature.kind](feature) for feature in schema.features}
        self._converters = {
            feature.name: self._readers[feature.name] for feature in schema.features if _needs_conversion(feature)
        }

    def to_rows(self, columns: Mapping[str, Column], without_nan: bool = False) -> list[dict[str, Value]]:
        """Return a row for each index of the columns; raise InvalidInput if their lengths differ.

        Missing may be NaN or an empty string, a boolean 0 or 1, a whole number a float. Names that are
        no feature's stay, for the checks to find. `without_nan`: none is there to look for.
        """
        lengths = {len(column) for column in columns.values()}
        if len(lengths) > 1:
            first = next(iter(columns))
            name = next(name for name in columns if len(columns[name]) != len(columns[first]))
            others = f"`{shorten(first)}` has {len(columns[first])}"
            sentence = f"has {len(columns[name])} values, {others}: send as many of each"
            raise InvalidInput(FieldError(None, shorten(name), sentence))
        readers = self._converters if without_nan or not _hold_nan(columns.values()) else self._readers
        read = [readers[name](column) if name in readers else column for name, column in columns.items()]
        return [dict(zip(columns, row, strict=True)) for row in zip(*read, strict=True)]

    def read_row(self, row: Mapping[str, Any]) -> dict[str, Value]:
        """Return one row of values read as `to_rows` reads them; a list of one value stands for it."""
        readers = self._readers
        flat = unwrap_row(row)
        return {name: readers[name]((value,))[0] if name in readers else value for name, value in flat.items()}

    def read_rows(self, rows: Sequence[Any]) -> list[Any]:
        """Do the same with many rows of JSON's values, which hold no NaN.

        What is not an object stays, for the checks to find.
        """
        flat = [unwrap_row(row) if type(row) is dict else row for row in rows]
        if self._are_read(flat):
            return flat
        return [self.read_row(row) if type(row) is dict else row for row in flat]

    def _are_read(self, rows: Sequence[Any]) -> bool:
        """Return whether the rows are as `read_row` would leave them: most are, and then cost little."""
        for name, read in self._converters.items():
            try:
                column = [row[name] for row in rows]
            except (KeyError, TypeError):  # a field is missing, or a row is not an object
                return False
            if read(column) is not column:
                return False
        return True

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


def _hold_nan(columns: Iterable[Column]) -> bool:
    """Return whether any value is NaN, which alone differs from itself; one look at all costs least."""
    values = list(chain.from_iterable(columns))
    return any(map(ne, values, values))


def unwrap_row(row: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a row without the lists that hold a single value."""
    if list not in set(map(type, row.values())):
        return row
    return {name: value[0] if type(value) is list and len(value) == 1 else value for name, value in row.items()}


def unwrap_column(column: Sequence[Any]) -> Sequence[Any]:
    """Return a column, (rows,) or (rows, 1), as (rows,)."""
    if list not in set(map(type, column)):
        return column
    return [value[0] if type(value) is list and len(value) == 1 else value for value in column]


def _needs_conversion(feature: Feature) -> bool:
    """Return whether a value that JSON can hold may have to be read as another."""
    plain = isinstance(feature, Number) or (isinstance(feature, Category) and not feature.integers)
    return not plain


def _input_type(feature: Feature) -> str:
    if isinstance(feature, Number) or (isinstance(feature, Boolean) and feature.nullable):
        return "FP32"
    return "BOOL" if isinstance(feature, Boolean) else "BYTES"


def _number_reader(_: Feature) -> Callable[[Column], Column]:
    def read(column: Column) -> Column:
        if any(map(ne, column, column)):  # only NaN differs from itself
            return [None if value != value else value for value in column]
        return column

    return read


def _boolean_reader(_: Feature) -> Callable[[Column], Column]:
    def read(column: Column) -> Column:
        return column if _BOOL_TYPES.issuperset(map(type, column)) else [_to_bool(value) for value in column]

    return read


def _to_bool(value: Value) -> Value:
    if type(value) in (int, float):
        if value in (0, 1):
            return bool(value)
        return None if value != value else value
    return value


def _category_reader(feature: Feature) -> Callable[[Column], Column]:
    if not (isinstance(feature, Category) and feature.integers):
        return lambda column: column

    def read(column: Column) -> Column:
        return [_to_integer(value) for value in column] if float in set(map(type, column)) else column

    return read


def _to_integer(value: Value) -> Value:
    if isinstance(value, float):
        if math.isnan(value):
            return None
        return int(value) if value.is_integer() else value
    return value


def _timestamp_reader(feature: Feature) -> Callable[[Column], Column]:
    def read(column: Column) -> Column:
        if any(text in column for text in _MISSING_TIMES):
            return [None if value in _MISSING_TIMES else value for value in column]
        return column

    return read


_READERS: Mapping[str, Callable[[Feature], Callable[[Column], Column]]] = {
    "number": _number_reader,
    "category": _category_reader,
    "boolean": _boolean_reader,
    "timestamp": _timestamp_reader,
}
