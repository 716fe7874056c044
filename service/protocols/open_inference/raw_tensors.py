"""Raw tensors that lie one after the other in a body: after JSON, or as the contents of a gRPC message."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from struct import Struct
from typing import Any

from ekiben.contract.columns import Column
from ekiben.service.protocols.open_inference.datatypes import LENGTH, Datatype, read_raw
from ekiben.service.protocols.open_inference.decode import Layout

REMEMBERED_ROWS = 512  # forms of one row: by how long its strings are


def read_tensors(layout: Layout, sizes: Sequence[int], body: bytes, start: int) -> Sequence[Column]:
    """Return the values of tensors of those sizes in bytes, which begin there; raise InvalidInput if one is wrong."""
    if layout.even and layout.shapes[0].count == 1 and (row := _read_row(layout.datatypes, tuple(sizes), body, start)):
        return row
    columns = []
    for name, datatype, shape, size in zip(layout.names, layout.datatypes, layout.shapes, sizes, strict=True):
        columns.append(read_raw(name, datatype, body, start, size, shape.count))
        start += size
    return columns


@dataclass(frozen=True, slots=True)
class _RowForm:
    """How the values of one row lie in a body; of a string its length lies before it."""

    values: Struct
    lengths: Struct
    strings: Sequence[int]  # which values are strings
    expected: tuple[int, ...]  # their lengths


def _read_row(datatypes: tuple[Datatype, ...], sizes: tuple[int, ...], body: bytes, start: int) -> list[Any] | None:
    """Return the values of one row at a quarter of the cost of one after the other; None if one of them is wrong."""
    form = _describe_row(datatypes, sizes)
    if form is None or form.lengths.unpack_from(body, start) != form.expected:
        return None
    row: list[Any] = list(form.values.unpack_from(body, start))
    try:
        for index in form.strings:
            row[index] = row[index].decode()
    except UnicodeDecodeError:
        return None
    return list(zip(row, strict=True))


@lru_cache(REMEMBERED_ROWS)
def _describe_row(datatypes: tuple[Datatype, ...], sizes: tuple[int, ...]) -> _RowForm | None:
    """Return the form of a row, None if a size is not its datatype's or `struct` doesn't know the datatype."""
    values = lengths = "<"
    strings = [index for index, datatype in enumerate(datatypes) if not datatype.size]
    for datatype, size in zip(datatypes, sizes, strict=True):
        text_size = size - LENGTH.size
        if text_size < 0 if not datatype.size else (size != datatype.size or not datatype.code):
            return None
        values += datatype.code or f"{LENGTH.size}x{text_size}s"
        lengths += f"{size}x" if datatype.size else f"I{text_size}x"
    return _RowForm(Struct(values), Struct(lengths), strings, tuple([sizes[index] - LENGTH.size for index in strings]))
