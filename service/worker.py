"""A worker: one model behind one queue, with all protocols, over HTTP and gRPC. Belongs to one event loop."""

import asyncio
import logging
import os
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from ekiben.model.package import PackedModel
from ekiben.service.auth import Authenticator
from ekiben.service.connections.admission import AdmissionController
from ekiben.service.connections.admission_connection import AdmissionConnection
from ekiben.service.connections.byte_budget import ByteBudget, find_byte_limit
from ekiben.service.connections.connection_limit import find_limit
from ekiben.service.connections.http_state import HttpState, use_protocol
from ekiben.service.connections.port_sharing import GrpcSocket, ProtocolDetector
from ekiben.service.dataplane import Dataplane
from ekiben.service.grpc.server import GrpcServer
from ekiben.service.http.front_door import Drain
from ekiben.service.http.router import Router
from ekiben.service.lifecycle import lifeline
from ekiben.service.lifecycle.drain import drain_on_sigterm, ignore_hangup
from ekiben.service.lifecycle.memory import tune_garbage
from ekiben.service.lifecycle.resource_limits import read_limits
from ekiben.service.lifecycle.startup_report import describe_routes
from ekiben.service.monitoring.alarms import DailyAlarms
from ekiben.service.monitoring.overview import Overview
from ekiben.service.monitoring.protocol import build_monitoring, build_silence, explain_silence
from ekiben.service.monitoring.series import prepare_series
from ekiben.service.pages.swagger_ui import page
from ekiben.service.protocols import PROTOCOLS
from ekiben.service.protocols.mounting import mount
from ekiben.service.protocols.openapi import document
from ekiben.service.protocols.protocol import Protocol
from ekiben.service.row_log.feedback import build_feedback
from ekiben.service.row_log.logs import Logs, open_logs
from ekiben.service.settings import Settings
from ekiben.service.telemetry.exposition import exposition
from ekiben.service.telemetry.multiprocess import VARIABLE as METRICS_FOLDER

logger = logging.getLogger("bentoml.service")
CLOSING_S = 1.0  # for gRPC calls that are still under way at an interrupt


class Worker:
    """What the parts of a worker share, and its life: `open`, answer, `stop_being_ready`, `close`."""

    dataplane: Dataplane
    grpc: GrpcServer
    logs: Logs
    overview: Overview | None = None  # of what was answered, if that is counted
    _prepare_series: Callable[[], Callable[[], bytes]] | None = None

    def __init__(self, settings: Settings, model: PackedModel) -> None:
        """Make what does without an event loop; uvicorn must not have been started yet."""
        self.settings = settings
        self.model = model
        self.router = Router()  # filled as the worker opens
        self.drain = Drain()
        self.authenticator = Authenticator(settings.auth_token.get_secret_value())
        limit = find_byte_limit(read_limits(), settings.workers, model.manifest.engine, settings.max_body_bytes)
        # A request has at least one row: so no more of them wait than rows may.
        self.http = HttpState(
            settings.max_head_bytes,
            find_limit(settings.max_connections),
            ByteBudget(limit),
            AdmissionController(settings.max_wait_s, settings.max_waiting_rows),
        )
        self._grpc_socket = GrpcSocket() if settings.grpc_on_main_port else None
        if self._grpc_socket:
            use_protocol(partial(ProtocolDetector, self.http, self._grpc_socket))
        else:
            use_protocol(partial(AdmissionConnection, self.http))

    async def open(self, base_document: Mapping[str, Any]) -> None:
        """Start the engine and answer on all routes and over gRPC."""
        settings, admission = self.settings, self.http.admission
        limits = settings.max_waiting_rows, settings.max_request_rows, settings.max_wait_s
        reference = self.model.reference if settings.monitoring else None
        self.dataplane = Dataplane(self.model, self.model.start_engine(), *limits, self.http.budget, reference)
        self.logs = open_logs(settings, self.model)
        self.dataplane.log_rows(self.logs.rows)
        self.dataplane.count_unread = admission.count_waiting
        admission.backlog_s = lambda: self.dataplane.queue.backlog_s
        keep = self.logs.labels.keep if self.logs.labels else None
        protocols = [build(self.dataplane, settings) for build in PROTOCOLS]
        protocols += [build_feedback(keep, self.dataplane, settings), self._watch_rows()]
        described = document(base_document, protocols, self.model)
        mount(self.router, [described, page(self.model), exposition(self._prepare_series), *protocols], settings)
        max_values = settings.max_request_rows * len(self.model.schema.features)
        self.grpc = GrpcServer(
            protocols, settings, self.authenticator, self.http.budget, max_values, note_call=admission.share
        )
        await self.grpc.start(settings, *([self._grpc_socket.open(self.finish)] if self._grpc_socket else []))
        logger.info(describe_routes(protocols))
        self._watch_signals()
        # uvicorn formats an access line for every request unless its logger leads nowhere.
        logging.getLogger("uvicorn.access").propagate = False
        tune_garbage()

    def _watch_rows(self) -> Protocol:
        """Return the protocol that shows what is answered, if it is counted."""
        silence = explain_silence(self.settings.monitoring, self.model)
        monitor, reference = self.dataplane.monitor, self.model.reference
        if monitor is None or reference is None:
            logger.info(silence)
            return build_silence(silence)
        self.overview = Overview(self.model, monitor)
        alarms = DailyAlarms(self.overview, reference, self.settings.false_alarms)
        self._prepare_series = prepare_series(self.overview, reference, alarms)
        if self.settings.workers > 1:
            self.overview.share(Path(os.environ[METRICS_FOLDER]))
        return build_monitoring(self.overview, reference, alarms)

    def stop_being_ready(self) -> None:
        """Report not ready to all probes, and close each connection after its next answer."""
        self.drain.begun = self.http.admission.draining = True
        self.dataplane.stop_being_ready()
        self.grpc.stop_being_ready()

    def finish(self, left_s: float = CLOSING_S) -> None:
        """Take no new gRPC calls; uvicorn does the same for HTTP."""
        self.grpc.stop(left_s)

    async def close(self) -> None:
        """Stop gRPC and the engine."""
        await self.grpc.stop(CLOSING_S)  # which counts only if SIGTERM was not how it began
        self.dataplane.close()
        await self.logs.close()
        if self.overview:
            self.overview.publish()
        if self._grpc_socket:
            self._grpc_socket.close()

    def _watch_signals(self) -> None:
        start_draining = drain_on_sigterm(self.stop_being_ready, self.finish, self.settings.drain_delay_s)
        lifeline.watch(start_draining)
        ignore_hangup(asyncio.get_running_loop().call_soon_threadsafe)
