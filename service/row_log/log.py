"""The row log: a share of the answered rows, as they came, with their answers and ids.

Rows are kept until a few hundred are there, which are then made columns of at once, on the event loop: another thread
would hold Python's lock for as long, and fetch each value from this core's cache. A thread writes a file when there are
4 MiB or the oldest row is a minute old. What waits for a slow disk may take 8 MiB; beyond that, and where a file can't
be written, rows are dropped and counted. Answers go on.
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
from ekiben.service.row_log.background import Background
from ekiben.service.row_log.folder import Folder, PartNames
from ekiben.service.row_log.gathered_rows import Gathered, GatheredRows
from ekiben.service.row_log.ids_seen import IdsSeen
from ekiben.service.row_log.parts import write_part
from ekiben.service.row_log.picking import FEW_ROWS, Picked, Picker, Waiting
from ekiben.service.row_log.row_columns import Block, RowColumns
from ekiben.service.telemetry import metrics

logger = logging.getLogger("bentoml.service")
MAX_WAITING_BYTES = 8 * 2**20
PART_BYTES = MAX_WAITING_BYTES // 2  # as much may arrive while it is written
BLOCK_ROWS, BLOCK_BYTES = 256, 2**20  # made columns of at once: half a millisecond
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
        self._picker, self._large_picker = (Picker(schema, share, self._waiting) for _ in range(2))
        self.wants = self._picker.wants  # every request asks
        self._metadata = {SCHEMA_KEY: schema.digest, TARGET_KEY: schema.target.name}
        self._columns, self._folder, self._names = columns, folder, names
        self._loop = asyncio.get_running_loop()
        self._background = Background("row log")
        self._fresh: list[Picked] = []  # in no columns yet
        self._gathered = GatheredRows(schema, self._waiting)  # nor these
        self._fresh_rows = self._fresh_bytes = 0
        self._batches: list[RecordBatch] = []  # of the next file; the thread's
        self._size, self._began = 0, 0.0
        self._failing = False  # the last file could not be written
        self._told_slow = False
        self._ticking: asyncio.TimerHandle
        self.ids = ids or IdsSeen()
        self._tick()

    def pick_large(self, rows: Rows) -> Picked | None:
        """Return the rows of a large request that will be logged once it is answered; the decoder's thread calls it."""
        try:
            return self._large_picker.pick(rows)
        except Exception:  # the boundary: whatever is wrong with the log, the rows are answered
            logger.exception("rows can't be logged")
            return None

    def record(self, prediction_id: bytes, rows: Rows, answers: Answers) -> None:
        """Take the rows of such a request once it is answered."""
        try:
            if isinstance(rows, list) and len(rows) <= FEW_ROWS:
                self._gathered.add(prediction_id, rows, answers)
                if len(self._gathered) >= BLOCK_ROWS or self._gathered.size >= BLOCK_BYTES:
                    self._hand_over()
                return
            picked = self._picker.take(rows)
        except Exception:  # the boundary: whatever is wrong with the log, the rows are answered
            logger.exception("rows can't be logged")
        else:
            if picked is not None:
                self.record_large(prediction_id, picked, answers)

    def record_large(self, prediction_id: bytes, picked: Picked, answers: Answers) -> None:
        """Take rows that were picked, perhaps of a large request, once it is answered."""
        picked.answer(prediction_id, answers)
        if len(picked) > FEW_ROWS:
            self._background.submit(self._store_large, [picked])
            return
        self._fresh.append(picked)
        self._fresh_rows += len(picked)
        self._fresh_bytes += picked.size
        if self._fresh_rows >= BLOCK_ROWS or self._fresh_bytes >= BLOCK_BYTES:
            self._hand_over()

    async def close(self) -> None:
        """Write what is left; what a slow disk doesn't take in CLOSING_S is lost."""
        self._ticking.cancel()
        self._hand_over()
        self._background.submit(self._write)
        if not await self._background.finish(CLOSING_S):
            logger.warning("the row log could not be written to %s in time: its last rows are lost", self._folder)
        self._report_dropped()

    def _hand_over(self) -> None:
        picks, gathered, rows = self._fresh, None, self._fresh_rows + len(self._gathered)
        self._fresh, self._fresh_rows, self._fresh_bytes = [], 0, 0
        try:
            gathered = self._gathered.take()
            if picks or gathered:
                began = min([picked.answered for picked in picks[:1]] + (gathered.times[:1] if gathered else []))
                self._background.submit(self._store, self._make_blocks(picks, gathered), began)
        except Exception:  # the boundary: whatever is wrong with the log, the rows are answered
            logger.exception("rows can't be logged")
            metrics.count_log_dropped("failed", rows)
        finally:
            self._waiting.give(gathered.size if gathered else 0)

    def _tick(self) -> None:
        self._hand_over()
        self._background.submit(self._write_old)
        self._report_dropped()
        self._ticking = self._loop.call_later(TICK_S, self._tick)

    def _report_dropped(self) -> None:
        """Count the rows for which there was no memory, and say so once."""
        dropped = self._picker.dropped + self._large_picker.dropped + self._gathered.dropped
        self._picker.dropped = self._large_picker.dropped = self._gathered.dropped = 0
        if not dropped:
            return
        metrics.count_log_dropped("waiting", dropped)
        if not self._told_slow:
            self._told_slow = True
            limit = f"{MAX_WAITING_BYTES >> 20} MiB wait for {self._folder}"
            logger.warning("%s: the row log drops rows; answers go on. Lower LOG_SAMPLE or find a faster disk", limit)

    def _make_blocks(self, picks: Sequence[Picked], gathered: Gathered | None = None) -> list[Block]:
        blocks = self._columns.to_blocks(picks)
        if gathered:
            blocks.append(self._columns.to_block(gathered.ids, gathered.times, gathered.rows, gathered.answers))
        self._waiting.give(-sum(block.batch.nbytes for block in blocks))
        return blocks

    def _store_large(self, picks: list[Picked]) -> None:
        """Make columns of rows that are too many for the event loop: in the thread, as all that follows."""
        began, blocks = picks[0].answered, self._make_blocks(picks)
        picks.clear()
        self._store(blocks, began)

    def _store(self, blocks: Sequence[Block], began: float) -> None:
        self._began = self._began if self._batches else began
        for block in blocks:
            self.ids.add(block.ids)
            self._size += block.batch.nbytes
            self._batches.append(block.batch)
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
