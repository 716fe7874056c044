"""Writes a footer anew, of the columns that are wanted alone and of nothing that was not checked.

arro3 reads all columns that a footer names, and panics at many a damaged one. The numbers are those
of `footer.py`'s source.
"""

from collections.abc import Sequence
from typing import Any

from ekiben.service.parquet import footer as parquet
from ekiben.service.parquet.footer import Chunk, ParquetColumn
from ekiben.service.parquet.thrift import BYTE, BYTES, I32, I64, LIST, STRUCT, TRUE, Fields, write_list, write_struct

DECIMAL, TIME, TIMESTAMP, INTEGER = 5, 7, 8, 10  # of the logical types, those that have fields
ELEMENT_TYPES = dict.fromkeys(range(1, 9), I32) | {parquet.NAME: BYTES}
PLAIN_AND_LEVELS = write_list(I32, (0, 3))  # the encodings, which each page says again
EMPTY = write_struct(())
MAGIC = b"PAR1"

Groups = Sequence[tuple[int, Sequence[Chunk]]]  # of each row group the rows, and the columns' chunks


def replace_footer(body: bytearray, start: int, columns: Sequence[ParquetColumn], groups: Groups) -> None:
    """Let the file have these columns alone."""
    schema = [write_struct([(4, BYTES, b"schema"), (5, I32, len(columns))]), *map(write_element, columns)]
    written = write_struct(
        [
            (1, I32, 2),  # the format's version
            (2, LIST, write_list(STRUCT, schema)),
            (3, I64, sum(rows for rows, _ in groups)),
            (4, LIST, write_list(STRUCT, [write_group(columns, rows, chunks) for rows, chunks in groups])),
        ]
    )
    del body[start:]
    body += written + len(written).to_bytes(4, "little") + MAGIC


def write_element(column: ParquetColumn) -> bytes:
    """Return a column's part of the schema."""
    element = column.element
    fields: list[tuple[int, int, Any]] = [
        (number, ELEMENT_TYPES[number], element[number])
        for number in sorted(element.keys() & ELEMENT_TYPES.keys())
        if number != parquet.CHILDREN
    ]
    if logical := element.get(parquet.LOGICAL):
        fields.append((parquet.LOGICAL, STRUCT, write_logical(*next(iter(logical.items())))))
    return write_struct(fields)


def write_logical(kind: int, fields: Fields) -> bytes:
    """Return a logical type."""
    return write_struct([(kind, STRUCT, _write_parameters(kind, fields))])


def _write_parameters(kind: int, fields: Fields) -> bytes:
    if kind == DECIMAL:
        return write_struct([(1, I32, fields[1]), (2, I32, fields[2])])
    if kind in (TIME, TIMESTAMP):
        unit = write_struct([(next(iter(fields[2])), STRUCT, EMPTY)])
        return write_struct([(1, TRUE, fields[1]), (2, STRUCT, unit)])
    return write_struct([(1, BYTE, fields[1]), (2, TRUE, fields[2])]) if kind == INTEGER else EMPTY


def write_group(columns: Sequence[ParquetColumn], rows: int, chunks: Sequence[Chunk]) -> bytes:
    """Return a row group."""
    written = [write_chunk(column, rows, chunk) for column, chunk in zip(columns, chunks, strict=True)]
    size = sum(chunk.unpacked_bytes for chunk in chunks)
    return write_struct([(1, LIST, write_list(STRUCT, written)), (2, I64, size), (3, I64, rows)])


def write_chunk(column: ParquetColumn, rows: int, chunk: Chunk) -> bytes:
    """Return where a row group's values of a column are; the dictionary, if there is one, comes first."""
    metadata = write_struct(
        [
            (1, I32, chunk.type),
            (2, LIST, PLAIN_AND_LEVELS),
            (3, LIST, write_list(BYTES, [column.element[parquet.NAME]])),
            (4, I32, chunk.codec),
            (5, I64, rows),
            (6, I64, chunk.unpacked_bytes),
            (7, I64, chunk.packed_bytes),
            (9, I64, chunk.start),
        ]
    )
    return write_struct([(2, I64, chunk.start), (3, STRUCT, metadata)])
