"""The rows of a table as JSON, in pieces that the service parses without keeping others waiting."""

import json
import math
from collections.abc import Iterator, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

import orjson
from arro3.core import RecordBatch
from arro3.io import read_parquet

from ekiben.contract.spellings.typed_durations import write_duration
from ekiben.service.parquet.footer import FileRejected
from ekiben.service.parquet.frames import MAX_PIECE_BYTES
from ekiben.service.parquet.table import Table
from ekiben.service.parquet.thrift import Damaged

Columns = Sequence[list[Any]]


def read_pieces(body: bytearray, table: Table) -> Iterator[bytes]:
    """Yield the wanted columns of some rows after the other, in their order."""
    rows = 0
    for batch in read_batches(body, table):
        rows += len(batch[0])
        if rows > table.rows:
            break
        yield from encode(batch)
    if table.columns and rows != table.rows:
        raise Damaged("there are other rows than the footer says")


def read_batches(body: bytearray, table: Table) -> Iterator[Columns]:
    """Yield the values of the columns of some rows after the other."""
    if not table.columns:
        return
    if all(column.stand_in is not None for column in table.columns):
        yield [[column.stand_in] * table.rows for column in table.columns]
        return
    for batch in read_parquet(body, batch_size=table.batch_rows):
        yield list(list_columns(batch, table))


def list_columns(batch: RecordBatch, table: Table) -> Iterator[Any]:
    """Yield the values of each column, or what stands for them."""
    index = 0
    for column in table.columns:
        if column.stand_in is None:
            values: Any = batch.column(index).to_pylist()  # a list, whatever its types say
            yield write_durations(values, column.ticks) if column.ticks else values
            index += 1
        else:
            yield [column.stand_in] * batch.num_rows


def write_durations(values: Sequence[Any], ticks: int) -> list[str | None]:
    """Return what Parquet stores as numbers as strings: only a number that is a duration may be read of them."""
    return [None if value is None else write_duration(value, ticks) for value in values]


def encode(columns: Columns) -> Iterator[bytes]:
    """Yield JSON of rows, halved until each piece is small enough."""
    written = write(columns)
    rows = len(columns[0])
    if len(written) <= MAX_PIECE_BYTES:
        yield written
        return
    del written
    if rows == 1:
        raise FileRejected(
            413, f"a row of the Parquet file takes more than {MAX_PIECE_BYTES} bytes: shorten its strings"
        )
    middle = rows // 2
    yield from encode([column[:middle] for column in columns])
    yield from encode([column[middle:] for column in columns])


def write(columns: Columns) -> bytes:
    """Return columns as JSON; NaN may become null, but an infinity is to be rejected later and stays."""
    infinite = any(math.inf in column or -math.inf in column for column in columns)
    return json.dumps(columns, default=spell).encode() if infinite else orjson.dumps(columns, default=spell)


def spell(value: Any) -> Any:
    """Return a value as JSON has it."""
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, bytes):  # some writers don't say of a string that it is one
        return value.decode(errors="backslashreplace")
    return value.isoformat() if isinstance(value, datetime | date | time) else str(value)
