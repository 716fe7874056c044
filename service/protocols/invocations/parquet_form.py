"""Parquet, read by arro3: a tenth of pyarrow's size in the image."""

import io
from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from contract.tensors import ColumnReader
from service.errors import BadRequest

MAGIC = b"PAR1"
MAX_TABLE_BYTES = 256 * 2**20  # once unpacked: a body of a few kilobytes may claim any size


def read_parquet(body: bytes, reader: ColumnReader, check_count: Callable[[int], None]) -> list[Any]:
    """Return the rows of a Parquet body."""
    columns: dict[str, list[Any]] = {}
    rows = 0
    for batch in _open(body):
        rows += batch.num_rows
        check_count(rows)
        for name in batch.schema.names:
            columns.setdefault(name, []).extend(map(_to_value, batch.column(name).to_pylist()))
    return reader.to_rows(columns) if rows else []


def _open(body: bytes) -> Any:
    """Return the batches of a body; whatever is wrong with it is one sentence."""
    if len(body) < 12 or body[:4] != MAGIC or body[-4:] != MAGIC:
        raise BadRequest(400, "the body is no Parquet file: it should begin and end with PAR1")
    from arro3.io import read_parquet as open_parquet  # seldom used, and 30 MB

    try:
        batches, size = [], 0
        for batch in open_parquet(io.BytesIO(body)):
            size += batch.nbytes
            if size > MAX_TABLE_BYTES:
                raise BadRequest(413, f"the Parquet file holds more than {MAX_TABLE_BYTES} bytes once unpacked")
            batches.append(batch)
    except (BadRequest, KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # a damaged file makes arro3 panic, and its panic is no Exception
        reason = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
        raise BadRequest(400, f"the Parquet body can't be read: {reason}") from None
    return batches


def _to_value(value: Any) -> Any:
    """Return an Arrow value as JSON would hold it."""
    if isinstance(value, datetime | date):
        return value.isoformat()
    return float(value) if isinstance(value, Decimal) else value
