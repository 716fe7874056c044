"""Parquet, read in a process of its own by arro3: a tenth of pyarrow's size in the image."""

import asyncio
import os
import sys
from pathlib import Path
from typing import Any

import orjson

from contract.tensors import ColumnReader
from service.errors import BadRequest, DeadlineExceeded
from service.protocols.invocations.parquet_reader import DAMAGED, TOO_MANY

MAGIC = b"PAR1"
READER = Path(__file__).with_name("parquet_reader.py")
MOST_AT_ONCE = 2  # processes


class ParquetReader:
    """Turns Parquet bodies into rows; belongs to one event loop."""

    def __init__(self, reader: ColumnReader, max_rows: int) -> None:
        self._reader = reader
        self._max_rows = max_rows
        self._turns = asyncio.Semaphore(MOST_AT_ONCE)

    async def read(self, body: bytes, timeout_s: float) -> list[Any]:
        """Return the rows of a body; raise BadRequest if it can't be read, DeadlineExceeded if not in time."""
        if len(body) < 12 or body[:4] != MAGIC or body[-4:] != MAGIC:
            raise BadRequest(400, "the body is no Parquet file: it should begin and end with PAR1")
        try:
            async with asyncio.timeout(timeout_s), self._turns:
                code, output = await _run(body, self._max_rows)
        except TimeoutError:
            raise DeadlineExceeded from None
        if code == TOO_MANY:
            raise BadRequest(
                413, f"the Parquet file has more than {self._max_rows} rows: send them in several requests"
            )
        if code != 0:
            why = "it is damaged" if code == DAMAGED else "it is damaged or too large once unpacked"
            raise BadRequest(400, f"the Parquet body can't be read: {why}")
        columns = orjson.loads(output)
        return self._reader.to_rows(columns) if columns else []


async def _run(body: bytes, max_rows: int) -> tuple[int | None, bytes]:
    """Return the reader's exit code and what it wrote."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(READER), str(max_rows),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
        env={"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )  # fmt: skip
    try:
        output, _ = await process.communicate(body)
    except asyncio.CancelledError:
        process.kill()
        raise
    return process.returncode, output
