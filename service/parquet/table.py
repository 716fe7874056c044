"""The table in a Parquet file: what has to be read of it, and how many rows at once."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from ekiben.service.parquet.footer import Chunk, FileRejected, Footer, ParquetColumn, find_chunk, read_footer
from ekiben.service.parquet.index_columns import find_index
from ekiben.service.parquet.pages import UnpackedSize, measure_pages
from ekiben.service.parquet.thrift import Damaged
from ekiben.service.parquet.trim import replace_footer

BATCH_VALUES = 10_000  # half a millisecond of the service's time
MAX_BATCH_ROWS = 1024
BATCH_BYTES = 8 * 2**20
MAX_IGNORED = 100  # columns that are named: more than are shown, as they are compared with features that are absent


@dataclass(slots=True)
class Table:
    """A file whose footer was looked at."""

    rows: int
    names: list[str]
    ignored: list[str] = field(
        default_factory=list
    )  # the first columns that are left out, as every required feature is there
    columns: Sequence[ParquetColumn] = ()  # those that are wanted; none where the names alone say that it is wrong
    batch_rows: int = 0


def open_table(
    body: bytearray, features: frozenset[str], required: frozenset[str], max_rows: int, max_bytes: int
) -> Table:
    """Return what a file holds, and leave in it only the columns to read.

    Raises FileRejected, Damaged or what else a wrong index raises, before a page is unpacked.
    """
    footer = read_footer(body)
    table = Table(footer.rows, [column.name for column in footer.columns])
    index = set(find_index(table.names))
    wanted = [column for position, column in enumerate(footer.columns) if position not in index]
    if len(set(table.names)) < len(table.names):
        return table
    if required.issubset(table.names):
        table.ignored = [column.name for column in wanted if column.name not in features][:MAX_IGNORED]
        wanted = [column for column in wanted if column.name in features]
        table.names = [column.name for column in wanted]
    elif not all(column.name in features for column in wanted):
        return table
    if not 0 < table.rows <= max_rows:
        return table
    table.columns = wanted
    unpacked_size = prepare(body, footer, [column for column in wanted if column.stand_in is None], max_bytes)
    table.batch_rows = max(
        1, min(MAX_BATCH_ROWS, BATCH_VALUES // (len(wanted) or 1), BATCH_BYTES // unpacked_size.row_bytes)
    )
    return table


def prepare(body: bytearray, footer: Footer, columns: Sequence[ParquetColumn], max_bytes: int) -> UnpackedSize:
    """Check where the columns are and what they unpack to, and leave no others in the file."""
    groups = [
        (group.rows, [find_chunk(group.chunks[column.leaf], group.rows, footer.start) for column in columns])
        for group in footer.groups
    ]
    if sum(chunk.packed_bytes for _, chunks in groups for chunk in chunks) > len(body):
        raise Damaged("columns share their bytes")
    check_size(sum(chunk.unpacked_bytes for _, chunks in groups for chunk in chunks), max_bytes)
    unpacked_size = measure(body, columns, groups, max_bytes)
    replace_footer(body, footer.start, columns, groups)
    return unpacked_size


def measure(
    body: bytearray, columns: Sequence[ParquetColumn], groups: Sequence[tuple[int, Sequence[Chunk]]], max_bytes: int
) -> UnpackedSize:
    """Return what all pages unpack to."""
    unpacked_size = UnpackedSize()
    for index, column in enumerate(columns):
        widest = UnpackedSize(unpacked_size.bytes, pages=unpacked_size.pages)
        for rows, chunks in groups:
            measure_pages(body, chunks[index], column.element, rows, widest)
            check_size(widest.bytes, max_bytes)
        unpacked_size.bytes, unpacked_size.pages = widest.bytes, widest.pages
        unpacked_size.row_bytes += widest.row_bytes
    return unpacked_size


def check_size(size: int, max_bytes: int) -> None:
    """Raise FileRejected if the rows take more than a body of another form could hold."""
    if size > max_bytes:
        raise FileRejected(413, f"the Parquet file unpacks to more than {max_bytes} bytes: send fewer rows")
