"""The protocol's datatypes: how each is written in raw bytes, in typed gRPC fields and in a model configuration."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from struct import Struct
from typing import Any

import numpy as np

from ekiben.contract.columns import MIN_ARRAY_ROWS, Column, from_array, widen_bfloat16
from ekiben.contract.errors import FieldError, InvalidInput
from ekiben.contract.validation import shorten, show

STRINGS = "BYTES"
MANY_STRINGS = 8  # from which on it pays to see whether all have one length
LENGTH = Struct("<I")  # of a string, before it


@dataclass(frozen=True, eq=False)  # there is one of each name: told apart by that, they cost nothing to look up
class Datatype:
    """One datatype; a string has no size of its own, and 16-bit floats only a raw form."""

    name: str
    size: int = 0  # bytes of an element
    code: str = ""  # in `struct`, which knows no BF16
    field: str = ""  # of InferTensorContents
    config: str = ""  # in Triton's model configuration


_ALL = (
    Datatype("BOOL", 1, "?", "bool_contents", "TYPE_BOOL"),
    Datatype("UINT8", 1, "B", "uint_contents", "TYPE_UINT8"),
    Datatype("UINT16", 2, "H", "uint_contents", "TYPE_UINT16"),
    Datatype("UINT32", 4, "I", "uint_contents", "TYPE_UINT32"),
    Datatype("UINT64", 8, "Q", "uint64_contents", "TYPE_UINT64"),
    Datatype("INT8", 1, "b", "int_contents", "TYPE_INT8"),
    Datatype("INT16", 2, "h", "int_contents", "TYPE_INT16"),
    Datatype("INT32", 4, "i", "int_contents", "TYPE_INT32"),
    Datatype("INT64", 8, "q", "int64_contents", "TYPE_INT64"),
    Datatype("FP16", 2, "e", "", "TYPE_FP16"),
    Datatype("BF16", 2, "", "", "TYPE_BF16"),
    Datatype("FP32", 4, "f", "fp32_contents", "TYPE_FP32"),
    Datatype("FP64", 8, "d", "fp64_contents", "TYPE_FP64"),
    Datatype(STRINGS, 0, "", "bytes_contents", "TYPE_STRING"),
)
DATATYPES: Mapping[str, Datatype] = {datatype.name: datatype for datatype in _ALL}
DTYPES = {datatype.name: np.dtype(f"<{datatype.code}") for datatype in _ALL if datatype.code}


@lru_cache
def _unpacker(code: str, count: int) -> Callable[[bytes, int], Sequence[Any]]:
    return Struct(f"<{count}{code}").unpack_from


@lru_cache
def _packer(code: str, count: int) -> Callable[..., bytes]:
    return Struct(f"<{count}{code}").pack


def find_datatype(name: str, datatype: str) -> Datatype:
    """Return the datatype a tensor names; raise InvalidInput if there is none such."""
    found = DATATYPES.get(datatype)
    if found is None:
        raise unknown_datatype_error(name, datatype)
    return found


def unknown_datatype_error(name: str, datatype: Any) -> InvalidInput:
    """Return the error of a tensor whose datatype is none."""
    shown = shorten(datatype) if isinstance(datatype, str) else show(datatype)
    return tensor_error(name, f"datatype {shown} is unknown: send one of {', '.join(DATATYPES)}")


def tensor_error(name: str, sentence: str) -> InvalidInput:
    """Return the error that names a tensor."""
    return InvalidInput(FieldError(None, shorten(name), sentence))


def read_raw(name: str, datatype: Datatype, content: bytes, start: int, size: int, count: int) -> Column:
    """Return the values of a tensor that lies raw in a content, little-endian; there must be that many."""
    if not datatype.size:
        return _read_strings(name, content, start, start + size, count)
    if size != count * datatype.size:
        raise tensor_error(
            name, f"has {size} bytes, its shape and datatype are for {count * datatype.size}: send as many"
        )
    if not datatype.code:
        return from_array(widen_bfloat16(np.frombuffer(content, "<u2", count, start)))
    if count >= MIN_ARRAY_ROWS:
        return np.frombuffer(content, f"<{datatype.code}", count, start)
    return _unpacker(datatype.code, count)(content, start)


def decode_strings(name: str, strings: Iterable[bytes]) -> list[str]:
    """Return strings; raise InvalidInput if one is not UTF-8."""
    try:
        return [text.decode() for text in strings]
    except UnicodeDecodeError:
        raise tensor_error(name, "expected text in UTF-8, got other bytes") from None


def write_raw(datatype: str, values: Any) -> bytes:
    """Return values, a list or an array, as a raw tensor."""
    if datatype == STRINGS:
        strings = [text.encode() for text in values]
        return b"".join([part for text in strings for part in (LENGTH.pack(len(text)), text)])
    if type(values) is list and len(values) < MIN_ARRAY_ROWS:
        return _packer(DATATYPES[datatype].code, len(values))(*values)
    return np.asarray(values, DTYPES[datatype]).tobytes()


def _read_strings(name: str, content: bytes, start: int, end: int, count: int) -> list[str]:
    if end - start < count * LENGTH.size:  # before anything is made for each
        raise tensor_error(name, f"has {end - start} bytes, too few for the lengths of {count} strings")
    if count >= MANY_STRINGS and (strings := _read_even_strings(content[start:end], count)):
        return strings
    if count == 1 and LENGTH.unpack_from(content, start)[0] == end - start - LENGTH.size:
        return decode_strings(name, (content[start + LENGTH.size : end],))
    length_at, pieces, position = LENGTH.unpack_from, [], start
    for index in range(count):
        begin = position + LENGTH.size
        if begin > end:
            raise tensor_error(name, f"ends before the length of text {index}")
        position = begin + length_at(content, begin - LENGTH.size)[0]
        if position > end:
            raise tensor_error(name, f"ends within text {index}, which should have {position - begin} bytes")
        pieces.append(content[begin:position])
    if position != end:
        raise tensor_error(name, f"has {end - position} bytes more than its shape is for")
    return decode_strings(name, pieces)


def _read_even_strings(content: bytes, count: int) -> list[str] | None:
    """Return ASCII strings of equal length, such as codes and times, at a quarter of the cost; else None."""
    step, rest = divmod(len(content), count)
    if rest or not content.isascii():
        return None
    length = LENGTH.pack(step - LENGTH.size)
    if any(content[index::step] != length[index : index + 1] * count for index in range(LENGTH.size)):
        return None
    whole = content.decode("ascii")
    return [whole[begin : begin + step - LENGTH.size] for begin in range(LENGTH.size, len(whole) + 1, step)]
