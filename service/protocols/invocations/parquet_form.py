"""Parquet, read in a process of its own by arro3: a tenth of pyarrow's size in the image."""

import asyncio
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from contract.schema import Schema
from contract.tensors import ColumnReader
from service.errors import BadRequest, DeadlineExceeded
from service.json_values import nan_to_null, parse_json
from service.protocols.invocations.names import check_names, find_index

MAGIC = b"PAR1"
READER = Path(__file__).with_name("parquet_reader.py")
MOST_AT_ONCE = 2  # processes
GROWTH = 16  # a table may be so many times as large as its body may be


class ParquetReader:
    """Reads the rows of Parquet bodies; belongs to one event loop."""

    def __init__(self, schema: Schema, max_rows: int, max_bytes: int, check_count: Callable[[int], None]) -> None:
        self._reader = ColumnReader(schema)
        self._max_rows = max_rows
        self._max_bytes = max_bytes * GROWTH
        self._check_count = check_count
        self._turns = asyncio.Semaphore(MOST_AT_ONCE)

    async def read(self, body: bytes, timeout_s: float) -> list[Any]:
        """Return the rows; raise BadRequest or InvalidInput if there are none, DeadlineExceeded if not in time."""
        if len(body) < 12 or body[:4] != MAGIC or body[-4:] != MAGIC:
            raise BadRequest(400, "the body is no Parquet file: it should begin and end with PAR1")
        try:
            async with asyncio.timeout(timeout_s), self._turns:
                code, output = await _run(body, self._max_rows, self._max_bytes)
        except TimeoutError:
            raise DeadlineExceeded from None
        if code != 0:
            raise BadRequest(400, "the Parquet body can't be read: it is damaged or too large once unpacked")
        return self._to_rows(parse_json(output, nan_to_null))

    def _to_rows(self, table: dict[str, Any]) -> list[Any]:
        """Return the rows of what the process says of a table."""
        self._check_count(table["rows"])
        if "columns" not in table:
            raise BadRequest(413, f"the Parquet file unpacks to more than {self._max_bytes} bytes: send fewer rows")
        names, columns = table["names"], table["columns"]
        check_names(names)
        index = find_index(names)
        return self._reader.to_rows({name: columns[place] for place, name in enumerate(names) if place not in index})


async def _run(body: bytes, max_rows: int, max_bytes: int) -> tuple[int | None, bytes]:
    """Return the reader's exit code and what it wrote."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(READER), str(max_rows), str(max_bytes),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
        env={"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )  # fmt: skip
    try:
        output, _ = await process.communicate(body)
    except asyncio.CancelledError:
        process.kill()
        raise
    return process.returncode, output
