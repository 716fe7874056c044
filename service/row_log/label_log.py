"""Keeps labels, before their sender is answered: a label that was taken is on the disk.

Labels that arrive while a file is written are written together, as a database's group commit does it. A file is
written again with each of these groups until it has 4,096 labels or is a minute old: a sender of single labels would
fill the folder otherwise.
"""

import asyncio
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from arro3.core import Array, DataType, RecordBatch

from ekiben.contract.log_columns import ID, LABEL, TARGET_KEY, TIME
from ekiben.contract.schema import Target
from ekiben.service.connections.rejections import RETRY_AFTER_S
from ekiben.service.errors import BadRequest, Overloaded
from ekiben.service.prediction_ids import read_time
from ekiben.service.row_log.background import Background
from ekiben.service.row_log.folder import Folder, PartNames
from ekiben.service.row_log.ids_seen import IdsSeen
from ekiben.service.row_log.labels import Kept, Labels, Receipt
from ekiben.service.row_log.latest_labels import LatestLabels
from ekiben.service.row_log.parts import write_part
from ekiben.service.row_log.row_columns import MICROSECONDS, UTC_MICROSECONDS

logger = logging.getLogger("bentoml.service")
MAX_WAITING_LABELS = 100_000
PART_LABELS, PART_AGE_S = 4096, 60.0
CLOSING_S = 2.0


@dataclass(frozen=True, slots=True)
class Arrived:
    """The labels of a request that waits for them to be written."""

    labels: Labels
    time: float  # seconds since 1970
    future: "asyncio.Future[Receipt]"


class LabelLog:
    """Keeps the labels of one process; belongs to one event loop."""

    def __init__(self, target: Target, folder: Folder, names: PartNames, rows: IdsSeen) -> None:
        """`rows`: the ids of the rows that were logged."""
        self._numbers = target.task == "regression"
        self._metadata = {TARGET_KEY: target.name}
        self._folder, self._names, self._rows = folder, names, rows
        self._background = Background("label log")
        self._loop = asyncio.get_running_loop()
        self._arrived: list[Arrived] = []
        self._waiting, self._last = 0, 0.0
        self._latest = LatestLabels()  # the thread's, as all that follows
        self._batches: list[RecordBatch] = []
        self._name, self._began = "", 0.0

    async def keep(self, labels: Labels) -> Receipt:
        """Keep labels; raise Overloaded if too many wait already, BadRequest if they can't be written."""
        if self._waiting + len(labels) > MAX_WAITING_LABELS:
            raise Overloaded(RETRY_AFTER_S)
        self._waiting += len(labels)
        future: asyncio.Future[Receipt] = self._loop.create_future()
        self._last = max(time.time(), self._last + 1 / MICROSECONDS)  # the later of two labels counts
        self._arrived.append(Arrived(labels, self._last, future))
        if len(self._arrived) == 1:
            self._background.submit(self._keep_arrived)
        return await future

    async def close(self) -> None:
        """Wait for what is being written."""
        await self._background.finish(CLOSING_S)
        self._background.end()

    def abandon(self) -> None:
        """End without having kept anything."""
        self._background.end()

    def _keep_arrived(self) -> None:
        arrived, self._arrived = self._arrived, []
        fresh: dict[str, Kept] = {}
        receipts, batches = [], []
        for one in arrived:
            pairs = list(zip(one.labels.ids, one.labels.values, strict=True))
            added = [pair for pair in pairs if fresh.get(pair[0], self._latest.find(pair[0])) != pair[1]]
            fresh.update(added)
            receipts.append(self._describe(one.labels, [prediction_id for prediction_id, _ in added]))
            if added:
                batches.append(self._to_batch(added, one.time))
        error = self._append(batches) if batches else None
        if error is None:
            self._latest.add(fresh.items())
        self._loop.call_soon_threadsafe(self._answer, arrived, receipts, error)

    def _describe(self, labels: Labels, added: list[str]) -> Receipt:
        missing = [one for one, found in zip(added, self._rows.find(added), strict=True) if not found]
        since = self._rows.since
        late = sum((read_time(one) or since) < int(since) for one in missing)
        return Receipt(len(added), labels.given - len(added), len(missing) - late, late)

    def _to_batch(self, pairs: Sequence[tuple[str, Kept]], arrived: float) -> RecordBatch:
        ids, values = zip(*pairs, strict=True)
        times = np.full(len(pairs), int(MICROSECONDS * arrived), np.int64)
        return RecordBatch.from_pydict({
            ID: Array(ids, DataType.string()),
            LABEL: Array(values, DataType.float64() if self._numbers else DataType.string()),
            TIME: Array.from_numpy(times).cast(UTC_MICROSECONDS),
        })  # fmt: skip

    def _append(self, batches: list[RecordBatch]) -> Exception | None:
        """Write the file with these batches in it; return what kept it from being written."""
        now = time.time()
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

    def _answer(self, arrived: Sequence[Arrived], receipts: list[Receipt], error: Exception | None) -> None:
        if error is not None:
            reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
            logger.warning("%s can't be written to (%s): labels are rejected", self._folder, reason)
        for one, receipt in zip(arrived, receipts, strict=True):
            self._waiting -= len(one.labels)
            if one.future.done():
                continue
            if error is None:
                one.future.set_result(receipt)
            else:
                sentence = "the labels can't be kept now, the log says why: send them again later"
                one.future.set_exception(BadRequest(503, sentence, (b"retry-after", b"%d" % RETRY_AFTER_S)))
