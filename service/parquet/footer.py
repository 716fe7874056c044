"""What a Parquet file's footer says of it, checked before any page is read.

Source: https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ekiben.service.parquet.arrow_schema import KEY, find_durations
from ekiben.service.parquet.thrift import BINARY, FLAG, INT, Damaged, Fields, ThriftReader

MAX_FOOTER_BYTES = 2 * 2**20  # of 20 columns it is 11 KB, most of it pandas' and Arrow's own schemas
TAIL_BYTES = 8  # the footer's length, and PAR1
INT64, BYTE_ARRAY, FIXED_LEN_BYTE_ARRAY = 2, 6, 7
REPEATED = 2
CONVERTED_MAP, CONVERTED_LIST = (1, 2), 3
LOGICAL_MAP, LOGICAL_LIST = 2, 3

# What is read of the structs, by the fields' numbers.
TYPE, TYPE_LENGTH, REPETITION, NAME, CHILDREN, CONVERTED, SCALE, PRECISION, LOGICAL = 1, 2, 3, 4, 5, 6, 7, 8, 10
UNIT: Fields = {1: {}, 2: {}, 3: {}}  # milli-, micro- and nanoseconds
PLAIN_TYPES: Fields = {number: {} for number in (1, 2, 3, 4, 6, 11, 12, 13, 14, 15)}
LOGICAL_TYPE: Fields = PLAIN_TYPES | {
    5: {1: INT, 2: INT},  # a decimal's scale and precision
    7: {1: FLAG, 2: UNIT},  # a time: in UTC or not, and its unit
    8: {1: FLAG, 2: UNIT},  # a timestamp: the same
    10: {1: INT, 2: FLAG},  # an integer's bits, and whether it has a sign
}
ELEMENT: Fields = dict.fromkeys(range(1, 9), INT) | {NAME: BINARY, LOGICAL: LOGICAL_TYPE}
CODEC, VALUES, UNPACKED, PACKED, DATA_OFFSET, DICTIONARY_OFFSET = 4, 5, 6, 7, 9, 11
CHUNK_METADATA: Fields = dict.fromkeys((TYPE, CODEC, VALUES, UNPACKED, PACKED, DATA_OFFSET, DICTIONARY_OFFSET), INT)
FILE_PATH, METADATA, ENCRYPTED = 1, 3, 8
CHUNK: Fields = {FILE_PATH: BINARY, METADATA: CHUNK_METADATA, ENCRYPTED: {}}
GROUP: Fields = {1: [CHUNK], 3: INT}
FILE: Fields = {2: [ELEMENT], 3: INT, 4: [GROUP], 5: [{1: BINARY, 2: BINARY}], ENCRYPTED: {}}


class FileRejected(Exception):
    """The file is not read; the text, with an HTTP status, is for the caller."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(slots=True)
class ParquetColumn:
    """A column of the table: one of the schema's uppermost fields."""

    name: str
    element: Fields
    leaf: int  # which of the columns on disk it is, or begins with
    stand_in: Any = None  # what each of its values is shown as, where none can be right: it is not read
    ticks: int = 0  # of a second, of which its values are whole numbers, where they are durations


@dataclass(slots=True)
class Chunk:
    """Where a row group's values of a column are."""

    start: int
    packed_bytes: int
    unpacked_bytes: int  # as it says; not checked yet
    codec: int
    type: int


@dataclass(slots=True)
class RowGroup:
    """Some of the rows."""

    rows: int
    chunks: list[Fields]  # of all columns on disk


@dataclass(slots=True)
class Footer:
    """What is in the file."""

    start: int
    rows: int
    columns: list[ParquetColumn]
    groups: list[RowGroup]  # without those that have no rows


