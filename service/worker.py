"""A worker: models and their versions behind all protocols, over HTTP and gRPC. Belongs to one event loop."""

import logging
import os
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from ekiben.model.package import PackedModel
from ekiben.model.steps import finish
from ekiben.service.batching.turns import EngineTurns
from ekiben.service.canary.conducting import Conductor
from ekiben.service.canary.protocol import build_canary
from ekiben.service.connections.byte_budget import find_byte_limit
from ekiben.service.connections.detecting import detect_protocol
from ekiben.service.connections.http_state import make_http_state, use_protocol
from ekiben.service.connections.port_sharing import GrpcSocket, RelayDetector
from ekiben.service.grpc.opening import GrpcServer, open_grpc, relays
from ekiben.service.http.front_door import Drain
from ekiben.service.http.router import Router
from ekiben.service.lifecycle import lifeline
from ekiben.service.lifecycle.drain import drain_on_sigterm
from ekiben.service.lifecycle.leaving import Leaving
from ekiben.service.lifecycle.memory import read_resident_bytes, tune_garbage
from ekiben.service.lifecycle.resource_limits import find_engine, read_limits
from ekiben.service.lifecycle.server import find_server, stop_listening
from ekiben.service.lifecycle.startup_report import describe_routes
from ekiben.service.prediction_ids import PredictionIds
from ekiben.service.protocols.mounting import mount
from ekiben.service.protocols.openapi.describing import Surroundings
from ekiben.service.protocols.protocol import Protocol
from ekiben.service.secrets.watched import Secrets
from ekiben.service.servings.agreed_versions import AgreedVersions
from ekiben.service.servings.dispatch import unite
from ekiben.service.servings.factory import ServingFactory
from ekiben.service.servings.on_demand import OnDemand
from ekiben.service.servings.reloading import Reloader
from ekiben.service.servings.repository import build_repository
from ekiben.service.servings.room import Room
from ekiben.service.servings.sagemaker import build_sagemaker
from ekiben.service.servings.series import prepare_series
from ekiben.service.servings.serving import Serving
from ekiben.service.servings.servings import Servings
from ekiben.service.servings.staging import conduct_canary
from ekiben.service.servings.versions import Origin, Versions
from ekiben.service.servings.watching import VersionWatch
from ekiben.service.settings import Settings
from ekiben.service.telemetry import metrics
from ekiben.service.telemetry.build_info import BuildSeries
from ekiben.service.telemetry.exposition import exposition
from ekiben.service.telemetry.initial_zeros import begin_at_zero
from ekiben.service.telemetry.metrics_folder import VARIABLE as METRICS_FOLDER
from ekiben.service.telemetry.processes import ProcessSeries
from ekiben.service.tracing.process import start_exporting, stop_exporting
from ekiben.service.web.mounting import mount_web

logger = logging.getLogger("bentoml.service")
CLOSING_S = 1.0  # for gRPC calls that are still under way at an interrupt


