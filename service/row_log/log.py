"""The row log: a share of the answered rows, as they came, with their answers and ids.

Rows are copied as they are encoded and stay so until there are some thousands: of these a thread makes columns, and it
writes a file when there are 4 MiB or the oldest row is a minute old. What waits for a slow disk may take 8 MiB; beyond
that, and where a file can't be written, rows are dropped and counted. Answers go on.
"""

import asyncio
import logging
import time
from collections.abc import Sequence

from arro3.core import RecordBatch

from ekiben.contract.answers import Answers
from ekiben.contract.columns import Rows
from ekiben.contract.log_columns import SCHEMA_KEY, TARGET_KEY
from ekiben.contract.schema import Schema
from ekiben.service.batching.work import Work
from ekiben.service.row_log.background import Background
from ekiben.service.row_log.folder import Folder, PartNames
from ekiben.service.row_log.ids_seen import IdsSeen
from ekiben.service.row_log.kept_rows import REQUEST_BYTES, Kept, Layout
from ekiben.service.row_log.parts import write_part
from ekiben.service.row_log.picking import Picker
from ekiben.service.row_log.row_columns import RowColumns
from ekiben.service.row_log.waiting import Waiting
from ekiben.service.telemetry import metrics

logger = logging.getLogger("bentoml.service")
MAX_WAITING_BYTES = 8 * 2**20
PART_BYTES = MAX_WAITING_BYTES // 2  # as much may arrive while it is written
BLOCK_ROWS, BLOCK_BYTES = 4096, 2 * 2**20  # made columns of at once: of fewer it costs twice as much a row
TICK_S = 1.0
MAX_AGE_S = 60.0
CLOSING_S = 2.0


class RowLog:
    """Logs for one process; belongs to one event loop."""

    def __init__(
        self, schema: Schema, columns: RowColumns, share: float, folder: Folder, names: PartNames,
        ids: IdsSeen | None = None,
    ) -> None:  # fmt: skip
        self._waiting = Waiting(MAX_WAITING_BYTES)
        layout = Layout(schema)
        self._picker, self._large_picker = (Picker(schema, layout, share, self._waiting) for _ in range(2))
        self._metadata = {SCHEMA_KEY: schema.digest, TARGET_KEY: schema.target.name}
        self._columns, self._folder, self._names = columns, folder, names
        self._loop = asyncio.get_running_loop()
        self._background = Background("row log")
        self._fresh: list[Kept] = []  # answered, in no block yet
        self._fresh_rows = 0
        self._block_rows = max(1, min(BLOCK_ROWS, BLOCK_BYTES // (REQUEST_BYTES + layout.row_bytes)))
        self._batches: list[RecordBatch] = []  # of the next file; the thread's
        self._size, self._began = 0, 0.0
        self._failing = False  # the last file could not be written
        self._told_slow = False
        self._timer: asyncio.TimerHandle
        self.ids = ids or IdsSeen()
        self._tick()

    def keep(self, works: Sequence[Work], rows: Rows) -> None:
        """Keep a share of the rows of requests that were encoded together, for when they are answered."""
        try:
            self._picker.keep(works, rows)
        except Exception:  # the boundary: whatever is wrong with the log, the rows are answered
            logger.exception("rows can't be logged")

    def pick_large(self, rows: Rows) -> Kept | None:
        """Return the rows of a large request that will be logged once it is answered; the decoder's thread calls it."""
        try:
            return self._large_picker.pick(rows)
        except Exception:  # the boundary: whatever is wrong with the log, the rows are answered
            logger.exception("rows can't be logged")
            return None

    def record(self, prediction_id: bytes, kept: Kept, answers: Answers) -> None:
        """Take the rows of a request that were kept, once it is answered: (rows, outputs) of all its rows."""
        try:
            kept.answer(prediction_id, answers)
        except Exception:  # the boundary: whatever is wrong with the log, the rows are answered
            logger.exception("rows can't be logged")
            return
        self._fresh.append(kept)
        self._fresh_rows += len(kept)
        if self._fresh_rows >= self._block_rows:
            self._hand_over()

    async def rest(self) -> bool:
        """Wait until its thread has nothing to do; return whether it was within CLOSING_S."""
        return await self._background.finish(CLOSING_S)

    async def close(self) -> None:
        """Write what is left, and end; what a slow disk doesn't take in CLOSING_S is lost."""
        self._timer.cancel()
        self._hand_over()
        self._background.submit(self._write)
        if not await self.rest():
            logger.warning("the row log could not be written to %s in time: its last rows are lost", self._folder)
        self._background.end()
        self._report_dropped()
        self._picker.forget()
        self._large_picker.forget()

    def abandon(self) -> None:
        """End without having logged anything."""
        self._timer.cancel()
        self._background.end()

    def _hand_over(self) -> None:
        if self._fresh:
            fresh, self._fresh, self._fresh_rows = self._fresh, [], 0
            self._background.submit(self._store, fresh)

    def _tick(self) -> None:
        self._hand_over()
        self._background.submit(self._write_old)
        self._report_dropped()
        self._timer = self._loop.call_later(TICK_S, self._tick)

    def _report_dropped(self) -> None:
        """Count the rows for which there was no memory, and say so once."""
        dropped = self._picker.dropped + self._large_picker.dropped
        self._picker.dropped = self._large_picker.dropped = 0
        if not dropped:
            return
        metrics.count_log_dropped("waiting", dropped)
        if not self._told_slow:
            self._told_slow = True
            limit = f"{MAX_WAITING_BYTES >> 20} MiB wait for {self._folder}"
            logger.warning("%s: the row log drops rows; answers go on. Lower LOG_SAMPLE or find a faster disk", limit)

    def _store(self, kept: list[Kept]) -> None:
        """Make columns of rows; the thread does so, as all that follows."""
        rows, began = sum(map(len, kept)), kept[0].answered
        try:
            blocks = self._columns.to_blocks(kept)
        except Exception:  # the boundary: whatever is wrong with the log, the rows are answered
            logger.exception("rows can't be logged")
            self._loop.call_soon_threadsafe(metrics.count_log_dropped, "failed", rows)
            return
        finally:
            for one in kept:
                del one.rows  # whoever still holds the request need not hold these
        self._began = self._began if self._batches else began
        for block in blocks:
            self.ids.add(block.ids)
            self._size += block.batch.nbytes
            self._batches.append(block.batch)
        self._waiting.give(-sum(block.batch.nbytes for block in blocks))
        if self._size >= PART_BYTES:
            self._write()

    def _write_old(self) -> None:
        if self._batches and not 0 <= time.time() - self._began < MAX_AGE_S:
            self._write()

    def _write(self) -> None:
        batches, self._batches = self._batches, []
        size, self._size = self._size, 0
        if not batches:
            return
        rows = sum(batch.num_rows for batch in batches)
        try:
            content = write_part(batches, self._columns.repeated, self._metadata)
            self._folder.write(self._names.next(self._began), content)
        except Exception as error:  # the boundary: of disks, and of storage libraries that raise anything
            self._loop.call_soon_threadsafe(self._fail, rows, error)
        else:
            self._loop.call_soon_threadsafe(self._succeed, rows)
        finally:
            self._waiting.give(size)

    def _succeed(self, rows: int) -> None:
        metrics.count_logged(rows)
        if self._failing:
            self._failing = False
            logger.info("the row log is written to %s again", self._folder)

    def _fail(self, rows: int, error: Exception) -> None:
        metrics.count_log_dropped("write", rows)
        if not self._failing:
            self._failing = True
            reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
            logger.warning("%s can't be written to (%s): the row log drops rows; answers go on", self._folder, reason)
