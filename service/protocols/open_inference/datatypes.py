"""The protocol's datatypes: how each is written in raw bytes, in typed gRPC fields and in a model configuration."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from struct import Struct, unpack_from
from typing import Any

import numpy as np

from contract.check import shorten
from contract.errors import InvalidInput, Problem

TEXTS = "BYTES"
_LENGTH = Struct("<I")  # of a text, before it


@dataclass(frozen=True)
class Datatype:
    """One datatype; a text has no size of its own, and 16-bit floats only a raw form."""

    size: int = 0  # bytes of an element
    code: str = ""  # in `struct`, which knows no BF16
    field: str = ""  # of InferTensorContents
    config: str = ""  # in Triton's model configuration


DATATYPES: Mapping[str, Datatype] = {
    "BOOL": Datatype(1, "?", "bool_contents", "TYPE_BOOL"),
    "UINT8": Datatype(1, "B", "uint_contents", "TYPE_UINT8"),
    "UINT16": Datatype(2, "H", "uint_contents", "TYPE_UINT16"),
    "UINT32": Datatype(4, "I", "uint_contents", "TYPE_UINT32"),
    "UINT64": Datatype(8, "Q", "uint64_contents", "TYPE_UINT64"),
    "INT8": Datatype(1, "b", "int_contents", "TYPE_INT8"),
    "INT16": Datatype(2, "h", "int_contents", "TYPE_INT16"),
    "INT32": Datatype(4, "i", "int_contents", "TYPE_INT32"),
    "INT64": Datatype(8, "q", "int64_contents", "TYPE_INT64"),
    "FP16": Datatype(2, "e", "", "TYPE_FP16"),
    "BF16": Datatype(2, "", "", "TYPE_BF16"),
    "FP32": Datatype(4, "f", "fp32_contents", "TYPE_FP32"),
    "FP64": Datatype(8, "d", "fp64_contents", "TYPE_FP64"),
    TEXTS: Datatype(0, "", "bytes_contents", "TYPE_STRING"),
}


def find_datatype(name: str, datatype: Any) -> Datatype:
    """Return the datatype a tensor names; raise InvalidInput if there is none such."""
    found = DATATYPES.get(datatype) if isinstance(datatype, str) else None
    if found is None:
        shown = shorten(datatype) if isinstance(datatype, str) else "none"
        raise refuse(name, f"datatype {shown} is unknown: send one of {', '.join(DATATYPES)}")
    return found


def refuse(name: str, sentence: str) -> InvalidInput:
    """Return the error that names a tensor."""
    return InvalidInput(Problem(None, shorten(name), sentence))


def read_raw(name: str, datatype: Datatype, content: bytes, start: int, size: int, count: int) -> Sequence[Any]:
    """Return the values of a tensor that lies raw in a content, little-endian; there must be that many."""
    if not datatype.size:
        return _read_texts(name, content, start, start + size, count)
    if size != count * datatype.size:
        raise refuse(name, f"has {size} bytes, its shape and datatype are for {count * datatype.size}: send as many")
    if datatype.code:
        return unpack_from(f"<{count}{datatype.code}", content, start)
    halves = np.frombuffer(content, "<u2", count, start)
    widened: list[float] = (halves.astype(np.uint32) << 16).view(np.float32).tolist()
    return widened


def decode_texts(name: str, texts: Iterable[bytes]) -> list[str]:
    """Return texts; raise InvalidInput if one is no UTF-8."""
    try:
        return [text.decode() for text in texts]
    except UnicodeDecodeError:
        raise refuse(name, "expected text in UTF-8, got other bytes") from None


def write_raw(datatype: str, values: Any) -> bytes:
    """Return values, a list or an array, as a raw tensor."""
    if datatype == TEXTS:
        texts = [text.encode() for text in values]
        return b"".join([part for text in texts for part in (_LENGTH.pack(len(text)), text)])
    return np.asarray(values, f"<{DATATYPES[datatype].code}").tobytes()


def _read_texts(name: str, content: bytes, start: int, end: int, count: int) -> list[str]:
    if end - start < count * _LENGTH.size:  # before anything is made for each
        raise refuse(name, f"has {end - start} bytes, too few for the lengths of {count} texts")
    length_at, texts, place = _LENGTH.unpack_from, [], start
    for index in range(count):
        begin = place + _LENGTH.size
        if begin > end:
            raise refuse(name, f"ends before the length of text {index}")
        place = begin + length_at(content, begin - _LENGTH.size)[0]
        if place > end:
            raise refuse(name, f"ends within text {index}, which should have {place - begin} bytes")
        texts.append(content[begin:place])
    if place != end:
        raise refuse(name, f"has {end - place} bytes more than its shape is for")
    return decode_texts(name, texts)
