"""The folder in which the workers of one service publish their counters, and what /metrics makes of it.

BentoML has one folder for all services under its home, and empties it as another one starts: the counters of
the one that runs would never change again.
"""

import atexit
import os
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from bentoml._internal.configuration.containers import BentoMLContainer  # there is no public way
from bentoml._internal.context import server_context
from bentoml._internal.server.http import instruments
from prometheus_client import CollectorRegistry, Metric, multiprocess, values
from starlette.types import ASGIApp, Receive, Scope, Send

from ekiben.contract.errors import UserError
from ekiben.service.errors import BadRequest
from ekiben.service.telemetry.metric_files import COMPLETE, CounterFiles
from ekiben.service.telemetry.metric_inheritance import is_dead, is_live_gauge

VARIABLE = "PROMETHEUS_MULTIPROC_DIR"  # BentoML sets it for its workers, which import the service too
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
    folder = make_folder(Path(os.environ.get(VARIABLE) or BentoMLContainer.bentoml_home.get()))
    BentoMLContainer.prometheus_multiproc_dir.set(str(folder))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    allow_full_disk(str(folder))


def find_worker_folder() -> Path | None:
    """Return the folder that the supervisor has given this worker; None in the supervisor itself."""
    return None if server_context.worker_index is None else Path(os.environ[VARIABLE])


def find_supervisor_folder() -> Path:
    """Return the folder of the supervisor that this process is."""
    return Path(BentoMLContainer.prometheus_multiproc_dir.get())


def make_folder(parent: Path) -> Path:
    """Return a new folder of this process: there, or else among the system's temporary ones."""
    folder = parent / f"metrics-{os.getpid()}"
    try:
        shutil.rmtree(folder, ignore_errors=True)  # of a container before this one, on the same volume
        folder.mkdir(parents=True)
    except OSError as reason:
        try:
            return Path(tempfile.mkdtemp(prefix="metrics-"))
        except OSError:
            advice = f"mount a writable folder, such as a tmpfs, on {parent} or on /tmp"
            raise UserError(f"no folder can be made in {parent} ({reason.strerror}) or in /tmp: {advice}") from None
    return folder


def allow_full_disk(folder: str) -> None:
    """Have temporary folders made in this one if no file can be written elsewhere: while empty they take no room."""
    try:
        tempfile.gettempdir()
    except FileNotFoundError:
        tempfile.tempdir = folder


def mark_complete() -> None:
    """Say that every worker publishes; one that can't takes it back."""
    try:
        (find_supervisor_folder() / COMPLETE).touch()
    except OSError:
        return  # the workers will report why


def remove_folder() -> None:
    """Remove the folder that the supervisor can't remove any more."""
    shutil.rmtree(os.environ[VARIABLE], ignore_errors=True)
