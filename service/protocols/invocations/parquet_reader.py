"""Reads a Parquet file from standard input and writes its columns as JSON; run as a process of its own.

A damaged file can abort the process that reads it (arro3 0.9: a panic in Rust that can't unwind), and
a small one can unpack to any size: neither may happen to the service. Nothing of the service is
imported here, so that the process starts in a few hundredths of a second.
"""

import io
import os
import resource
import sys
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import orjson

MAX_MEMORY_BYTES = 2 * 2**30
TOO_MANY, DAMAGED = 3, 4  # exit codes


def read_columns(body: bytes, max_rows: int) -> dict[str, list[Any]]:
    """Return the values of each column; exit with TOO_MANY if there are more rows than that."""
    from arro3.io import read_parquet

    columns: dict[str, list[Any]] = {}
    rows = 0
    for batch in read_parquet(io.BytesIO(body)):
        rows += batch.num_rows
        if rows > max_rows:
            sys.exit(TOO_MANY)
        for name in batch.schema.names:
            columns.setdefault(name, []).extend(map(to_json_value, batch.column(name).to_pylist()))
    return columns


def to_json_value(value: Any) -> Any:
    """Return an Arrow value as JSON holds it."""
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return float(value)
    return value.decode() if isinstance(value, bytes) else value


def main() -> None:
    """Read, write, and end; a panic is no Exception, so all of them are caught."""
    resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY_BYTES, MAX_MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        columns = read_columns(sys.stdin.buffer.read(), int(sys.argv[1]))
        sys.stdout.buffer.write(orjson.dumps(columns, option=orjson.OPT_NON_STR_KEYS))
    except SystemExit:
        raise
    except BaseException:
        os._exit(DAMAGED)


if __name__ == "__main__":
    main()
