"""Keeps labels, before their sender is answered: a label that was taken is on the disk.

Labels that arrive while a file is written are written together, as a database's group commit does it. A file is
written again with each of these groups until it has 4,096 labels or is a minute old: a sender of single labels would
fill the folder otherwise.
"""

import asyncio
import logging
import time

import numpy as np
from arro3.core import Array, DataType, RecordBatch

from ekiben.contract.schema import Target
from ekiben.service.connections.rejections import RETRY_AFTER_S
from ekiben.service.errors import BadRequest, Overloaded
from ekiben.service.prediction_ids import read_time
from ekiben.service.row_log.background import Background
from ekiben.service.row_log.folder import Folder, PartNames
from ekiben.service.row_log.ids_seen import IdsSeen
from ekiben.service.row_log.labels import Labels, Receipt
from ekiben.service.row_log.parts import write_part
from ekiben.service.row_log.row_columns import ID, MICROSECONDS, TIME, UTC_MICROSECONDS

logger = logging.getLogger("bentoml.service")
LABEL = "label"
MAX_WAITING_LABELS = 100_000
PART_LABELS, PART_AGE_S = 4096, 60.0
CLOSING_S = 2.0


class LabelLog:
    """Keeps the labels of one process; belongs to one event loop."""

    def __init__(self, target: Target, folder: Folder, names: PartNames, rows: IdsSeen) -> None:
        """`rows`: the ids of the rows that were logged."""
        self._numbers = target.task == "regression"
        self._metadata = {"ekiben.target": target.name}
        self._folder, self._names, self._rows = folder, names, rows
        self._background = Background("label log")
        self._loop = asyncio.get_running_loop()
        self._arrived: list[tuple[Labels, asyncio.Future[Receipt]]] = []
        self._waiting = 0
        self._seen = IdsSeen()  # ids with their labels; the thread's, as all that follows
        self._batches: list[RecordBatch] = []
        self._name, self._began = "", 0.0

    async def keep(self, labels: Labels) -> Receipt:
        """Keep labels; raise Overloaded if too many wait already, BadRequest if they can't be written."""
        if self._waiting + len(labels) > MAX_WAITING_LABELS:
            raise Overloaded(RETRY_AFTER_S)
        self._waiting += len(labels)
        future: asyncio.Future[Receipt] = self._loop.create_future()
        self._arrived.append((labels, future))
        if len(self._arrived) == 1:
            self._background.submit(self._keep_arrived)
        return await future

    async def close(self) -> None:
        """Wait for what is being written."""
        await self._background.finish(CLOSING_S)

    def _keep_arrived(self) -> None:
        arrived, self._arrived = self._arrived, []
        now = time.time()
        keys, receipts, batches = [], [], []
        for labels, _ in arrived:
            pairs = [f"{one}\0{value}" for one, value in zip(labels.ids, labels.values, strict=True)]
            fresh = np.flatnonzero(~self._seen.find(pairs)).tolist()
            receipts.append(self._describe(labels, [labels.ids[index] for index in fresh]))
            keys += [pairs[index] for index in fresh]
            if fresh:
                batches.append(self._to_batch(labels, fresh, now))
        error = self._append(batches, now) if batches else None
        if error is None:
            self._seen.add(keys)
        self._loop.call_soon_threadsafe(self._answer, arrived, receipts, error)

    def _describe(self, labels: Labels, added: list[str]) -> Receipt:
        missing = [one for one, found in zip(added, self._rows.find(added), strict=True) if not found]
        since = self._rows.since
        late = sum((read_time(one) or since) < int(since) for one in missing)
        return Receipt(len(added), labels.given - len(added), len(missing) - late, late)

    def _to_batch(self, labels: Labels, indices: list[int], now: float) -> RecordBatch:
        values = [labels.values[index] for index in indices]
        times = np.full(len(indices), int(MICROSECONDS * now), np.int64)
        return RecordBatch.from_pydict({
            ID: Array([labels.ids[index] for index in indices], DataType.string()),
            LABEL: Array(values, DataType.float64() if self._numbers else DataType.string()),
            TIME: Array.from_numpy(times).cast(UTC_MICROSECONDS),
        })  # fmt: skip

    def _append(self, batches: list[RecordBatch], now: float) -> Exception | None:
        """Write the file with these batches in it; return what kept it from being written."""
        rows = sum(batch.num_rows for batch in self._batches)
        if not self._batches or rows >= PART_LABELS or not 0 <= now - self._began < PART_AGE_S:
            self._batches, self._name, self._began = [], self._names.next(now), now
        try:
            repeated = () if self._numbers else (LABEL,)
            self._folder.write(self._name, write_part([*self._batches, *batches], repeated, self._metadata))
        except Exception as error:  # the boundary: of disks, and of storage libraries that raise anything
            return error
        self._batches += batches
        return None

    def _answer(
        self, arrived: list[tuple[Labels, asyncio.Future[Receipt]]], receipts: list[Receipt], error: Exception | None
    ) -> None:
        if error is not None:
            reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
            logger.warning("%s can't be written to (%s): labels are rejected", self._folder, reason)
        for (labels, future), receipt in zip(arrived, receipts, strict=True):
            self._waiting -= len(labels)
            if future.done():
                continue
            if error is None:
                future.set_result(receipt)
            else:
                sentence = "the labels can't be kept now, the log says why: send them again later"
                future.set_exception(BadRequest(503, sentence, (b"retry-after", b"%d" % RETRY_AFTER_S)))
