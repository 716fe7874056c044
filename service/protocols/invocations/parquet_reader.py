"""Reads a Parquet file from standard input and writes its columns as JSON; run as a process of its own.

A damaged file can abort the process that reads it (arro3 0.9: a panic in Rust that can't unwind), a
page of a few bytes may claim two gigabytes (https://github.com/apache/arrow-rs/issues/10734), and a
small file can unpack to any size: none of it may happen to the service. Nothing of the service is
imported here, so that the process starts in a few hundredths of a second.

`python parquet_reader.py MAX_ROWS MAX_BYTES` writes {"rows", "names", "columns"}; without names and
columns if there is more than that. A file that can't be read ends it, one way or another.
"""

import contextlib
import json
import math
import resource
import sys
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

import orjson
from arro3.io import read_parquet

MAX_MEMORY_BYTES = 2**30
MAX_CPU_S = 30
REFERENCE_BYTES = 8  # of each value in a list
BATCH_ROWS = 256  # few: of a dictionary's long text each row has a copy


def main(max_rows: int, max_bytes: int) -> None:
    """Write the columns of the file on standard input."""
    limit(resource.RLIMIT_CORE, 0)
    limit(resource.RLIMIT_CPU, MAX_CPU_S)
    limit(resource.RLIMIT_AS, MAX_MEMORY_BYTES)
    sys.stdout.buffer.write(write(read_table(sys.stdin.buffer.read(), max_rows, max_bytes)))


def limit(kind: int, value: int) -> None:
    """Let this process use no more of something; not every system has every limit."""
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(kind, (value, value))


def read_table(body: bytes, max_rows: int, max_bytes: int) -> dict[str, Any]:
    """Return what there is to say of a file."""
    batches = read_parquet(body, batch_size=BATCH_ROWS)
    names = batches.schema.names
    columns: list[list[Any]] = [[] for _ in names]
    rows = size = 0
    for batch in batches:
        rows += batch.num_rows
        if rows > max_rows:
            continue  # to know how many there are
        size += batch.nbytes + REFERENCE_BYTES * batch.num_rows * len(names)
        if size > max_bytes:
            return {"rows": 0}
        for place, values in enumerate(columns):
            values.extend(batch.column(place).to_pylist())
    return {"rows": rows} if rows > max_rows else {"rows": rows, "names": names, "columns": columns}


def write(table: dict[str, Any]) -> bytes:
    """Return a table as JSON; NaN may become null, but an infinity is to be refused later and stays."""
    infinite = any(math.inf in column or -math.inf in column for column in table.get("columns", ()))
    return json.dumps(table, default=spell).encode() if infinite else orjson.dumps(table, default=spell)


def spell(value: Any) -> Any:
    """Return a value as JSON has it."""
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, bytes):  # some writers don't say of a text that it is one
        return value.decode(errors="backslashreplace")
    return value.isoformat() if isinstance(value, datetime | date | time) else str(value)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
