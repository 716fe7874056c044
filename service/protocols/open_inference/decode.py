"""Tensors, however they came, into columns: a tensor for each feature, or one of all of them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from types import NoneType
from typing import Any

from ekiben.contract.columns import Column, Columns, to_list
from ekiben.contract.errors import FieldError, InvalidInput
from ekiben.contract.schema import Schema
from ekiben.contract.tensor_decoding import TensorDecoder
from ekiben.contract.validation import no_rows, shorten, show
from ekiben.service.errors import BadRequest
from ekiben.service.protocols.open_inference.datatypes import Datatype, tensor_error

TEXT_CELLS = frozenset({str, NoneType})
BINARY_OUTPUT = "binary_data_output"  # the parameter by which a request asks for raw answers, or for none


@dataclass(slots=True)
class TensorShape:
    """How much a tensor of that shape holds."""

    shape: list[int]
    rows: int
    width: int | None  # None: a column; else a row has all the features
    count: int  # of values


@dataclass(slots=True)
class Layout:
    """What a request says of its tensors before their values; nearly always the same in all requests of a caller."""

    names: tuple[str, ...]
    datatypes: tuple[Datatype, ...]
    shapes: Sequence[TensorShape]
    even: bool  # all have the same shape

    def take(self, indices: Sequence[int]) -> "Layout":
        """Return the layout of some of the tensors."""
        names, datatypes = [self.names[index] for index in indices], [self.datatypes[index] for index in indices]
        return Layout(
            tuple(names), tuple(datatypes), [self.shapes[index] for index in indices], self.even and bool(names)
        )


NO_TENSORS = Layout((), (), (), even=False)


class TensorReader:
    """Makes columns of one schema."""

    def __init__(self, schema: Schema, check_count: Callable[[int], None]) -> None:
        self._names = schema.names
        self._decoder = TensorDecoder(schema)
        self._check_count = check_count

    def measure(self, names: Sequence[str], shapes: Sequence[Any], datatypes: Sequence[Datatype]) -> Layout:
        """Return the layout of tensors; raise InvalidInput or BadRequest if one is not as tensors are here.

        Nothing is made for their values before their number is found to be allowed.
        """
        if not names:
            raise InvalidInput(FieldError(None, "inputs", "expected at least one tensor, got an empty list"))
        alone = len(names) == 1
        first = self._measure(names[0], shapes[0], alone)
        even = shapes.count(first.shape) == len(shapes)
        measured = [first] * len(shapes)
        if not even:
            measured = [self._measure(name, shape, alone) for name, shape in zip(names, shapes, strict=True)]
        if len(set(names)) < len(names):
            name = next(name for index, name in enumerate(names) if name in names[:index])
            raise tensor_error(name, "is there twice: send one tensor of each name")
        if even and not first.rows:
            raise no_rows("inputs")
        return Layout(tuple(names), tuple(datatypes), measured, even)

    def to_columns(self, layout: Layout, values: Sequence[Column], nans: bool) -> Columns:
        """Return the columns of a request's tensors, of which each has its values; `nans`: numbers may be NaN."""
        width = layout.shapes[0].width
        if width is None:
            return self._decoder.order(layout.names, list(values), nans)
        return self._split(values[0], width, strings=not layout.datatypes[0].size, nans=nans)

    def to_row(self, layout: Layout, row: list[Any]) -> Columns:
        """Do the same with tensors of one value each, any of which may be NaN."""
        if layout.shapes[0].width is None:
            return self._decoder.order_row(layout.names, row, nans=True)
        return self.to_columns(layout, list(zip(row, strict=True)), nans=True)

    def _measure(self, name: str, shape: Any, alone: bool) -> TensorShape:
        """Return what a tensor of that shape holds; `alone`: it is the request's only one."""
        if isinstance(shape, list) and set(map(type, shape)) == {int} and min(shape) >= 0:
            width = self._find_width(name, shape, alone)
            if width is not None or shape[1:] in ([], [1]):
                self._check_count(shape[0])
                return TensorShape(shape, shape[0], width, shape[0] * (width or 1))
        wanted = "[rows] or [rows, 1]" + (f", or [rows, {len(self._names)}] for all features" if alone else "")
        raise tensor_error(name, f"has the shape {_show_shape(shape)}: expected {wanted}")

    def _find_width(self, name: str, shape: list[int], alone: bool) -> int | None:
        """Return how many features a row has, or None if the tensor is a column."""
        is_feature = shape[1:] == [1] and name in self._names
        return len(self._names) if alone and shape[1:] == [len(self._names)] and not is_feature else None

    def _split(self, values: Column, width: int, strings: bool, nans: bool) -> Columns:
        """Return the columns of one tensor of all features; if it is of strings they are as in a CSV file."""
        columns: dict[str, Column] = {name: values[index::width] for index, name in enumerate(self._names)}
        if strings and TEXT_CELLS.issuperset(map(type, values)):
            columns = {name: self._decoder.read_strings(name, to_list(column)) for name, column in columns.items()}
            nans = True
        return self._decoder.to_columns(columns, nans)


def flatten(name: str, data: Any, tensor_shape: TensorShape) -> list[Any]:
    """Return the values of a tensor's JSON, nested as its shape says or flat."""
    if type(data) is not list:
        raise tensor_error(name, f"expected a list of values in `data`, got {show(data)}")
    if data and type(data[0]) is list:
        width = tensor_shape.width or 1
        if {(list, width)} != {(type(row), len(row) if type(row) is list else 0) for row in data}:
            raise tensor_error(
                name, f"has rows of another length in `data` than its shape {_show_shape(tensor_shape.shape)} says"
            )
        data = list(chain.from_iterable(data))
    values: list[Any] = data
    if len(values) != tensor_shape.count:
        raise count_error(name, values, tensor_shape)
    return values


def count_error(name: str, values: Sequence[Any], tensor_shape: TensorShape) -> InvalidInput:
    """Return the error of a tensor that has not as many values as its shape says."""
    shape = _show_shape(tensor_shape.shape)
    return tensor_error(name, f"has {len(values)} values, its shape {shape} is for {tensor_shape.count}: send as many")


def read_timeout_s(parameters: Mapping[str, Any], timeout_s: float) -> float:
    """Return the seconds there are: those, or fewer if the parameters say so."""
    timeout_us = parameters.get("timeout")
    if timeout_us is None:
        return timeout_s
    if type(timeout_us) is not int or timeout_us <= 0:
        raise BadRequest(400, f"parameter `timeout`: expected whole microseconds above 0, got {show(timeout_us)}")
    return min(timeout_s, timeout_us / 1e6)


def read_flag(parameters: Mapping[str, Any], name: str, default: bool) -> bool:
    """Return a parameter that is true or false."""
    value = parameters.get(name, default)
    if type(value) is not bool:
        raise BadRequest(400, f"parameter `{name}`: expected true or false, got {show(value)}")
    return value


def _show_shape(shape: Any) -> str:
    return shorten(str(shape)) if isinstance(shape, list) else show(shape)