def read_footer(body: bytes | bytearray) -> Footer:
    """Return the footer; raise FileRejected, Damaged or IndexError if it can't be right."""
    if body[-4:] == b"PARE":
        raise FileRejected(400, "the Parquet file is encrypted: send it without encryption")
    length, end = int.from_bytes(body[-TAIL_BYTES:-4], "little"), len(body) - TAIL_BYTES
    start = end - length
    if start < 4:
        raise Damaged("the footer is longer than the file")
    if length > MAX_FOOTER_BYTES:
        raise FileRejected(
            413, f"the Parquet file's footer is larger than {MAX_FOOTER_BYTES} bytes: send fewer columns"
        )
    found = ThriftReader(body, start, end).read_struct(FILE)
    if ENCRYPTED in found:
        raise FileRejected(400, "the Parquet file is encrypted: send it without encryption")
    columns, leaves = list_columns(found[2], find_durations(find_arrow_schema(found)))
    groups = [RowGroup(group[3], group[1]) for group in found[4]]
    check_groups(groups, found[3], leaves)
    return Footer(start, found[3], columns, [group for group in groups if group.rows])


def find_arrow_schema(found: Fields) -> bytes:
    """Return the schema that Arrow's writers keep beside Parquet's, or nothing."""
    return next((pair.get(2, b"") for pair in found.get(5, ()) if pair.get(1) == KEY), b"")


def list_columns(elements: list[Fields], durations: Mapping[str, int]) -> tuple[list[ParquetColumn], int]:
    """Return the table's columns, and how many there are on disk."""
    columns: list[ParquetColumn] = []
    index, leaf = 1, 0
    for _ in range(elements[0].get(CHILDREN, 0)):
        element = elements[index]
        name = element[NAME].decode()
        ticks = durations.get(name, 0) if element.get(TYPE) == INT64 else 0
        columns.append(ParquetColumn(name, element, leaf, find_stand_in(element), ticks))
        index, leaf = pass_over(elements, index, leaf)
    if index != len(elements):
        raise Damaged("the schema has other fields than it says")
    return columns, leaf


def pass_over(elements: list[Fields], index: int, leaf: int) -> tuple[int, int]:
    """Return what follows a field, and how many columns on disk are before that."""
    left = 1
    while left:
        children = elements[index].get(CHILDREN) or 0
        if children < 0:
            raise Damaged("a field has less than no fields")
        leaf += not children
        left += children - 1
        index += 1
    return index, leaf


def find_stand_in(element: Fields) -> Any:
    """Return what stands for the values of a column that no feature can have, or None."""
    logical = element.get(LOGICAL) or {}
    if element.get(CONVERTED) in (*CONVERTED_MAP, CONVERTED_LIST) or logical.keys() & {LOGICAL_MAP, LOGICAL_LIST}:
        return []
    if element.get(CHILDREN):
        return [] if element.get(REPETITION) == REPEATED else {}
    return [] if element.get(REPETITION) == REPEATED else None


def check_groups(groups: list[RowGroup], rows: int, leaves: int) -> None:
    """Raise Damaged unless the row groups have the rows and columns that the file says."""
    if any(group.rows < 0 or len(group.chunks) != leaves for group in groups):
        raise Damaged("a row group has other columns than the schema")
    if sum(group.rows for group in groups) != rows:
        raise Damaged("the row groups have other rows than the file says")


def find_chunk(chunk: Fields, rows: int, end: int) -> Chunk:
    """Return where a flat column's values are; raise Damaged if they can't be there."""
    if ENCRYPTED in chunk:
        raise FileRejected(400, "the Parquet file is encrypted: send it without encryption")
    metadata = chunk[METADATA]
    start, dictionary = metadata[DATA_OFFSET], metadata.get(DICTIONARY_OFFSET, 0)
    if 0 < dictionary < start:  # some writers say 0 where there is none
        start = dictionary
    found = Chunk(start, metadata[PACKED], metadata[UNPACKED], metadata[CODEC], metadata[TYPE])
    in_file = start >= 4 and found.packed_bytes >= 0 and start + found.packed_bytes <= end
    if not in_file or found.unpacked_bytes < 0 or metadata[VALUES] != rows or chunk.get(FILE_PATH):
        raise Damaged("a column is not where the footer says")
    return found
