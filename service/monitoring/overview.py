"""What all workers of a service saw, as snapshots."""

import asyncio
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from ekiben.contract.reference.snapshot import LENGTHS, Snapshot, Span, Window, merge_snapshots
from ekiben.model.package import PackedModel
from ekiben.service.lifecycle.exchange import Exchange
from ekiben.service.monitoring.monitor import Monitor
from ekiben.service.monitoring.windows import Tally

PUBLISH_S = 2.0
MIN_PAUSES = 200  # as long as publishing takes: of a wide schema that is 60 ms
SNAPSHOTS = TypeAdapter(list[Snapshot])


class Overview:
    """Makes snapshots of what this worker counted and the others published."""

    def __init__(self, model: PackedModel, monitor: Monitor) -> None:
        self.model = model
        self.monitor = monitor
        self._exchange: Exchange | None = None  # with other workers, if there are several
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
        self._exchange = Exchange(folder, f"monitoring_{self.model.name}_{self.model.version}")
        self._publish_regularly()

    def close(self) -> None:
        """Publish for the last time."""
        if self._publishing:
            self._publishing.cancel()
        self.publish()

    def publish(self) -> None:
        """Write what this worker counted; on a full disk it is kept in memory alone, until there is room again."""
        if self._exchange is not None:
            self.monitor.count_all()
            self._exchange.write(SNAPSHOTS.dump_json([self._describe(span) for span in LENGTHS]))

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
        for process, content in self._exchange.read_others() if self._exchange else ():
            try:
                published = SNAPSHOTS.validate_json(content)
            except ValidationError:
                continue  # it is damaged
            for one in published:
                if one.span == span and self._is_of_this_model(one):
                    yield f"worker {process}", one

    def _is_of_this_model(self, snapshot: Snapshot) -> bool:
        return (snapshot.model, snapshot.reference) == (self.model.name, self.model.reference_digest)
