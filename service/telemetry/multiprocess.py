"""What /metrics makes of the counters that the workers of one service publish in their folder."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from bentoml._internal.configuration.containers import BentoMLContainer  # there is no public way
from bentoml._internal.context import server_context
from bentoml._internal.server.http import instruments
from prometheus_client import CollectorRegistry, Metric, multiprocess, values
from starlette.types import ASGIApp, Receive, Scope, Send

from ekiben.service.errors import BadRequest
from ekiben.service.telemetry.metric_files import COMPLETE, CounterFiles
from ekiben.service.telemetry.metric_inheritance import is_dead, is_live_gauge
from ekiben.service.telemetry.metrics_folder import VARIABLE, allow_full_disk, open_folder

KINDS = ("counter", "histogram", "gauge_livesum", "gauge_livemax", "gauge_livemin")  # of metrics we have
INCOMPLETE = "not every worker can publish its metrics: the log names the file; make room and restart the service"


class Collector(multiprocess.MultiProcessCollector):
    """Adds up what all workers counted; unlike prometheus_client's it does without a folder, if it must."""

    def __init__(self, registry: CollectorRegistry, workers: int, files: CounterFiles) -> None:
        self._workers = workers
        self._files = files
        registry.register(self)

    def collect(self) -> Iterable[Metric]:
        """Return every metric; raise BadRequest if another worker's part is missing."""
        folder = Path(os.environ[VARIABLE])
        if self._workers > 1 and not (folder / COMPLETE).exists():
            raise BadRequest(503, INCOMPLETE)
        files = {str(path) for path in folder.glob("*.db") if not (is_live_gauge(path) and is_dead(path))}
        metrics: Iterable[Metric] = self.merge(files | set(self._files.opened))  # type: ignore[no-untyped-call]
        return metrics


def bind_collector(workers: int, files: CounterFiles) -> type[Collector]:
    """Return the class that prometheus_client knows by the registry alone: it calls its static methods, too."""

    class BoundCollector(Collector):
        def __init__(self, registry: CollectorRegistry) -> None:
            super().__init__(registry, workers, files)

    return BoundCollector


class PassThrough:
    """Stands in for BentoML's middleware: its series have the path as a label, so a caller could make any number."""

    def __init__(self, app: ASGIApp, **_: Any) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, send)


def keep_values_in_memory(workers: int) -> None:
    """Replace prometheus_client's files by ours; no metric must have been made yet.

    Its modules hold what all metrics of a process are made of, BentoML's own among them.
    """
    replaced: Any = values
    if server_context.worker_index is None:  # the supervisor counts nothing
        replaced.ValueClass = values.MutexValue
        return
    files = CounterFiles()
    replaced.MmapedDict = files
    replaced = multiprocess
    replaced.MmapedDict = files
    replaced.MultiProcessCollector = bind_collector(workers, files)
    replaced = instruments
    replaced.RunnerTrafficMetricsMiddleware = PassThrough
    for kind in KINDS:  # takes the room, so that what comes later finds it
        files(f"{os.environ[VARIABLE]}/{kind}_{os.getpid()}.db").close()


def keep_metrics_apart() -> None:
    """Choose the folder, which is removed at the end of this process; a worker has it from the supervisor."""
    if server_context.worker_index is not None:
        allow_full_disk(os.environ[VARIABLE])
        return
    folder = open_folder(Path(os.environ.get(VARIABLE) or BentoMLContainer.bentoml_home.get()))
    BentoMLContainer.prometheus_multiproc_dir.set(str(folder))
    allow_full_disk(str(folder))


def find_service_folder() -> Path:
    """Return the folder of the service that this process starts."""
    return Path(BentoMLContainer.prometheus_multiproc_dir.get())


def mark_complete() -> None:
    """Say that every worker publishes; one that can't takes it back."""
    try:
        (find_service_folder() / COMPLETE).touch()
    except OSError:
        return  # the workers will report why
