"""Parquet, read in processes of its own by arro3: a tenth of pyarrow's size in the image."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import aclosing
from typing import Any

import orjson

from ekiben.contract.columns import NO_ROWS, Columns, merge
from ekiben.contract.field_fitting import FieldFitter, Ignored
from ekiben.contract.schema import Schema
from ekiben.contract.tensor_decoding import TensorDecoder
from ekiben.contract.validation import validate_names as check_known
from ekiben.service.errors import BadRequest, DeadlineExceeded
from ekiben.service.http.json_parsing import nan_to_null, parse_json
from ekiben.service.lifecycle.resource_limits import Limits
from ekiben.service.parquet.frames import FAULT, TABLE, Job
from ekiben.service.parquet.index_columns import find_index
from ekiben.service.parquet.process import ReaderDied, ReaderProcess
from ekiben.service.parquet.readers import Gone, Readers, count_readers, find_memory_bytes
from ekiben.service.protocols.invocations.names import check_names

logger = logging.getLogger("bentoml.service")

MAGICS = (b"PAR1", b"PARE")  # the second is that of an encrypted one
MIN_FILE_BYTES = 12
NO_LIMITS = Limits()
DAMAGED = "the Parquet body can't be read: it is damaged or too large once unpacked"


class ParquetReader:
    """Reads the rows of Parquet bodies; belongs to one event loop."""

    def __init__(
        self, schema: Schema, max_rows: int, max_bytes: int, check_count: Callable[[int], None],
        limits: Limits = NO_LIMITS, workers: int = 1,
    ) -> None:  # fmt: skip
        self._schema = schema
        self._reader = TensorDecoder(schema)
        self._fitter = FieldFitter(schema)
        self._check_count = check_count
        memory_bytes = find_memory_bytes(limits, workers, max_bytes)
        self._readers = Readers(
            Job(schema.names, max_rows, max_bytes, memory_bytes, tuple(self._fitter.optional)),
            count_readers(limits, workers),
        )

    async def read(self, body: bytes, timeout_s: float, gone: Gone | None = None) -> tuple[Columns, Ignored]:
        """Return the rows and the names of the columns that are ignored.

        Raises BadRequest or InvalidInput if the body holds no table of this schema, or a RequestRejected.
        `gone` waits until the caller has disconnected, who then leaves the queue before the processes.
        """
        if len(body) < MIN_FILE_BYTES or body[:4] not in MAGICS or body[-4:] not in MAGICS:
            raise BadRequest(400, "the body is not a Parquet file: it should begin and end with PAR1")
        deadline = asyncio.get_running_loop().time() + timeout_s
        try:
            async with asyncio.timeout_at(deadline), self._readers.lend(gone) as reader:
                return await self._read(reader, body, deadline - asyncio.get_running_loop().time())
        except TimeoutError:
            raise DeadlineExceeded from None
        except ReaderDied:
            raise BadRequest(400, DAMAGED) from None
        except OSError as error:  # of sockets, processes or memory there are no more
            logger.warning("no process can be started to read Parquet: %s", error)
            raise BadRequest(503, "Parquet can't be read now: try again, or send JSON or CSV") from None

    def close(self) -> None:
        """End the processes that read."""
        self._readers.close()

    async def _read(self, reader: ReaderProcess, body: bytes, seconds: float) -> tuple[Columns, Ignored]:
        table: dict[str, Any] = {}
        fault: dict[str, Any] = {}
        pieces: list[Columns] = []
        async with aclosing(reader.read(body, seconds)) as frames:
            async for kind, content in frames:
                if kind == TABLE:
                    table = orjson.loads(content)
                elif kind == FAULT:
                    fault = orjson.loads(content)
                else:
                    pieces.append(self._to_columns(table["names"], content))
        if fault:
            raise BadRequest(**fault)
        self._check(table)
        return merge(pieces) if pieces else NO_ROWS, tuple(table["ignored"])

    def _to_columns(self, names: Sequence[str], piece: bytes) -> Columns:
        """Return the rows of a piece: a few hundred, so that nobody waits for it."""
        index = find_index(names)
        wanted = [name for position, name in enumerate(names) if position not in index]
        columns = dict(zip(wanted, parse_json(piece, nan_to_null), strict=True))
        return self._reader.to_columns({name: self._reader.read_texts(name, columns[name]) for name in wanted})

    def _check(self, table: dict[str, Any]) -> None:
        """Raise BadRequest or InvalidInput if the table can't be one of this schema, as its names and rows say."""
        self._check_count(table["rows"])
        names = table["names"]
        check_names(names)
        if table["rows"]:
            index = find_index(names)
            given = [name for position, name in enumerate(names) if position not in index] + table["ignored"]
            if not self._fitter.ignores(given):
                check_known(self._schema, given)
