"""What all workers of a service saw, as snapshots."""

import asyncio
import logging
import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from ekiben.contract.reference.snapshot import LENGTHS, Snapshot, Span, Window, merge_snapshots
from ekiben.model.package import PackedModel
from ekiben.service.lifecycle.worker_files import list_files
from ekiben.service.monitoring.monitor import Monitor
from ekiben.service.monitoring.windows import Tally
from ekiben.service.telemetry.metric_inheritance import is_dead

logger = logging.getLogger("bentoml.service")
PUBLISH_S = 2.0
MIN_PAUSES = 200  # as long as publishing takes: of a wide schema that is 60 ms
MAX_DEAD = 8  # files of workers that have ended; what an older one counted is lost
SNAPSHOTS = TypeAdapter(list[Snapshot])


class Overview:
    """Makes snapshots of what this worker counted and the others published."""

    def __init__(self, model: PackedModel, monitor: Monitor) -> None:
        self.model = model
        self.monitor = monitor
        self._folder: Path | None = None  # where workers publish, if there are several
        self._kind = f"monitoring_{model.name}_{model.version}"
        self._file = f"{self._kind}_{os.getpid()}.json"
        self._published = True  # at the last attempt
        self._publishing: asyncio.TimerHandle | None = None

    def snapshot(self, span: Span, latest: int = 0) -> Snapshot:
        """Return the windows of one length, or only the latest so many of each worker."""
        self.monitor.count_all()
        own = self._describe(span, latest)
        merged = merge_snapshots({"this worker": own, **dict(self._read_others(span))})
        if not latest:
            return merged
        starts = sorted({window.start for window in merged.windows})[-latest:]
        return merged.model_copy(update={"windows": tuple(one for one in merged.windows if one.start in starts)})

    def share(self, folder: Path) -> None:
        """Publish in a folder, every PUBLISH_S on this event loop, and read there what other workers published."""
        self._folder = folder
        paths = [path for _, path in list_files(folder, self._kind)]
        dead = sorted(filter(is_dead, paths), key=lambda path: path.stat().st_mtime)
        for path in dead[:-MAX_DEAD]:
            path.unlink(missing_ok=True)
        self._publish_regularly()

    def close(self) -> None:
        """Publish for the last time."""
        if self._publishing:
            self._publishing.cancel()
        self.publish()

    def publish(self) -> None:
        """Write what this worker counted; on a full disk it is kept in memory alone, until there is room again."""
        if self._folder is None:
            return
        self.monitor.count_all()
        path = self._folder / self._file
        unfinished = path.with_suffix(".part")
        try:
            unfinished.write_bytes(SNAPSHOTS.dump_json([self._describe(span) for span in LENGTHS]))
            unfinished.replace(path)
        except OSError as error:
            if self._published:
                logger.warning(
                    "%s can't be written (%s): other workers don't show what this one sees; make room",
                    path, error.strerror,
                )  # fmt: skip
            self._published = False
        else:
            self._published = True

    def _publish_regularly(self) -> None:
        started = time.perf_counter()
        self.publish()
        pause_s = max(PUBLISH_S, MIN_PAUSES * (time.perf_counter() - started))
        self._publishing = self.monitor.loop.call_later(pause_s, self._publish_regularly)

    def _describe(self, span: Span, latest: int = 0) -> Snapshot:
        tallies = self.monitor.windows.list(span)[-latest:]
        windows = (self._describe_window(start, tally) for start, tally in tallies)
        return Snapshot(
            model=self.model.name,
            version=self.model.version,
            reference=self.model.reference_digest,
            span=span,
            windows=tuple(windows),
        )

    def _describe_window(self, start: int, tally: Tally) -> Window:
        features, answers = self.monitor.counter.split(tally.counts)
        return Window.model_construct(
            source=self.monitor.source,
            start=datetime.fromtimestamp(start, UTC),
            rows=tally.rows,
            counted=tally.counted,
            rejected=dict(tally.rejected),
            features=features,
            answers=answers,
            sums=self.monitor.counter.split_sums(tally.counts),
        )

    def _read_others(self, span: Span) -> Iterator[tuple[str, Snapshot]]:
        """Yield what the other workers published of this model: one that began later may have found the next."""
        for _, path in list_files(self._folder, self._kind):
            if path.name == self._file:
                continue
            try:
                published = SNAPSHOTS.validate_json(path.read_bytes())
            except (OSError, ValidationError):
                continue  # it is just being removed
            yield from ((path.name, one) for one in published if one.span == span and self._is_of_this_model(one))

    def _is_of_this_model(self, snapshot: Snapshot) -> bool:
        return (snapshot.model, snapshot.reference) == (self.model.name, self.model.reference_digest)
