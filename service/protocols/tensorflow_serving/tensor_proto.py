"""TensorProto ↔ columns: TensorFlow's tensors as gRPC carries them."""

from collections.abc import Callable, Mapping
from itertools import islice
from operator import attrgetter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ekiben.contract.columns import Column, from_array, widen_bfloat16
from ekiben.contract.errors import FieldError, InvalidInput
from ekiben.contract.tensors import TensorSpec
from ekiben.contract.validation import shorten
from ekiben.service.errors import BadRequest
from ekiben.service.protos import enum

DTYPES: Mapping[str, int] = enum("tensorflow.DataType")
DTYPE_NAMES = {number: name for name, number in DTYPES.items()}
# What the datatypes of ekiben.contract.tensors are called here, and the field that holds their values.
WRITTEN = {
    "FP32": ("DT_FLOAT", "float_val"),
    "INT64": ("DT_INT64", "int64_val"),
    "BOOL": ("DT_BOOL", "bool_val"),
    "BYTES": ("DT_STRING", "string_val"),
}
MAX_SHOWN_DIMENSIONS = 8
# Values that were not sent, as one stands for all rows: a message of a kilobyte could be 20,000 rows, 0.3 s of CPU.
FREE_FILL, MAX_FILL_RATIO = 8192, 10
Reader = Callable[[Any, int], Any]


class _InvalidTensor(Exception):
    """What is wrong with a tensor; its name comes later."""


def read_tensors(tensors: Mapping[str, Any], check_count: Callable[[int], None]) -> dict[str, Column]:
    """Return the tensors, (rows,) or (rows, 1), as columns.

    One value may stand for all rows; `check_count` may reject their number before that costs
    anything. Raises InvalidInput naming the tensor that is not as it says, BadRequest if too few values stand for all.
    """
    columns: dict[str, Column] = {}
    repeated: dict[str, int] = {}
    sent = 0
    for name, tensor in tensors.items():
        try:
            columns[name], rows = _read_tensor(tensor, check_count)
        except _InvalidTensor as error:
            raise InvalidInput(FieldError(None, shorten(name), str(error))) from None
        sent += len(columns[name])
        if len(columns[name]) != rows:
            repeated[name] = rows
    filled = sum(repeated.values())
    if filled > max(FREE_FILL, MAX_FILL_RATIO * sent):
        raise BadRequest(413, f"{sent} values stand for {filled}: send fewer rows at once, or a value for each row")
    return columns | {name: list(columns[name]) * rows for name, rows in repeated.items()}


def write_tensor(tensor: Any, spec: TensorSpec, values: Any) -> None:
    """Fill a message with values, (rows,) or (rows, width), in the fields that old clients read."""
    dtype, field = WRITTEN[spec.datatype]
    tensor.dtype = DTYPES[dtype]
    tensor.tensor_shape.dim.add(size=len(values))
    if spec.width is not None:
        tensor.tensor_shape.dim.add(size=spec.width)
    flat = values.ravel().tolist() if isinstance(values, np.ndarray) else values
    getattr(tensor, field).extend([text.encode() for text in flat] if spec.datatype == "BYTES" else flat)


def _read_tensor(tensor: Any, check_count: Callable[[int], None]) -> tuple[Column, int]:
    """Return a tensor's values, one for each row or one for all, and the number of rows."""
    read = _READERS.get(tensor.dtype)
    if read is None:
        dtype = DTYPE_NAMES.get(tensor.dtype, tensor.dtype)
        raise _InvalidTensor(f"data type {dtype} is not supported: send numbers, DT_BOOL or DT_STRING")
    rows = _read_rows(tensor.tensor_shape)
    check_count(rows)
    values: Column = read(tensor, rows)
    if len(values) not in (1, rows):
        raise _InvalidTensor(f"has {len(values)} values, its shape is for {rows}: send as many")
    return values, rows


def _read_rows(shape: Any) -> int:
    """Return how many rows a shape is for; one without dimensions is for one."""
    sizes = [dim.size for dim in islice(shape.dim, MAX_SHOWN_DIMENSIONS)]
    rows: int = sizes[0] if sizes else 1
    if shape.unknown_rank or rows < 0 or sizes[1:] not in ([], [1]):
        shown = "an unknown rank" if shape.unknown_rank else f"the shape {sizes}"
        raise _InvalidTensor(f"has {shown}: expected [rows] or [rows, 1]")
    return rows


def _number_reader(field: str, dtype: str) -> Reader:
    values = attrgetter(field)
    width = np.dtype(dtype).itemsize

    def read(tensor: Any, rows: int) -> Any:
        content = tensor.tensor_content
        if not content:
            return list(values(tensor))
        _check_length(content, rows * width)
        return from_array(np.frombuffer(content, dtype))

    return read


def _half_reader(widen: Callable[[NDArray[np.uint16]], NDArray[Any]]) -> Reader:
    """Return a reader of 16-bit floats, whose bits stand in an int32 each."""

    def read(tensor: Any, rows: int) -> Any:
        content = tensor.tensor_content
        if content:
            _check_length(content, rows * 2)
            return from_array(widen(np.frombuffer(content, "<u2")))
        try:
            return from_array(widen(np.array(tensor.half_val, np.uint16)))
        except OverflowError:
            raise _InvalidTensor("expected 16 bits in each half_val, got more") from None

    return read


def _widen_half(bits: NDArray[np.uint16]) -> NDArray[Any]:
    return bits.view(np.float16)


def _read_strings(tensor: Any, rows: int) -> list[str]:
    if tensor.tensor_content:
        raise _InvalidTensor("has strings in tensor_content, which has no form for them: send them in string_val")
    try:
        return [text.decode() for text in tensor.string_val]
    except UnicodeDecodeError:
        raise _InvalidTensor("expected text in UTF-8, got other bytes") from None


def _check_length(content: bytes, wanted: int) -> None:
    if len(content) != wanted:
        raise _InvalidTensor(f"has {len(content)} bytes in tensor_content, its shape and data type are for {wanted}")


_READERS: Mapping[int, Reader] = {
    DTYPES[name]: reader
    for name, reader in {
        "DT_FLOAT": _number_reader("float_val", "<f4"),
        "DT_DOUBLE": _number_reader("double_val", "<f8"),
        "DT_HALF": _half_reader(_widen_half),
        "DT_BFLOAT16": _half_reader(widen_bfloat16),
        "DT_INT8": _number_reader("int_val", "<i1"),
        "DT_INT16": _number_reader("int_val", "<i2"),
        "DT_INT32": _number_reader("int_val", "<i4"),
        "DT_INT64": _number_reader("int64_val", "<i8"),
        "DT_UINT8": _number_reader("int_val", "<u1"),
        "DT_UINT16": _number_reader("int_val", "<u2"),
        "DT_UINT32": _number_reader("uint32_val", "<u4"),
        "DT_UINT64": _number_reader("uint64_val", "<u8"),
        "DT_BOOL": _number_reader("bool_val", "?"),
        "DT_STRING": _read_strings,
    }.items()
}