class Worker:
    """What the parts of a worker share, and its life: `open`, answer, `stop_being_ready`, `close`."""

    servings: Servings
    watch: VersionWatch
    conductors: dict[str, Conductor]  # of canaries, by model
    grpc: GrpcServer
    leaving: Leaving
    _shared: list[Protocol]  # what is registered besides the versions' own

    def __init__(self, settings: Settings, models: Sequence[PackedModel], agreed: AgreedVersions | None = None) -> None:
        """Make what does without an event loop; uvicorn must not have been started yet."""
        self.settings, self.models = settings, models
        self._agreed = agreed or AgreedVersions(None)
        self.router = Router()  # filled as the worker opens
        self.drain = Drain()
        self.secrets = Secrets(settings)
        self._engine = engine = find_engine(model.manifest.engine for model in models)
        limit = find_byte_limit(read_limits(), settings.workers, engine, settings.max_body_bytes, len(models))
        self.http = make_http_state(settings, limit, self.secrets.authenticator)
        if self.secrets.tls:
            self.secrets.tls.serve_http()
        self._grpc_socket = GrpcSocket() if relays(settings) else None
        if self._grpc_socket:
            use_protocol(partial(RelayDetector, self.http, self._grpc_socket))
        else:
            use_protocol(partial(detect_protocol, self.http))

    async def open(self) -> None:
        """Start the engines and answer on all routes and over gRPC."""
        settings, admission = self.settings, self.http.admission
        start_exporting()
        folder = Path(os.environ[METRICS_FOLDER]) if settings.workers > 1 else None
        factory = ServingFactory(
            settings,
            self.http.budget,
            PredictionIds(),
            EngineTurns(),
            Surroundings(lambda: self._shared, self._list_others, self.secrets.authenticator.required),
            self.models[0].name,
            folder,
        )
        room = Room(settings, read_limits(), self._engine, self.http.budget)
        self.servings = Servings(self._start(factory, room))
        for one in self.servings.models:
            one.newest = self._agreed.newest.get(one.name, one.newest)
        admission.backlog_s = lambda: factory.turns.backlog_s
        metrics.begin(self.models, settings.triton_metrics)
        metrics.flush_regularly(lambda: self.servings.waiting_rows + admission.count_waiting(), self.servings.count)
        self.leaving = Leaving(
            lambda: self.servings.under_way + admission.count_waiting(), lambda: self.servings.waiting_rows
        )
        reloader = Reloader(self.servings, factory, self._agreed.note_served)
        self._conduct = partial(conduct_canary, self.servings, reloader, settings.canary_header, factory.ids, folder)
        self.conductors = {versions.name: self._conduct(versions) for versions in self.servings.models}
        on_demand = OnDemand(self.servings, reloader, room, self._welcome, self._forget)
        versions = unite(self.servings, self.servings.default.current.protocols)
        repository = build_repository(self.servings, on_demand, settings, self.conductors)
        sagemaker = build_sagemaker(self.servings, on_demand, settings)
        self.watch = VersionWatch(settings, self.servings, reloader, self._agreed.note_newest)
        prepare = partial(prepare_series, self.servings, self.conductors, BuildSeries(), ProcessSeries())
        shared = repository, sagemaker, self.watch.webhook, build_canary(self.conductors)
        self._shared = [exposition(prepare, settings), *shared]
        protocols = [*self._shared, *versions]
        mount(self.router, protocols, settings)
        begin_at_zero(protocols, settings)
        self.grpc = open_grpc(protocols, settings, self.secrets.authenticator, self.http, 0)
        mount_web(self.router, self.grpc.methods, protocols)
        for model in self.models:
            self._allow_features(model)
        addresses = [self._grpc_socket.open(self.finish)] if self._grpc_socket else []
        await self.grpc.start(settings, *addresses, tls=self.secrets.tls)
        self.secrets.begin()
        logger.info(describe_routes([*versions, repository, sagemaker]))
        self._watch_signals()
        self.watch.begin()
        # uvicorn formats an access line for every request unless its logger leads nowhere.
        logging.getLogger("uvicorn.access").propagate = False
        tune_garbage()

    def _start(self, factory: ServingFactory, room: Room) -> Iterator[Serving]:
        """Start each model's engine, and note what it takes."""
        for index, model in enumerate(self.models):
            before = read_resident_bytes()
            yield finish(factory.build(model, model.start_engine()))
            if index:  # the first one's memory is part of what any worker takes
                room.take(model, read_resident_bytes() - before)

    def _allow_features(self, model: PackedModel) -> None:
        """Let gRPC's messages hold as many rows of this model as they may."""
        self.grpc.allow_values(self.settings.max_request_rows * len(model.schema.features))

    def _welcome(self, versions: Versions) -> None:
        """Note a model that was loaded on demand; one of a folder has no other versions."""
        self._allow_features(versions.current.model)
        if versions.origin is not Origin.FOLDER:
            self.conductors[versions.name] = self._conduct(versions)

    def _forget(self, name: str) -> None:
        self.conductors.pop(name, None)

    def _list_others(self) -> list[str]:
        """Return the names of the models that calls which name none don't get."""
        return [versions.name for versions in self.servings.models if versions is not self.servings.default]

    def stop_being_ready(self) -> None:
        """Report not ready to all probes, and close each connection after its next answer."""
        self.drain.begun = self.http.admission.draining = True
        self.servings.stop_being_ready()
        self.grpc.stop_being_ready()

    def finish(self, left_s: float = CLOSING_S) -> None:
        """Take no new gRPC calls; uvicorn does the same for HTTP."""
        self.http.stopping = True
        if self._server:
            stop_listening(self._server, self.settings.workers)
        self.grpc.stop(left_s)

    async def close(self) -> None:
        """Stop gRPC and the engines."""
        self.watch.end()
        self.secrets.end()
        await self.grpc.stop(CLOSING_S)  # which counts only if SIGTERM was not how it began
        self.leaving.end()
        await self.servings.close()
        if self._grpc_socket:
            self._grpc_socket.close()
        metrics.flush()  # the last second's, too
        stop_exporting()

    def _watch_signals(self) -> None:
        def announce(delay_s: float) -> None:
            self.leaving.begin(delay_s)
            self.stop_being_ready()

        self._server = find_server()
        start_draining = drain_on_sigterm(announce, self.finish, self.settings.drain_delay_s)
        lifeline.watch(start_draining)
